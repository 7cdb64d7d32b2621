// Package client is Helsebro's typed Go client: what a record system, the HTTP API
// and operators can do, each as one method.
//
// Every method takes the principal first, checks its right and its clinic, and
// only then acts; the store writes the audit row in the transaction that gives
// access. Errors are kinds of apperr: forbidden when a right is missing, not-found
// for what does not exist and for what is another clinic's (so that nobody learns
// which ids exist), unavailable when PostgreSQL or Temporal does not answer.
//
// Reads come from PostgreSQL alone, so they work while Temporal is down. The commands
// to a lifecycle are StartDialogue, Turn, Answer, ChangeDialogue, and Change with its
// variants: what is said is stored, then given to the lifecycle, which accepts or refuses
// it while the caller waits.
package client

import (
	"context"
	"io"
	"time"

	sdkclient "go.temporal.io/sdk/client"

	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/domain/routing"
	"github.com/helsebro/helsebro/internal/identity"
	"github.com/helsebro/helsebro/internal/pg"
	"github.com/helsebro/helsebro/internal/scan"
)

// Store is what the client needs of the database.
type Store interface {
	Inbox(ctx context.Context, by identity.Principal, clinicID string, q pg.DialogueQuery) (pg.Page[pg.InboxItem], error)
	Inboxes(ctx context.Context, by identity.Principal, clinicID string) ([]pg.InboxCount, error)
	Dialogues(ctx context.Context, by identity.Principal, clinicID string, q pg.DialogueQuery) (pg.Page[pg.DialogueItem], error)
	ReadDialogue(ctx context.Context, by identity.Principal, clinicID, id string) (pg.Dialogue, error)
	ReadAttachment(ctx context.Context, by identity.Principal, clinicID, dialogueID, id string) (pg.File, io.Reader, error)
	StoreFile(ctx context.Context, by identity.Principal, clinicID string, n pg.NewFile, content io.Reader, check func(open func() (io.Reader, error)) error) (pg.File, error)
	DraftAnswer(ctx context.Context, by identity.Principal, clinicID, dialogueID string, d pg.Draft) (pg.Drafted, error)
	DropDraft(ctx context.Context, clinicID, id string, attempt int) error
	Started(ctx context.Context, clinicID, messageID string) (bool, error)
	DraftDialogue(ctx context.Context, by identity.Principal, clinicID string, n pg.NewDialogue) (pg.DraftedDialogue, error)
	DraftDialogueChange(ctx context.Context, by identity.Principal, clinicID string, ch pg.DialogueChange) (pg.DraftedDialogueChange, error)
	DropDialogueChange(ctx context.Context, clinicID, id string, attempt int) error
	DialogueChanged(ctx context.Context, clinicID, commandID string) (pg.DraftedDialogueChange, error)
	Ledger(ctx context.Context, by identity.Principal, clinicID, dialogueID string) ([]pg.LedgerLine, error)
	LedgerOfMessage(ctx context.Context, by identity.Principal, clinicID, messageID string) ([]pg.LedgerLine, error)
	Cases(ctx context.Context, by identity.Principal, clinicID string, q pg.CaseQuery) (pg.Page[pg.Case], error)
	ResolveCase(ctx context.Context, by identity.Principal, clinicID, caseID string) (pg.ResolvedCase, error)
	Routing(ctx context.Context, by identity.Principal, clinicID string) (map[contract.Process]routing.Rule, error)
	PutRouting(ctx context.Context, by identity.Principal, clinicID string, process contract.Process, rule routing.Rule) error
	PutClinic(ctx context.Context, by identity.Principal, c pg.Clinic) error
	PutPatient(ctx context.Context, by identity.Principal, clinicID string, p pg.Patient, practitionerID string, blocked bool) (string, error)
	PatientByNationalID(ctx context.Context, by identity.Principal, clinicID, nationalID string) (string, error)
	ErasePatient(ctx context.Context, by identity.Principal, clinicID, patientID string) error
	Audit(ctx context.Context, by identity.Principal, clinicID string, q pg.AuditQuery) (pg.Page[pg.AuditRow], error)
	VerifyAudit(ctx context.Context, by identity.Principal, clinicID string, number int64, hash string) (pg.AuditVerdict, error)
	Refused(ctx context.Context, by identity.Principal, what string) error
	HoldKey(ctx context.Context, by identity.Principal, clinicID, key string) error
	Alone(ctx context.Context, name string, do func()) error
	Quarantined(ctx context.Context, by identity.Principal, clinicID string, q pg.QuarantineQuery) (pg.Page[pg.Quarantine], error)
	QuarantinedMessage(ctx context.Context, by identity.Principal, clinicID, id string) (pg.Quarantine, error)
	DecideQuarantine(ctx context.Context, by identity.Principal, clinicID, id string, d pg.QuarantineDecision, note string) (pg.Quarantine, error)
	Calendar
	Appointments
	Patients
	PortalDialogues
	Integrations
}

// Calendar is what the client needs of the database to set calendars up.
type Calendar interface {
	Settings(ctx context.Context, by identity.Principal, clinicID string) (pg.Settings, error)
	PutSettings(ctx context.Context, by identity.Principal, clinicID string, s pg.Settings) error
	Calendars(ctx context.Context, by identity.Principal, clinicID string) ([]pg.CalendarState, error)
	PutCalendars(ctx context.Context, by identity.Principal, clinicID string, all []pg.Calendar) error
	AppointmentTypes(ctx context.Context, by identity.Principal, clinicID string) ([]pg.AppointmentType, error)
	PutAppointmentTypes(ctx context.Context, by identity.Principal, clinicID string, all []pg.AppointmentType) error
	Slots(ctx context.Context, by identity.Principal, clinicID, calendarID string, from, to time.Time) ([]pg.Slot, error)
	PutSlots(ctx context.Context, by identity.Principal, clinicID string, all []pg.Slot) error
	DeleteSlots(ctx context.Context, by identity.Principal, clinicID string, ids []string) error
}

// Patients is what the client needs of the database to know how patients are reached
// and who acts for them.
type Patients interface {
	PutPatients(ctx context.Context, by identity.Principal, clinicID string, all []pg.PatientRecord) ([]string, error)
	PatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string) (pg.PatientStanding, error)
	PutPatientStatus(ctx context.Context, by identity.Principal, clinicID, patientID string, s pg.PatientStatus) error
	Contacts(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.Contact, error)
	PutContacts(ctx context.Context, by identity.Principal, clinicID, patientID string, all []pg.Contact) error
	Preference(ctx context.Context, by identity.Principal, clinicID, patientID string) (pg.Preference, error)
	PutPreference(ctx context.Context, by identity.Principal, clinicID, patientID string, p pg.Preference) error
	Representations(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.Representation, error)
	PutRepresentations(ctx context.Context, by identity.Principal, clinicID, patientID string, all []pg.Representation) error
}

// Appointments is what the client needs of the database to read and change
// appointments.
type Appointments interface {
	CalendarEntries(ctx context.Context, by identity.Principal, clinicID, calendarID string, from, to time.Time) ([]pg.CalendarEntry, error)
	PatientAppointments(ctx context.Context, by identity.Principal, clinicID, patientID string) ([]pg.CalendarEntry, error)
	PortalAppointments(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string) ([]pg.PatientAppointment, error)
	PortalFeed(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string) ([]pg.FeedItem, error)
	PortalSlots(ctx context.Context, by identity.Principal, clinicID, patientID, viewerID string, from, to time.Time) (pg.PortalOffer, error)
	Appointment(ctx context.Context, by identity.Principal, clinicID, id string) (pg.Appointment, error)
	ExplainAppointment(ctx context.Context, by identity.Principal, clinicID, id string) (pg.AppointmentExplanation, error)
	DraftChange(ctx context.Context, by identity.Principal, clinicID string, ch pg.Change) (pg.DraftedChange, error)
	DropChange(ctx context.Context, clinicID, id string, attempt int) error
	RecordDeliveryReport(ctx context.Context, channel contract.Channel, key, eventID string, state contract.AttemptState, at time.Time) (contract.NoticeInput, bool, error)
}

var _ Store = (*pg.Store)(nil)

// Temporal is what the client needs of a Temporal client.
type Temporal interface {
	NewWithStartWorkflowOperation(options sdkclient.StartWorkflowOptions, workflow any, args ...any) sdkclient.WithStartWorkflowOperation
	UpdateWithStartWorkflow(ctx context.Context, options sdkclient.UpdateWithStartWorkflowOptions) (sdkclient.WorkflowUpdateHandle, error)
	UpdateWorkflow(ctx context.Context, options sdkclient.UpdateWorkflowOptions) (sdkclient.WorkflowUpdateHandle, error)
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
	SignalWithStartWorkflow(ctx context.Context, workflowID, signalName string, arg any, options sdkclient.StartWorkflowOptions, workflow any, args ...any) (sdkclient.WorkflowRun, error)
	QueryWorkflowWithOptions(ctx context.Context, request *sdkclient.QueryWorkflowWithOptionsRequest) (*sdkclient.QueryWorkflowWithOptionsResponse, error)
}

// Client does what its callers may do. It is safe for concurrent use.
type Client struct {
	store    Store
	temporal Temporal
	scanner  scan.Scanner
	activity Activity
}

// Option adds to a client what not every installation has.
type Option func(*Client)

// WithActivity has Helsenorge asked who is active there; without it the last known
// status of a patient counts.
func WithActivity(a Activity) Option { return func(c *Client) { c.activity = a } }

// New makes a client. It does no I/O.
func New(store Store, temporal Temporal, options ...Option) *Client {
	c := &Client{store: store, temporal: temporal, scanner: scan.Off{}}
	for _, add := range options {
		add(c)
	}
	return c
}

// allow checks the right first and then the clinic: a refusal for a missing right
// says nothing about the clinic.
func allow(by identity.Principal, right identity.Right, clinicID string) error {
	if err := by.Require(right); err != nil {
		return err
	}
	return by.RequireClinic(clinicID)
}
