package helsenorge

import "encoding/xml"

// The namespaces of the formats that this package knows the schema of.
const (
	nsHead     = "http://www.kith.no/xmlstds/msghead/2006-05-24"
	nsDialog   = "http://www.kith.no/xmlstds/dialog/2013-01-23"
	nsDialog0  = "http://www.kith.no/xmlstds/dialog/2006-10-11"
	nsReceipt  = "http://www.kith.no/xmlstds/apprec/2012-02-15"
	nsReceipt0 = "http://www.kith.no/xmlstds/apprec/2004-11-21"
	nsRelation = "http://www.kith.no/xmlstds/pasientrelasjon/2014-03-28"
	nsPeople   = "http://www.kith.no/xmlstds/person/2014-03-28"
	nsShared   = "http://www.kith.no/xmlstds/felleskomponent1"
	nsCalendar = "urn:ietf:params:xml:ns:icalendar-2.0"
	nsBase64   = "http://www.kith.no/xmlstds/base64container"
	nsXHTML    = "http://www.w3.org/1999/xhtml"
	nsSign     = "http://www.w3.org/2000/09/xmldsig#"
)

// The two editions of the list of practitioners. The older has no remark, and an
// official sample still uses it.
const (
	nsPractitioners    = "http://www.kith.no/xmlstds/helsepersonell/2015-05-04"
	nsPractitionersOld = "http://www.kith.no/xmlstds/helsepersonell/2014-03-28"
)

// Versions of the formats, as MIGversion carries them.
const (
	headVersion    = "v1.2 2006-05-24"
	receiptVersion = "v1.1 2012-02-15"
)

// Names that more than one file asks for.
var (
	nameMsgHead           = xml.Name{Space: nsHead, Local: "MsgHead"}
	nameDialog            = xml.Name{Space: nsDialog, Local: "Dialogmelding"}
	nameDialog0           = xml.Name{Space: nsDialog0, Local: "Dialogmelding"}
	nameRelation          = xml.Name{Space: nsRelation, Local: "Pasientrelasjon"}
	namePeople            = xml.Name{Space: nsPeople, Local: "Personer"}
	nameCalendar          = xml.Name{Space: nsCalendar, Local: "icalendar"}
	namePractitioners     = xml.Name{Space: nsPractitioners, Local: "HelsepersonelListe"}
	namePractitionerEntry = xml.Name{Space: nsPractitioners, Local: "Helsepersonell"}
	namePractitionersOld  = xml.Name{Space: nsPractitionersOld, Local: "Helsepersonell"}
	nameBase64            = xml.Name{Space: nsBase64, Local: "Base64Container"}
	nameReceipt           = xml.Name{Space: nsReceipt, Local: "AppRec"}
	nameReceipt0          = xml.Name{Space: nsReceipt0, Local: "AppRec"}
)

// The schemas are data: one table per format, in the order of the XSD, and one
// validator (validate.go) that walks a document along them. The tables hold what
// the standard's XSDs hold, no more; what a process demands beyond them is in
// profile.go.

// contentType is an XSD type: exactly one of simple, items (also empty, for
// attributes only), anything or documents says what the content is.
type contentType struct {
	// name is for xsi:type, and zero for an anonymous type.
	name  xml.Name
	attrs map[string]simpleType
	// required are the attributes that must be there.
	required []string
	// mixed lets text stand between the elements.
	mixed bool
	// wild is a wildcard, which is no element's type.
	wild *wildcard
	// simple is the type of the text of an element without child elements.
	simple simpleType
	// fixed is the only value the text may have; an empty element has it too.
	fixed string
	items []item
	// optional lets the element be empty although items demands children
	// (Organisation: a sequence with minOccurs 0).
	optional bool
	// anything is xs:anyType: whatever is well-formed, known elements checked.
	anything bool
	// documents is the wildcard of RefDoc/Content.
	documents bool
	// base64 is xs:base64Binary, kept apart from simple for its size.
	base64 bool
}

// item is one step of a sequence: an element, or a choice of elements.
type item struct {
	alternatives []element
	// optional lets the whole choice be left out.
	optional bool
	// repeated lets the choice be made again, in any order: a substitution group.
	repeated bool
}

// element is one element; without a name, typ is a sequence in the sequence, or a wildcard.
type element struct {
	name xml.Name
	typ  *contentType
	max  int // 0 is unbounded
}

// wildcard is xs:any.
type wildcard struct {
	// other is the namespace that the element must not be of, nor of none; "" lets it be
	// of any.
	other string
	// strict demands that the schemas know the element.
	strict bool
}

// vocabulary makes the elements of one namespace.
type vocabulary string

func (v vocabulary) el(local string, typ *contentType, least, most int) item {
	e := element{name: xml.Name{Space: string(v), Local: local}, typ: typ, max: most}
	return item{alternatives: []element{e}, optional: least == 0}
}

func (v vocabulary) one(local string, typ *contentType) item  { return v.el(local, typ, 1, 1) }
func (v vocabulary) opt(local string, typ *contentType) item  { return v.el(local, typ, 0, 1) }
func (v vocabulary) some(local string, typ *contentType) item { return v.el(local, typ, 1, 0) }
func (v vocabulary) many(local string, typ *contentType) item { return v.el(local, typ, 0, 0) }

// choice lets one of the elements occur; it may be left out when any of them may.
func choice(items ...item) item {
	var c item
	for _, it := range items {
		c.alternatives = append(c.alternatives, it.alternatives...)
		c.optional = c.optional || it.optional
	}
	return c
}

func sequence(items ...item) *contentType { return &contentType{items: items} }

// join strings steps of a sequence together.
func join(parts ...[]item) (all []item) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// edition gives the items that only one of two editions of a format has: has for the
// edition that is described, lacks for the other.
type edition func(...item) []item

func has(items ...item) []item { return items }

func lacks(...item) []item { return nil }

// The datatypes that every KITH schema defines alike.
var (
	typString   = &contentType{name: xml.Name{Space: nsXSD, Local: "string"}, simple: isString}
	typDate     = &contentType{name: xml.Name{Space: nsXSD, Local: "date"}, simple: isDate}
	typDateTime = &contentType{name: xml.Name{Space: nsXSD, Local: "dateTime"}, simple: isDateTime}
	typInteger  = &contentType{name: xml.Name{Space: nsXSD, Local: "integer"}, simple: isInteger}
	typAnything = &contentType{name: xml.Name{Space: nsXSD, Local: "anyType"}, anything: true}
	typCS       = &contentType{attrs: map[string]simpleType{"V": isString, "DN": isString}}
	typCV       = &contentType{attrs: map[string]simpleType{"V": isString, "S": isOID, "DN": isString, "OT": isString}}
	typTS       = &contentType{attrs: map[string]simpleType{"V": isTimestamp}}
	typURL      = &contentType{attrs: map[string]simpleType{"V": isString}}
)

var (
	typMsgHead  = &contentType{}
	typRelation = &contentType{}
	typReceipt  = &contentType{}
	typReceipt0 = &contentType{}

	// globals are the global elements of the schemas: what the wildcard and
	// anyType check when they meet it.
	globals = map[xml.Name]*contentType{}
)

func init() {
	headSchema()
	dialogSchema(nsDialog)
	dialogSchema(nsDialog0)
	peopleSchema()
	practitionerSchema()
	prescriptionSchemas()
	calendarSchema()
	citizenSchemas()
	serviceSchema()
	receiptSchema(nsReceipt, typReceipt)
	receiptSchema(nsReceipt0, typReceipt0)
	base64Schema()
}

// person are the elements that every person of the schemas starts with; only
// Dialogmelding's Person has the given name first.
func person(v vocabulary, givenFirst bool, idents func(string, *contentType) item, ident, address, telecom *contentType) []item {
	names := []item{v.opt("FamilyName", typString), v.opt("MiddleName", typString), v.opt("GivenName", typString)}
	if givenFirst {
		names[0], names[2] = names[2], names[0]
	}
	return append(names,
		v.opt("DateOfBirth", typDate), v.opt("Sex", typCS), v.opt("Nationality", typCS),
		idents("Ident", ident), v.opt("Address", address), v.many("TeleCom", telecom))
}

func addressTypes(v vocabulary) (ident, address, telecom *contentType) {
	ident = sequence(v.one("Id", typString), v.one("TypeId", typCV))
	address = sequence(v.opt("Type", typCS), v.opt("StreetAdr", typString), v.opt("PostalCode", typString),
		v.opt("City", typString), v.opt("Postbox", typString), v.opt("County", typCS), v.opt("Country", typCS))
	telecom = sequence(v.opt("TypeTelecom", typCS), v.one("TeleAddress", typURL))
	return ident, address, telecom
}

// declare makes the elements of the items global.
func declare(items ...item) {
	for _, it := range items {
		for _, e := range it.alternatives {
			globals[e.name] = e.typ
		}
	}
}

func global(v vocabulary, local string, typ *contentType) {
	globals[xml.Name{Space: string(v), Local: local}] = typ
}

// headSchema is MsgHead-v1_2.xsd (HIS 80601).
func headSchema() {
	v := vocabulary(nsHead)
	ident, address, telecom := addressTypes(v)
	patient := sequence(person(v, false, v.many, ident, address, telecom)...)
	personType := sequence(person(v, false, v.many, ident, address, telecom)...)
	professional := sequence(append([]item{v.opt("TypeHealthcareProfessional", typCS), v.opt("RoleToPatient", typCV)},
		person(v, false, v.some, ident, address, telecom)...)...)
	organisation := &contentType{optional: true}
	organisation.items = []item{
		v.one("OrganisationName", typString), v.opt("TypeOrganisation", typCV), v.some("Ident", ident),
		v.opt("Address", address), v.many("TeleCom", telecom),
		v.opt("Organisation", organisation), v.opt("HealthcareProfessional", professional),
	}
	party := sequence(v.opt("ComMethod", typCS), v.one("Organisation", organisation))
	other := sequence(v.opt("ComMethod", typCS), v.one("RoleReceiver", typCS),
		choice(v.opt("Organisation", organisation), v.opt("Patient", patient), v.opt("Person", personType), v.opt("HealthcareProfessional", professional)))
	conversation := sequence(v.one("RefToParent", typString), v.one("RefToConversation", typString))
	refDoc := sequence(v.opt("IssueDate", typTS), v.one("MsgType", typCS), v.opt("Id", typString), v.opt("MimeType", typString),
		v.opt("Description", typString), v.opt("Compression", typCS),
		choice(v.opt("FileReference", typString), v.opt("Content", &contentType{documents: true})))
	document := sequence(v.opt("DocumentConnection", typCS), v.opt("ContentType", typCV), v.opt("ContentDescription", typString),
		v.opt("ContentCategory", typCV), v.opt("Consent", typCV), v.opt("Annotation", typString), v.opt("FromDate", typTS),
		v.opt("ToDate", typTS), v.opt("OidRef", &contentType{simple: isOID}), v.opt("EnquiryRefId", typString), v.one("RefDoc", refDoc))
	report := sequence(v.opt("DocumentConnection", typCS), v.one("CaseNo", typString), v.some("Document", document), v.opt("Patient", patient))
	info := sequence(v.one("Type", typCS), v.one("MIGversion", &contentType{name: typString.name, simple: isString, fixed: headVersion}),
		v.one("GenDate", typDateTime), v.one("MsgId", typString), v.opt("ProcessingStatus", typCS), v.opt("RequestedPriority", typCS),
		v.opt("Ack", typCS), v.opt("ConversationRef", conversation), v.one("Sender", party), v.one("Receiver", party),
		v.many("OtherReceiver", other), v.opt("Patient", patient))
	typMsgHead.items = []item{
		v.one("MsgInfo", info), choice(v.some("Document", document), v.some("PatientReport", report)),
		vocabulary(nsSign).opt("Signature", signatureSchema()),
	}
	for local, typ := range map[string]*contentType{
		"MsgHead": typMsgHead, "MsgInfo": info, "PatientReport": report, "Sender": party, "Receiver": party, "OtherReceiver": other,
		"Document": document, "RefDoc": refDoc, "ConversationRef": conversation, "Patient": patient, "Person": personType,
		"Organisation": organisation, "HealthcareProfessional": professional,
	} {
		global(v, local, typ)
	}
}

// dialogSchema is dialogmelding-v1.1.xsd (HIS 80603, corrected January 2017) or
// dialogmelding-v1.0.xsd, with felleskomponent1.xsd under them.
func dialogSchema(ns string) {
	v := vocabulary(ns)
	var newer, older edition = has, lacks
	if ns == nsDialog0 {
		newer, older = lacks, has
	}
	roles := v.many("RollerRelatertNotat", roleSchema(v, newer, older))
	request := sequence(join([]item{v.one("TypeForesp", typCV)},
		newer(v.opt("EmneSporsmal", typString), v.opt("Sporsmal", typAnything)), older(v.opt("Sporsmal", typString)), []item{
			v.opt("Formål", typCV), v.opt("Begrunnelse", typString), v.opt("Hastegrad", typCS), v.opt("FraDato", typDate), v.opt("TilDato", typDate),
		}, newer(v.many("TypeJournalinfo", typCV), v.opt("KodetOpplysning", typCV)), older(v.opt("TypeJournalinfo", typCV)), []item{
			v.opt("DokIdForesp", typString), roles,
		})...)
	note := sequence(v.one("TemaKodet", typCV), v.opt("Tema", typString), v.opt("TekstNotatInnhold", typAnything),
		v.opt("Merknad", typString), v.opt("DokIdNotat", typString), v.opt("DatoNotat", typDate), v.opt("Foresporsel", request),
		roles)
	asked, told := v.many("Foresporsel", request), v.many("Notat", note)
	dialog := sequence(v.opt("SakstypeKodet", typCV), v.opt("Sakstype", typString), choice(asked, told))
	declare(v.one("Dialogmelding", dialog), asked, told, roles)
}

// roleSchema is who has to do with what a message is about: alike in Dialogmelding and
// TjenesteOversikt, but that the older edition names a person and no unit.
func roleSchema(v vocabulary, newer, older edition) *contentType {
	fk := vocabulary(nsShared)
	ident, address, telecom := addressTypes(fk)
	professional := sequence(append([]item{v.opt("TypeHealthcareProfessional", typCS), v.opt("RoleToPatient", typCV)},
		person(v, false, v.many, ident, address, telecom)...)...)
	personType := sequence(person(v, true, v.many, ident, address, telecom)...)
	organisation := &contentType{}
	organisation.items = []item{
		fk.opt("TypeOrganisation", typCV), fk.one("OrganisationName", typString), fk.some("Ident", ident),
		fk.opt("Address", address), fk.many("TeleCom", telecom), fk.opt("Organisation", organisation),
	}
	who := choice(v.opt("HealthcareProfessional", professional), v.opt("Person", personType))
	named := choice(v.one("HealthcareProfessional", professional), v.one("Person", personType))
	units := newer(v.opt("TilknyttetEnhet", sequence(v.one("Kontaktenhet", organisation), v.opt("Merknad", typString), who)))
	declare(append(units, who)...)
	return sequence(join([]item{v.opt("RolleNotat", typCV), v.opt("RoleToPatient", typCV)}, units, newer(who), older(named))...)
}

// peopleSchema is pasientrelasjon-2014-03-28.xsd and personer-2014-03-28.xsd, with
// felleskomponent1.xsd under both.
func peopleSchema() {
	fk, pr, people := vocabulary(nsShared), vocabulary(nsRelation), vocabulary(nsPeople)
	ident, address, telecom := addressTypes(fk)
	relative := sequence(person(fk, false, fk.many, ident, address, telecom)...)
	typRelation.items = []item{pr.many("Person", relative), pr.opt("Relasjon", typCV)}
	global(pr, "Pasientrelasjon", typRelation)
	global(people, "Personer", sequence(people.many("Person", relative)))
}

// practitionerSchema is helsepersonell-2014-03-28.xsd and -2015-05-04.xsd
// (HIS 80508), with felleskomponent1.xsd under both.
func practitionerSchema() {
	fk := vocabulary(nsShared)
	ident, address, telecom := addressTypes(fk)
	professional := sequence(append([]item{fk.opt("TypeHealthcareProfessional", typCS), fk.opt("RoleToPatient", typCV)},
		person(fk, false, fk.some, ident, address, telecom)...)...)
	v, old := vocabulary(nsPractitioners), vocabulary(nsPractitionersOld)
	entry := sequence(v.many("Helsepersonell", professional), v.opt("Merknad", typString))
	global(v, "Helsepersonell", entry)
	global(v, "HelsepersonelListe", sequence(v.many("Helsepersonell", entry)))
	global(old, "Helsepersonell", sequence(old.many("Helsepersonell", professional)))
}

// receiptSchema is AppRec-v1.1.xsd (HIS 80415) and AppRec-v1-2004-11-21.xsd:
// they differ in the namespace, and in what is written where.
func receiptSchema(ns string, root *contentType) {
	v := vocabulary(ns)
	additional := sequence(v.one("Id", typString), v.one("Type", typCS))
	name := []item{v.opt("Name", typString), v.opt("Id", typString), v.opt("TypeId", typCS)}
	extra := v.many("AdditionalId", additional)
	hcPerson := sequence(append(name[:3:3], extra)...)
	hcProf := sequence(append([]item{v.opt("Type", typCS)}, hcPerson.items...)...)
	dept := sequence(append([]item{v.opt("Type", typCS)}, hcPerson.items...)...)
	inst := sequence(append(name[:3:3], v.many("Dept", dept), extra, v.many("HCPerson", hcPerson))...)
	address := sequence(v.one("Type", typCS), v.opt("StreetAdr", typString), v.opt("PostalCode", typString), v.opt("City", typString),
		v.opt("County", typCS), v.opt("Country", typCS), v.opt("CityDistr", typCS), v.many("TeleAddress", typURL))
	hcp := sequence(choice(v.one("Inst", inst), v.one("HCProf", hcProf)), v.opt("MedSpeciality", typCV), v.opt("Address", address))
	party := sequence(v.opt("Role", typCS), v.one("HCP", hcp))
	original := sequence(v.one("MsgType", typCS), v.one("IssueDate", typDateTime), v.one("Id", typString))
	root.items = []item{
		v.one("MsgType", typCS), v.one("MIGversion", typString), v.opt("SoftwareName", typString), v.opt("SoftwareVersion", typString),
		v.one("GenDate", typDateTime), v.one("Id", typString), v.one("Sender", party), v.one("Receiver", party),
		v.one("Status", typCS), v.many("Error", typCV), v.one("OriginalMsgId", original),
	}
	for local, typ := range map[string]*contentType{
		"AppRec": root, "OriginalMsgId": original, "HCP": hcp, "HCProf": hcProf, "HCPerson": hcPerson, "Dept": dept,
		"Inst": inst, "Address": address, "AdditionalId": additional,
	} {
		global(v, local, typ)
	}
	if ns == nsReceipt0 {
		global(v, "Role", typCS)
	}
}

// base64Schema is kith-base64.xsd (HIS 1036), and the one element of kith.xsd.
func base64Schema() {
	global("http://www.kith.no/xmlstds", "REF", typURL)
	globals[nameBase64] = typBase64
}
