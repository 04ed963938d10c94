-- How far activity was sent to each sink of a SIEM: all before this seq.
CREATE TABLE siem_place (
    sink   text    NOT NULL,
    log_id integer NOT NULL REFERENCES log,
    seq    bigint  NOT NULL CHECK (seq >= 0),
    PRIMARY KEY (sink, log_id)
);

GRANT SELECT ON siem_place TO reviewsvc_web, reviewsvc_read;
GRANT SELECT, INSERT, UPDATE ON siem_place TO reviewsvc_worker;
