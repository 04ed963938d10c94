-- What a worker found when it last held this database against what the signer remembers; kept out of backups.
CREATE TABLE restore_guard (
    one          boolean PRIMARY KEY DEFAULT true CHECK (one),
    server_start timestamptz NOT NULL,
    checked_at   timestamptz NOT NULL,
    trouble      text,
    request      jsonb
);
GRANT SELECT ON restore_guard TO reviewsvc_capture, reviewsvc_relay, reviewsvc_web, reviewsvc_worker, reviewsvc_read;
GRANT INSERT, UPDATE ON restore_guard TO reviewsvc_worker;

-- Which root log holds a checkpoint's entry: null, for those of the first release that sealed, is the first one.
ALTER TABLE checkpoint ADD COLUMN root_log_id integer REFERENCES log;

-- A restored log ends where the restored database ends: what its continuation says of it is signed there.
CREATE OR REPLACE FUNCTION leaving_size(wanted integer) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN NOT EXISTS (SELECT FROM signing_key) THEN h.size
        WHEN h.frozen AND EXISTS (
            SELECT FROM log old JOIN log later USING (series) JOIN checkpoint c ON c.log_id = later.log_id
            WHERE old.log_id = wanted AND later.incarnation > old.incarnation
        ) THEN h.size
        ELSE coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = wanted), 0)
    END
    FROM head h WHERE h.log_id = wanted
$$;

-- `restore adopt` is the worker's: it says where the database lives now, and what goes on as what.
GRANT UPDATE (system_id, timeline) ON installation TO reviewsvc_worker;
GRANT UPDATE (label_log_id) ON model TO reviewsvc_worker;
GRANT UPDATE (log_id) ON capture_alarm TO reviewsvc_worker;
