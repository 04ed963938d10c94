-- A bundle that is not made yet can be cancelled; the worker removes what was brought in of it.
ALTER TABLE export_job DROP CONSTRAINT export_job_state_check;
ALTER TABLE export_job ADD CONSTRAINT export_job_state_check
    CHECK (state IN ('waiting', 'making', 'sealing', 'done', 'failed', 'expired', 'cancelled'));
GRANT UPDATE (state, ended_at) ON export_job TO reviewsvc_web;
