-- An approval is what a steward asks for: to erase, to export, to place or to release a hold. Erasures are always approvals; the
-- others are, where they need a second person. What is asked for stands in the entry at (log_id, seq).
ALTER TABLE erasure RENAME TO approval;
ALTER TABLE approval RENAME COLUMN erasure_id TO approval_id;
ALTER INDEX erasure_pkey RENAME TO approval_pkey;
ALTER INDEX erasure_order RENAME TO approval_order;
DROP INDEX erasure_open;
ALTER TABLE approval ALTER COLUMN key_id DROP NOT NULL;
ALTER TABLE approval ADD COLUMN act text NOT NULL DEFAULT 'erase' CHECK (act IN ('erase', 'export', 'hold', 'release'));
ALTER TABLE approval ALTER COLUMN act DROP DEFAULT;
ALTER TABLE approval ADD CHECK (key_id IS NOT NULL OR act IN ('hold', 'release'));
-- Of two who ask at once to erase the same subject, one is told that the other was first.
CREATE UNIQUE INDEX approval_erase ON approval (key_id) WHERE act = 'erase' AND status IN ('waiting', 'approved');
CREATE INDEX approval_open ON approval (requested_at) WHERE status IN ('waiting', 'approved');
GRANT UPDATE (done_at) ON approval TO reviewsvc_web;
