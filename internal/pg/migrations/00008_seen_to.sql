-- +goose Up

-- What a dialogue waits for, derived: contract.Status. An operator has seen to a message
-- that did not arrive when every case about it is resolved.
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
           WHEN last.outcome NOT IN ('acknowledged', 'done')
                AND coalesce((SELECT bool_or(c.resolved_at IS NULL) FROM operator_case c WHERE c.message_id = last.id), true) THEN 'needs-operator'
           WHEN d.closed_at IS NOT NULL OR last.close OR last.code IN ('13', '26', '30') THEN 'closed'
           ELSE 'answered'
       END AS status
FROM dialogue d
LEFT JOIN LATERAL (SELECT o.id, o.outcome, o.code, o.close FROM outbound_message o
                   WHERE o.dialogue_id = d.id AND o.kind = 'answer' AND o.prepared_at IS NOT NULL
                   ORDER BY o.prepared_at DESC LIMIT 1) last ON true;

-- +goose Down
SELECT 'forward only: a renewed record system cannot be made an old one' WHERE false;
