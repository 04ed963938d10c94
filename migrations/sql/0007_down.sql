DROP TABLE restore_guard;
ALTER TABLE checkpoint DROP COLUMN root_log_id;
REVOKE UPDATE (system_id, timeline) ON installation FROM reviewsvc_worker;
REVOKE UPDATE (label_log_id) ON model FROM reviewsvc_worker;
REVOKE UPDATE (log_id) ON capture_alarm FROM reviewsvc_worker;
CREATE OR REPLACE FUNCTION leaving_size(wanted integer) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM signing_key) THEN
            coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = wanted), 0)
        ELSE (SELECT h.size FROM head h WHERE h.log_id = wanted)
    END
$$;
