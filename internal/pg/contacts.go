package pg

import (
	"context"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/representation"
	"github.com/helsebro/helsebro/internal/identity"
)

// MaxBulk is how many things one call may write.
const MaxBulk = 10000

// bulk refuses too many things, or invalid ones.
func bulk(n int, f fields, message string) error {
	if n > MaxBulk {
		return apperr.New(apperr.TooLarge, "at most %d at once: write them in several calls", MaxBulk)
	}
	return f.err(message)
}

// card is a patient of a clinic, with the key that his card is sealed with.
type card struct {
	clinicID, patientID string
	key                 sealingKey
}

// cardOf finds the clinic's patient; one who is erased is apperr.Erased.
func (s *Store) cardOf(ctx context.Context, tx pgx.Tx, clinicID, patientID string) (card, error) {
	var keyID string
	if err := tx.QueryRow(ctx, "SELECT key_id FROM patient WHERE id = $1 AND clinic_id = $2", patientID, clinicID).Scan(&keyID); err != nil {
		return card{}, notFound(err, "the clinic has no such patient")
	}
	key, err := s.key(ctx, tx, keyID)
	return card{clinicID, patientID, key}, err
}

// onCard runs fn on the patient's card in one transaction with its audit row.
func (s *Store) onCard(ctx context.Context, by identity.Principal, clinicID, patientID, action string, fn func(pgx.Tx, card) error) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		c, err := s.cardOf(ctx, tx, clinicID, patientID)
		if err != nil {
			return err
		}
		if err := fn(tx, c); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, action, "patient/"+patientID, patientID)
	})
}

// lockCard makes changes of one card wait for each other.
func lockCard(ctx context.Context, tx pgx.Tx, c card) error {
	_, err := tx.Exec(ctx, "SELECT FROM patient WHERE id = $1 FOR NO KEY UPDATE", c.patientID)
	return err
}

// PutContacts replaces all of the patient's contacts; a contact without an id keeps
// that of the same address, or gets one. Idempotent. That a provider called an
// address gone is forgotten only with the address.
func (s *Store) PutContacts(ctx context.Context, by identity.Principal, clinicID, patientID string, contacts []Contact) error {
	var f fields
	f.contacts("", contacts, s.now())
	if err := f.err("a contact has invalid fields"); err != nil {
		return err
	}
	return s.onCard(ctx, by, clinicID, patientID, "contact.put", func(tx pgx.Tx, c card) error {
		return s.putContacts(ctx, tx, c, contacts)
	})
}

func (s *Store) putContacts(ctx context.Context, tx pgx.Tx, c card, contacts []Contact) error {
	if err := lockCard(ctx, tx, c); err != nil {
		return err
	}
	before, err := s.contacts(ctx, tx, c)
	if err != nil {
		return err
	}
	kept := []string{}
	for _, n := range contacts {
		same := func(o Contact) bool {
			return o.Channel == n.Channel && o.Address == n.Address && (n.ID == "" || n.ID == o.ID)
		}
		n.GoneAt = time.Time{}
		if i := slices.IndexFunc(before, same); i >= 0 {
			n.ID, n.GoneAt = before[i].ID, before[i].GoneAt
		}
		if n.ID == "" {
			n.ID = newID()
		}
		sealed, err := c.key.seal("contact.address", n.ID, n.Address)
		if err != nil {
			return err
		}
		var id string
		if err := tx.QueryRow(ctx, `INSERT INTO contact (id, clinic_id, patient_id, channel, relation, key_id, address, confirmed_at, gone_at, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (id) DO UPDATE SET channel = $4, relation = $5, key_id = $6, address = $7, confirmed_at = $8, gone_at = $9
			WHERE contact.patient_id = $3 RETURNING id`,
			n.ID, c.clinicID, c.patientID, n.Channel, n.Relation, c.key.id, sealed, nullableTime(n.ConfirmedAt), nullableTime(n.GoneAt), s.now()).Scan(&id); err != nil {
			return taken(err)
		}
		kept = append(kept, id)
	}
	_, err = tx.Exec(ctx, "DELETE FROM contact WHERE patient_id = $1 AND id <> ALL ($2)", c.patientID, kept)
	return err
}

// taken refuses an id that names something else, where an upsert changed no row.
func taken(err error) error {
	if err := notFound(err, "taken"); apperr.Is(err, apperr.NotFound) {
		return apperr.New(apperr.Conflict, "the id belongs to another patient: choose another")
	}
	return err
}

// nullableTime makes the zero time SQL's null.
func nullableTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// derefTime makes SQL's null the zero time.
func derefTime(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Contacts lists the patient's contacts, oldest first.
func (s *Store) Contacts(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]Contact, error) {
	var contacts []Contact
	err := s.onCard(ctx, by, clinicID, patientID, "contact.read", func(tx pgx.Tx, c card) (err error) {
		contacts, err = s.contacts(ctx, tx, c)
		return err
	})
	return contacts, err
}

func (s *Store) contacts(ctx context.Context, tx pgx.Tx, c card) ([]Contact, error) {
	rows, err := tx.Query(ctx, "SELECT id, channel, relation, address, confirmed_at, gone_at FROM contact WHERE patient_id = $1 ORDER BY created_at, id", c.patientID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Contact, error) {
		var n Contact
		var sealed []byte
		var confirmed, gone *time.Time
		if err := row.Scan(&n.ID, &n.Channel, &n.Relation, &sealed, &confirmed, &gone); err != nil {
			return n, err
		}
		n.ConfirmedAt, n.GoneAt = derefTime(confirmed), derefTime(gone)
		return n, c.key.open("contact.address", n.ID, sealed, &n.Address)
	})
}

// PutPreference replaces how the patient wants to be told. Idempotent.
func (s *Store) PutPreference(ctx context.Context, by identity.Principal, clinicID, patientID string, p Preference) error {
	var f fields
	f.preference("", p)
	if err := f.err("the preference has invalid fields"); err != nil {
		return err
	}
	return s.onCard(ctx, by, clinicID, patientID, "preference.put", func(tx pgx.Tx, c card) error { return s.putPreference(ctx, tx, c, p) })
}

func (s *Store) putPreference(ctx context.Context, tx pgx.Tx, c card, p Preference) error {
	_, err := tx.Exec(ctx, `INSERT INTO notice_preference (patient_id, channels, opted_out, language) VALUES ($1, $2, $3, $4)
		ON CONFLICT (patient_id) DO UPDATE SET channels = $2, opted_out = $3, language = $4`,
		c.patientID, nonNil(p.Channels), nonNil(p.OptedOut), p.Language)
	return err
}

// Preference reads how the patient wants to be told; the zero value is the clinic's
// default.
func (s *Store) Preference(ctx context.Context, by identity.Principal, clinicID, patientID string) (Preference, error) {
	var p Preference
	err := s.onCard(ctx, by, clinicID, patientID, "preference.read", func(tx pgx.Tx, _ card) (err error) {
		p, err = s.preference(ctx, tx, patientID)
		return err
	})
	return p, err
}

func (s *Store) preference(ctx context.Context, tx pgx.Tx, patientID string) (p Preference, err error) {
	rows, err := tx.Query(ctx, "SELECT channels, opted_out, language FROM notice_preference WHERE patient_id = $1", patientID)
	if err != nil {
		return p, err
	}
	_, err = pgx.ForEachRow(rows, []any{&p.Channels, &p.OptedOut, &p.Language}, func() error { return nil })
	return p, err
}

// PutRepresentations replaces who may act for the patient: patients of the same
// clinic. Idempotent.
func (s *Store) PutRepresentations(ctx context.Context, by identity.Principal, clinicID, patientID string, who []Representation) error {
	var f fields
	f.representations("", who)
	if err := f.err("a representation has invalid fields"); err != nil {
		return err
	}
	return s.onCard(ctx, by, clinicID, patientID, "representation.put", func(tx pgx.Tx, c card) error {
		return s.putRepresentations(ctx, tx, c, who)
	})
}

func (s *Store) putRepresentations(ctx context.Context, tx pgx.Tx, c card, who []Representation) error {
	if err := lockCard(ctx, tx, c); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM representation WHERE patient_id = $1", c.patientID); err != nil {
		return err
	}
	for i, r := range who {
		if r.RepresentativeID == c.patientID {
			return apperr.InvalidFields("nobody represents himself", apperr.Field{Path: fmt.Sprintf("representations[%d].representativeId", i), Rule: "another patient of the clinic"})
		}
		tag, err := tx.Exec(ctx, `INSERT INTO representation (patient_id, representative_id, relation, until)
			SELECT $1, id, $3, $4 FROM patient WHERE id = $2 AND clinic_id = $5 AND erased_at IS NULL`,
			c.patientID, r.RepresentativeID, r.Relation, nullableTime(r.Until), c.clinicID)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return apperr.New(apperr.NotFound, "the clinic has no such patient as the representative: write the representative first")
		}
	}
	return nil
}

// Representations lists who may act for the patient, by their ids.
func (s *Store) Representations(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]Representation, error) {
	var who []Representation
	err := s.onCard(ctx, by, clinicID, patientID, "representation.read", func(tx pgx.Tx, c card) error {
		rows, err := tx.Query(ctx, "SELECT representative_id, relation, until FROM representation WHERE patient_id = $1 ORDER BY representative_id", c.patientID)
		if err != nil {
			return err
		}
		who, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Representation, error) {
			var r Representation
			var until *time.Time
			err := row.Scan(&r.RepresentativeID, &r.Relation, &until)
			r.Until = derefTime(until)
			return r, err
		})
		return err
	})
	return who, err
}

// PatientStatus reads what the clinic knows of the patient beside who he is, with what
// is known of his activity on Helsenorge.
func (s *Store) PatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string) (PatientStanding, error) {
	var v PatientStanding
	err := s.onCard(ctx, by, clinicID, patientID, "patient-status.read", func(tx pgx.Tx, c card) error {
		v = PatientStanding{}
		var consents bool
		var deceased, activeAt *time.Time
		var self, other *bool
		var born []byte
		var known KnownActivity
		if err := tx.QueryRow(ctx, `SELECT protected, consents, deceased_at, born_on, active_self, active_other, active_at, active_by
			FROM patient WHERE id = $1`, c.patientID).
			Scan(&v.Protected, &consents, &deceased, &born, &self, &other, &activeAt, &known.Source); err != nil {
			return err
		}
		v.NoConsent, v.Deceased, v.DeceasedAt = !consents, deceased != nil, derefTime(deceased)
		if activeAt != nil {
			known.At, known.Self, known.Other = activeAt.UTC(), is(self), is(other)
			known.Active, known.AgeSeconds = known.Self || known.Other, int64(s.now().Sub(known.At)/time.Second)
			v.Helsenorge = &known
		}
		if born == nil {
			return nil
		}
		return c.key.open("patient.born_on", c.patientID, born, &v.BornOn)
	})
	return v, err
}

// is tells whether a truth is known and holds.
func is(b *bool) bool { return b != nil && *b }

// PutPatientStatus replaces what the clinic knows of the patient beside who he is.
// Idempotent; who is dead stays dead since the same instant until that is corrected.
func (s *Store) PutPatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string, v PatientStatus) error {
	var f fields
	f.status("", v, s.now())
	if err := f.err("the patient's status has invalid fields"); err != nil {
		return err
	}
	return s.onCard(ctx, by, clinicID, patientID, "patient.status", func(tx pgx.Tx, c card) error { return s.putStatus(ctx, tx, c, v) })
}

func (s *Store) putStatus(ctx context.Context, tx pgx.Tx, c card, v PatientStatus) error {
	var born []byte
	if v.BornOn != "" {
		var err error
		if born, err = c.key.seal("patient.born_on", c.patientID, v.BornOn); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, `UPDATE patient SET protected = $2, consents = $3, born_on = $4,
		deceased_at = CASE WHEN $5 THEN coalesce(deceased_at, $6) END WHERE id = $1`, c.patientID, v.Protected, !v.NoConsent, born, v.Deceased, s.now())
	return err
}

// Sources of what is known of a patient's activity on Helsenorge.
const (
	// ActivityCheck: the activity check's own answer.
	ActivityCheck = "check"
	// ActivityRefused: Helsenorge refused a message with E35.
	ActivityRefused = "refused"
	// ActivityRecorded: the record system says so.
	ActivityRecorded = "record-system"
	// ActivityMessage: a message came from there.
	ActivityMessage = "message"
	// ActivityReported: Helsenorge told of it (SDAB, 28).
	ActivityReported = "reported"
)

// RecordActivity keeps whether the patient is active on Helsenorge, himself or through
// others, as known at the instant. Older knowledge does not replace newer. It has no
// principal and leaves no audit row: it is the lifecycle's own check and reads nothing.
func (s *Store) RecordActivity(ctx context.Context, clinicID, patientID string, self, other bool, by string, at time.Time) error {
	if !slices.Contains([]string{ActivityCheck, ActivityRefused, ActivityRecorded}, by) {
		return apperr.New(apperr.Internal, "activity has no such source")
	}
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE patient SET active_self = $3, active_other = $4, active_at = $5, active_by = $6
			WHERE id = $2 AND clinic_id = $1 AND erased_at IS NULL AND (active_at IS NULL OR active_at <= $5)`, clinicID, patientID, self, other, at, by)
		if err != nil || tag.RowsAffected() > 0 {
			return err
		}
		var erased bool
		return notFound(tx.QueryRow(ctx, "SELECT erased_at IS NOT NULL FROM patient WHERE id = $1 AND clinic_id = $2", patientID, clinicID).Scan(&erased),
			"the clinic has no such patient")
	})
}

// seenInactive keeps that Helsenorge refused a message because the patient is not
// there (E35).
func (s *Store) seenInactive(ctx context.Context, tx pgx.Tx, patientID string) error {
	_, err := tx.Exec(ctx, `UPDATE patient SET active_self = false, active_other = false, active_at = $2, active_by = $3
		WHERE id = $1 AND erased_at IS NULL`, patientID, s.now(), ActivityRefused)
	return err
}

var (
	channels  = []contract.Channel{contract.ChannelEmail, contract.ChannelSMS, contract.ChannelPush}
	relations = []string{string(representation.FO), string(representation.VE), string(representation.FU), string(representation.TD)}
)

const (
	channelRule  = "e-mail, sms or push"
	relationRule = "a code of 7611: FO, VE, FU or TD"
)

func (f *fields) patient(path string, r PatientRecord, now time.Time) {
	if r.Status != nil {
		f.status(path+"status.", *r.Status, now)
	}
	if r.Contacts != nil {
		f.contacts(path, *r.Contacts, now)
	}
	if r.Preference != nil {
		f.preference(path+"preference.", *r.Preference)
	}
	if r.Representations != nil {
		f.representations(path, *r.Representations)
	}
}

func (f *fields) contacts(path string, contacts []Contact, now time.Time) {
	seen := map[string]bool{}
	for i, c := range contacts {
		path := fmt.Sprintf("%scontacts[%d].", path, i)
		f.refuse(!slices.Contains(channels, c.Channel), path+"channel", channelRule)
		f.refuse(c.Relation != "" && !slices.Contains(relations, c.Relation), path+"relation", "empty, or "+relationRule)
		f.refuse(c.ConfirmedAt.After(now), path+"confirmedAt", "not in the future")
		f.instant(path+"confirmedAt", c.ConfirmedAt)
		switch c.Channel {
		case contract.ChannelEmail:
			f.refuse(!isEmail(c.Address), path+"address", "an e-mail address without a name")
		case contract.ChannelSMS:
			f.refuse(!isPhone(c.Address), path+"address", phoneRule)
		case contract.ChannelPush:
			f.refuse(!isSubscription(c.Address), path+"address", "a push subscription as JSON: an https endpoint, and keys p256dh and auth")
		}
		for _, name := range []string{c.ID, string(c.Channel) + " " + c.Address} {
			f.refuse(name != "" && seen[name], path+"address", "each contact once")
			seen[name] = true
		}
	}
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

func isSubscription(s string) bool {
	var v struct {
		Endpoint string
		Keys     struct{ P256dh, Auth string }
	}
	if json.Unmarshal([]byte(s), &v) != nil || v.Keys.P256dh == "" || v.Keys.Auth == "" {
		return false
	}
	u, err := url.Parse(v.Endpoint)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}

// isLoopback tells whether an address is this machine's own, where a development stack
// has its push service. In production no sender goes there.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

func (f *fields) preference(path string, p Preference) {
	for field, list := range map[string][]contract.Channel{"channels": p.Channels, "optedOut": p.OptedOut} {
		for i, c := range list {
			f.refuse(!slices.Contains(channels, c), fmt.Sprintf("%s%s[%d]", path, field, i), channelRule)
			f.refuse(slices.Contains(list[:i], c), fmt.Sprintf("%s%s[%d]", path, field, i), "each channel once")
		}
	}
	f.refuse(p.Language != "" && !slices.Contains(languages, p.Language), path+"language", "nb, nn, en, se or empty")
}

func (f *fields) representations(path string, who []Representation) {
	seen := map[string]bool{}
	for i, r := range who {
		path := fmt.Sprintf("%srepresentations[%d].", path, i)
		f.refuse(!slices.Contains(relations, r.Relation), path+"relation", relationRule)
		f.instant(path+"until", r.Until)
		f.refuse(r.RepresentativeID == "" || seen[r.RepresentativeID], path+"representativeId", "a patient of the clinic, each once")
		seen[r.RepresentativeID] = true
	}
}

func (f *fields) status(path string, v PatientStatus, now time.Time) {
	if v.BornOn == "" {
		return
	}
	born, err := time.Parse(time.DateOnly, v.BornOn)
	f.refuse(err != nil || born.After(now) || born.Year() < 1850, path+"bornOn", "a date of the past, as 2006-01-02")
}
