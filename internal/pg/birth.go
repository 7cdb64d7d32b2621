package pg

import (
	"strconv"
	"time"

	"github.com/helsebro/helsebro/internal/helsenorge/nationalid"
)

// birthDate is the patient's date of birth as midnight UTC: what the record system
// wrote, else what his national id says. It is false where neither tells; then nobody
// can know whether a parent still represents him, so none does.
func birthDate(key sealingKey, patientID string, bornOn, sealedIdentity []byte) (time.Time, bool, error) {
	if bornOn != nil {
		var written string
		if err := key.open("patient.born_on", patientID, bornOn, &written); err != nil {
			return time.Time{}, false, err
		}
		born, err := time.Parse(time.DateOnly, written)
		return born, err == nil, nil
	}
	var p Patient
	if err := key.open("patient.identity", patientID, sealedIdentity, &p); err != nil {
		return time.Time{}, false, err
	}
	born, ok := bornByNumber(p.NationalID)
	return born, ok, nil
}

// marked is what a test register adds to the month.
var marked = map[nationalid.Marks]int{nationalid.Tenor: 80, nationalid.NHN: 65, nationalid.Dolly: 40}

// bornByNumber reads the date of birth from a birth number or D number that was
// issued before 2032: its three individual digits say which century. Later numbers do
// not tell, and the record system must write the date.
func bornByNumber(number string) (time.Time, bool) {
	id, err := nationalid.Parse(number, nationalid.Options{Synthetic: nationalid.AllMarks})
	if err != nil || id.Only2032 || (id.Form != nationalid.FNR && id.Form != nationalid.DNR) {
		return time.Time{}, false
	}
	part := func(from, to int) int { n, _ := strconv.Atoi(number[from:to]); return n } // Parse has seen digits
	day, month, year, individual := part(0, 2), part(2, 4), part(4, 6), part(6, 9)
	if id.Form == nationalid.DNR {
		day -= 40
	}
	month -= marked[id.Synthetic]
	switch {
	case individual < 500, individual >= 900 && year >= 40:
		year += 1900
	case year < 40:
		year += 2000
	case individual < 750 && year >= 54:
		year += 1800
	default:
		return time.Time{}, false
	}
	born := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return born, born.Day() == day // 29 February of another century's year
}
