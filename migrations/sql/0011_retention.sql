-- Retention: months of payloads and predictions are dropped as wholes; what is held is copied byte for byte first.
ALTER TABLE retention_class ADD COLUMN prediction_days integer CHECK (prediction_days > 0);

-- Which months were dropped, each by its entry. Times are microseconds.
CREATE TABLE dropped (
    log_id          integer  NOT NULL,
    seq             bigint   NOT NULL,
    parent          text     NOT NULL CHECK (parent IN ('payload', 'prediction')),
    retention_class smallint NOT NULL,
    since           bigint   NOT NULL,
    until           bigint   NOT NULL,
    PRIMARY KEY (log_id, seq)
);
CREATE TRIGGER dropped_append_only BEFORE UPDATE OR DELETE ON dropped FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER dropped_no_truncate BEFORE TRUNCATE ON dropped FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The cases and entries that standing holds on subjects and cases keep.
CREATE VIEW held_case AS
    SELECT p.log_id, p.seq, p.id_hash FROM hold_standing h JOIN prediction p ON p.subject = h.key_id
    UNION
    SELECT p.log_id, p.seq, p.id_hash FROM hold_standing h JOIN prediction p ON p.find = h.find AND p.id_hash = h.id_hash;
CREATE VIEW held_entry AS
    SELECT log_id, seq FROM held_case
    UNION
    SELECT a.log_id, a.seq FROM held_case c JOIN task t USING (id_hash) JOIN activity a ON a.task_id = t.task_id
    UNION
    SELECT l.log_id, l.seq FROM held_case c JOIN label l USING (id_hash);
ALTER VIEW held_case OWNER TO reviewsvc_maint;
ALTER VIEW held_entry OWNER TO reviewsvc_maint;
GRANT SELECT ON task, activity, label, model, hold, hold_released TO reviewsvc_maint;
GRANT SELECT, INSERT, DELETE ON payload_held TO reviewsvc_maint;

-- Every month of payloads and predictions that exists, and whether a hold keeps it as a whole.
CREATE VIEW stored_month AS
    SELECT month.parent, month.retention_class, month.since, month.until, month.bytes,
        EXISTS (
            SELECT FROM hold_standing h JOIN model m USING (model_id) WHERE m.retention_class = month.retention_class
            OR EXISTS (SELECT FROM prediction p WHERE p.model_id = h.model_id AND p.retention_class = month.retention_class
                AND p.at >= month.since AND p.at < month.until)
        ) OR month.parent = 'prediction' AND EXISTS (
            SELECT FROM held_case c JOIN prediction p USING (log_id, seq)
            WHERE p.retention_class = month.retention_class AND p.at >= month.since AND p.at < month.until
        ) AS is_held
    FROM (
        SELECT part[1] AS parent, part[2]::smallint AS retention_class, pg_total_relation_size(c.oid) AS bytes,
            (extract(epoch FROM to_date(part[3], 'YYYYMM')::timestamp) * 1000000)::bigint AS since,
            (extract(epoch FROM to_date(part[3], 'YYYYMM')::timestamp + interval '1 month') * 1000000)::bigint AS until
        FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid,
            regexp_match(c.relname, '^(payload|prediction)_c(\d+)_(\d{6})$') AS part
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND part IS NOT NULL
    ) month;
ALTER VIEW stored_month OWNER TO reviewsvc_maint;

-- Drops one month: what is held goes to payload_held first. Returns how many rows that were, null if all of it is held.
CREATE FUNCTION drop_month(wanted text, class smallint, month date) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    by_class text := format('%s_c%s', wanted, class);
    by_month text := format('%s_c%s_%s', wanted, class, to_char(month, 'YYYYMM'));
    from_us bigint := (extract(epoch FROM date_trunc('month', month::timestamp)) * 1000000)::bigint;
    held bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(7203, 2);
    IF coalesce((SELECT s.is_held FROM stored_month s
                 WHERE s.parent = wanted AND s.retention_class = class AND s.since = from_us), true) THEN
        RETURN NULL;
    END IF;
    IF wanted = 'payload' THEN
        EXECUTE format(
            'INSERT INTO payload_held SELECT p.* FROM %I p JOIN held_entry h USING (log_id, seq) ON CONFLICT DO NOTHING',
            by_month
        );
        GET DIAGNOSTICS held = ROW_COUNT;
    END IF;
    EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', by_class, by_month);
    EXECUTE format('DROP TABLE %I', by_month);
    RETURN held;
END
$$;

-- Drops what was kept for a hold that has ended. Returns how many rows that were.
CREATE FUNCTION drop_released() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    gone bigint;
BEGIN
    DELETE FROM payload_held p WHERE NOT EXISTS (
        SELECT FROM held_entry h WHERE h.log_id = p.log_id AND h.seq = p.seq
    );
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
REVOKE ALL ON FUNCTION drop_month(text, smallint, date), drop_released() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_month(text, smallint, date), drop_released() TO reviewsvc_worker;
ALTER FUNCTION drop_month(text, smallint, date) OWNER TO reviewsvc_maint;
ALTER FUNCTION drop_released() OWNER TO reviewsvc_maint;

GRANT SELECT ON dropped, stored_month, held_entry TO reviewsvc_web, reviewsvc_worker, reviewsvc_read;
GRANT SELECT ON dropped TO reviewsvc_capture, reviewsvc_relay;
GRANT INSERT ON dropped TO reviewsvc_worker;
