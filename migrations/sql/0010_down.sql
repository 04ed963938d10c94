DROP FUNCTION keys.sweep();
REVOKE DELETE ON keys.data_key FROM reviewsvc_worker;
REVOKE UPDATE (wrapped, kek_id) ON keys.data_key, keys.hash_key FROM reviewsvc_worker;
REVOKE UPDATE (subject, segment) ON prediction FROM reviewsvc_worker;
ALTER TABLE keys.data_key ALTER COLUMN wrapped SET STATISTICS -1, ALTER COLUMN subject SET STATISTICS -1,
    ALTER COLUMN key_id SET STATISTICS -1;
DROP VIEW hold_standing;
DROP TABLE key_sweep, hold_released, hold, erased_key, erasure_left, erasure;
