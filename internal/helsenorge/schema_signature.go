package helsenorge

// typBase64 is xs:base64Binary.
var typBase64 = &contentType{base64: true}

// signatureSchema is xmldsig-core-schema.xsd (XML Signature, W3C 2002). Helsenorge signs
// the sealed message instead (HITS 1216 §2.1.5): a signature in the head is judged, and
// nobody looks at what it says.
func signatureSchema() *contentType {
	v := vocabulary(nsSign)
	// What stands for an element without being one has no name.
	const unnamed vocabulary = ""
	foreign := &contentType{wild: &wildcard{other: nsSign}}
	binary := func(local string) item { return v.one(local, typBase64) }
	identified := func(typ *contentType) *contentType { return typ.with("Id", isNCName) }
	algorithm := func(items ...item) *contentType {
		return &contentType{mixed: true, items: items, attrs: map[string]simpleType{"Algorithm": isString}, required: []string{"Algorithm"}}
	}

	transform := v.some("Transform", algorithm(anyOf(v.opt("XPath", typString), unnamed.many("", foreign))))
	transforms := v.opt("Transforms", sequence(transform))
	digest := v.one("DigestMethod", algorithm(unnamed.many("", foreign)))
	digestValue := binary("DigestValue")
	reference := v.some("Reference", identified(sequence(transforms, digest, digestValue)).with("URI", isString).with("Type", isString))
	canonicalization := v.one("CanonicalizationMethod", algorithm(unnamed.many("", &contentType{wild: &wildcard{strict: true}})))
	method := v.one("SignatureMethod", algorithm(v.opt("HMACOutputLength", typInteger),
		unnamed.many("", &contentType{wild: &wildcard{other: nsSign, strict: true}})))
	signed := v.one("SignedInfo", identified(sequence(canonicalization, method, reference)))
	value := v.one("SignatureValue", identified(&contentType{base64: true}))

	dsa := v.one("DSAKeyValue", sequence(unnamed.opt("", sequence(binary("P"), binary("Q"))), v.opt("G", typBase64), binary("Y"), v.opt("J", typBase64),
		unnamed.opt("", sequence(binary("Seed"), binary("PgenCounter")))))
	rsa := v.one("RSAKeyValue", sequence(binary("Modulus"), binary("Exponent")))
	keyValue := v.one("KeyValue", &contentType{mixed: true, items: []item{choice(dsa, rsa, unnamed.one("", foreign))}})
	retrieval := v.one("RetrievalMethod", sequence(transforms).with("URI", isString).with("Type", isString))
	issuer := sequence(v.one("X509IssuerName", typString), v.one("X509SerialNumber", typInteger))
	x509 := v.one("X509Data", sequence(oneOrMore(v.one("X509IssuerSerial", issuer), binary("X509SKI"), v.one("X509SubjectName", typString),
		binary("X509Certificate"), binary("X509CRL"), unnamed.many("", foreign))))
	pgp := v.one("PGPData", sequence(choice(unnamed.one("", sequence(binary("PGPKeyID"), v.opt("PGPKeyPacket", typBase64))), binary("PGPKeyPacket")), unnamed.many("", foreign)))
	spki := v.one("SPKIData", sequence(unnamed.some("", sequence(binary("SPKISexp"), unnamed.opt("", foreign)))))
	name, management := v.one("KeyName", typString), v.one("MgmtData", typString)
	key := v.opt("KeyInfo", identified(&contentType{mixed: true, items: []item{
		oneOrMore(name, keyValue, retrieval, x509, pgp, spki, management, unnamed.many("", foreign)),
	}}))
	object := v.many("Object", identified(&contentType{mixed: true, items: []item{unnamed.many("", &contentType{wild: &wildcard{}})}}).with("MimeType", isString).with("Encoding", isString))

	property := v.some("SignatureProperty", identified(&contentType{
		mixed: true, items: []item{oneOrMore(unnamed.many("", foreign))}, attrs: map[string]simpleType{"Target": isString}, required: []string{"Target"},
	}))
	properties := v.one("SignatureProperties", identified(sequence(property)))
	manifest := v.one("Manifest", identified(sequence(reference)))
	signature := v.one("Signature", identified(sequence(signed, value, key, object)))
	declare(signature, value, signed, canonicalization, method, reference, transforms, transform, digest, digestValue, key, name, management,
		keyValue, retrieval, x509, pgp, spki, object, manifest, properties, property, dsa, rsa)
	return signature.alternatives[0].typ
}

// with adds an attribute that may be there.
func (t *contentType) with(local string, is simpleType) *contentType {
	if t.attrs == nil {
		t.attrs = map[string]simpleType{}
	}
	t.attrs[local] = is
	return t
}

// anyOf is a choice that may be made again, or never; oneOrMore is made at least once.
func anyOf(items ...item) item {
	c := choice(items...)
	c.optional, c.repeated = true, true
	return c
}

func oneOrMore(items ...item) item {
	c := anyOf(items...)
	c.optional = false
	return c
}
