-- Who may do what to which table, and what nobody may do.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_no_truncate BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER document_append_only BEFORE UPDATE OR DELETE ON document FOR EACH ROW EXECUTE FUNCTION refuse_change();
DO $$
DECLARE
    part text;
BEGIN
    FOREACH part IN ARRAY ARRAY['entry_0', 'entry_1', 'entry_2', 'entry_3'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', part || '_no_truncate', part);
    END LOOP;
END
$$;

-- Makes a class's partitions for one month (create, then attach), as the role that owns partitions.
CREATE FUNCTION ensure_partitions(class smallint, month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    by_class text;
    by_month text;
    from_us bigint := (extract(epoch FROM date_trunc('month', month::timestamp)) * 1000000)::bigint;
    to_us bigint := (extract(epoch FROM date_trunc('month', month::timestamp) + interval '1 month') * 1000000)::bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(7203, 2);
    FOREACH parent IN ARRAY ARRAY['payload', 'prediction'] LOOP
        by_class := format('%s_c%s', parent, class);
        by_month := format('%s_%s', by_class, to_char(month, 'YYYYMM'));
        IF to_regclass(by_class) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES IN (%s) PARTITION BY RANGE (at)', by_class, parent, class);
        END IF;
        IF to_regclass(by_month) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', by_month, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', by_class, by_month, from_us, to_us);
        END IF;
    END LOOP;
END
$$;

-- May be run by any process's role, never by the public.
REVOKE ALL ON FUNCTION ensure_partitions(smallint, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(smallint, date) TO reviewsvc_capture, reviewsvc_web, reviewsvc_worker, reviewsvc_maint;

GRANT CREATE, USAGE ON SCHEMA public TO reviewsvc_maint;
ALTER TABLE payload OWNER TO reviewsvc_maint;
ALTER TABLE prediction OWNER TO reviewsvc_maint;
ALTER FUNCTION ensure_partitions(smallint, date) OWNER TO reviewsvc_maint;

GRANT USAGE ON SCHEMA public, keys TO reviewsvc_capture, reviewsvc_relay, reviewsvc_web, reviewsvc_worker;
GRANT USAGE ON SCHEMA public, keys TO reviewsvc_read;
-- A verifier must know which keys still exist, never the keys.
GRANT SELECT (key_id, subject) ON keys.data_key TO reviewsvc_read;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reviewsvc_capture, reviewsvc_relay, reviewsvc_web, reviewsvc_worker;
GRANT SELECT ON installation, generation, log, head, entry, retention_class, payload, payload_held, prediction, quarantine,
    capture_alarm, document, model, model_version, queue, lane, task, slot, lease, decision, label, label_current, activity
    TO reviewsvc_read;
REVOKE SELECT ON person, session, token FROM reviewsvc_capture, reviewsvc_relay;
GRANT SELECT ON ALL TABLES IN SCHEMA keys TO reviewsvc_capture, reviewsvc_relay, reviewsvc_web, reviewsvc_worker;

GRANT INSERT ON installation, log, head, entry, payload, prediction, quarantine, task, slot, model_version, capture_alarm, activity,
    keys.data_key, keys.hash_key TO reviewsvc_capture;
GRANT UPDATE ON head, capture_alarm TO reviewsvc_capture;
GRANT DELETE ON capture_alarm TO reviewsvc_capture;

GRANT INSERT, UPDATE ON relay_place TO reviewsvc_relay;

GRANT INSERT ON installation, log, head, entry, payload, prediction, quarantine, document, model, model_version, queue, lane, retention_class,
    task, slot, lease, decision, label, label_current, activity, person, grant_held, session, token,
    login_failure, refusal_count, idempotency, keys.data_key, keys.hash_key TO reviewsvc_web;
GRANT UPDATE ON generation, head, model, queue, task, slot, lease, decision, label_current, person, session, token,
    refusal_count, capture_alarm TO reviewsvc_web;
GRANT DELETE ON lease, label_current, grant_held, login_failure, idempotency TO reviewsvc_web;

GRANT INSERT ON installation, log, head, entry, payload, label, label_current, activity, slot, lease, keys.data_key, keys.hash_key TO reviewsvc_worker;
GRANT UPDATE ON generation, head, task, slot, lease, decision, label_current, session, refusal_count TO reviewsvc_worker;
GRANT DELETE ON lease, label_current, session, login_failure, refusal_count, idempotency TO reviewsvc_worker;

INSERT INTO retention_class (retention_class, name, keep_days) VALUES (0, 'service', 3650);
