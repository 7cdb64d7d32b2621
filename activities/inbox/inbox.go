// Package inbox puts messages where people read them (S31-S49).
package inbox

import (
	"context"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/failpoint"
)

// Store is what the group needs of the database.
type Store interface {
	Place(context.Context, contract.DeliverToInboxInput) (contract.DeliverToInboxOutput, error)
}

// Activities implements contract.InboxActivities.
type Activities struct{ store Store }

var _ contract.InboxActivities = (*Activities)(nil)

// New makes the group.
func New(store Store) *Activities { return &Activities{store: store} }

// DeliverToInbox implements contract.InboxActivities.
func (a *Activities) DeliverToInbox(ctx context.Context, in contract.DeliverToInboxInput) (contract.DeliverToInboxOutput, error) {
	out, err := a.store.Place(ctx, in)
	failpoint.Hit(failpoint.InboxPlaced)
	return out, apperr.ToTemporal(err)
}
