-- What the documents say, the tasks that follow, the answers and the labels.
CREATE TABLE document (
    kind       text        NOT NULL CHECK (kind IN ('contract', 'policy', 'queue')),
    name       text        NOT NULL,
    version    integer     NOT NULL CHECK (version > 0),
    body       bytea       NOT NULL,
    sha256     bytea       NOT NULL,
    applied_at timestamptz NOT NULL,
    log_id     integer     NOT NULL,
    seq        bigint      NOT NULL,
    PRIMARY KEY (kind, name, version)
);

CREATE TABLE model (
    model_id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text     NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,100}$'),
    contract_version integer  NOT NULL,
    policy_version   integer,
    retention_class  smallint NOT NULL REFERENCES retention_class,
    label_log_id     integer  NOT NULL REFERENCES log,
    failsafe_queue   text
);

CREATE TABLE model_version (
    version_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    model_id   integer NOT NULL REFERENCES model,
    version    text    NOT NULL,
    UNIQUE (model_id, version)
);

CREATE TABLE queue (
    queue_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text    NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,100}$'),
    version  integer NOT NULL
);

CREATE TABLE lane (
    lane_id  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue_id integer NOT NULL REFERENCES queue,
    skills   text[]  NOT NULL DEFAULT '{}',
    UNIQUE (queue_id, skills)
);

CREATE TABLE task (
    task_id               uuid PRIMARY KEY,
    id_hash               bytea    NOT NULL UNIQUE,
    model_id              integer  NOT NULL REFERENCES model,
    queue_id              integer  NOT NULL REFERENCES queue,
    retention_class       smallint NOT NULL,
    prediction_at         bigint   NOT NULL,
    prediction_log_id     integer  NOT NULL,
    prediction_seq        bigint   NOT NULL,
    activity_log_id       integer  NOT NULL,
    contract_version      integer  NOT NULL,
    policy_version        integer,
    rule                  text     NOT NULL,
    reasons               text[]   NOT NULL,
    selection_probability double precision,
    model_label           text,
    model_value           double precision,
    priority              smallint NOT NULL,
    reviewers             smallint NOT NULL CHECK (reviewers > 0),
    blind                 boolean  NOT NULL,
    created_at            timestamptz NOT NULL,
    due_at                timestamptz,
    status                text     NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'disputed', 'decided', 'defaulted', 'withdrawn')),
    overdue               boolean  NOT NULL DEFAULT false,
    escalated             boolean  NOT NULL DEFAULT false,
    closed_at             timestamptz,
    answer_label          text,
    answer_value          double precision,
    answer_log_id         integer,
    answer_seq            bigint
) WITH (fillfactor = 80);
CREATE INDEX task_due ON task (due_at) WHERE status IN ('pending', 'disputed') AND NOT overdue;
CREATE INDEX task_queue ON task (queue_id, status, created_at);

CREATE TABLE slot (
    slot_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id     uuid     NOT NULL REFERENCES task,
    lane_id     integer  NOT NULL,
    priority    smallint NOT NULL,
    due_at      timestamptz,
    snoozed_until timestamptz,
    state       text     NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'claimed', 'snoozed', 'decided', 'closed')),
    reviewer_id uuid,
    token       bigint   NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
CREATE INDEX slot_open ON slot (lane_id, priority DESC, due_at, slot_id) WHERE state = 'open';
CREATE UNIQUE INDEX slot_reviewer ON slot (task_id, reviewer_id);
CREATE INDEX slot_mine ON slot (reviewer_id) WHERE state = 'claimed';
CREATE INDEX slot_snoozed ON slot (snoozed_until) WHERE state = 'snoozed';

CREATE TABLE lease (
    slot_id bigint PRIMARY KEY,
    until   timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE decision (
    decision_id  uuid PRIMARY KEY,
    task_id      uuid     NOT NULL REFERENCES task,
    slot_id      bigint,
    reviewer_id  uuid     NOT NULL,
    kind         text     NOT NULL CHECK (kind IN ('review', 'adjudication')),
    label        text,
    value        double precision,
    agreed       boolean  NOT NULL,
    prediction_at bigint  NOT NULL,
    at           bigint   NOT NULL,
    log_id       integer  NOT NULL,
    seq          bigint   NOT NULL,
    retracted_log_id integer,
    retracted_seq    bigint,
    UNIQUE (log_id, seq)
);
CREATE INDEX decision_task ON decision (task_id);
CREATE INDEX decision_reviewer ON decision (reviewer_id, at);

CREATE TABLE label (
    log_id          integer NOT NULL,
    seq             bigint  NOT NULL,
    at              bigint  NOT NULL,
    op              text    NOT NULL CHECK (op IN ('add', 'withdraw')),
    model_id        integer NOT NULL REFERENCES model,
    id_hash         bytea   NOT NULL,
    kind            text    NOT NULL CHECK (kind IN ('review', 'adjudication', 'outcome', 'import')),
    label           text,
    value           double precision,
    prediction_at   bigint  NOT NULL,
    supersedes      bigint,
    decision_log_id integer,
    decision_seq    bigint,
    PRIMARY KEY (log_id, seq)
);

-- What is in force, per prediction; decided under the label head's lock.
CREATE TABLE label_current (
    model_id integer NOT NULL REFERENCES model,
    id_hash  bytea   NOT NULL,
    log_id   integer NOT NULL,
    seq      bigint  NOT NULL,
    PRIMARY KEY (model_id, id_hash)
);

CREATE TABLE activity (
    log_id   integer NOT NULL,
    seq      bigint  NOT NULL,
    at       bigint  NOT NULL,
    kind     text    NOT NULL,
    actor    text    NOT NULL,
    task_id  uuid,
    object   text,
    PRIMARY KEY (log_id, seq)
);
CREATE INDEX activity_at ON activity (at);
CREATE INDEX activity_task ON activity (task_id) WHERE task_id IS NOT NULL;
