-- +goose Up

-- A message that is kept aside can be tried again, put back on its queue, or discarded.
ALTER TABLE quarantine
    ADD COLUMN subject      text NOT NULL DEFAULT '',
    ADD COLUMN queue        text NOT NULL DEFAULT '',
    ADD COLUMN size         integer NOT NULL DEFAULT 0,      -- bytes of the body as it came
    ADD COLUMN wire         bytea NOT NULL DEFAULT '',       -- sealed: the envelope; empty when raw is XML of before
    ADD COLUMN state        text NOT NULL DEFAULT 'kept',    -- pg.QuarantineState
    ADD COLUMN wanted       text NOT NULL DEFAULT '',        -- what an operator has asked of the listener: retry, release
    ADD COLUMN attempts     integer NOT NULL DEFAULT 0,      -- how often it was tried again
    ADD COLUMN decided_at   timestamptz,
    ADD COLUMN decided_by   text NOT NULL DEFAULT '',
    ADD COLUMN note         text NOT NULL DEFAULT '';        -- why it was discarded
CREATE INDEX quarantine_wanted ON quarantine (decided_at) WHERE wanted <> '';
CREATE INDEX quarantine_by_state ON quarantine (state, stored_at DESC, id DESC);
-- How many reports went to a counterpart lately.
CREATE INDEX inbound_reported ON inbound_message (from_her_id, received_at) WHERE verdict = 'reported';

-- +goose Down
DROP INDEX inbound_reported;
DROP INDEX quarantine_by_state;
DROP INDEX quarantine_wanted;
ALTER TABLE quarantine
    DROP COLUMN subject, DROP COLUMN queue, DROP COLUMN size, DROP COLUMN wire, DROP COLUMN state, DROP COLUMN wanted,
    DROP COLUMN attempts, DROP COLUMN decided_at, DROP COLUMN decided_by, DROP COLUMN note;
