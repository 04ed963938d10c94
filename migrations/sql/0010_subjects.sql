-- Erasures, legal holds, and what they leave to do. Who asked for what is said by entries; the rows are found by them.

-- An approval to erase, from asking to done. The reason stands in the payload of the entry at (log_id, seq).
CREATE TABLE erasure (
    erasure_id   uuid PRIMARY KEY,
    key_id       bytea       NOT NULL CHECK (octet_length(key_id) = 16),
    status       text        NOT NULL CHECK (status IN ('waiting', 'approved', 'done', 'refused')),
    requested_by text        NOT NULL,
    requested_at timestamptz NOT NULL,
    log_id       integer     NOT NULL,
    seq          bigint      NOT NULL,
    settled_by   text,
    settled_at   timestamptz,
    done_at      timestamptz
);
-- Of two who ask at once, one is told that the other was first.
CREATE UNIQUE INDEX erasure_open ON erasure (key_id) WHERE status IN ('waiting', 'approved');
CREATE INDEX erasure_order ON erasure (requested_at);

-- What had left before an erasure, for whoever tells the receivers.
CREATE TABLE erasure_left (
    erasure_id uuid     NOT NULL REFERENCES erasure,
    item       smallint NOT NULL,
    kind       text     NOT NULL,
    receiver   text     NOT NULL,
    amount     bigint   NOT NULL,
    last_at    bigint,
    told_by    text,
    told_at    timestamptz,
    PRIMARY KEY (erasure_id, item)
);

-- Keys that were destroyed, each by its entry: that a key is gone must be explained.
CREATE TABLE erased_key (
    log_id integer NOT NULL,
    seq    bigint  NOT NULL,
    key_id bytea   NOT NULL CHECK (octet_length(key_id) = 16),
    PRIMARY KEY (log_id, seq)
);
CREATE INDEX erased_key_id ON erased_key (key_id);

-- Legal holds, each by the entry that placed it, and what ended them.
CREATE TABLE hold (
    log_id   integer NOT NULL,
    seq      bigint  NOT NULL,
    hold_id  uuid    NOT NULL UNIQUE,
    key_id   bytea,
    model_id integer REFERENCES model,
    id_hash  bytea,
    find     bigint,
    PRIMARY KEY (log_id, seq),
    CHECK (num_nonnulls(key_id, model_id, id_hash) = 1 AND (id_hash IS NULL) = (find IS NULL))
);
CREATE TABLE hold_released (
    log_id  integer NOT NULL,
    seq     bigint  NOT NULL,
    hold_id uuid    NOT NULL UNIQUE REFERENCES hold (hold_id),
    PRIMARY KEY (log_id, seq)
);
CREATE VIEW hold_standing AS
    SELECT h.* FROM hold h WHERE NOT EXISTS (SELECT FROM hold_released r WHERE r.hold_id = h.hold_id);

-- When key rows were last made to leave the table's file, and since when that is wanted.
CREATE TABLE key_sweep (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    wanted_at timestamptz,
    swept_at  timestamptz
);
INSERT INTO key_sweep DEFAULT VALUES;

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['erased_key', 'hold', 'hold_released'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', kept || '_no_truncate', kept);
    END LOOP;
END
$$;

-- ANALYZE copies values into pg_statistic: of keys it must copy none.
ALTER TABLE keys.data_key ALTER COLUMN wrapped TYPE bytea;
ALTER TABLE keys.data_key ALTER COLUMN wrapped SET STATISTICS 0, ALTER COLUMN subject SET STATISTICS 0,
    ALTER COLUMN key_id SET STATISTICS 0;

-- VACUUM leaves the bytes of a deleted row in its page; only a table written anew is free of them.
CREATE FUNCTION keys.sweep() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
BEGIN
    CLUSTER keys.data_key USING data_key_pkey;
END
$$;
REVOKE ALL ON FUNCTION keys.sweep() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keys.sweep() TO reviewsvc_worker;

GRANT SELECT ON erasure, erasure_left, erased_key, hold, hold_released, hold_standing, key_sweep
    TO reviewsvc_capture, reviewsvc_relay, reviewsvc_web, reviewsvc_worker;
GRANT SELECT ON erased_key, hold, hold_released, hold_standing TO reviewsvc_read;
GRANT SELECT ON hold_standing TO reviewsvc_maint;
GRANT INSERT ON erasure, hold, hold_released TO reviewsvc_web;
GRANT UPDATE (status, settled_by, settled_at) ON erasure TO reviewsvc_web;
GRANT UPDATE (told_by, told_at) ON erasure_left TO reviewsvc_web;

-- Only the worker destroys keys.
GRANT INSERT ON erasure, erasure_left, erased_key TO reviewsvc_worker;
GRANT UPDATE (status, done_at) ON erasure TO reviewsvc_worker;
GRANT UPDATE ON key_sweep TO reviewsvc_worker;
GRANT DELETE ON keys.data_key TO reviewsvc_worker;
GRANT UPDATE (wrapped, kek_id) ON keys.data_key, keys.hash_key TO reviewsvc_worker;
GRANT UPDATE (subject, segment) ON prediction TO reviewsvc_worker;
