package listen

import (
	"bytes"
	"context"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/registry"
)

// tellAgain is when an activation that was told of a change, and has not looked since, is
// told once more: whoever ended its run lost the word.
const tellAgain = time.Hour

// told is what an activation was told of last.
type told struct {
	digest []byte
	at     time.Time
}

// watchRegistry tells every activation whose preconditions depend on something else than
// it saw at its last look, in the registry or in the clinic's own data, to look anew
// (S12). An activation that nobody has started is started by it. known is what was told
// before. What fails is tried again at the next look.
func (l *Listener) watchRegistry(ctx context.Context, known map[string]told) {
	all, err := l.store.Integrations(ctx)
	if err != nil {
		l.logger.Warn("the integrations cannot be read yet", "error", err)
		return
	}
	for _, one := range all {
		said, err := registry.Look(ctx, l.registry, one.Facts.HerIDs())
		if err != nil {
			l.logger.Warn("the address registry cannot be asked: what is registered stays as it was", "kind", apperr.KindOf(err))
			return
		}
		id := contract.ActivationWorkflowID(one.ClinicID, one.StaffID)
		digest, stale := one.Stale(said)
		if !stale {
			delete(known, id)
			continue
		}
		if before, ok := known[id]; ok && bytes.Equal(before.digest, digest) && time.Since(before.at) < tellAgain {
			continue
		}
		if err := l.registryChanged(ctx, id, one); err != nil {
			l.logger.Warn("an activation could not be told to look anew", "workflow", id, "error", err)
			continue
		}
		known[id] = told{digest, time.Now()}
		l.logger.Info("an activation is told to look anew", "workflow", id)
	}
}

// registryChanged signals one activation, which the signal starts where it never ran.
func (l *Listener) registryChanged(ctx context.Context, id string, one pg.LookedAt) error {
	_, err := l.temporal.SignalWithStartWorkflow(ctx, id, contract.SignalRegistryChanged, nil, client.StartWorkflowOptions{
		ID: id, TaskQueue: contract.QueueLifecycle,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			contract.AttrClinic.ValueSet(one.ClinicID),
			contract.AttrProcess.ValueSet(string(contract.ProcessActivation)),
			contract.AttrState.ValueSet(string(contract.StatusNotActivated)),
		),
		StaticSummary: contract.ActivationTitle(one.StaffID),
		StaticDetails: contract.StaticDetails(contract.ProcessActivation),
	}, contract.ActivationWorkflow, contract.ActivationInput{ClinicID: one.ClinicID, StaffID: one.StaffID})
	return unavailable(err)
}
