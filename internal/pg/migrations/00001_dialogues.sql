-- +goose Up

-- Sealed columns (bytea "sealed …") hold AES-256-GCM under the data key named by
-- the row's key_id; destroying that key makes them unreadable. Codes, instants
-- and opaque ids are in clear, because rules and operators work on them.

CREATE TABLE clinic (
    id                  uuid PRIMARY KEY,
    name                text NOT NULL,
    organisation_number text NOT NULL DEFAULT '',
    her_id              integer NOT NULL UNIQUE,
    created_at          timestamptz NOT NULL
);

-- One key per patient, one intake key per clinic, and one intake key of the
-- installation (clinic_id null) for what no clinic can be found for.
CREATE TABLE data_key (
    id         uuid PRIMARY KEY,
    clinic_id  uuid REFERENCES clinic,
    patient_id uuid UNIQUE,
    kek        text NOT NULL,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX data_key_intake ON data_key (coalesce(clinic_id, '00000000-0000-0000-0000-000000000000')) WHERE patient_id IS NULL;

CREATE TABLE staff (
    id        uuid PRIMARY KEY,
    clinic_id uuid NOT NULL REFERENCES clinic,
    subject   text NOT NULL,               -- the token's subject
    name      text NOT NULL,
    role      text NOT NULL,               -- identity.Role
    position  text NOT NULL DEFAULT '',
    unit      text NOT NULL DEFAULT '',
    hpr       text NOT NULL DEFAULT '',
    active    boolean NOT NULL DEFAULT true,
    UNIQUE (clinic_id, subject)
);

CREATE TABLE staff_group_member (
    clinic_id uuid NOT NULL REFERENCES clinic,
    group_id  text NOT NULL,
    staff_id  uuid NOT NULL REFERENCES staff,
    PRIMARY KEY (clinic_id, group_id, staff_id)
);

-- The clinic's communication parties: a GP's own, or a service of the clinic.
CREATE TABLE party (
    her_id    integer PRIMARY KEY,
    clinic_id uuid NOT NULL REFERENCES clinic,
    staff_id  uuid REFERENCES staff,
    name      text NOT NULL
);

-- What a party has registered in the address registry (S12).
CREATE TABLE offered_service (
    her_id  integer NOT NULL REFERENCES party,
    process text NOT NULL,                 -- kodeverk 8279
    PRIMARY KEY (her_id, process)
);

CREATE TABLE routing_rule (
    clinic_id  uuid NOT NULL REFERENCES clinic,
    process    text NOT NULL,
    rule       jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (clinic_id, process)
);

CREATE TABLE patient (
    id                uuid PRIMARY KEY,
    clinic_id         uuid NOT NULL REFERENCES clinic,
    national_id_index bytea,               -- blind index; null once erased
    practitioner_id   uuid REFERENCES staff,
    blocked           boolean NOT NULL DEFAULT false,
    key_id            uuid NOT NULL,
    identity          bytea,               -- sealed name, national id, phone
    created_at        timestamptz NOT NULL,
    erased_at         timestamptz,
    UNIQUE (clinic_id, national_id_index)
);

CREATE TABLE dialogue (
    id                uuid PRIMARY KEY,
    clinic_id         uuid NOT NULL REFERENCES clinic,
    patient_id        uuid NOT NULL REFERENCES patient,
    process           text NOT NULL,       -- contract.Process
    title             bytea NOT NULL,      -- sealed
    key_id            uuid NOT NULL,
    latest_message_id uuid,                -- the citizen's latest message that asks for something
    created_at        timestamptz NOT NULL,
    latest_at         timestamptz NOT NULL
);
CREATE INDEX dialogue_by_clinic ON dialogue (clinic_id, latest_at DESC, id DESC);
CREATE INDEX dialogue_by_patient ON dialogue (patient_id);

-- Any number of wire conversations (the first MsgId) belong to one dialogue.
CREATE TABLE conversation (
    clinic_id   uuid NOT NULL REFERENCES clinic,
    msg_id      text NOT NULL,
    dialogue_id uuid NOT NULL REFERENCES dialogue,
    PRIMARY KEY (clinic_id, msg_id)
);

CREATE TABLE inbound_message (
    id             uuid PRIMARY KEY,
    clinic_id      uuid REFERENCES clinic,
    transport_id   text NOT NULL,
    from_her_id    integer NOT NULL,
    to_her_id      integer NOT NULL,
    subject        text NOT NULL,          -- the transport's message function
    correlation_id text NOT NULL DEFAULT '',
    error_queue    boolean NOT NULL DEFAULT false,
    sha256         bytea NOT NULL,         -- of the opened XML; of the body where it cannot be opened
    key_id         uuid NOT NULL,
    raw            bytea NOT NULL,         -- sealed
    content        bytea,                  -- sealed: what was read of it
    process        text NOT NULL DEFAULT '',
    function       text NOT NULL DEFAULT '',
    msg_id         text,
    conversation   text NOT NULL DEFAULT '',
    verdict        text NOT NULL,          -- pg.Verdict
    codes          text[] NOT NULL DEFAULT '{}',
    problems       jsonb NOT NULL DEFAULT '[]',
    patient_id     uuid REFERENCES patient,
    patient_index  bytea,                  -- blind index, where a patient was read but has no row: erasure finds it
    dialogue_id    uuid REFERENCES dialogue,
    received_at    timestamptz NOT NULL,
    handed_over_at timestamptz             -- Temporal has accepted everything that follows from it
);
CREATE UNIQUE INDEX inbound_by_transport ON inbound_message (from_her_id, transport_id);
-- A message that was reported on the error queue comes again with the same MsgId
-- and a new transport id (HITS 1216 §2.2.4).
CREATE UNIQUE INDEX inbound_by_msg ON inbound_message (from_her_id, to_her_id, msg_id) WHERE msg_id IS NOT NULL AND verdict <> 'reported';
CREATE INDEX inbound_by_dialogue ON inbound_message (dialogue_id, received_at);
CREATE INDEX inbound_by_msg_id ON inbound_message (clinic_id, msg_id);
CREATE INDEX inbound_by_patient_index ON inbound_message (patient_index) WHERE patient_index IS NOT NULL;

CREATE TABLE attachment (
    id          uuid PRIMARY KEY,
    message_id  uuid NOT NULL REFERENCES inbound_message,
    position    integer NOT NULL,
    mime        text NOT NULL,
    size        bigint NOT NULL,
    sha256      bytea NOT NULL,
    key_id      uuid NOT NULL,
    description bytea NOT NULL,            -- sealed
    content     bytea NOT NULL,            -- sealed stream
    UNIQUE (message_id, position)
);

CREATE TABLE quarantine (
    id           uuid PRIMARY KEY,
    clinic_id    uuid REFERENCES clinic,
    transport_id text NOT NULL,
    from_her_id  integer NOT NULL,
    to_her_id    integer NOT NULL,
    sha256       bytea NOT NULL,
    key_id       uuid NOT NULL,
    raw          bytea NOT NULL,           -- sealed
    patient_index bytea,
    reason       text NOT NULL,
    stored_at    timestamptz NOT NULL,
    UNIQUE (from_her_id, transport_id, sha256)
);

CREATE TABLE outbound_message (
    id            uuid PRIMARY KEY,
    clinic_id     uuid REFERENCES clinic,
    kind          text NOT NULL,           -- pg.OutboundKind
    dialogue_id   uuid REFERENCES dialogue,
    in_reply_to   uuid NOT NULL REFERENCES inbound_message,
    code          text NOT NULL,
    author        text NOT NULL DEFAULT '',
    key_id        uuid NOT NULL,
    content       bytea,                   -- sealed: what staff wrote
    content_hash  bytea,                   -- HMAC: the same id must carry the same answer
    attempt       integer NOT NULL DEFAULT 1, -- how often it was drafted
    msg_id        text,
    transport_id  text,
    wire          bytea,                   -- sealed: the bytes that are sent, however often
    created_at    timestamptz NOT NULL,
    prepared_at   timestamptz,
    sent_at       timestamptz,
    receipt_due   timestamptz,
    outcome       text,                    -- contract.Outcome, null while open
    outcome_at    timestamptz,
    outcome_codes text[] NOT NULL DEFAULT '{}'
);
CREATE UNIQUE INDEX outbound_once ON outbound_message (kind, in_reply_to) WHERE kind <> 'answer';
CREATE INDEX outbound_by_reply ON outbound_message (in_reply_to);
CREATE UNIQUE INDEX outbound_by_msg ON outbound_message (msg_id);
CREATE INDEX outbound_by_transport ON outbound_message (transport_id);
CREATE INDEX outbound_by_dialogue ON outbound_message (dialogue_id, created_at);

CREATE TABLE inbox_item (
    id             uuid PRIMARY KEY,
    clinic_id      uuid NOT NULL REFERENCES clinic,
    dialogue_id    uuid NOT NULL REFERENCES dialogue,
    message_id     uuid NOT NULL REFERENCES inbound_message,
    recipient_kind text NOT NULL,          -- routing.Kind
    recipient_id   text NOT NULL,
    placed_at      timestamptz NOT NULL,
    read_at        timestamptz,
    UNIQUE (message_id, recipient_kind, recipient_id)
);
CREATE INDEX inbox_item_by_recipient ON inbox_item (clinic_id, recipient_kind, recipient_id, placed_at DESC);
CREATE INDEX inbox_item_by_dialogue ON inbox_item (dialogue_id);

CREATE TABLE journal_entry (
    id          uuid PRIMARY KEY,
    clinic_id   uuid NOT NULL REFERENCES clinic,
    patient_id  uuid NOT NULL REFERENCES patient,
    dialogue_id uuid NOT NULL REFERENCES dialogue,
    message_id  uuid NOT NULL UNIQUE,
    direction   text NOT NULL,
    key_id      uuid NOT NULL,
    content     bytea NOT NULL,            -- sealed
    written_at  timestamptz NOT NULL
);
CREATE INDEX journal_entry_by_patient ON journal_entry (patient_id, written_at);

-- One line per intended effect: written before the effect, one terminal outcome.
CREATE TABLE ledger (
    key         text PRIMARY KEY,
    clinic_id   uuid REFERENCES clinic,
    effect      text NOT NULL,
    dialogue_id uuid REFERENCES dialogue,
    message_id  uuid NOT NULL,
    why         jsonb NOT NULL DEFAULT '{}',
    intended_at timestamptz NOT NULL,
    outcome     text,
    outcome_at  timestamptz,
    result      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ledger_by_dialogue ON ledger (dialogue_id, intended_at);
CREATE INDEX ledger_open ON ledger (intended_at) WHERE outcome IS NULL;

CREATE TABLE operator_case (
    id          uuid PRIMARY KEY,
    clinic_id   uuid REFERENCES clinic,
    kind        text NOT NULL,             -- contract.CaseKind
    dialogue_id uuid REFERENCES dialogue,
    message_id  uuid NOT NULL,
    reason      text NOT NULL DEFAULT '',
    opened_at   timestamptz NOT NULL,
    resolved_at timestamptz,
    UNIQUE (kind, message_id)
);

CREATE TABLE audit (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL,
    clinic_id    uuid,
    subject      text NOT NULL,
    role         text NOT NULL,
    organisation text NOT NULL DEFAULT '',
    action       text NOT NULL,
    object       text NOT NULL DEFAULT '',
    patient_id   uuid
);
CREATE INDEX audit_by_patient ON audit (patient_id, at);
CREATE INDEX audit_by_clinic ON audit (clinic_id, id);

-- What a dialogue waits for, derived: contract.Status.
CREATE VIEW dialogue_status AS
SELECT d.id,
       CASE
           WHEN EXISTS (SELECT FROM outbound_message o WHERE o.dialogue_id = d.id AND o.kind = 'answer'
                        AND o.prepared_at IS NOT NULL AND o.sent_at IS NULL AND o.outcome IS NULL) THEN 'sending'
           WHEN NOT EXISTS (SELECT FROM inbox_item i WHERE i.message_id = d.latest_message_id) THEN 'received'
           WHEN NOT EXISTS (SELECT FROM outbound_message o WHERE o.in_reply_to = d.latest_message_id
                        AND o.kind = 'answer' AND o.prepared_at IS NOT NULL) THEN 'awaiting-clinic'
           WHEN last.outcome IS NULL THEN 'awaiting-receipt'
           WHEN last.outcome <> 'acknowledged' THEN 'needs-operator'
           WHEN last.code IN ('13', '26', '30') THEN 'closed'
           ELSE 'answered'
       END AS status
FROM dialogue d
LEFT JOIN LATERAL (SELECT o.outcome, o.code FROM outbound_message o
                   WHERE o.dialogue_id = d.id AND o.kind = 'answer' AND o.prepared_at IS NOT NULL
                   ORDER BY o.prepared_at DESC LIMIT 1) last ON true;

-- +goose Down
DROP VIEW dialogue_status;
DROP TABLE audit, operator_case, ledger, journal_entry, inbox_item, outbound_message, quarantine, attachment,
    inbound_message, conversation, dialogue, patient, routing_rule, offered_service, party, staff_group_member, staff, data_key, clinic;
