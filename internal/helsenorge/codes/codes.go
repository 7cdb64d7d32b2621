// Package codes holds the national code lists ("kodeverk") that Helsenorge's
// dialogue messages use: identifiers, codes and their official display names.
//
// A code value that a list does not hold is no fault in a received message
// (HIS 80415 §3.3.2), so nothing here refuses one; Name simply has no name for it.
package codes

// List is the number of a national code list. Its OID is OIDPrefix + List.
type List string

// OIDPrefix precedes the number in the OID of every list of this package.
const OIDPrefix = "2.16.578.1.12.4.1.1."

// OID returns the full object identifier, as @S of a CV carries it.
func (l List) OID() string { return OIDPrefix + string(l) }

// The lists in use.
const (
	YesNo           List = "1101" // KodetOpplysning of SDAB (became active or inactive) and of appointments (another practitioner will do)
	ReceiptWanted   List = "7304" // MsgInfo/Ack
	Requests        List = "7601" // Foresporsel/TypeForesp
	Answers         List = "7602" // Notat/TemaKodet
	TestCodes       List = "7603" // TypeForesp and TemaKodet of the communication test
	Representation  List = "7611" // Pasientrelasjon/Relasjon
	AppointmentType List = "7617" // categories of an event, as plain text
	ReceiptRoles    List = "8112" // AppRec Sender/Role and Receiver/Role
	DocumentTypes   List = "8114" // RefDoc/MsgType
	PersonIDs       List = "8116" // Ident/TypeId of persons
	ReceiptErrors   List = "8221" // AppRec/Error
	ReceiptStatus   List = "8258" // AppRec/Status
	Processes       List = "8279" // MsgInfo/Type
	Delivery        List = "8324" // KodetOpplysning of a renewal: how to deliver
	Kinship         List = "9033" // Relasjon before October 2017
	PatientRoles    List = "9034" // RoleToPatient
	OrganisationID  List = "9051" // Ident/TypeId of organisations
	NoteRoles       List = "9057" // RolleNotat
	Professions     List = "9060" // TypeHealthcareProfessional
	ATC             List = "7180" // what a medicine is; too long a list to be held here
	PackUnits       List = "7452" // what a pack is counted in; not held here
)

// Processes that Helsebro names in code (8279).
const (
	EKontakt           = "DIALOG_INNBYGGER_EKONTAKT"
	EKonsultasjon      = "DIALOG_INNBYGGER_EKONSULTASJON"
	Reseptfornyelse    = "DIALOG_INNBYGGER_RESEPTFORNYELSE"
	Test               = "DIALOG_INNBYGGER_TEST"
	Digitalbruker      = "DIALOG_INNBYGGER_DIGITALBRUKER"
	Timereservasjon    = "DIALOG_INNBYGGER_TIMERESERVASJON"
	Timeonske          = "DIALOG_INNBYGGER_TIMEONSKE"
	Avtaleutsending    = "DIALOG_INNBYGGER_AVTALEUTSENDING"
	Avtaleavbestilling = "DIALOG_INNBYGGER_AVTALEAVBESTILLING"
	Behandleroversikt  = "DIALOG_INNBYGGER_BEHANDLEROVERSIKT"
	Oppgave            = "DIALOG_INNBYGGER_OPPGAVE"
	AppRec             = "APPREC"
)

// Requests (7601) and communication test (7603) that Helsebro names in code.
const (
	QuestionToPractitioner = "SB"   // e-consultation from the citizen
	Enquiry                = "HE"   // e-contact from the citizen
	RenewalText            = "RF"   // renewal, free text
	RenewalPrescriptions   = "RFER" // renewal of e-prescriptions, with M1
	DialogueWithCitizen    = "DI"   // from the clinic; the citizen may reply
	OneWayToCitizen        = "EKI"  // from the clinic; the citizen cannot reply
	UnreadNotice           = "VUS"  // the citizen has not read a message
	ActivityStatus         = "SDAB" // somebody became active on Helsenorge, or inactive
	ActivityQuestion       = "SIDAB"
	SlotsRequest           = "HLT" // free slots
	PlannedRequest         = "HBT" // appointments made, home-based services only
	BookingRequest         = "RT"  // books a free slot
	CancellationRequest    = "ART" // cancels an appointment
	AppointmentWish        = "OT"  // for an appointment, in words
	ChangeWish             = "OET" // for another time
	CancellationWish       = "OAT" // for a cancellation
	AppointmentNotice      = "MOA" // from a home-based service
	PractitionersRequest   = "HB"  // who has a calendar
	TestRequest            = "KT"
	TestAnswer             = "RKT"
)

// Answers (7602) that Helsebro names in code.
const (
	PlannedFound          = "01"
	NothingPlanned        = "02"
	SlotsFound            = "03"
	NoSlots               = "04"
	BookingConfirmed      = "05" // as a request: the clinic has made an appointment
	SlotNotAvailable      = "06"
	ChangeConfirmed       = "07" // as a request: the clinic has changed one
	CancellationConfirmed = "08" // as a request: the clinic has cancelled one
	CancellationRefused   = "09"
	BookingWithOther      = "10" // confirmed, with another practitioner
	PatientDidNotCome     = "11" // a request only
	PractitionerAnswer    = "12"
	DialogueClosed        = "13"
	Renewed               = "14"
	NotRenewed            = "15"
	CertificateReady      = "17"
	CertificateRefused    = "18"
	EnquiryAnswer         = "19"
	PractitionersFound    = "20"
	NoPractitioners       = "21"
	CitizenAnswer         = "22"
	RequestRefused        = "26"
	ActivePeople          = "28" // of those who were asked about
	NobodyActive          = "29"
	NoAccess              = "30"
	GeneralError          = "31"
	PartlyRenewed         = "32"
	ChangeRefused         = "34"
)

// Receipt errors (8221) that Helsebro gives or acts on.
const (
	NotWellFormed       = "T01"
	SchemaBroken        = "T02"
	FormatUnsupported   = "T10"
	BadMessageID        = "E10"
	PatientUnknown      = "E35"
	PatientInsufficient = "E36"
)

// Receipt status (8258).
const (
	StatusOK       = "1"
	StatusRejected = "2"
	// StatusPartError is "OK, feil i delmelding": not used in digital dialogue.
	StatusPartError = "3"
)

// Other single codes that Helsebro names in code.
const (
	OtherAccepted      = "1"    // 1101: another practitioner will do
	OtherDeclined      = "2"    // 1101
	BecameActive       = "1"    // 1101, in SDAB
	BecameInactive     = "2"    // 1101, in SDAB
	Yes                = "J"    // 7304
	No                 = "N"    // 7304
	XMLInstance        = "XML"  // 8114
	AttachmentType     = "A"    // 8114
	Fodselsnummer      = "FNR"  // 8116
	DNummer            = "DNR"  // 8116
	HPR                = "HPR"  // 8116
	HER                = "HER"  // 8116 and 9051
	ENH                = "ENH"  // 9051
	Fastlege           = "6"    // 9034
	Locum              = "15"   // 9034: Vikar for fastlege
	WishedPractitioner = "23"   // 9034: the practitioner the citizen asks for
	Author             = "1"    // 9057
	PrimaryReceiver    = "PRIM" // 8112
	OriginalSender     = "AVS"  // 8112
)

// Name returns the official display name (DN) of v in the list, or "" when the
// list is not held here or does not have v.
func Name(list List, v string) string { return names[list][v] }

// Has tells whether the list holds v.
func Has(list List, v string) bool {
	_, ok := names[list][v]
	return ok
}

// Known tells whether process is a message function of 8279. A message of an
// unknown process is refused at the transport; a known one that a clinic does
// not offer is answered (HITS 1216 §2.2.3).
func Known(process string) bool { return Has(Processes, process) }
