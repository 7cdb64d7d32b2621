package client

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
)

// Sizes of a list, in rows.
const (
	// DefaultLimit is how many rows a list has when the caller names no number.
	DefaultLimit = 100
	// MaxLimit is how many it may ask for; more is answered with this many.
	MaxLimit = 500
)

func bounded(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}

// Dialogue opens a dialogue with its messages and answers, and marks it read.
func (c *Client) Dialogue(ctx context.Context, by identity.Principal, clinicID, dialogueID string) (pg.Dialogue, error) {
	if err := allow(by, identity.RightMessageRead, clinicID); err != nil {
		return pg.Dialogue{}, err
	}
	return c.store.ReadDialogue(ctx, by, clinicID, dialogueID)
}

// Refused notes that the caller was refused for want of a right. It needs no right itself.
func (c *Client) Refused(ctx context.Context, by identity.Principal, what string) error {
	return c.store.Refused(ctx, by, what)
}

// HoldKey makes the key of a request the caller's system's (its ClientID), for the clinic,
// before the request is done: it is apperr.Duplicate where another system has had the key.
// It needs no right itself. Idempotent.
func (c *Client) HoldKey(ctx context.Context, by identity.Principal, clinicID, key string) error {
	return c.store.HoldKey(ctx, by, clinicID, key)
}

// Alone does something while nobody else does what has the same name, in any process: for
// who compares before he writes. It is apperr.Unavailable, with nothing done, where that
// cannot be known. What is done may not itself be Alone.
func (c *Client) Alone(ctx context.Context, name string, do func()) error {
	return c.store.Alone(ctx, name, do)
}

// FindPatient returns the id of the clinic's patient with the national id, which
// is how a patient is named everywhere else.
func (c *Client) FindPatient(ctx context.Context, by identity.Principal, clinicID, nationalID string) (string, error) {
	if err := allow(by, identity.RightPatientRead, clinicID); err != nil {
		return "", err
	}
	if _, err := parseNationalID(nationalID); err != nil {
		return "", apperr.InvalidFields("the national id is not one", apperr.Field{Path: "nationalId", Rule: err.Error()})
	}
	return c.store.PatientByNationalID(ctx, by, clinicID, nationalID)
}

// ErasePatient destroys the patient's key: everything of the patient is unreadable
// from now on. It cannot be undone. Idempotent.
func (c *Client) ErasePatient(ctx context.Context, by identity.Principal, clinicID, patientID string) error {
	if err := allow(by, identity.RightPatientErase, clinicID); err != nil {
		return err
	}
	return c.store.ErasePatient(ctx, by, clinicID, patientID)
}
