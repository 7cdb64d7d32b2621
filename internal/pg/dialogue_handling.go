package pg

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
)

// applyTake gives a dialogue to whoever asks for it: the first has it (A3). One that a
// colleague at work has is a conflict that names him; of one who is away or has left it
// can be taken over.
func (s *Store) applyTake(ctx context.Context, tx pgx.Tx, c storedChange, _ *contract.ApplyDialogueChangeOutput) error {
	if err := handled(c.dialogue); err != nil {
		return err
	}
	me, err := s.staffNamed(ctx, tx, c.ClinicID, c.Author)
	if err != nil {
		return err
	}
	roster, err := s.roster(ctx, tx, c.ClinicID)
	if err != nil {
		return err
	}
	if owner := c.dialogue.ownerID; owner != "" && owner != me && roster.Present(owner) {
		return apperr.InState("taken", "staff member %s has taken the dialogue: ask him, or have it assigned to you", owner)
	}
	if err := s.setOwner(ctx, tx, c.dialogue.id, me); err != nil {
		return err
	}
	places, err := s.livePlaces(ctx, tx, c.dialogue.id)
	if err != nil {
		return err
	}
	for _, p := range places {
		if roster.Reads(me, p.Recipient) {
			return nil
		}
	}
	return s.placeNewest(ctx, tx, c.dialogue, []routing.Place{{Recipient: ownInbox(me), Via: routing.ViaOwner}})
}

// applyAssign gives a dialogue to a colleague, in whose own inbox it lies unread then, or
// to nobody.
func (s *Store) applyAssign(ctx context.Context, tx pgx.Tx, c storedChange, _ *contract.ApplyDialogueChangeOutput) error {
	if err := handled(c.dialogue); err != nil {
		return err
	}
	if c.StaffID == "" {
		return s.setOwner(ctx, tx, c.dialogue.id, "")
	}
	roster, err := s.roster(ctx, tx, c.ClinicID)
	if err != nil {
		return err
	}
	if !roster.Works(c.StaffID) {
		return apperr.InvalidFields("the dialogue cannot be given to him", apperr.Field{Path: "staffId", Rule: "the id of somebody who works at the clinic, or empty for nobody"})
	}
	if err := s.setOwner(ctx, tx, c.dialogue.id, c.StaffID); err != nil {
		return err
	}
	return s.placeNewest(ctx, tx, c.dialogue, []routing.Place{{Recipient: ownInbox(c.StaffID), Via: routing.ViaAssign}})
}

// applyForward moves a dialogue to other inboxes, where it lies unread, from now on, and
// nobody has taken it. Each must reach somebody at work, so that it is never without a
// reader (F12).
func (s *Store) applyForward(ctx context.Context, tx pgx.Tx, c storedChange, _ *contract.ApplyDialogueChangeOutput) error {
	if err := handled(c.dialogue); err != nil {
		return err
	}
	roster, err := s.roster(ctx, tx, c.ClinicID)
	if err != nil {
		return err
	}
	places := make([]routing.Place, len(c.To))
	for i, r := range c.To {
		path := fmt.Sprintf("to[%d]", i)
		if _, err := routing.ParseRecipient(r.String()); err != nil {
			return apperr.InvalidFields("a recipient is none", apperr.Field{Path: path, Rule: err.Error()})
		}
		if !roster.Reaches(r) {
			return reachesNobody(path, r)
		}
		places[i] = routing.Place{Recipient: r, Via: routing.ViaForward}
	}
	if _, err := tx.Exec(ctx, "UPDATE inbox_item SET left_at = $2 WHERE dialogue_id = $1 AND left_at IS NULL", c.dialogue.id, s.now()); err != nil {
		return err
	}
	if err := s.setOwner(ctx, tx, c.dialogue.id, ""); err != nil {
		return err
	}
	return s.placeNewest(ctx, tx, c.dialogue, places)
}

// applyClose ends a dialogue on the clinic's side without a message. A renewal request
// wants an answer, and so does an e-consultation in which one is owed (F13). The citizen
// may write again, which opens it.
func (s *Store) applyClose(ctx context.Context, tx pgx.Tx, c storedChange, out *contract.ApplyDialogueChangeOutput) error {
	d := c.dialogue
	if err := handled(d); err != nil {
		return err
	}
	switch {
	case !d.closedAt.IsZero():
		return apperr.InState(string(contract.StatusClosed), "the dialogue is closed already")
	case d.process == contract.ProcessPrescription && d.owedSince.IsZero():
		return apperr.InState(string(contract.StatusAnswered), "a renewal request is ended by its answer, which it has: there is nothing to close")
	case d.process == contract.ProcessPrescription:
		return apperr.InState(string(contract.StatusAwaitingClinic), "a renewal request is ended by its answer: answer it")
	case d.process == contract.ProcessEConsultation && !d.owedSince.IsZero():
		return apperr.InState(string(contract.StatusAwaitingClinic), "an e-consultation must be answered before it is closed: answer it, or answer and close")
	}
	if _, err := tx.Exec(ctx, "UPDATE dialogue SET closed_at = $2, closed_by = $3 WHERE id = $1", d.id, s.now(), c.Author); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE inbox_item SET read_at = $2 WHERE dialogue_id = $1 AND read_at IS NULL", d.id, s.now()); err != nil {
		return err
	}
	out.Closed = true
	return s.answerGiven(ctx, tx, d.id)
}

// handled refuses threads that no inbox handles: the calendar decides an appointment's.
func handled(d dialogueRow) error {
	if d.process == contract.ProcessAppointment {
		return apperr.New(apperr.Unsupported, "the thread of an appointment is handled with the appointment: see helsebro appointment")
	}
	return nil
}

func (s *Store) setOwner(ctx context.Context, tx pgx.Tx, dialogueID, staffID string) error {
	_, err := tx.Exec(ctx, "UPDATE dialogue SET owner_id = $2 WHERE id = $1", dialogueID, nullable(staffID))
	return err
}

// ownInbox is a staff member's own.
func ownInbox(staffID string) routing.Recipient {
	return routing.Recipient{Kind: routing.Personal, ID: staffID}
}

// livePlaces are the inboxes in which a dialogue lies, the newest first.
func (s *Store) livePlaces(ctx context.Context, tx pgx.Tx, dialogueID string) ([]routing.Place, error) {
	rows, err := tx.Query(ctx, `SELECT recipient_kind, recipient_id, (array_agg(via ORDER BY placed_at DESC))[1] FROM inbox_item
		WHERE dialogue_id = $1 AND left_at IS NULL GROUP BY 1, 2 ORDER BY max(placed_at) DESC, 1, 2`, dialogueID)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (routing.Place, error) {
		var p routing.Place
		err := row.Scan(&p.Kind, &p.ID, &p.Via)
		return p, err
	})
}

// placeNewest shows a dialogue in inboxes by its newest message that lies in one: what no
// lifecycle has placed yet is not placed by it. The clinic's own message stands for a
// dialogue that it began.
func (s *Store) placeNewest(ctx context.Context, tx pgx.Tx, d dialogueRow, places []routing.Place) error {
	var messageID string
	err := tx.QueryRow(ctx, "SELECT message_id FROM inbox_item WHERE dialogue_id = $1 ORDER BY placed_at DESC, id DESC LIMIT 1", d.id).Scan(&messageID)
	if errors.Is(err, pgx.ErrNoRows) {
		err = tx.QueryRow(ctx, "SELECT o.id FROM outbound_message o WHERE o.dialogue_id = $1 AND "+accepted+" ORDER BY o.prepared_at DESC LIMIT 1", d.id).Scan(&messageID)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return apperr.InState(string(contract.StatusReceived), "the dialogue's first message is still being placed: try again in a moment")
	}
	if err != nil {
		return err
	}
	return s.putInInboxes(ctx, tx, d.clinicID, d.id, messageID, places)
}
