// Package phone brings phone numbers, as people write them, into the one form that
// is stored, compared and sent to.
package phone

import (
	"strings"

	"github.com/nyaruka/phonenumbers"

	"github.com/helsebro/helsebro/internal/apperr"
)

// region is where a number without a country is from.
const region = "NO"

// maxWritten bounds what is parsed: a number has 15 digits, and people add signs.
const maxWritten = 40

// Normalise returns a number in E.164 form, such as +4790000000. A number without a
// country is Norwegian. Extensions and letters are refused, as is what no country's
// plan has: apperr.Invalid, which does not quote it.
func Normalise(written string) (string, error) {
	n, err := parse(written)
	if err != nil {
		return "", err
	}
	return phonenumbers.Format(n, phonenumbers.E164), nil
}

// Mobile tells whether a number, in any form that Normalise takes, can have an SMS by
// its country's plan. Where a plan does not tell mobile from fixed, it can.
func Mobile(written string) bool {
	n, err := parse(written)
	if err != nil {
		return false
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
		return true
	default:
		return false
	}
}

func parse(written string) (*phonenumbers.PhoneNumber, error) {
	invalid := apperr.New(apperr.Invalid, "this is not a phone number: give 8 digits, or + with the country's code")
	letter := func(r rune) bool { return !strings.ContainsRune("0123456789+()-./ \u00a0", r) }
	if len(written) > maxWritten || strings.ContainsFunc(written, letter) {
		return nil, invalid
	}
	n, err := phonenumbers.Parse(written, region)
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return nil, invalid
	}
	return n, nil
}
