DROP FUNCTION drop_released();
DROP FUNCTION drop_month(text, smallint, date);
DROP VIEW stored_month, held_entry, held_case;
DROP TABLE dropped;
REVOKE SELECT ON task, activity, label, model, hold, hold_released FROM reviewsvc_maint;
REVOKE ALL ON payload_held FROM reviewsvc_maint;
ALTER TABLE retention_class DROP COLUMN prediction_days;
