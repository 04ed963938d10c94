-- A wish is what a steward asks for: to erase, to export, to place or to release a hold. Erasures are always wishes; the
-- others are, where they need a second person. What is wished stands in the entry at (log_id, seq).
ALTER TABLE erasure RENAME TO wish;
ALTER TABLE wish RENAME COLUMN erasure_id TO wish_id;
ALTER INDEX erasure_pkey RENAME TO wish_pkey;
ALTER INDEX erasure_order RENAME TO wish_order;
DROP INDEX erasure_open;
ALTER TABLE wish ALTER COLUMN key_id DROP NOT NULL;
ALTER TABLE wish ADD COLUMN act text NOT NULL DEFAULT 'erase' CHECK (act IN ('erase', 'export', 'hold', 'release'));
ALTER TABLE wish ALTER COLUMN act DROP DEFAULT;
ALTER TABLE wish ADD CHECK (key_id IS NOT NULL OR act IN ('hold', 'release'));
-- Of two who ask at once to erase the same subject, one is told that the other was first.
CREATE UNIQUE INDEX wish_erase ON wish (key_id) WHERE act = 'erase' AND status IN ('waiting', 'approved');
CREATE INDEX wish_open ON wish (requested_at) WHERE status IN ('waiting', 'approved');
GRANT UPDATE (done_at) ON wish TO reviewsvc_web;
