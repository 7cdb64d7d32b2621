package flow

import (
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
)

// Show makes a lifecycle visible: the status card, and the search attribute when it is
// not the one shown.
func Show(ctx workflow.Context, card *Card, status contract.Status, shown *contract.Status) error {
	card.Show(ctx)
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
