-- What anchors answered to the root log's checkpoints, each row from an entry of an activity log.
CREATE TABLE anchor (
    log_id      integer NOT NULL,
    seq         bigint  NOT NULL,
    at          bigint  NOT NULL,
    name        text    NOT NULL,
    kind        text    NOT NULL,
    root_log_id integer NOT NULL,
    size        bigint  NOT NULL,
    outcome     text    NOT NULL,
    evidence    bytea,
    PRIMARY KEY (log_id, seq)
);
CREATE INDEX anchor_size ON anchor (root_log_id, size);

-- Witnesses' signature lines, which were verified before they were entered.
CREATE TABLE cosignature (
    log_id      integer NOT NULL,
    seq         bigint  NOT NULL,
    root_log_id integer NOT NULL,
    size        bigint  NOT NULL,
    vkey        text    NOT NULL,
    line        text    NOT NULL,
    PRIMARY KEY (log_id, seq)
);
CREATE INDEX cosignature_size ON cosignature (root_log_id, size);

-- Answers of time-stamp authorities (RFC 3161, DER), by their hash, which stands in the anchor's entry.
CREATE TABLE time_stamp (
    sha256 bytea NOT NULL PRIMARY KEY CHECK (octet_length(sha256) = 32),
    answer bytea NOT NULL
);

-- The anchors that are configured, and how far each is: the worker's own notes.
CREATE TABLE anchoring (
    name     text    NOT NULL PRIMARY KEY,
    kind     text    NOT NULL,
    place    text    NOT NULL,
    every_s  integer NOT NULL,
    vkey     text,
    log_id   integer,
    size     bigint  NOT NULL DEFAULT 0,
    kept_at  bigint,
    tried_at bigint,
    failures integer NOT NULL DEFAULT 0,
    told_at  bigint,
    outcome  text,
    why      text
);

DO $$
DECLARE
    kept text;
BEGIN
    FOREACH kept IN ARRAY ARRAY['anchor', 'cosignature', 'time_stamp'] LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', kept || '_append_only', kept);
        EXECUTE format('CREATE TRIGGER %I BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', kept || '_no_truncate', kept);
    END LOOP;
END
$$;

GRANT SELECT ON anchor, cosignature, time_stamp, anchoring TO reviewsvc_web, reviewsvc_worker, reviewsvc_read;
GRANT INSERT ON anchor, cosignature, time_stamp TO reviewsvc_worker;
GRANT INSERT, UPDATE, DELETE ON anchoring TO reviewsvc_worker;
