package pg

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/prescription"
)

// Sources of an item of a renewal request.
const (
	// SourceM1: the citizen chose a prescription of his, and Helsenorge sent it.
	SourceM1 = "m1"
	// SourceText: it is all that the citizen wrote.
	SourceText = "text"
	// SourceSplit: staff read it out of what the citizen wrote.
	SourceSplit = "split"
)

const (
	// maxSplit bounds the prescriptions that staff read out of one text.
	maxSplit = 30
	// maxItemRunes and maxReasonRunes bound a name and a reason, in characters.
	maxItemRunes, maxReasonRunes = 100, 200
)

// PrescriptionContent is the sealed content of an item: what the citizen wrote, or the
// prescription that he chose.
type PrescriptionContent struct {
	Text     string    `json:"text,omitempty"`
	Medicine *Medicine `json:"medicine,omitempty"`
}

// PrescriptionItem is one prescription of a renewal request, as staff read it (S59).
type PrescriptionItem struct {
	ID string `json:"id"`
	// Position counts from 1, in the order of the request.
	Position int `json:"position"`
	// Source is SourceM1, SourceText or SourceSplit.
	Source string `json:"source"`
	PrescriptionContent
	// Reserved: guardians may not learn of it, so that no text names it (F15).
	Reserved bool `json:"reserved,omitempty"`
	// Decision, Reason and AnswerID are the accepted answer's, "" before.
	Decision prescription.Decision `json:"decision,omitempty"`
	Reason   string                `json:"reason,omitempty"`
	AnswerID string                `json:"answerId,omitempty"`
}

// Name is what people call the prescription.
func (p PrescriptionItem) Name() string {
	if p.Medicine != nil {
		return p.Medicine.Name
	}
	return p.Text
}

// ItemDecision is what staff decide on one prescription of a request.
type ItemDecision struct {
	// ID is the item's.
	ID       string                `json:"id"`
	Decision prescription.Decision `json:"decision"`
	// Reason is why it is not renewed: the citizen reads it, at most 200 characters.
	Reason string `json:"reason,omitempty"`
	// Medicine is what was prescribed, from the record system. A renewed item that the
	// citizen chose by itself has one; it may be given nevertheless, when another pack was
	// prescribed.
	Medicine *Medicine `json:"medicine,omitempty"`
}

// storeItems stores what a renewal request asks for: each prescription that came with
// it, or all that the citizen wrote as one.
func (s *Store) storeItems(ctx context.Context, tx pgx.Tx, key sealingKey, clinicID, dialogueID string, a Arrival) error {
	if len(a.Items) == 0 {
		text := a.Content.Text
		if strings.TrimSpace(text) == "" {
			text = a.Content.Subject
		}
		return s.insertItem(ctx, tx, key, clinicID, dialogueID, 1, SourceText, PrescriptionContent{Text: text})
	}
	for i := range a.Items {
		if err := s.insertItem(ctx, tx, key, clinicID, dialogueID, i+1, SourceM1, PrescriptionContent{Medicine: &a.Items[i]}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) insertItem(ctx context.Context, tx pgx.Tx, key sealingKey, clinicID, dialogueID string, position int, source string, c PrescriptionContent) error {
	id := newID()
	sealed, err := key.seal("prescription_item.content", id, c)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO prescription_item (id, clinic_id, dialogue_id, position, source, key_id, content, reserved)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, id, clinicID, dialogueID, position, source, key.id, sealed, c.Medicine != nil && c.Medicine.Reserved)
	return err
}

// prescriptionItems lists the items of a request; none for any other dialogue.
func prescriptionItems(ctx context.Context, tx pgx.Tx, key sealingKey, dialogueID string) ([]PrescriptionItem, error) {
	rows, err := tx.Query(ctx, `SELECT id, position, source, content, reserved, coalesce(decision, ''), reason, coalesce(outbound_id::text, '')
		FROM prescription_item WHERE dialogue_id = $1 ORDER BY position`, dialogueID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (PrescriptionItem, error) {
		var p PrescriptionItem
		var content, reason []byte
		if err := row.Scan(&p.ID, &p.Position, &p.Source, &content, &p.Reserved, &p.Decision, &reason, &p.AnswerID); err != nil {
			return p, err
		}
		if reason != nil {
			if err := key.open("prescription_item.reason", p.ID, reason, &p.Reason); err != nil {
				return p, err
			}
		}
		return p, key.open("prescription_item.content", p.ID, content, &p.PrescriptionContent)
	})
}

// decideItems completes the draft of an answer to a renewal request: every prescription is
// decided exactly once, the option follows from the decisions and contradicts none
// (F15), the subject is the option (S67) and the text has a line for each prescription.
// What is wrong is apperr.Invalid and names every field.
func (s *Store) decideItems(ctx context.Context, tx pgx.Tx, key sealingKey, dialogueID string, d *Draft) error {
	items, err := prescriptionItems(ctx, tx, key, dialogueID)
	if err != nil {
		return err
	}
	const message = "the answer to the renewal request has invalid fields"
	var f fields
	f.refuse(d.Subject != "", "subject", "must be empty: the citizen reads the option there")
	f.refuse(d.Code != "" && !slices.Contains(prescription.Options(), d.Code), "code",
		"one of the four options: 14 renewed, 32 partly renewed, 15 cannot be renewed, 26 rejected; without it the decisions tell")
	switch {
	case len(d.Items) > 0:
		d.checkItems(&f, items)
	case len(f) == 0:
		all := prescription.Expand(d.Code, len(items))
		f.refuse(all == nil, "items", fmt.Sprintf("a decision on each of the %d prescriptions: the code alone does not say which are renewed", len(items)))
		for i, decision := range all {
			d.Items = append(d.Items, ItemDecision{ID: items[i].ID, Decision: decision})
		}
	}
	if len(f) > 0 {
		return f.err(message)
	}
	decisions, lines := make([]prescription.Decision, len(items)), make([]prescription.Line, len(items))
	for i, item := range items {
		at := slices.IndexFunc(d.Items, func(x ItemDecision) bool { return x.ID == item.ID })
		said := d.Items[at]
		medicine := said.medicine(item)
		if path := fmt.Sprintf("items[%d].medicine", at); said.Decision == prescription.Renewed && medicine == nil {
			f.refuse(true, path, "required: what was prescribed, since the citizen wrote in words")
		} else if said.Decision == prescription.Renewed {
			f = append(f, medicine.Fields(path+".")...)
		}
		if medicine != nil {
			item.Medicine = medicine
		}
		decisions[i] = said.Decision
		lines[i] = prescription.Line{Name: item.Name(), Decision: said.Decision, Reason: said.Reason, Reserved: item.Reserved || (medicine != nil && medicine.Reserved)}
		if lines[i].Reserved {
			f = append(f, d.namesReserved(item)...)
		}
	}
	if d.Code == "" {
		d.Code = prescription.Derive(decisions)
	}
	why := prescription.Contradiction(d.Code, decisions)
	f.refuse(why != "", "code", why)
	written := d.Text
	d.Subject, d.Text = prescription.Note(d.Code), prescription.Text(written, lines)
	if over := prescription.Over(d.Text); over > 0 {
		f.refuse(true, "text", fmt.Sprintf("%d characters too long with a line for each prescription: Helsenorge shows %d", over, prescription.MaxText))
	}
	return f.err(message)
}

// checkItems refuses decisions that do not decide every item exactly once.
func (d *Draft) checkItems(f *fields, items []PrescriptionItem) {
	left := map[string]bool{}
	for _, item := range items {
		left[item.ID] = true
	}
	for i := range d.Items {
		said := &d.Items[i]
		said.ID, said.Reason = strings.ToLower(said.ID), strings.TrimSpace(said.Reason)
		at := fmt.Sprintf("items[%d].", i)
		f.refuse(!left[said.ID], at+"id", "a prescription of the request, each once")
		delete(left, said.ID)
		f.refuse(!slices.Contains(prescription.Decisions(), said.Decision), at+"decision", "renewed, cannot or rejected")
		f.refuse(said.Decision != prescription.Renewed && said.Reason == "", at+"reason", "why it is not renewed: the citizen reads it")
		f.refuse(!oneLine(said.Reason, maxReasonRunes), at+"reason", fmt.Sprintf("one line of at most %d characters", maxReasonRunes))
		f.refuse(said.Decision != prescription.Renewed && said.Medicine != nil, at+"medicine", "only of what is renewed")
	}
	f.refuse(len(left) > 0, "items", fmt.Sprintf("a decision on every prescription: %d of %d have none", len(left), len(items)))
}

// namesReserved names the fields whose text speaks of a prescription that guardians may
// not learn of: they read the text (F15).
func (d *Draft) namesReserved(item PrescriptionItem) []apperr.Field {
	names := []string{item.Name()}
	if item.Medicine != nil {
		names = append(names, item.Medicine.TradeName)
	}
	rule := fmt.Sprintf("must not name prescription %d, which guardians may not see: they can read this", item.Position)
	var f fields
	f.refuse(prescription.Names(d.Text, names...), "text", rule)
	for i, other := range d.Items {
		f.refuse(other.ID != item.ID && prescription.Names(other.Reason, names...), fmt.Sprintf("items[%d].reason", i), rule)
	}
	return f
}

// medicine is what is prescribed: what the record system says, else what the citizen
// chose.
func (d ItemDecision) medicine(item PrescriptionItem) *Medicine {
	if d.Medicine != nil {
		return d.Medicine
	}
	return item.Medicine
}

// recordDecisions writes the decisions of an accepted answer beside the items, and
// returns what was renewed: one M1 document each (HITS 1217 §3.1.3). Items that staff
// have split since are a conflict: the answer decides on others.
func (s *Store) recordDecisions(ctx context.Context, tx pgx.Tx, key sealingKey, dialogueID, outboundID string, all []ItemDecision) ([]Medicine, error) {
	if len(all) == 0 {
		return nil, nil
	}
	if err := s.onlyAnswer(ctx, tx, dialogueID, outboundID); err != nil {
		return nil, err
	}
	items, err := prescriptionItems(ctx, tx, key, dialogueID)
	if err != nil {
		return nil, err
	}
	var renewed []Medicine
	for _, item := range items {
		at := slices.IndexFunc(all, func(x ItemDecision) bool { return x.ID == item.ID })
		if at < 0 || len(all) != len(items) {
			return nil, apperr.New(apperr.Conflict, "the request's prescriptions have been split since the answer was written: answer again")
		}
		said := all[at]
		sealed, err := key.seal("prescription_item.reason", item.ID, said.Reason)
		if err != nil {
			return nil, err
		}
		medicine := said.medicine(item)
		if _, err := tx.Exec(ctx, "UPDATE prescription_item SET decision = $2, reason = $3, outbound_id = $4, reserved = reserved OR $5 WHERE id = $1",
			item.ID, said.Decision, sealed, outboundID, medicine != nil && medicine.Reserved); err != nil {
			return nil, err
		}
		if said.Decision == prescription.Renewed {
			renewed = append(renewed, *medicine)
		}
	}
	return renewed, nil
}

// onlyAnswer refuses an answer to a renewal request that has another: it takes one (HITS
// 1217 §3.1). The other may have been sent again, or its receipt came late.
func (s *Store) onlyAnswer(ctx context.Context, tx pgx.Tx, dialogueID, outboundID string) error {
	var another bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM outbound_message o WHERE o.dialogue_id = $1 AND o.id <> $2 AND "+given+")", dialogueID, outboundID).Scan(&another)
	if err == nil && another {
		err = apperr.InState(string(contract.StatusAnswered), "the request has another answer, and takes one only")
	}
	return err
}

// applySplit puts the prescriptions that staff have read out of a citizen's words in the
// place of the one text (F15). It may be done again until the request is answered.
// Prescriptions that the citizen chose himself are not split.
func (s *Store) applySplit(ctx context.Context, tx pgx.Tx, c storedChange, _ *contract.ApplyDialogueChangeOutput) error {
	if c.dialogue.process != contract.ProcessPrescription {
		return apperr.New(apperr.Conflict, "only a renewal request lists prescriptions")
	}
	var f fields
	f.refuse(len(c.Items) == 0 || len(c.Items) > maxSplit, "items", fmt.Sprintf("1 to %d prescriptions", maxSplit))
	for i, name := range c.Items {
		f.refuse(strings.TrimSpace(name) == "" || !oneLine(name, maxItemRunes), fmt.Sprintf("items[%d]", i), fmt.Sprintf("a name of at most %d characters on one line", maxItemRunes))
	}
	if err := f.err("the prescriptions have invalid names"); err != nil {
		return err
	}
	var answered, chosen bool
	if err := tx.QueryRow(ctx, `SELECT
			EXISTS (SELECT FROM outbound_message WHERE dialogue_id = $1 AND kind = 'answer' AND prepared_at IS NOT NULL
				AND coalesce(outcome, '') NOT IN ('rejected', 'error-queue', 'failed')),
			EXISTS (SELECT FROM prescription_item WHERE dialogue_id = $1 AND source = 'm1')`, c.dialogue.id).Scan(&answered, &chosen); err != nil {
		return err
	}
	switch {
	case answered:
		return apperr.New(apperr.Conflict, "the request is answered: its prescriptions stay as they were decided on")
	case chosen:
		return apperr.New(apperr.Conflict, "the citizen chose the prescriptions himself: they are listed already")
	}
	key, err := s.key(ctx, tx, c.dialogue.keyID)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM prescription_item WHERE dialogue_id = $1", c.dialogue.id); err != nil {
		return err
	}
	for i, name := range c.Items {
		if err := s.insertItem(ctx, tx, key, c.ClinicID, c.dialogue.id, i+1, SourceSplit, PrescriptionContent{Text: strings.TrimSpace(name)}); err != nil {
			return err
		}
	}
	return nil
}
