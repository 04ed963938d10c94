-- What keeps steps of the worker from their work, for the page of health.
CREATE TABLE step_trouble (
    step  text PRIMARY KEY,
    since timestamptz NOT NULL,
    why   text        NOT NULL
);
GRANT SELECT ON step_trouble TO reviewsvc_web, reviewsvc_worker, reviewsvc_read;
GRANT INSERT, UPDATE, DELETE ON step_trouble TO reviewsvc_worker;

-- Signed checkpoints that came back from where they were kept, and show that this database holds less, or another
-- history. The relay meets them in its topic.
ALTER TABLE restore_guard ADD COLUMN notes text[] NOT NULL DEFAULT '{}';
GRANT INSERT, UPDATE ON restore_guard TO reviewsvc_relay;
