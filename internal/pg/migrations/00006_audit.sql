-- +goose Up

-- The audit is added to, and nothing else: who runs the programs may not change or remove a
-- row (grants), and who may, the owner, cannot do so without it being seen (seals).
CREATE TABLE audit_seal (
    number    bigint PRIMARY KEY,          -- 1, 2, 3, without a gap
    until_id  bigint NOT NULL UNIQUE,      -- the rows since the seal before, to this one
    rows      bigint NOT NULL,
    sealed_at timestamptz NOT NULL,
    hash      bytea NOT NULL               -- SHA-256 of the hash before and of the rows
);

-- What was removed because it is older than it has to be kept. Its seals stay.
CREATE TABLE audit_removal (
    until_id   bigint PRIMARY KEY,
    rows       bigint NOT NULL,
    removed_at timestamptz NOT NULL
);

CREATE INDEX audit_by_subject ON audit (clinic_id, subject, id);

-- Removes the rows of seals that are older than the age, which is two years at least. It is
-- the owner's, so that the programs can call it and cannot remove anything else.
-- +goose StatementBegin
CREATE FUNCTION audit_remove(age interval) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
DECLARE
    last    bigint;
    removed bigint;
BEGIN
    IF now() - age > now() - interval '2 years' THEN
        RAISE EXCEPTION 'the audit is kept for two years at least' USING ERRCODE = 'check_violation';
    END IF;
    SELECT max(until_id) INTO last FROM public.audit_seal WHERE sealed_at < now() - age;
    IF last IS NULL OR EXISTS (SELECT FROM public.audit_removal WHERE until_id >= last) THEN
        RETURN 0;
    END IF;
    DELETE FROM public.audit WHERE id <= last;
    GET DIAGNOSTICS removed = ROW_COUNT;
    INSERT INTO public.audit_removal (until_id, rows, removed_at) VALUES (last, removed, now());
    RETURN removed;
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION audit_remove(interval) FROM PUBLIC;

-- +goose Down
DROP FUNCTION audit_remove(interval);
DROP INDEX audit_by_subject;
DROP TABLE audit_removal, audit_seal;
