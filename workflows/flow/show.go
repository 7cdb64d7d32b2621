package flow

import (
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// Instant is how a status card writes an instant.
const Instant = "2006-01-02 15:04 MST"

// Show makes a lifecycle visible: the status card of the Temporal UI, in Markdown
// and without a patient, and the search attribute when it is not the one shown.
func Show(ctx workflow.Context, card string, status contract.Status, shown *contract.Status) error {
	workflow.SetCurrentDetails(ctx, card[:min(len(card), contract.MaxDetailsBytes)])
	if status == *shown {
		return nil
	}
	*shown = status
	return workflow.UpsertTypedSearchAttributes(ctx, contract.AttrState.ValueSet(string(status)))
}

// OpenCase asks an operator to look. A case that cannot be opened is in the log:
// the lifecycle goes on.
func OpenCase(ctx workflow.Context, in contract.OpenCaseInput) {
	if _, err := Do(ctx, Record, "open operator case "+string(in.Kind), contract.LedgerActivities.OpenCase, in); err != nil {
		workflow.GetLogger(ctx).Error("operator case could not be opened",
			"case", string(in.Kind), "about", in.MessageID, "kind", string(apperr.KindOf(err)))
	}
}
