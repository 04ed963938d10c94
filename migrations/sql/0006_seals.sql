-- What was signed: every checkpoint of every log. Those of the root log have no entry, so that root_seq is null.
CREATE TABLE checkpoint (
    log_id   integer NOT NULL REFERENCES log,
    size     bigint  NOT NULL CHECK (size > 0),
    root     bytea   NOT NULL CHECK (octet_length(root) = 32),
    note     text    NOT NULL,
    at       bigint  NOT NULL,
    root_seq bigint,
    PRIMARY KEY (log_id, size)
);

-- Full tiles of 256 hashes; partial ones are cut from entries when they are asked for.
CREATE TABLE tile (
    log_id     integer  NOT NULL REFERENCES log,
    level      smallint NOT NULL CHECK (level BETWEEN 0 AND 7),
    tile_index bigint   NOT NULL CHECK (tile_index >= 0),
    data       bytea    NOT NULL CHECK (octet_length(data) = 8192),
    PRIMARY KEY (log_id, level, tile_index)
);
ALTER TABLE tile ALTER COLUMN data SET STORAGE EXTERNAL;

-- What was said of a signing key, and by which entry; the last word on a key holds. Times are microseconds.
CREATE TABLE signing_key (
    log_id      integer NOT NULL,
    seq         bigint  NOT NULL,
    vkey        text    NOT NULL,
    valid_from  bigint  NOT NULL,
    valid_until bigint,
    PRIMARY KEY (log_id, seq)
);

-- How far a log may be read by whoever carries it out of the house: what was signed, once anything is.
CREATE FUNCTION leaving_size(wanted integer) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM signing_key) THEN
            coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.log_id = wanted), 0)
        ELSE (SELECT h.size FROM head h WHERE h.log_id = wanted)
    END
$$;

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['checkpoint', 'tile', 'signing_key'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', kept || '_no_truncate', kept);
    END LOOP;
END
$$;

GRANT SELECT ON checkpoint, tile, signing_key
    TO reviewsvc_capture, reviewsvc_relay, reviewsvc_web, reviewsvc_worker, reviewsvc_read;
GRANT INSERT ON checkpoint, tile, signing_key TO reviewsvc_worker;
