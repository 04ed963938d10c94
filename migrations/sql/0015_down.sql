REVOKE UPDATE (state, ended_at) ON export_job FROM reviewsvc_web;
UPDATE export_job SET state = 'failed', fault = 'cancelled' WHERE state = 'cancelled';
ALTER TABLE export_job DROP CONSTRAINT export_job_state_check;
ALTER TABLE export_job ADD CONSTRAINT export_job_state_check
    CHECK (state IN ('waiting', 'making', 'sealing', 'done', 'failed', 'expired'));
