// Package workflows holds the lifecycles, deterministic and nothing else: see
// dialogue, prescription, appointment, notice and activation.
package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/workflows/activation"
	"github.com/helsebro/helsebro/workflows/appointment"
	"github.com/helsebro/helsebro/workflows/dialogue"
	"github.com/helsebro/helsebro/workflows/notice"
	"github.com/helsebro/helsebro/workflows/prescription"
)

// Register registers every workflow by its explicit name: with a worker, the test
// environment, the replayer.
//
// Every one is AutoUpgrade: lifecycles sleep for months and must be carried on by
// the version that is deployed now, whose commands GetVersion keeps compatible.
func Register(r worker.WorkflowRegistry) {
	register(r, contract.DialogueWorkflow, dialogue.Workflow)
	register(r, contract.PrescriptionWorkflow, prescription.Workflow)
	register(r, contract.AppointmentWorkflow, appointment.Workflow)
	register(r, contract.NoticeWorkflow, notice.Workflow)
	register(r, contract.ActivationWorkflow, activation.Workflow)
}

func register(r worker.WorkflowRegistry, name string, w any) {
	r.RegisterWorkflowWithOptions(w, workflow.RegisterOptions{
		Name:               name,
		VersioningBehavior: workflow.VersioningBehaviorAutoUpgrade,
	})
}
