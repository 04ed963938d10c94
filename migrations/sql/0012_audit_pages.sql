-- Bundles that were asked for on screen or by API. Question and purpose are sealed: they may name people.
CREATE TABLE export_job (
    job_id     uuid PRIMARY KEY,
    person_id  uuid        NOT NULL REFERENCES person,
    actor      text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('range', 'model', 'subject', 'reviewer', 'queue', 'case')),
    key_id     bytea       NOT NULL,
    commitment bytea       NOT NULL,
    asked      bytea       NOT NULL,
    asked_at   timestamptz NOT NULL,
    state      text        NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'making', 'sealing', 'done', 'failed', 'expired')),
    done       bigint      NOT NULL DEFAULT 0,
    wanted     bigint,
    disclosed  bigint,
    withheld   bigint,
    size       bigint,
    tries      smallint    NOT NULL DEFAULT 0,
    fault      text,
    ended_at   timestamptz
) WITH (fillfactor = 80);
CREATE INDEX export_job_open ON export_job (asked_at) WHERE state IN ('waiting', 'making', 'sealing');
CREATE INDEX export_job_asked ON export_job (asked_at);

-- Who took a bundle, and the entry that says so.
CREATE TABLE export_download (
    log_id    integer     NOT NULL,
    seq       bigint      NOT NULL,
    job_id    uuid        NOT NULL REFERENCES export_job,
    person_id uuid        NOT NULL REFERENCES person,
    at        timestamptz NOT NULL,
    PRIMARY KEY (log_id, seq)
);
CREATE INDEX export_download_job ON export_download (job_id);

-- A case's labels; what left the house or was opened, in the order of time.
CREATE INDEX label_id_hash ON label (id_hash);
CREATE INDEX activity_left ON activity (at) WHERE kind IN ('access', 'export', 'subject_export', 'erasure');

GRANT SELECT ON export_job, export_download TO reviewsvc_web, reviewsvc_worker, reviewsvc_read;
GRANT INSERT ON export_job, export_download TO reviewsvc_web;
GRANT UPDATE ON export_job TO reviewsvc_worker;
