-- +goose Up

-- What is under way is little beside what is kept: it is measured every few seconds.
CREATE INDEX outbound_open ON outbound_message (created_at) WHERE outcome IS NULL;
CREATE INDEX notice_open ON notice (latest_at) WHERE outcome IS NULL;
CREATE INDEX operator_case_open ON operator_case (kind) WHERE resolved_at IS NULL;

-- +goose Down
DROP INDEX outbound_open, notice_open, operator_case_open;
