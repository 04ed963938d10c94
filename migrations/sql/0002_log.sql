-- The log: one row of `log` per incarnation, its head, its entries, its payloads.
CREATE SCHEMA keys;

CREATE TABLE installation (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    origin         text        NOT NULL,
    opened_at      timestamptz NOT NULL,
    system_id      text        NOT NULL,
    timeline       integer     NOT NULL,
    activity_logs  smallint    NOT NULL
);

-- Bumped under GEN by whoever changes what a batch must do.
CREATE TABLE generation (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    value bigint NOT NULL
);
INSERT INTO generation (value) VALUES (1);

CREATE TABLE log (
    log_id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series      text     NOT NULL,
    incarnation smallint NOT NULL,
    kind        text     NOT NULL CHECK (kind IN ('predictions', 'outcomes', 'ingest', 'activity', 'labels', 'root')),
    topic       text,
    partition   integer,
    shard       smallint,
    model       text,
    name        text GENERATED ALWAYS AS (series || '/' || incarnation::text) STORED UNIQUE,
    UNIQUE (series, incarnation)
);

CREATE TABLE head (
    log_id       integer PRIMARY KEY REFERENCES log,
    frozen       boolean NOT NULL DEFAULT false,
    epoch        bigint  NOT NULL DEFAULT 0,
    size         bigint  NOT NULL DEFAULT 0,
    last_hash    bytea   NOT NULL DEFAULT decode(repeat('00', 32), 'hex') CHECK (octet_length(last_hash) = 32),
    last_at      bigint  NOT NULL DEFAULT 0,
    next_offset  bigint,
    topic_id     text,
    owner        text,
    owner_pid    integer,
    owner_start  timestamptz
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE entry (
    log_id integer NOT NULL,
    seq    bigint  NOT NULL CHECK (seq >= 0),
    body   bytea   NOT NULL CHECK (octet_length(body) <= 65535),
    PRIMARY KEY (log_id, seq)
) PARTITION BY HASH (log_id);
CREATE TABLE entry_0 PARTITION OF entry FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE entry_1 PARTITION OF entry FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE entry_2 PARTITION OF entry FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE entry_3 PARTITION OF entry FOR VALUES WITH (MODULUS 4, REMAINDER 3);

CREATE TABLE retention_class (
    retention_class smallint PRIMARY KEY,
    name            text    NOT NULL UNIQUE,
    keep_days       integer NOT NULL CHECK (keep_days > 0)
);

CREATE TABLE payload (
    retention_class smallint NOT NULL,
    at              bigint   NOT NULL,
    log_id          integer  NOT NULL,
    seq             bigint   NOT NULL,
    ciphertext      bytea    NOT NULL,
    PRIMARY KEY (log_id, seq, retention_class, at)
) PARTITION BY LIST (retention_class);
ALTER TABLE payload ALTER COLUMN ciphertext SET STORAGE EXTERNAL;

-- Rows under legal hold whose partition was dropped, byte for byte.
CREATE TABLE payload_held (LIKE payload, PRIMARY KEY (log_id, seq));

CREATE TABLE prediction (
    retention_class       smallint NOT NULL,
    at                    bigint   NOT NULL,
    log_id                integer  NOT NULL,
    seq                   bigint   NOT NULL,
    id_hash               bytea    NOT NULL,
    find                  bigint   NOT NULL,
    model_id              integer  NOT NULL,
    version_id            integer  NOT NULL,
    contract_version      integer  NOT NULL,
    policy_version        integer,
    predicted_at          bigint   NOT NULL,
    label                 text,
    value                 double precision,
    confidence            double precision,
    failed                boolean  NOT NULL,
    violations            smallint NOT NULL,
    queue_id              integer,
    rule                  text,
    selection_probability double precision,
    subject               bytea,
    segment               smallint,
    PRIMARY KEY (log_id, seq, retention_class, at)
) PARTITION BY LIST (retention_class);
CREATE INDEX prediction_find ON prediction (find);
CREATE INDEX prediction_subject ON prediction (subject) WHERE subject IS NOT NULL;

CREATE TABLE quarantine (
    log_id  integer NOT NULL,
    seq     bigint  NOT NULL,
    at      bigint  NOT NULL,
    reason  text    NOT NULL,
    size    integer NOT NULL,
    PRIMARY KEY (log_id, seq)
);

-- Payload keys, wrapped by the KEK. A subject's key_id is its pseudonym; the row is all that links the two.
CREATE TABLE keys.data_key (
    key_id     bytea PRIMARY KEY CHECK (octet_length(key_id) = 16),
    wrapped    bytea NOT NULL CHECK (octet_length(wrapped) = 40),
    kek_id     text  NOT NULL,
    subject    bytea UNIQUE CHECK (octet_length(subject) = 32),
    log_id     integer,
    day        date,
    UNIQUE (log_id, day)
);

-- Keys of keyed hashes, one per purpose, made once.
CREATE TABLE keys.hash_key (
    purpose text PRIMARY KEY,
    wrapped bytea NOT NULL CHECK (octet_length(wrapped) = 40),
    kek_id  text  NOT NULL
);

-- What stopped a partition, until an operator consents or it mends.
CREATE TABLE capture_alarm (
    log_id     integer PRIMARY KEY REFERENCES log,
    reason     text        NOT NULL,
    detail     jsonb       NOT NULL,
    since      timestamptz NOT NULL,
    consent    jsonb
);

-- The floor under the place that the relay keeps in Kafka.
CREATE TABLE relay_place (
    log_id      integer NOT NULL REFERENCES log,
    topic       text    NOT NULL,
    seq         bigint  NOT NULL,
    topic_id    text    NOT NULL,
    end_offsets jsonb   NOT NULL,
    noted_at    timestamptz NOT NULL,
    PRIMARY KEY (log_id, topic)
);
