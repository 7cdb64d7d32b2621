package helsenorge

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/helsenorge"
	"github.com/helsebro/helsebro/internal/pg"
)

// medicineGoods is the Varegruppekode of what names none.
const medicineGoods = "L"

// medicineID is how FEST writes its ids.
var medicineID = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9._-]*$`)

// prescriptions are the M1 documents of an answer, one for each renewed prescription
// (HITS 1217 §3.1.3). A medicine without an id that can stand in the message gets one
// that means nothing: ids must differ, and a substance must have one.
func prescriptions(medicines []pg.Medicine) ([]helsenorge.Prescription, error) {
	var all []helsenorge.Prescription
	used := map[string]bool{}
	for i, m := range medicines {
		p := helsenorge.Prescription{
			Kind: helsenorge.PrescriptionKind(m.Kind), Reserved: m.Reserved, Goods: helsenorge.Code{V: m.Goods}, Quantity: m.Quantity,
			Indication: m.Indication, Dosage: m.Dosage, Use: helsenorge.Code{V: m.Use}, ATC: helsenorge.Code{V: m.ATC}, Group: helsenorge.Code{V: m.Group},
			Name: m.Name, ID: m.ItemID, ItemNumber: m.ItemNumber, TradeName: m.TradeName, PackSize: m.PackSize, PackUnit: helsenorge.Code{V: m.PackUnit},
		}
		var err error
		if p.PrescribedOn, err = day(m.PrescribedOn); err != nil {
			return nil, err
		}
		if p.ExpiresOn, err = day(m.ExpiresOn); err != nil {
			return nil, err
		}
		if m.Repeats != "" {
			if p.Repeats, err = strconv.Atoi(m.Repeats); err != nil {
				return nil, apperr.New(apperr.Invalid, "a prescription's repeats are no number")
			}
		}
		if m.Goods == "" {
			p.Goods.V = medicineGoods
		}
		if bad := !medicineID.MatchString(p.ID) || used[p.ID]; bad && (p.ID != "" || p.Kind == helsenorge.Substance) {
			p.ID = fmt.Sprintf("ID_%d", i+1)
		}
		used[p.ID] = true
		all = append(all, fitting(p))
	}
	return all, nil
}

// fitting leaves out what a prescription of its kind has no place for.
func fitting(p helsenorge.Prescription) helsenorge.Prescription {
	switch p.Kind {
	case helsenorge.Pack:
	case helsenorge.Brand:
		p.ItemNumber, p.PackSize, p.PackUnit = "", "", helsenorge.Code{}
	case helsenorge.Substance:
		p.ItemNumber, p.TradeName, p.PackSize, p.PackUnit = "", "", "", helsenorge.Code{}
	default:
		p = helsenorge.Prescription{
			Kind: p.Kind, PrescribedOn: p.PrescribedOn, ExpiresOn: p.ExpiresOn, Reserved: p.Reserved, Goods: p.Goods, Quantity: p.Quantity,
			Dosage: p.Dosage, ItemNumber: p.ItemNumber, Name: p.Name,
		}
	}
	return p
}

// day reads a calendar date; "" is none.
func day(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, apperr.New(apperr.Invalid, "a prescription's day is no date")
	}
	return t, nil
}

// files are the attachments of a message (HITS 1217 §2.10).
func files(all []pg.JobFile) (out []helsenorge.Attachment) {
	for _, f := range all {
		out = append(out, helsenorge.Attachment{MIME: f.MIME, Description: f.Description, Content: f.Content})
	}
	return out
}

// carry adds to a message of staff what goes with its words: files, and the renewed
// prescriptions.
func carry(m *helsenorge.Message, job pg.Job) (err error) {
	m.Attachments = files(job.Attachments)
	m.Prescriptions, err = prescriptions(job.Medicines)
	return err
}
