REVOKE INSERT, UPDATE ON restore_guard FROM reviewsvc_relay;
ALTER TABLE restore_guard DROP COLUMN notes;
DROP TABLE step_trouble;
