-- Who asked what became of a model's predictions, and when last, to the minute: an entry for each would be one a call.
CREATE TABLE answer_reader (
    model   text        NOT NULL,
    reader  text        NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (model, reader)
);
GRANT SELECT ON answer_reader TO reviewsvc_web, reviewsvc_worker;
GRANT INSERT, UPDATE (last_at) ON answer_reader TO reviewsvc_web;
