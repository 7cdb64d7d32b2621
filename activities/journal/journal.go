// Package journal writes to the patient's record (S50-S55).
package journal

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
)

// Store is what the group needs of the database.
type Store interface {
	WriteJournalEntry(context.Context, contract.WriteJournalEntryInput) (entryID string, err error)
}

// Activities implements contract.JournalActivities.
type Activities struct{ store Store }

var _ contract.JournalActivities = (*Activities)(nil)

// New makes the group.
func New(store Store) *Activities { return &Activities{store: store} }

// WriteJournalEntry implements contract.JournalActivities.
func (a *Activities) WriteJournalEntry(ctx context.Context, in contract.WriteJournalEntryInput) (contract.WriteJournalEntryOutput, error) {
	id, err := a.store.WriteJournalEntry(ctx, in)
	failpoint.Hit(failpoint.JournalWritten)
	return contract.WriteJournalEntryOutput{EntryID: id}, apperr.ToTemporal(err)
}
