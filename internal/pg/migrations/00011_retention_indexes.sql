-- +goose Up

-- What is removed is removed with what refers to it: neither reads whole tables.
CREATE INDEX delivery_report_by_notice ON delivery_report (notice_id);
CREATE INDEX prescription_item_by_outbound ON prescription_item (outbound_id) WHERE outbound_id IS NOT NULL;
CREATE INDEX ledger_by_message ON ledger (message_id);

-- +goose Down
DROP INDEX delivery_report_by_notice, prescription_item_by_outbound, ledger_by_message;
