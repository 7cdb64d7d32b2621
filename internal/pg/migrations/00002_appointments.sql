-- +goose Up

-- The calendar: who owns it, what may be booked, what is booked. Which of two
-- bookings wins is decided by the exclusion constraint on appointment and by
-- nothing else (F11). Instants and codes are in clear, whatever says who a patient
-- is or what he wrote is sealed as in 00001.
CREATE EXTENSION IF NOT EXISTS btree_gist;

-- What the clinic has chosen: pg.Settings, in full.
CREATE TABLE clinic_settings (
    clinic_id  uuid PRIMARY KEY REFERENCES clinic,
    settings   jsonb NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE TABLE calendar (
    id        uuid PRIMARY KEY,
    clinic_id uuid NOT NULL REFERENCES clinic,
    owner_id  uuid NOT NULL REFERENCES staff,
    name      text NOT NULL,
    notify    boolean NOT NULL DEFAULT false, -- the calendar's gate (S89)
    active    boolean NOT NULL DEFAULT true
);
CREATE INDEX calendar_by_owner ON calendar (owner_id) WHERE active;
CREATE INDEX calendar_by_clinic ON calendar (clinic_id);
CREATE INDEX party_by_staff ON party (staff_id);

CREATE TABLE appointment_type (
    id        uuid PRIMARY KEY,
    clinic_id uuid NOT NULL REFERENCES clinic,
    name      text NOT NULL,                  -- for staff; never in a notice
    category  text NOT NULL DEFAULT '',       -- kodeverk 7617, as Hastetime or Video
    summary   text NOT NULL DEFAULT '',       -- shown on Helsenorge
    hidden    boolean NOT NULL DEFAULT false, -- S82
    notify    boolean NOT NULL DEFAULT false, -- the type's gate (S89)
    active    boolean NOT NULL DEFAULT true
);
CREATE INDEX appointment_type_by_clinic ON appointment_type (clinic_id);

CREATE TABLE slot (
    id           uuid PRIMARY KEY,            -- the uid that Helsenorge reserves by
    clinic_id    uuid NOT NULL REFERENCES clinic,
    calendar_id  uuid NOT NULL REFERENCES calendar,
    type_id      uuid NOT NULL REFERENCES appointment_type,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    online       boolean NOT NULL DEFAULT false, -- S73
    must_call    boolean NOT NULL DEFAULT false,
    available_at timestamptz,
    place        text NOT NULL DEFAULT '',
    CHECK (starts_at < ends_at),
    -- Checked at the end of a statement: a whole day can be moved at once.
    CONSTRAINT slot_overlaps EXCLUDE USING gist (calendar_id WITH =, tstzrange(starts_at, ends_at) WITH &&) DEFERRABLE
);
CREATE INDEX slot_online ON slot (calendar_id, starts_at) WHERE online;

-- What a person chose, for himself or as the record system wrote it.
ALTER TABLE patient
    ADD COLUMN born_on      bytea,                        -- sealed: date of birth, where the record system wrote it
    ADD COLUMN protected    boolean NOT NULL DEFAULT false, -- address code 6 or 7
    ADD COLUMN deceased_at  timestamptz,
    ADD COLUMN consents     boolean NOT NULL DEFAULT true,  -- to digital contact (S26)
    ADD COLUMN active_self  boolean,                      -- on Helsenorge; null: never asked
    ADD COLUMN active_other boolean,                      -- through a representative
    ADD COLUMN active_at    timestamptz,                  -- when that was known
    ADD COLUMN active_by    text NOT NULL DEFAULT '';     -- check, message, refused (E35), reported (SDAB), record-system

CREATE TABLE contact (
    id           uuid PRIMARY KEY,
    clinic_id    uuid NOT NULL REFERENCES clinic,
    patient_id   uuid NOT NULL REFERENCES patient,
    channel      text NOT NULL,               -- contract.Channel
    relation     text NOT NULL DEFAULT '',    -- whose it is: '' the patient's own, else 7611
    key_id       uuid NOT NULL,
    address      bytea,                       -- sealed: address, number or push subscription
    confirmed_at timestamptz,                 -- by the patient
    gone_at      timestamptz,                 -- the provider says that it does not exist any more
    created_at   timestamptz NOT NULL
);
CREATE INDEX contact_by_patient ON contact (patient_id);

CREATE TABLE notice_preference (
    patient_id uuid PRIMARY KEY REFERENCES patient,
    channels   text[] NOT NULL DEFAULT '{}',  -- in order; empty: the clinic's default
    opted_out  text[] NOT NULL DEFAULT '{}',
    language   text NOT NULL DEFAULT ''       -- nb, nn, en, se; '': the clinic's
);

CREATE TABLE representation (
    patient_id        uuid NOT NULL REFERENCES patient,
    representative_id uuid NOT NULL REFERENCES patient,
    relation          text NOT NULL,          -- kodeverk 7611
    until             timestamptz,
    PRIMARY KEY (patient_id, representative_id)
);
CREATE INDEX representation_by_representative ON representation (representative_id);

-- An appointment has a thread of messages of the same id (dialogue), so that
-- messages, ledger lines and cases about it are kept as those of any dialogue.
CREATE TABLE appointment (
    id          uuid PRIMARY KEY REFERENCES dialogue,
    clinic_id   uuid NOT NULL REFERENCES clinic,
    patient_id  uuid NOT NULL REFERENCES patient,
    status      text NOT NULL,                -- contract.Status
    revision    integer NOT NULL DEFAULT 0,
    calendar_id uuid REFERENCES calendar,     -- null until booked, as the instants
    type_id     uuid REFERENCES appointment_type,
    slot_id     uuid REFERENCES slot ON DELETE SET NULL,
    starts_at   timestamptz,
    ends_at     timestamptz,
    place       text NOT NULL DEFAULT '',
    origin      text NOT NULL,                -- helsenorge, portal, app, clinic: for the audit, never the calendar (S92)
    key_id      uuid NOT NULL,
    comment     bytea,                        -- sealed: what the patient says that it is about (S74)
    moved_from  uuid REFERENCES appointment,  -- it takes the place of that one: one change on the wire
    moved_to    uuid REFERENCES appointment,
    changed_at  timestamptz NOT NULL,
    tell_at     timestamptz,                  -- contract.AppointmentFacts.TellAt
    unsettled_since timestamptz,              -- the first change that is not yet told: bounds tell_at
    told        integer NOT NULL DEFAULT 0,
    planned     integer NOT NULL DEFAULT 0,   -- the revision whose reminder is planned
    remind_at   timestamptz,                  -- null: none to come
    created_at  timestamptz NOT NULL,
    CHECK (starts_at < ends_at),
    CHECK (status <> 'booked' OR (calendar_id IS NOT NULL AND type_id IS NOT NULL AND starts_at IS NOT NULL AND ends_at IS NOT NULL)),
    CONSTRAINT appointment_overlaps EXCLUDE USING gist (calendar_id WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE (status = 'booked')
);
CREATE INDEX appointment_by_calendar ON appointment (calendar_id, starts_at);
CREATE INDEX appointment_by_patient ON appointment (patient_id, starts_at);
CREATE INDEX appointment_by_slot ON appointment (slot_id) WHERE slot_id IS NOT NULL;
CREATE INDEX appointment_by_moved_from ON appointment (moved_from) WHERE moved_from IS NOT NULL;
CREATE INDEX appointment_by_moved_to ON appointment (moved_to) WHERE moved_to IS NOT NULL;

-- A refused booking is deleted with its thread; a delivered notice ends its cases.
CREATE INDEX conversation_by_dialogue ON conversation (dialogue_id);
CREATE INDEX journal_entry_by_dialogue ON journal_entry (dialogue_id);
CREATE INDEX operator_case_by_dialogue ON operator_case (dialogue_id);
CREATE INDEX operator_case_by_message ON operator_case (message_id);

-- Every state that an appointment had.
CREATE TABLE appointment_revision (
    appointment_id uuid NOT NULL REFERENCES appointment,
    revision       integer NOT NULL,
    status         text NOT NULL,
    calendar_id    uuid,
    type_id        uuid,
    starts_at      timestamptz,
    ends_at        timestamptz,
    place          text NOT NULL,
    hidden         boolean NOT NULL,
    at             timestamptz NOT NULL,
    by_subject     text NOT NULL,
    PRIMARY KEY (appointment_id, revision)
);

-- Slot uid, appointment uid and related-to: Helsenorge may name any of them (4.1).
CREATE TABLE appointment_identifier (
    clinic_id      uuid NOT NULL REFERENCES clinic,
    identifier     text NOT NULL,
    appointment_id uuid NOT NULL REFERENCES appointment,
    PRIMARY KEY (clinic_id, identifier, appointment_id)
);
CREATE INDEX appointment_identifier_by_appointment ON appointment_identifier (appointment_id);

-- What staff, portal or record system asks of an appointment, stored before its
-- lifecycle is told.
CREATE TABLE appointment_command (
    id             uuid PRIMARY KEY,
    clinic_id      uuid NOT NULL REFERENCES clinic,
    appointment_id uuid NOT NULL REFERENCES appointment,
    kind           text NOT NULL,             -- pg.ChangeKind
    key_id         uuid NOT NULL,
    content        bytea NOT NULL,            -- sealed: pg.Change
    content_hash   bytea NOT NULL,
    author         text NOT NULL,
    role           text NOT NULL,
    attempt        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    applied_at     timestamptz,
    revision       integer,
    outbound_id    uuid
);
CREATE INDEX appointment_command_by_appointment ON appointment_command (appointment_id, applied_at);

-- A pushed Avtale answers nothing: its parties stand on itself.
ALTER TABLE outbound_message
    ALTER COLUMN in_reply_to DROP NOT NULL,
    ADD COLUMN from_her_id integer,
    ADD COLUMN to_her_id integer,
    ADD COLUMN process text NOT NULL DEFAULT '';

-- What Helsenorge was told of an appointment, by which message: an answer 05 and a
-- pushed Avtale alike. The newest that was accepted is what the citizen sees.
CREATE TABLE publication (
    outbound_id    uuid PRIMARY KEY REFERENCES outbound_message ON DELETE CASCADE,
    appointment_id uuid NOT NULL REFERENCES appointment,
    revision       integer NOT NULL,
    code           text NOT NULL,
    snapshot       jsonb NOT NULL,            -- domain/publication.Snapshot
    at             timestamptz NOT NULL,
    -- An answer may repeat what a message told before it.
    UNIQUE (appointment_id, revision, code, outbound_id)
);

-- One row per intended notice; its line on the ledger has the outcome.
CREATE TABLE notice (
    id             uuid PRIMARY KEY,
    clinic_id      uuid NOT NULL REFERENCES clinic,
    appointment_id uuid NOT NULL REFERENCES appointment,
    patient_id     uuid NOT NULL REFERENCES patient,
    purpose        text NOT NULL,             -- contract.Purpose
    revision       integer NOT NULL,
    owner          text NOT NULL,             -- contract.Owner
    reason         text NOT NULL,
    decided_at     timestamptz NOT NULL,
    latest_at      timestamptz,               -- no hop begins after it
    outcome        text,
    outcome_at     timestamptz,
    UNIQUE (appointment_id, purpose, revision)
);

CREATE TABLE notice_attempt (
    notice_id   uuid NOT NULL REFERENCES notice,
    channel     text NOT NULL,                -- contract.Channel
    contact_id  uuid,
    state       text NOT NULL,                -- contract.AttemptState
    starts_at   timestamptz NOT NULL,         -- the start that its text shows
    key_id      uuid NOT NULL,
    text        bytea NOT NULL,               -- sealed: subject and body as sent; the in-app feed shows it
    template    text NOT NULL,                -- which template, and its version
    segments    integer NOT NULL DEFAULT 0,
    provider_id text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    claimed_at  timestamptz NOT NULL,
    state_at    timestamptz NOT NULL,
    PRIMARY KEY (notice_id, channel)
);

-- Every word of a provider, as it came; a repetition is one row.
CREATE TABLE delivery_report (
    channel   text NOT NULL,
    event_id  text NOT NULL,
    notice_id uuid NOT NULL REFERENCES notice,
    state     text NOT NULL,
    at        timestamptz NOT NULL,
    stored_at timestamptz NOT NULL,
    PRIMARY KEY (channel, event_id)
);

-- Every decision of the rules, with its inputs: what explain shows. A decision that
-- is made once has its business key, and what followed from it: whoever asks again
-- is told the same.
CREATE TABLE decision (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key            text UNIQUE,               -- effect + "/" + what it is about
    appointment_id uuid NOT NULL REFERENCES appointment,
    revision       integer NOT NULL,
    about          text NOT NULL,
    decided        text NOT NULL,
    rule           text NOT NULL,
    inputs         jsonb NOT NULL,
    output         jsonb,                     -- of what has a key
    at             timestamptz NOT NULL
);
CREATE INDEX decision_by_appointment ON decision (appointment_id, id);

-- +goose Down
DROP INDEX party_by_staff, conversation_by_dialogue, journal_entry_by_dialogue, operator_case_by_dialogue, operator_case_by_message;
DROP TABLE decision, delivery_report, notice_attempt, notice, publication, appointment_command, appointment_identifier,
    appointment_revision, appointment, representation, notice_preference, contact, slot, appointment_type, calendar, clinic_settings;
ALTER TABLE outbound_message DROP COLUMN from_her_id, DROP COLUMN to_her_id, DROP COLUMN process;
DELETE FROM outbound_message WHERE in_reply_to IS NULL;
ALTER TABLE outbound_message ALTER COLUMN in_reply_to SET NOT NULL;
ALTER TABLE patient DROP COLUMN born_on, DROP COLUMN protected, DROP COLUMN deceased_at, DROP COLUMN consents,
    DROP COLUMN active_self, DROP COLUMN active_other, DROP COLUMN active_at, DROP COLUMN active_by;
DROP EXTENSION btree_gist;
