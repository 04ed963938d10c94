-- People, what they may do, and how they come in. State, not projections.
CREATE TABLE person (
    person_id     uuid PRIMARY KEY,
    name          text NOT NULL,
    login         text NOT NULL UNIQUE CHECK (login = lower(login)),
    password_hash text,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL,
    theme         text    NOT NULL DEFAULT 'system' CHECK (theme IN ('system', 'light', 'dark')),
    single_keys   boolean NOT NULL DEFAULT true,
    time_zone     text    NOT NULL DEFAULT 'UTC'
);

-- scope: '*', 'model:<name>' or 'queue:<name>'.
CREATE TABLE grant_held (
    person_id  uuid NOT NULL REFERENCES person,
    role       text NOT NULL CHECK (role IN ('reviewer', 'lead', 'auditor', 'data', 'owner', 'operator', 'admin', 'steward')),
    scope      text NOT NULL CHECK (scope ~ '^(\*|(model|queue):[A-Za-z0-9._-]{1,100})$'),
    PRIMARY KEY (person_id, role, scope)
);

CREATE TABLE session (
    session_hash bytea PRIMARY KEY,
    person_id    uuid        NOT NULL REFERENCES person,
    created_at   timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,
    ended_at     timestamptz
);
CREATE INDEX session_person ON session (person_id);

CREATE TABLE token (
    token_id   uuid PRIMARY KEY,
    token_hash bytea       NOT NULL UNIQUE,
    person_id  uuid        NOT NULL REFERENCES person,
    name       text        NOT NULL,
    scopes     text[]      NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz
);

CREATE TABLE login_failure (
    failure_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    login_hash bytea       NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX login_failure_recent ON login_failure (login_hash, at);

-- Refusals before log-in, counted; the worker turns them into one entry a minute.
CREATE TABLE refusal_count (
    minute timestamptz NOT NULL,
    reason text        NOT NULL,
    count  integer     NOT NULL,
    PRIMARY KEY (minute, reason)
);

CREATE TABLE idempotency (
    key_hash   bytea PRIMARY KEY,
    created_at timestamptz NOT NULL,
    status     smallint    NOT NULL,
    body       bytea       NOT NULL
);
