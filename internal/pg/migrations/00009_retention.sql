-- +goose Up

CREATE INDEX dialogue_by_latest ON dialogue (latest_at);
CREATE INDEX inbound_alone ON inbound_message (received_at) WHERE dialogue_id IS NULL;

-- Removes at most so many things of a class whose time passed before that instant, and says
-- how many. The programs have no other way to most of these tables: the least time of each
-- class, and that nothing open is removed, hold whoever calls. pg.RetentionClasses says what
-- the classes are for.
-- +goose StatementBegin
CREATE FUNCTION retention_remove(class text, before timestamptz, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    minimum  interval := CASE class WHEN 'dialogues' THEN interval '1 year' WHEN 'unplaced' THEN interval '90 days'
                                    WHEN 'commands' THEN interval '30 days' WHEN 'cases' THEN interval '1 year'
                                    WHEN 'quarantine' THEN interval '30 days' WHEN 'reports' THEN interval '30 days'
                                    WHEN 'contacts' THEN interval '1 day' WHEN 'slots' THEN interval '1 day' END;
    gone     uuid[];
    messages uuid[];
    written  uuid[];
    notices  uuid[];
    n        bigint;
    more     bigint;
BEGIN
    IF minimum IS NULL THEN
        RAISE EXCEPTION 'there is no retention class %', class USING ERRCODE = 'check_violation';
    ELSIF before > now() - minimum THEN
        RAISE EXCEPTION 'what is of the class % is kept for % at least', class, minimum USING ERRCODE = 'check_violation';
    END IF;
    CASE class
    WHEN 'dialogues' THEN
        gone := ARRAY(
            SELECT d.id FROM dialogue d LEFT JOIN appointment a USING (id) JOIN dialogue_status s USING (id)
            WHERE d.latest_at < before
                AND CASE WHEN a.id IS NULL THEN s.status IN ('closed', 'answered')
                    ELSE a.status NOT IN ('received', 'awaiting-clinic') AND a.changed_at < before AND coalesce(a.ends_at, a.changed_at) < before END
                AND NOT EXISTS (SELECT FROM ledger l WHERE l.dialogue_id = d.id AND (l.outcome IS NULL OR l.outcome_at >= before))
                AND NOT EXISTS (SELECT FROM operator_case c WHERE c.dialogue_id = d.id AND (c.resolved_at IS NULL OR c.resolved_at >= before))
                AND NOT EXISTS (SELECT FROM outbound_message o WHERE o.dialogue_id = d.id AND o.prepared_at IS NOT NULL AND o.outcome IS NULL)
                AND NOT EXISTS (SELECT FROM notice x WHERE x.appointment_id = d.id AND x.outcome IS NULL)
                AND NOT EXISTS (SELECT FROM inbound_message m WHERE m.dialogue_id = d.id AND m.handed_over_at IS NULL)
            ORDER BY d.latest_at LIMIT most FOR UPDATE OF d SKIP LOCKED);
        messages := ARRAY(SELECT id FROM inbound_message WHERE dialogue_id = ANY (gone));
        written := ARRAY(SELECT id FROM outbound_message WHERE dialogue_id = ANY (gone) OR in_reply_to = ANY (messages));
        notices := ARRAY(SELECT id FROM notice WHERE appointment_id = ANY (gone));
        UPDATE dialogue SET turned_from = NULL WHERE turned_from = ANY (gone);
        UPDATE appointment SET moved_from = NULL WHERE moved_from = ANY (gone);
        UPDATE appointment SET moved_to = NULL WHERE moved_to = ANY (gone);
        DELETE FROM attachment WHERE message_id = ANY (messages) OR outbound_id = ANY (written);
        DELETE FROM prescription_item WHERE dialogue_id = ANY (gone);
        DELETE FROM publication WHERE appointment_id = ANY (gone);
        DELETE FROM delivery_report WHERE notice_id = ANY (notices);
        DELETE FROM notice_attempt WHERE notice_id = ANY (notices);
        DELETE FROM notice WHERE id = ANY (notices);
        DELETE FROM decision WHERE appointment_id = ANY (gone);
        DELETE FROM appointment_command WHERE appointment_id = ANY (gone);
        DELETE FROM appointment_identifier WHERE appointment_id = ANY (gone);
        DELETE FROM appointment_revision WHERE appointment_id = ANY (gone);
        DELETE FROM dialogue_command WHERE dialogue_id = ANY (gone);
        DELETE FROM journal_message WHERE dialogue_id = ANY (gone);
        DELETE FROM journal_entry WHERE dialogue_id = ANY (gone);
        DELETE FROM inbox_item WHERE dialogue_id = ANY (gone);
        DELETE FROM ledger WHERE dialogue_id = ANY (gone) OR message_id = ANY (messages) OR message_id = ANY (written);
        DELETE FROM operator_case WHERE dialogue_id = ANY (gone);
        DELETE FROM conversation WHERE dialogue_id = ANY (gone);
        DELETE FROM outbound_message WHERE id = ANY (written);
        DELETE FROM inbound_message WHERE id = ANY (messages);
        DELETE FROM appointment WHERE id = ANY (gone);
        DELETE FROM dialogue WHERE id = ANY (gone);
        RETURN cardinality(gone);
    WHEN 'unplaced' THEN
        gone := ARRAY(
            SELECT m.id FROM inbound_message m
            WHERE m.dialogue_id IS NULL AND m.received_at < before AND m.handed_over_at IS NOT NULL
                AND NOT EXISTS (SELECT FROM outbound_message o WHERE o.in_reply_to = m.id AND (o.outcome IS NULL OR o.dialogue_id IS NOT NULL))
                AND NOT EXISTS (SELECT FROM ledger l WHERE l.message_id = m.id AND (l.outcome IS NULL OR l.outcome_at >= before))
                AND NOT EXISTS (SELECT FROM operator_case c WHERE c.message_id = m.id AND (c.resolved_at IS NULL OR c.resolved_at >= before))
            ORDER BY m.received_at LIMIT most FOR UPDATE OF m SKIP LOCKED);
        written := ARRAY(SELECT id FROM outbound_message WHERE in_reply_to = ANY (gone));
        DELETE FROM attachment WHERE message_id = ANY (gone) OR outbound_id = ANY (written);
        DELETE FROM ledger WHERE message_id = ANY (gone) OR message_id = ANY (written);
        DELETE FROM operator_case WHERE message_id = ANY (gone) OR message_id = ANY (written);
        DELETE FROM outbound_message WHERE id = ANY (written);
        DELETE FROM inbound_message WHERE id = ANY (gone);
        RETURN cardinality(gone);
    WHEN 'commands' THEN
        DELETE FROM request_key WHERE (clinic_id, key) IN (SELECT clinic_id, key FROM request_key WHERE at < before LIMIT most);
        GET DIAGNOSTICS n = ROW_COUNT;
        DELETE FROM appointment_command WHERE id IN (SELECT id FROM appointment_command WHERE applied_at < before LIMIT most);
        GET DIAGNOSTICS more = ROW_COUNT; n := n + more;
        DELETE FROM dialogue_command WHERE id IN (SELECT id FROM dialogue_command WHERE applied_at < before LIMIT most);
        GET DIAGNOSTICS more = ROW_COUNT; n := n + more;
        DELETE FROM activation_command WHERE id IN (SELECT id FROM activation_command WHERE applied_at < before LIMIT most);
        GET DIAGNOSTICS more = ROW_COUNT; n := n + more;
        RETURN n;
    WHEN 'cases' THEN
        DELETE FROM operator_case WHERE id IN (SELECT id FROM operator_case WHERE dialogue_id IS NULL AND resolved_at < before LIMIT most);
    WHEN 'quarantine' THEN
        DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine WHERE state <> 'kept' AND wanted = '' AND decided_at < before LIMIT most);
    WHEN 'reports' THEN
        DELETE FROM delivery_report WHERE (channel, event_id) IN (SELECT channel, event_id FROM delivery_report WHERE stored_at < before LIMIT most);
    WHEN 'contacts' THEN
        DELETE FROM contact WHERE id IN (SELECT id FROM contact WHERE gone_at < before LIMIT most);
    WHEN 'slots' THEN
        DELETE FROM slot WHERE id IN (SELECT id FROM slot s WHERE ends_at < before
            AND NOT EXISTS (SELECT FROM appointment a WHERE a.slot_id = s.id) LIMIT most);
    END CASE;
    GET DIAGNOSTICS n = ROW_COUNT;
    RETURN n;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION retention_remove(text, timestamptz, integer) FROM PUBLIC;

-- +goose Down
DROP FUNCTION retention_remove(text, timestamptz, integer);
DROP INDEX dialogue_by_latest, inbound_alone;
