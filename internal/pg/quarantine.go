package pg

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/helsebro/helsebro/internal/apperr"
	"github.com/helsebro/helsebro/internal/contract"
	"github.com/helsebro/helsebro/internal/identity"
)

// Wire is a message as it came from its queue.
type Wire struct {
	Queue         string            `json:"queue"`
	TransportID   string            `json:"transportId"`
	Subject       string            `json:"subject"`
	ReplyTo       string            `json:"replyTo"`
	CorrelationID string            `json:"correlationId"`
	ContentType   string            `json:"contentType"`
	CPAID         string            `json:"cpaId"`
	FromHerID     int               `json:"fromHerId"`
	ToHerID       int               `json:"toHerId"`
	SentAt        time.Time         `json:"sentAt"`
	Properties    map[string]string `json:"properties"`
	ErrorQueue    bool              `json:"errorQueue"`
	// Body is kept beside the rest.
	Body []byte `json:"-"`
}

// QuarantineState is where a message that was kept aside has got to.
type QuarantineState string

// The states. A message leaves Kept once, for good.
const (
	QuarantineKept      QuarantineState = "kept"
	QuarantineTaken     QuarantineState = "taken"     // tried again, and taken in
	QuarantineReleased  QuarantineState = "released"  // put back on its queue
	QuarantineDiscarded QuarantineState = "discarded" // somebody has said why
)

// QuarantineDecision is what an operator decides about a message that is kept aside.
type QuarantineDecision string

// The decisions. The first two are carried out by the listener, which has keys and queues.
const (
	QuarantineRetry   QuarantineDecision = "retry"
	QuarantineRelease QuarantineDecision = "release"
	QuarantineDiscard QuarantineDecision = "discard"
)

// Quarantine is a message that was kept aside. Nothing in it is the patient's.
type Quarantine struct {
	ID          string          `json:"id"`
	FromHerID   int             `json:"fromHerId"`
	ToHerID     int             `json:"toHerId"`
	TransportID string          `json:"transportId"`
	Subject     string          `json:"subject,omitempty" doc:"The message function that its envelope names"`
	Queue       string          `json:"queue,omitempty"`
	Size        int             `json:"size" doc:"Bytes of the body as it came"`
	Reason      string          `json:"reason" doc:"Why it was kept aside"`
	State       QuarantineState `json:"state" enum:"kept,taken,released,discarded"`
	Wanted      string          `json:"wanted,omitempty" doc:"retry or release: asked of the listener, and not done yet"`
	Attempts    int             `json:"attempts" doc:"How often it was tried again"`
	StoredAt    time.Time       `json:"storedAt"`
	DecidedAt   *time.Time      `json:"decidedAt,omitempty"`
	DecidedBy   string          `json:"decidedBy,omitempty"`
	Note        string          `json:"note,omitempty" doc:"Why it was discarded"`
}

// QuarantineQuery selects messages; what is empty selects all.
type QuarantineQuery struct {
	State QuarantineState
	// Limit is in rows, 1 when less. Cursor is the Next of the page before.
	Limit  int
	Cursor string
}

// sortQuarantine is the one order: the newest first.
const sortQuarantine = "quarantine"

const quarantineColumns = `id, from_her_id, to_her_id, transport_id, subject, queue, size, reason, state, wanted, attempts, stored_at, decided_at, decided_by, note`

// Quarantined lists what the clinic's intake has kept aside, newest first. An operator of
// the installation sees what belongs to no clinic with it.
func (s *Store) Quarantined(ctx context.Context, by identity.Principal, clinicID string, q QuarantineQuery) (Page[Quarantine], error) {
	var found Page[Quarantine]
	q.Limit = max(q.Limit, 1)
	from, err := readCursor(q.Cursor, sortQuarantine)
	if err != nil {
		return found, err
	}
	if from == nil {
		from = &cursor{At: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), ID: uuid.Max.String()}
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT "+quarantineColumns+` FROM quarantine
			WHERE (clinic_id = $1 OR ($2 AND clinic_id IS NULL)) AND ($3 = '' OR state = $3) AND (stored_at, id) < ($4::timestamptz, $5::uuid)
			ORDER BY stored_at DESC, id DESC LIMIT $6`,
			clinicID, ofInstallation(by), string(q.State), from.At, from.ID, q.Limit+1)
		if err != nil {
			return err
		}
		all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Quarantine])
		if err != nil {
			return err
		}
		found = page(all, q.Limit, func(k Quarantine) cursor { return cursor{Sort: sortQuarantine, At: k.StoredAt.UTC(), ID: k.ID} })
		return s.audit(ctx, tx, by, clinicID, "quarantine.list", "", "")
	})
	return found, err
}

// QuarantinedMessage is one of them, or apperr.NotFound.
func (s *Store) QuarantinedMessage(ctx context.Context, by identity.Principal, clinicID, id string) (Quarantine, error) {
	var found Quarantine
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if found, err = s.quarantined(ctx, tx, by, clinicID, id, ""); err != nil {
			return err
		}
		return s.audit(ctx, tx, by, clinicID, "quarantine.read", "quarantine/"+id, "")
	})
	return found, err
}

func (s *Store) quarantined(ctx context.Context, tx pgx.Tx, by identity.Principal, clinicID, id, lock string) (Quarantine, error) {
	rows, err := tx.Query(ctx, "SELECT "+quarantineColumns+" FROM quarantine WHERE id = $3 AND (clinic_id = $1 OR ($2 AND clinic_id IS NULL)) "+lock,
		clinicID, ofInstallation(by), id)
	if err != nil {
		return Quarantine{}, err
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Quarantine])
	if errors.Is(err, pgx.ErrNoRows) {
		err = apperr.New(apperr.NotFound, "the clinic has no such message in quarantine")
	}
	return found, err
}

// DecideQuarantine notes a decision about a message that is kept aside, with who decided.
// The same decision again changes nothing; another one after it is apperr.Conflict. note
// says why a message is discarded.
func (s *Store) DecideQuarantine(ctx context.Context, by identity.Principal, clinicID, id string, d QuarantineDecision, note string) (Quarantine, error) {
	var found Quarantine
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		k, err := s.quarantined(ctx, tx, by, clinicID, id, "FOR UPDATE")
		if err != nil {
			return err
		}
		found = k
		switch {
		case k.State == QuarantineDiscarded && d == QuarantineDiscard, k.State == QuarantineTaken && d == QuarantineRetry,
			k.State == QuarantineReleased && d == QuarantineRelease, k.State == QuarantineKept && k.Wanted == string(d):
			return nil
		case k.State != QuarantineKept:
			return apperr.InState(string(k.State), "the message is in quarantine no more")
		case k.Wanted != "":
			return apperr.InState(k.Wanted, "something else is being done with the message: look again in a moment")
		}
		if d == QuarantineDiscard {
			k.State, k.Note = QuarantineDiscarded, note
		} else {
			k.Wanted = string(d)
		}
		now := s.now()
		k.DecidedAt, k.DecidedBy = &now, by.Subject
		if _, err := tx.Exec(ctx, "UPDATE quarantine SET state = $2, wanted = $3, note = $4, decided_at = $5, decided_by = $6 WHERE id = $1",
			id, k.State, k.Wanted, k.Note, now, k.DecidedBy); err != nil {
			return err
		}
		found = k
		if k.State != QuarantineKept {
			if err := s.closeQuarantineCase(ctx, tx, id); err != nil {
				return err
			}
		}
		return s.audit(ctx, tx, by, clinicID, "quarantine."+string(d), "quarantine/"+id, "")
	})
	return found, err
}

// closeQuarantineCase says that somebody has seen to it.
func (s *Store) closeQuarantineCase(ctx context.Context, tx pgx.Tx, id string) error {
	_, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = coalesce(resolved_at, $3) WHERE kind = $1 AND message_id = $2", contract.CaseQuarantined, id, s.now())
	return err
}

// WantedOfQuarantine is a message that an operator wants something done with.
type WantedOfQuarantine struct {
	ID       string
	Decision QuarantineDecision
	Wire     Wire
}

// QuarantineWanted are those that the listener is asked about, the longest waiting first.
// Several listeners may see the same ones: what they do is idempotent.
func (s *Store) QuarantineWanted(ctx context.Context, limit int) ([]WantedOfQuarantine, error) {
	var out []WantedOfQuarantine
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT id, wanted, key_id, wire, raw FROM quarantine WHERE wanted <> '' ORDER BY decided_at LIMIT $1", limit)
		if err != nil {
			return err
		}
		type row struct {
			ID, Wanted, KeyID string
			Wire, Raw         []byte
		}
		found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		if err != nil {
			return err
		}
		for _, f := range found {
			key, err := s.key(ctx, tx, f.KeyID)
			if err != nil {
				return err
			}
			w := WantedOfQuarantine{ID: f.ID, Decision: QuarantineDecision(f.Wanted)}
			if err := key.open("quarantine.wire", f.ID, f.Wire, &w.Wire); err != nil {
				return err
			}
			if w.Wire.Body, err = key.Open(f.Raw, "quarantine.raw/"+f.ID); err != nil {
				return err
			}
			out = append(out, w)
		}
		return nil
	})
	return out, err
}

// QuarantineDone says what became of a decision. A message that was tried again in vain
// stays kept, for the reason that it has now.
func (s *Store) QuarantineDone(ctx context.Context, id string, state QuarantineState, reason string) error {
	return s.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE quarantine SET state = $2, wanted = '', attempts = attempts + 1, reason = coalesce(nullif($3, ''), reason)
			WHERE id = $1 AND state = 'kept' AND wanted <> ''`, id, state, reason)
		if err != nil || tag.RowsAffected() == 0 || state == QuarantineKept {
			return err
		}
		return s.closeQuarantineCase(ctx, tx, id)
	})
}

// A counterpart that sends nothing but what has to be reported is told so this often, and
// what it sends beyond that is kept aside: two systems that report each other's reports
// would go on for ever.
const (
	maxReports   = 100
	reportWindow = time.Hour
)

// tooManyReports tells whether a counterpart was told enough lately. A message that is
// known is no new one.
func (s *Store) tooManyReports(ctx context.Context, tx pgx.Tx, a Arrival) (many bool, err error) {
	err = tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM inbound_message WHERE verdict = 'reported' AND from_her_id = $1 AND received_at > $3) >= $4
			AND NOT EXISTS (SELECT FROM inbound_message WHERE from_her_id = $1 AND transport_id = $2)`,
		a.FromHerID, a.TransportID, s.now().Add(-reportWindow), maxReports).Scan(&many)
	return many, err
}

// KeepAside keeps a message aside that cannot be processed, so that it neither stalls its
// queue nor is lost. Idempotent by sender, transport id and body.
func (s *Store) KeepAside(ctx context.Context, a Arrival, reason string) error {
	sum := sha256.Sum256(a.Raw)
	return s.inTx(ctx, func(tx pgx.Tx) error {
		var out Arrived
		err := tx.QueryRow(ctx, "SELECT clinic_id FROM party WHERE her_id = $1", a.ToHerID).Scan(&out.ClinicID)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return s.quarantine(ctx, tx, a, sum[:], &out, reason)
	})
}

// quarantine keeps what must not replace the first message and is not answered.
func (s *Store) quarantine(ctx context.Context, tx pgx.Tx, a Arrival, sum []byte, out *Arrived, reason string) error {
	key, err := s.intakeKey(ctx, tx, out.ClinicID)
	if err != nil {
		return err
	}
	id := newID()
	wire, err := key.seal("quarantine.wire", id, a.Wire)
	if err != nil {
		return err
	}
	raw, err := key.Seal(a.Wire.Body, "quarantine.raw/"+id)
	if err != nil {
		return err
	}
	// One that was put back on its queue and comes again is kept again, also when it comes
	// before it is written down that it was put back.
	var kept string
	err = tx.QueryRow(ctx, `INSERT INTO quarantine (id, clinic_id, transport_id, from_her_id, to_her_id, sha256, key_id, raw, patient_index, reason, stored_at, subject, queue, size, wire)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (from_her_id, transport_id, sha256) DO UPDATE SET state = 'kept', wanted = '', reason = excluded.reason, attempts = quarantine.attempts + 1
			WHERE quarantine.state = 'released' OR quarantine.wanted = 'release' RETURNING id`,
		id, nullable(out.ClinicID), a.TransportID, a.FromHerID, a.ToHerID, sum, key.id, raw, s.strangerIndex(out.ClinicID, a, ""), reason, s.now(),
		a.Subject, a.Wire.Queue, len(a.Wire.Body), wire).Scan(&kept)
	*out = Arrived{ID: id, ClinicID: out.ClinicID, Verdict: Quarantined, Again: true, HandedOver: true}
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // it is known
	}
	if err != nil {
		return err
	}
	out.ID = kept
	if kept != id {
		_, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = NULL, reason = $3 WHERE kind = $1 AND message_id = $2", contract.CaseQuarantined, kept, reason)
		return err
	}
	return s.openCase(ctx, tx, out.ClinicID, "", id, contract.CaseQuarantined, reason)
}
