// Package registrytest is Norsk helsenett's registries and HelseID as they are documented,
// for tests: with what they hold, what they demand, and faults on demand.
package registrytest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/helsebro/helsebro/internal/registry"
)

// Fault is what is wrong with every answer of a registry.
type Fault string

// The faults.
const (
	None        Fault = ""
	Down        Fault = "down"        // 503
	Broken      Fault = "broken"      // 500
	Refusing    Fault = "refusing"    // 401, whatever the token
	Garbage     Fault = "garbage"     // 200 with something else
	Huge        Fault = "huge"        // 200 without end
	Redirecting Fault = "redirecting" // 302 elsewhere
	Silent      Fault = "silent"      // no answer at all
	Cut         Fault = "cut"         // the answer ends in its middle
)

// User and Password are those of the address registry's SOAP interface.
const (
	User     = "bruker"
	Password = "hemmelig"
)

// NHN is all of them. Its fields are changed under Lock.
type NHN struct {
	sync.Mutex
	URL string
	// Parties are the address registry's, Documents the profiles ("Profiles/1") and
	// agreements ("Agreements/<id>", "Agreements/HerIds/1/2") by their path.
	Parties   map[int]registry.Party
	Documents map[string]string
	// Invalid are parties that are no communication parties any more.
	Invalid map[int]bool
	// Fault is of the registries, TokenFault of HelseID: an OAuth error code.
	Fault      Fault
	TokenFault string
	// WantNonce makes HelseID and the registries want a nonce in proofs, Bound makes them
	// want tokens that are bound.
	WantNonce, Bound bool
	// Asked counts the answers by path, Tokens the tokens that were given.
	Asked  map[string]int
	Tokens int

	client jose.JSONWebKey // public
	tokens map[string]string
	seen   map[string]bool // jti
	nonce  string
}

// New starts them for a client with that public key.
func New(t *testing.T, client jose.JSONWebKey) *NHN {
	t.Helper()
	n := &NHN{
		Parties: map[int]registry.Party{}, Documents: map[string]string{}, Asked: map[string]int{},
		client: client, tokens: map[string]string{}, seen: map[string]bool{}, nonce: uuid.NewString(),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ar", n.faulty(n.soap))
	mux.HandleFunc("GET /cp/CommunicationParties/{id}", n.faulty(n.secured(n.party)))
	mux.HandleFunc("GET /cppa/{path...}", n.faulty(n.secured(n.document)))
	mux.HandleFunc("POST /digitaltaktiv/helsenorgeaktivsjekken/v1", n.faulty(n.secured(n.active)))
	mux.HandleFunc("POST /connect/token", n.token)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	n.URL = server.URL
	return n
}

// TokenURL is HelseID's token endpoint.
func (n *NHN) TokenURL() string { return n.URL + "/connect/token" }

func (n *NHN) faulty(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n.Lock()
		n.Asked[r.URL.Path]++
		if n.Fault == Silent {
			n.Unlock()
			_, _ = io.Copy(io.Discard, r.Body) // else the end of the connection is not seen
			<-r.Context().Done()
			return
		}
		defer n.Unlock()
		switch n.Fault {
		case Down:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "down", http.StatusServiceUnavailable)
		case Broken:
			http.Error(w, "broken", http.StatusInternalServerError)
		case Refusing:
			http.Error(w, "no", http.StatusUnauthorized)
		case Garbage:
			_, _ = io.WriteString(w, "<html>Vedlikehold</html>")
		case Huge:
			for range 5 << 20 {
				if _, err := io.WriteString(w, " "); err != nil {
					return
				}
			}
		case Cut:
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"CommunicationParty":{"HerId":`)
		case Redirecting:
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			next(w, r)
		}
	}
}

// token gives a token to a client that proves who it is.
func (n *NHN) token(w http.ResponseWriter, r *http.Request) {
	n.Lock()
	defer n.Unlock()
	refuse := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code})
	}
	if n.TokenFault != "" {
		refuse(n.TokenFault)
		return
	}
	parsed, err := jwt.ParseSigned(r.FormValue("client_assertion"), []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256})
	var claims jwt.Claims
	if err == nil {
		err = parsed.Claims(n.client, &claims)
	}
	if err != nil || claims.ValidateWithLeeway(jwt.Expected{Issuer: r.FormValue("client_id"), Subject: r.FormValue("client_id"), AnyAudience: jwt.Audience{n.TokenURL()}}, 5*time.Second) != nil ||
		claims.ID == "" || n.seen[claims.ID] || r.FormValue("grant_type") != "client_credentials" || parsed.Headers[0].ExtraHeaders["typ"] != "client-authentication+jwt" {
		refuse("invalid_client")
		return
	}
	n.seen[claims.ID] = true
	thumbprint := ""
	if n.Bound {
		var again bool
		if thumbprint, again = n.proof(r, ""); again {
			w.Header().Set("DPoP-Nonce", n.nonce)
			refuse("use_dpop_nonce")
			return
		}
		if thumbprint == "" {
			refuse("invalid_dpop_proof")
			return
		}
	}
	token := uuid.NewString()
	n.tokens[token] = thumbprint
	n.Tokens++
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "DPoP", "expires_in": 300, "scope": r.FormValue("scope")})
}

// proof returns the thumbprint of the key that the request's proof is of, "" for a wrong
// one; again tells that the nonce is missing.
func (n *NHN) proof(r *http.Request, token string) (thumbprint string, again bool) {
	parsed, err := jwt.ParseSigned(r.Header.Get("DPoP"), []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256})
	if err != nil || parsed.Headers[0].JSONWebKey == nil || !parsed.Headers[0].JSONWebKey.IsPublic() || parsed.Headers[0].ExtraHeaders["typ"] != "dpop+jwt" {
		return "", false
	}
	var claims struct {
		JTI   string `json:"jti"`
		HTM   string `json:"htm"`
		HTU   string `json:"htu"`
		ATH   string `json:"ath"`
		Nonce string `json:"nonce"`
		IAT   int64  `json:"iat"`
	}
	if err := parsed.Claims(parsed.Headers[0].JSONWebKey, &claims); err != nil {
		return "", false
	}
	if n.WantNonce && claims.Nonce != n.nonce {
		return "", true
	}
	ath := ""
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		ath = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	age := time.Since(time.Unix(claims.IAT, 0))
	if claims.HTM != r.Method || claims.HTU != n.URL+r.URL.Path || claims.ATH != ath || claims.JTI == "" || n.seen[claims.JTI] || age > 10*time.Second || age < -10*time.Second {
		return "", false
	}
	n.seen[claims.JTI] = true
	sum, err := parsed.Headers[0].JSONWebKey.Thumbprint(0x5) // crypto.SHA256
	if err != nil {
		return "", false
	}
	return base64.RawURLEncoding.EncodeToString(sum), false
}

// Forget makes every token that was given worth nothing.
func (n *NHN) Forget() {
	n.Lock()
	defer n.Unlock()
	n.tokens = map[string]string{}
}

func (n *NHN) secured(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		bound, known := n.tokens[token]
		switch {
		case !known || n.Bound != (scheme == "DPoP"):
			w.Header().Set("DPoP-Nonce", n.nonce)
			w.Header().Set("WWW-Authenticate", `DPoP error="invalid_token"`)
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		case n.Bound:
			thumbprint, again := n.proof(r, token)
			w.Header().Set("DPoP-Nonce", n.nonce) // as some do on every answer
			if again {
				w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			}
			if again || thumbprint != bound {
				http.Error(w, "prove it", http.StatusUnauthorized)
				return
			}
		}
		next(w, r)
	}
}

// soap is the address registry's older interface.
func (n *NHN) soap(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	if user != User || password != Password {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	body, _ := io.ReadAll(r.Body)
	operation := strings.Trim(r.Header.Get("SOAPAction"), `"`)
	operation = operation[strings.LastIndexByte(operation, '/')+1:]
	answer := func(status int, content string) {
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%s</s:Body></s:Envelope>`, content) //nolint:gosec // to a client of the tests
	}
	if operation == "Ping" {
		answer(http.StatusOK, `<PingResponse xmlns="http://register.nhn.no/CommunicationParty"/>`)
		return
	}
	var herID int
	_, text, _ := strings.Cut(string(body), "<herId>")
	_, _ = fmt.Sscanf(text, "%d", &herID)
	p, ok := n.Parties[herID]
	if !ok {
		answer(http.StatusInternalServerError, `<s:Fault><faultcode>s:Client</faultcode><faultstring>HerID</faultstring><detail><GenericFault xmlns="http://register.nhn.no/Common"><ErrorCode>InvalidHerIdSupplied</ErrorCode><Message>?</Message></GenericFault></detail></s:Fault>`)
		return
	}
	result := ""
	switch operation {
	case "GetCommunicationPartyDetails":
		result = n.details(p)
	case "GetCertificateDetailsForEncryption":
		result = certificate(p.X509, x509.KeyUsageKeyEncipherment)
	case "GetCertificateDetailsForValidatingSignature":
		result = certificate(p.X509, x509.KeyUsageContentCommitment)
	}
	answer(http.StatusOK, fmt.Sprintf(`<%[1]sResponse xmlns="http://register.nhn.no/CommunicationParty"><%[1]sResult xmlns:i="http://www.w3.org/2001/XMLSchema-instance">%[2]s</%[1]sResult></%[1]sResponse>`, operation, result))
}

// addresses are a party's queues as the registry has them.
func addresses(p registry.Party) map[string]string {
	all := map[string]string{"E_DS": "ldap://example.invalid/?usercertificate"}
	for code, queue := range map[string]string{"E_SB_ASYNC": p.AsyncQueue, "E_SB_SYNC": p.SyncQueue, "E_SB_SYNCREPLY": p.SyncReplyQueue, "E_SB_ERROR": p.ErrorQueue} {
		if queue != "" {
			all[code] = "tb.example.invalid/NHNTestServiceBus/" + queue
		}
	}
	return all
}

func parent(p registry.Party) int {
	if p.ParentHerID == 0 {
		return -1
	}
	return p.ParentHerID
}

func (n *NHN) details(p registry.Party) string {
	var b strings.Builder
	fmt.Fprintf(&b, `<Active>true</Active><IsValidCommunicationParty>%t</IsValidCommunicationParty><DisplayName>%s</DisplayName><ElectronicAddresses xmlns:a="http://register.nhn.no/Common">`, !n.Invalid[p.HerID], p.Name)
	for code, address := range addresses(p) {
		fmt.Fprintf(&b, `<a:ElectronicAddress><a:Address>%s</a:Address><a:Type><a:CodeValue>%s</a:CodeValue></a:Type><a:TypeCodeValue>%s</a:TypeCodeValue></a:ElectronicAddress>`, address, code, code)
	}
	fmt.Fprintf(&b, `</ElectronicAddresses><HerId>%d</HerId><Name>-</Name><ParentHerId>%d</ParentHerId><ParentName i:nil="true"/>`, p.HerID, parent(p))
	if p.HPR != "" {
		fmt.Fprintf(&b, `<Person xmlns:a="http://register.nhn.no/HPR"><a:HPRInformation><a:HPRNumber>%s</a:HPRNumber></a:HPRInformation></Person>`, p.HPR)
	}
	return b.String()
}

func certificate(all []*x509.Certificate, usage x509.KeyUsage) string {
	for _, c := range all {
		if c.KeyUsage&usage != 0 {
			return `<a:Certificate xmlns:a="http://register.nhn.no/CertificateDetails">` + base64.StdEncoding.EncodeToString(c.Raw) + `</a:Certificate>`
		}
	}
	return ""
}

// party is the newer interface.
func (n *NHN) party(w http.ResponseWriter, r *http.Request) {
	var herID int
	_, _ = fmt.Sscanf(r.PathValue("id"), "%d", &herID)
	p, ok := n.Parties[herID]
	if !ok {
		http.Error(w, "{}", http.StatusNotFound)
		return
	}
	var all []map[string]any
	for code, address := range addresses(p) {
		all = append(all, map[string]any{"Address": address, "TypeCodeValue": code, "Inherited": true})
	}
	party := map[string]any{"HerId": herID, "Name": "-", "DisplayName": p.Name, "ParentHerId": parent(p), "Active": true, "IsValidCommunicationParty": !n.Invalid[herID], "ElectronicAddresses": all, "Person": nil}
	if p.HPR != "" {
		party["Person"] = map[string]any{"HPRInformation": map[string]any{"HPRNumber": json.Number(p.HPR)}}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"herId": herID, "communicationParty": party})
}

func (n *NHN) document(w http.ResponseWriter, r *http.Request) {
	text, ok := n.Documents[r.PathValue("path")]
	if !ok || r.Header.Get("Accept") != "application/xml" {
		http.Error(w, "none", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = io.WriteString(w, text)
}

func (n *NHN) active(w http.ResponseWriter, r *http.Request) {
	var in struct {
		IDs []string `json:"fnrListe"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	out := map[string]any{}
	for _, id := range in.IDs {
		out[id] = map[string]bool{"erDigitaltAktivSelv": true}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"erAktivListe": out})
}

// Document is a profile (id "") or an agreement of parties, each with what it receives.
func Document(t *testing.T, id string, parties ...registry.Party) string {
	t.Helper()
	require.NotEmpty(t, parties)
	root, attribute := "CollaborationProtocolProfile", ""
	if id != "" {
		root, attribute = "CollaborationProtocolAgreement", ` tns:cpaid="`+id+`"`
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<?xml version="1.0" encoding="utf-8"?><tns:%s xmlns:tns="http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"%s>`, root, attribute)
	for _, p := range parties {
		fmt.Fprintf(&b, `<tns:PartyInfo tns:partyName="%s"><tns:PartyId tns:type="HER">%d</tns:PartyId>`, p.Name, p.HerID)
		for _, code := range p.Processes {
			name := strings.ToUpper(code[:1]) + strings.ToLower(code[1:])
			fmt.Fprintf(&b, `<tns:CollaborationRole><tns:ProcessSpecification tns:name="%s" tns:version="1.1"/><tns:ServiceBinding>`, name)
			for _, way := range []string{"CanSend", "CanReceive"} {
				for _, action := range []string{code, "Apprec"} {
					fmt.Fprintf(&b, `<tns:%[1]s><tns:ThisPartyActionBinding tns:action="%[2]s" tns:packageId="package_%[2]s"><tns:ChannelId>a</tns:ChannelId></tns:ThisPartyActionBinding></tns:%[1]s>`, way, action)
				}
			}
			b.WriteString(`</tns:ServiceBinding></tns:CollaborationRole>`)
		}
		for i, c := range p.X509 {
			fmt.Fprintf(&b, `<tns:Certificate tns:certId="c%d"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></tns:Certificate>`, i, base64.StdEncoding.EncodeToString(c.Raw))
		}
		b.WriteString(`</tns:PartyInfo>`)
	}
	b.WriteString(`</tns:` + root + `>`)
	return b.String()
}
