-- +goose Up

-- A message that came again and is being read. What is left here when it comes once more is
-- of a listener that died over it.
CREATE TABLE reading (
    from_her_id  integer NOT NULL,
    transport_id text NOT NULL,
    begun        integer NOT NULL,               -- how often, without an end
    begun_at     timestamptz NOT NULL,
    PRIMARY KEY (from_her_id, transport_id)
);

-- +goose Down
DROP TABLE reading;
