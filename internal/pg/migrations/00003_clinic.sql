-- +goose Up

-- Dialogues as a clinic uses them: started, taken, forwarded, converted, journalled;
-- prescriptions by item; who may be reached; whether the integration is active.

-- Who stands in for whom, and when (F12); an employee's own HER-id (S11).
ALTER TABLE staff
    ADD COLUMN her_id       integer NOT NULL DEFAULT 0,
    ADD COLUMN deputy_id    uuid REFERENCES staff,
    ADD COLUMN absent_from  timestamptz,
    ADD COLUMN absent_until timestamptz;             -- null with absent_from: until further notice

-- A dialogue between colleagues is about nobody (S20).
ALTER TABLE dialogue
    ALTER COLUMN patient_id DROP NOT NULL,
    ADD COLUMN origin        text NOT NULL DEFAULT 'helsenorge', -- helsenorge, clinic, portal, app
    ADD COLUMN owner_id      uuid REFERENCES staff,   -- who has taken it (A3)
    ADD COLUMN turned_from   uuid REFERENCES dialogue, -- the renewal request whose answer it became (S68)
    ADD COLUMN reply_allowed boolean NOT NULL DEFAULT true,
    ADD COLUMN closed_at     timestamptz,             -- by the clinic without a message; null again when the citizen writes
    ADD COLUMN closed_by     text NOT NULL DEFAULT '',
    ADD COLUMN converted_at  timestamptz,             -- e-contact to e-consultation (F14)
    ADD COLUMN converted_by  text NOT NULL DEFAULT '',
    ADD COLUMN fee_notice_id uuid,                    -- the message that tells the patient of the fee, or asks him
    ADD COLUMN fee_asked     boolean NOT NULL DEFAULT false, -- it asks: the fee follows once he writes again
    ADD COLUMN billable_at   timestamptz,             -- since when the patient knows that a fee follows
    ADD COLUMN owed_since    timestamptz,             -- receipt of the citizen's first unanswered message
    ADD COLUMN answer_due    timestamptz,             -- the limit of its answer (F13)
    ADD COLUMN escalated     text NOT NULL DEFAULT '', -- contract.EscalationStep, '' once answered
    ADD COLUMN unread_at     timestamptz;             -- Helsenorge says that the citizen has not read (VUS)
CREATE INDEX dialogue_by_owner ON dialogue (owner_id) WHERE owner_id IS NOT NULL;
CREATE INDEX dialogue_by_turned_from ON dialogue (turned_from) WHERE turned_from IS NOT NULL;
CREATE INDEX dialogue_owed ON dialogue (clinic_id, owed_since) WHERE owed_since IS NOT NULL;
CREATE INDEX dialogue_due ON dialogue (clinic_id, answer_due, id) WHERE answer_due IS NOT NULL;

-- With whom colleagues talk in an e-dialogue of their own.
CREATE TABLE dialogue_participant (
    dialogue_id    uuid NOT NULL REFERENCES dialogue ON DELETE CASCADE,
    recipient_kind text NOT NULL,                     -- routing.Kind
    recipient_id   text NOT NULL,
    PRIMARY KEY (dialogue_id, recipient_kind, recipient_id)
);

-- A conversation on the wire has one process; a converted dialogue has two (F14).
ALTER TABLE conversation ADD COLUMN process text NOT NULL DEFAULT '', ADD COLUMN opened_at timestamptz;
UPDATE conversation c SET process = d.process, opened_at = d.created_at FROM dialogue d WHERE d.id = c.dialogue_id;

ALTER TABLE inbound_message ADD COLUMN written_at timestamptz;  -- GenDate, never after receipt: the order in a journal
CREATE INDEX inbound_left ON inbound_message (received_at) WHERE handed_over_at IS NULL;

-- A message of a colleague lies in inboxes, too.
ALTER TABLE inbox_item
    DROP CONSTRAINT inbox_item_message_id_fkey,
    ADD COLUMN via     text NOT NULL DEFAULT 'rule',  -- routing.Via
    ADD COLUMN left_at timestamptz;                   -- forwarded: it no longer lies here
CREATE INDEX inbox_item_live ON inbox_item (clinic_id, recipient_kind, recipient_id, dialogue_id) INCLUDE (read_at) WHERE left_at IS NULL;
DROP INDEX inbox_item_by_recipient;
CREATE INDEX operator_case_by_clinic ON operator_case (clinic_id, (resolved_at IS NOT NULL), opened_at, id);

-- One entry per dialogue; every message in it once, in the order in which it was sent (F14, D9).
ALTER TABLE journal_entry RENAME TO journal_message;
ALTER INDEX journal_entry_by_patient RENAME TO journal_message_by_patient;
ALTER INDEX journal_entry_by_dialogue RENAME TO journal_message_by_dialogue;
CREATE TABLE journal_entry (
    id           uuid PRIMARY KEY,
    clinic_id    uuid NOT NULL REFERENCES clinic,
    patient_id   uuid NOT NULL REFERENCES patient,
    dialogue_id  uuid NOT NULL UNIQUE REFERENCES dialogue,
    opened_at    timestamptz NOT NULL,
    converted_at timestamptz,
    converted_by text NOT NULL DEFAULT ''
);
CREATE INDEX journal_entry_by_patient ON journal_entry (patient_id, opened_at);
INSERT INTO journal_entry (id, clinic_id, patient_id, dialogue_id, opened_at)
    SELECT DISTINCT ON (dialogue_id) id, clinic_id, patient_id, dialogue_id, written_at FROM journal_message ORDER BY dialogue_id, written_at, id;
ALTER TABLE journal_message ADD COLUMN entry_id uuid REFERENCES journal_entry, ADD COLUMN sent_at timestamptz;
UPDATE journal_message m SET entry_id = e.id, sent_at = m.written_at FROM journal_entry e WHERE e.dialogue_id = m.dialogue_id;
ALTER TABLE journal_message ALTER COLUMN entry_id SET NOT NULL, ALTER COLUMN sent_at SET NOT NULL;
CREATE INDEX journal_message_by_entry ON journal_message (entry_id, sent_at);

-- What staff ask of a dialogue, stored before its lifecycle is told.
CREATE TABLE dialogue_command (
    id           uuid PRIMARY KEY,
    clinic_id    uuid NOT NULL REFERENCES clinic,
    dialogue_id  uuid NOT NULL REFERENCES dialogue,
    kind         text NOT NULL,                       -- pg.DialogueChangeKind
    key_id       uuid NOT NULL,
    content      bytea NOT NULL,                      -- sealed: pg.DialogueChange
    content_hash bytea NOT NULL,
    author       text NOT NULL,
    role         text NOT NULL,
    attempt      integer NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    applied_at   timestamptz,
    output       jsonb                                -- contract.ApplyDialogueChangeOutput, what a repetition is told
);
CREATE INDEX dialogue_command_by_dialogue ON dialogue_command (dialogue_id, applied_at);

-- When the patient, or who represents him, first opened a message of the clinic in portal or app.
ALTER TABLE outbound_message ADD COLUMN read_at timestamptz;

-- What was sent again, and how: the identical message at most once more.
ALTER TABLE outbound_message
    ADD COLUMN opens     boolean NOT NULL DEFAULT false, -- it began a conversation of its own on the wire
    ADD COLUMN close     boolean NOT NULL DEFAULT false, -- the dialogue ends with it on the clinic's side
    ADD COLUMN resent_at timestamptz,
    ADD COLUMN conversation text NOT NULL DEFAULT '', -- the wire's, once it is prepared
    ADD COLUMN outcome_text bytea;                    -- sealed: the receipt's own words
UPDATE outbound_message o SET conversation = i.conversation FROM inbound_message i WHERE i.id = o.in_reply_to AND o.kind = 'answer';
CREATE INDEX outbound_by_conversation ON outbound_message (dialogue_id, conversation) WHERE conversation <> '';

-- A file is uploaded before the message that carries it; a citizen's comes with his.
-- It is kept in parts, so that none is ever whole in memory.
CREATE TABLE attachment_part (
    attachment_id uuid NOT NULL REFERENCES attachment ON DELETE CASCADE,
    position      integer NOT NULL,
    content       bytea NOT NULL,                     -- a piece of a sealed stream
    PRIMARY KEY (attachment_id, position)
);
ALTER TABLE attachment_part ALTER COLUMN content SET STORAGE EXTERNAL; -- what is sealed cannot be compressed
INSERT INTO attachment_part (attachment_id, position, content) SELECT id, 1, content FROM attachment;
ALTER TABLE attachment
    DROP COLUMN content,
    ALTER COLUMN message_id DROP NOT NULL,
    ADD COLUMN clinic_id   uuid REFERENCES clinic,
    ADD COLUMN patient_id  uuid REFERENCES patient,   -- null with clinic_id: for colleagues
    ADD COLUMN author      text NOT NULL DEFAULT '',
    ADD COLUMN uploaded_at timestamptz,
    ADD COLUMN ready       boolean NOT NULL DEFAULT true, -- false until all of it is here and was found clean
    ADD COLUMN outbound_id uuid REFERENCES outbound_message ON DELETE SET NULL;
CREATE INDEX attachment_by_outbound ON attachment (outbound_id) WHERE outbound_id IS NOT NULL;
CREATE INDEX attachment_unused ON attachment (clinic_id, uploaded_at) WHERE message_id IS NULL AND outbound_id IS NULL;

-- What a renewal request asks for, one row per prescription (F15).
CREATE TABLE prescription_item (
    id          uuid PRIMARY KEY,
    clinic_id   uuid NOT NULL REFERENCES clinic,
    dialogue_id uuid NOT NULL REFERENCES dialogue,
    position    integer NOT NULL,
    source      text NOT NULL,                        -- m1, text (the citizen's whole text), split (by staff)
    key_id      uuid NOT NULL,
    content     bytea NOT NULL,                       -- sealed: pg.PrescriptionContent
    reserved    boolean NOT NULL DEFAULT false,       -- kept from guardians (F15)
    decision    text,                                 -- prescription.Decision, with the answer
    reason      bytea,                                -- sealed
    outbound_id uuid REFERENCES outbound_message ON DELETE SET NULL,
    UNIQUE (dialogue_id, position) DEFERRABLE
);

-- The integration of a clinic (staff_id null) and of each GP (S1, S9).
CREATE TABLE integration (
    clinic_id  uuid NOT NULL REFERENCES clinic,
    staff_id   uuid REFERENCES staff,
    status     text NOT NULL,                         -- not-activated, active, suspended
    since      timestamptz NOT NULL,
    by_subject text NOT NULL,
    reason     text NOT NULL DEFAULT '',
    checked_at timestamptz,                           -- the last look at its preconditions
    seen       bytea                                  -- digest of what was looked at: another asks for a new look (S12)
);
CREATE UNIQUE INDEX integration_once ON integration (clinic_id, coalesce(staff_id, '00000000-0000-0000-0000-000000000000'));

-- Its preconditions (S10-S13, A1).
CREATE TABLE precondition (
    clinic_id  uuid NOT NULL REFERENCES clinic,
    staff_id   uuid REFERENCES staff,
    key        text NOT NULL,                         -- domain/activation.Key
    owner      text NOT NULL,                         -- who sees to it: nhn, clinic, operator
    ok         boolean NOT NULL,
    reason     text NOT NULL DEFAULT '',              -- a code
    about      text[] NOT NULL DEFAULT '{}',          -- staff ids, processes (8279)
    checked_at timestamptz NOT NULL,
    signed_by  text NOT NULL DEFAULT '',
    signed_at  timestamptz
);
CREATE UNIQUE INDEX precondition_once ON precondition (clinic_id, coalesce(staff_id, '00000000-0000-0000-0000-000000000000'), key);

CREATE TABLE activation_command (
    id         uuid PRIMARY KEY,
    clinic_id  uuid NOT NULL REFERENCES clinic,
    staff_id   uuid REFERENCES staff,
    kind       text NOT NULL,                         -- activate, suspend, resume, sign-off, check
    key        text NOT NULL DEFAULT '',              -- of a sign-off
    reason     text NOT NULL DEFAULT '',
    author     text NOT NULL,
    role       text NOT NULL,
    attempt    integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    applied_at timestamptz,
    output     jsonb
);

-- The processes (8279) that the registry last had for a party; null: never asked (S12).
ALTER TABLE party ADD COLUMN registered text[], ADD COLUMN registered_at timestamptz;

-- Installations from before there was an activation are active.
INSERT INTO integration (clinic_id, staff_id, status, since, by_subject) SELECT id, NULL, 'active', created_at, 'system' FROM clinic;
INSERT INTO integration (clinic_id, staff_id, status, since, by_subject)
    SELECT DISTINCT p.clinic_id, p.staff_id, 'active', c.created_at, 'system' FROM party p JOIN clinic c ON c.id = p.clinic_id WHERE p.staff_id IS NOT NULL;
UPDATE party p SET registered = coalesce((SELECT array_agg(o.process) FROM offered_service o WHERE o.her_id = p.her_id), '{}'), registered_at = now();

-- What is offered on Helsenorge now: wished for by the clinic (offered_service),
-- registered, and the integration of clinic and GP active.
CREATE VIEW offering AS
SELECT o.her_id, o.process, p.clinic_id, p.staff_id
FROM offered_service o JOIN party p ON p.her_id = o.her_id AND o.process = ANY (p.registered)
    JOIN integration c ON c.clinic_id = p.clinic_id AND c.staff_id IS NULL AND c.status = 'active'
WHERE p.staff_id IS NULL OR EXISTS (SELECT FROM integration g WHERE g.clinic_id = p.clinic_id AND g.staff_id = p.staff_id AND g.status = 'active');

-- What a dialogue waits for, derived: contract.Status.
CREATE OR REPLACE VIEW dialogue_status AS
SELECT d.id,
       CASE
           WHEN EXISTS (SELECT FROM outbound_message o WHERE o.dialogue_id = d.id AND o.kind = 'answer'
                        AND o.prepared_at IS NOT NULL AND o.sent_at IS NULL AND o.outcome IS NULL) THEN 'sending'
           WHEN d.latest_message_id IS NOT NULL AND NOT EXISTS (SELECT FROM inbox_item i WHERE i.message_id = d.latest_message_id) THEN 'received'
           WHEN d.latest_message_id IS NOT NULL AND d.closed_at IS NULL AND NOT EXISTS (SELECT FROM outbound_message o
                        WHERE o.in_reply_to = d.latest_message_id AND o.kind = 'answer' AND o.prepared_at IS NOT NULL) THEN 'awaiting-clinic'
           WHEN d.latest_message_id IS NULL AND last.code IS NULL THEN 'received'
           WHEN last.code IS NOT NULL AND last.outcome IS NULL THEN 'awaiting-receipt'
           WHEN last.outcome NOT IN ('acknowledged', 'done') THEN 'needs-operator'
           WHEN d.closed_at IS NOT NULL OR last.close OR last.code IN ('13', '26', '30') THEN 'closed'
           ELSE 'answered'
       END AS status
FROM dialogue d
LEFT JOIN LATERAL (SELECT o.outcome, o.code, o.close FROM outbound_message o
                   WHERE o.dialogue_id = d.id AND o.kind = 'answer' AND o.prepared_at IS NOT NULL
                   ORDER BY o.prepared_at DESC LIMIT 1) last ON true;

-- +goose Down
SELECT 'forward only: a renewed record system cannot be made an old one' WHERE false;
