package identity

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/go-jose/go-jose/v4/jwt"
)

// personLevel is the security level of a person who acts: the highest of HelseID's 2, 3
// and 4.
const personLevel = "4"

// EveryClinic is the clinic, in HELSEBRO_TOKEN_CLINICS, of the organisation that runs the
// installation.
const EveryClinic = "*"

// claims are what Helsebro reads of a token beside the registered claims.
type claims struct {
	Client string `json:"client_id,omitempty"`
	Scope  scopes `json:"scope,omitempty"`
	Level  string `json:"helseid://claims/identity/security_level,omitempty"`
	HPR    string `json:"helseid://claims/hpr/hpr_number,omitempty"`
	Child  string `json:"helseid://claims/client/claims/orgnr_child,omitempty"`
	Parent string `json:"helseid://claims/client/claims/orgnr_parent,omitempty"`
	// Clinic is no claim of HelseID's: an issuer of one's own names the clinic itself.
	Clinic string `json:"helsebro_clinic,omitempty"`
	// Confirmation is what the token is bound to.
	Confirmation map[string]any `json:"cnf,omitempty"`
}

// scopes are a list, as HelseID writes them, or words in one string, as RFC 9068 does.
type scopes []string

// UnmarshalJSON implements json.Unmarshaler.
func (s *scopes) UnmarshalJSON(raw []byte) error {
	var words string
	if json.Unmarshal(raw, &words) == nil {
		*s = strings.Fields(words)
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(s))
}

var (
	// opaque bounds what ends up in audit rows and log fields.
	opaque       = regexp.MustCompile(`^[A-Za-z0-9+/_-][A-Za-z0-9._:@|/+=-]{0,254}$`)
	organisation = regexp.MustCompile(`^[0-9]{9}$`)
	hprNumber    = regexp.MustCompile(`^[0-9]{1,9}$`)
)

// person tells whether the role is a person's; the others are machines'.
func person(r Role) bool { return r != RoleService && r != RolePortal }

// role is the one role that the scopes name.
func (c claims) role(audience string) (Role, error) {
	var role Role
	for _, scope := range c.Scope {
		name, ok := strings.CutPrefix(scope, audience+"/")
		if !ok || !known(Role(name)) {
			continue
		}
		if role != "" && role != Role(name) {
			return "", refused("scope names two roles: one token is for one")
		}
		role = Role(name)
	}
	if role == "" {
		return "", refused("scope names no role: it must have the audience, a slash and a role of Helsebro")
	}
	return role, nil
}

// clinic is the one clinic the caller acts for; "" is every one.
func (c claims) clinic(role Role, clinics map[string]string) (string, error) {
	if len(clinics) == 0 {
		switch {
		case c.Clinic == "" && role != RoleOperator:
			return "", refused("helsebro_clinic is missing: only an operator acts for no clinic")
		case c.Clinic != "" && !opaque.MatchString(c.Clinic):
			return "", refused("helsebro_clinic is not an id")
		}
		return c.Clinic, nil
	}
	clinic := clinics[cmp.Or(c.Child, c.Parent)]
	switch {
	case clinic == "":
		return "", refused("its organisation is no clinic here")
	case clinic != EveryClinic:
		return clinic, nil
	case role != RoleOperator:
		return "", refused("its organisation is no clinic: it has operators only")
	}
	return "", nil
}

// principal is who the claims say calls.
func principal(std jwt.Claims, own claims, audience string, clinics map[string]string) (Principal, error) {
	if !opaque.MatchString(own.Client) {
		return Principal{}, refused("client_id is missing or not an opaque id")
	}
	role, err := own.role(audience)
	if err != nil {
		return Principal{}, err
	}
	p := Principal{Subject: std.Subject, ClientID: own.Client, Role: role, Organisation: cmp.Or(own.Child, own.Parent), HPR: own.HPR}
	if !person(role) {
		p.Subject = cmp.Or(p.Subject, own.Client)
	}
	switch {
	case !opaque.MatchString(p.Subject):
		return Principal{}, refused("sub is missing or not an opaque id")
	case person(role) && own.Level != personLevel:
		return Principal{}, refused("a person acts with security level %s only", personLevel)
	case role == RolePractitioner && p.HPR == "":
		return Principal{}, refused("a practitioner has an HPR number, and this token names none")
	case p.HPR != "" && !hprNumber.MatchString(p.HPR):
		return Principal{}, refused("the HPR number is not one")
	case own.Parent != "" && !organisation.MatchString(own.Parent), own.Child != "" && !organisation.MatchString(own.Child):
		return Principal{}, refused("the organisation number is not one")
	}
	p.ClinicID, err = own.clinic(role, clinics)
	if err != nil {
		return Principal{}, err
	}
	return p, nil
}
