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
// The same decision again changes nothing, and another one replaces what the listener has
// not done yet; after the end it is apperr.Conflict, and so it is while the listener is at
// work on the message. note says why a message is discarded.
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
		}
		if mine, err := atWork(ctx, tx, id); err != nil {
			return err
		} else if !mine {
			return apperr.InState(k.Wanted, "the listener is doing what was decided before: look again in a moment")
		}
		k.Wanted, k.Note = "", note
		if d == QuarantineDiscard {
			k.State = QuarantineDiscarded
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

// atWork makes the transaction the only one that decides or does something about a message
// that is kept aside. It is false when there is another one. The lock is not the row's: what
// is tried again may have to write there.
func atWork(ctx context.Context, tx pgx.Tx, id string) (mine bool, err error) {
	err = tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock(hashtextextended('quarantine/' || $1, 0))", id).Scan(&mine)
	return mine, err
}

// closeQuarantineCase says that somebody has seen to it.
func (s *Store) closeQuarantineCase(ctx context.Context, tx pgx.Tx, id string) error {
	_, err := tx.Exec(ctx, "UPDATE operator_case SET resolved_at = coalesce(resolved_at, $3) WHERE kind = $1 AND message_id = $2", contract.CaseQuarantined, id, s.now())
	return err
}

// QuarantineWanted are the ids of the messages that an operator wants something done with,
// the longest waiting first.
func (s *Store) QuarantineWanted(ctx context.Context) ([]string, error) {
	var ids []string
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT id FROM quarantine WHERE wanted <> '' ORDER BY decided_at, id")
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	return ids, err
}

// Why a message stays kept that nothing can be done with.
const (
	QuarantineErased     = "erased"     // its patient is
	QuarantineUnreadable = "unreadable" // stored before queues were noted, or its key is missing
)

// CarryOut does what an operator wants done with a message: do says what became of it, and,
// of one that stays kept, the reason that it has now ("": the one it had). An error of do is
// temporary: the message is handed out again. A message whose content cannot be read stays
// kept. Nothing happens to a message that somebody else is at work on, or that nothing is
// wanted of any more. What is wanted, and not what became of it, is done again by whoever
// comes after a crash.
func (s *Store) CarryOut(ctx context.Context, id string, do func(context.Context, QuarantineDecision, Wire) (QuarantineState, string, error)) (state QuarantineState, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if mine, err := atWork(ctx, tx, id); err != nil || !mine {
			return err
		}
		var d QuarantineDecision
		var clinicID *string
		var keyID, by string
		var sealed, raw []byte
		err := tx.QueryRow(ctx, "SELECT wanted, clinic_id, key_id, wire, raw, decided_by FROM quarantine WHERE id = $1 AND state = 'kept' AND wanted <> ''", id).
			Scan(&d, &clinicID, &keyID, &sealed, &raw, &by)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		wire, reason, err := s.openWire(ctx, tx, id, keyID, sealed, raw)
		if err != nil {
			return err
		}
		state = QuarantineKept
		if reason == "" {
			if state, reason, err = do(ctx, d, wire); err != nil {
				return err
			}
		}
		// It may be kept anew already, when it was put back on its queue.
		tag, err := tx.Exec(ctx, `UPDATE quarantine SET state = $2, wanted = '', attempts = attempts + 1, reason = coalesce(nullif($3, ''), reason)
			WHERE id = $1 AND state = 'kept' AND wanted <> ''`, id, state, reason)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if state != QuarantineKept {
			err = s.closeQuarantineCase(ctx, tx, id)
		} else if reason != "" {
			_, err = tx.Exec(ctx, "UPDATE operator_case SET reason = $3 WHERE kind = $1 AND message_id = $2", contract.CaseQuarantined, id, reason)
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, identity.Principal{Subject: by}, deref(clinicID), "quarantine."+string(state), "quarantine/"+id, "")
	})
	return state, err
}

// openWire opens a message that is kept aside, or says why that cannot be done.
func (s *Store) openWire(ctx context.Context, tx pgx.Tx, id, keyID string, sealed, raw []byte) (wire Wire, reason string, err error) {
	switch {
	case len(raw) == 0:
		return wire, QuarantineErased, nil
	case len(sealed) == 0:
		return wire, QuarantineUnreadable, nil
	}
	key, err := s.key(ctx, tx, keyID)
	if err == nil {
		err = key.open("quarantine.wire", id, sealed, &wire)
	}
	if err == nil {
		wire.Body, err = key.Open(raw, "quarantine.raw/"+id)
	}
	if known := (*apperr.Error)(nil); errors.As(err, &known) {
		return wire, QuarantineUnreadable, nil
	}
	return wire, "", err
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
	if a.Quarantine != "" { // it stays where it is
		*out = Arrived{ID: a.Quarantine, ClinicID: out.ClinicID, Verdict: Quarantined, Again: true, HandedOver: true}
		_, err := tx.Exec(ctx, "UPDATE quarantine SET reason = $2 WHERE id = $1", a.Quarantine, reason)
		return err
	}
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
