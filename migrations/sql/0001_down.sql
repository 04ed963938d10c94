DROP SCHEMA keys CASCADE;
DROP TABLE idempotency, refusal_count, login_failure, token, session, grant_held, person,
    activity, label_current, label, decision, lease, slot, task, lane, queue, model_version, model, document,
    relay_place, capture_alarm, quarantine, prediction, payload_held, payload, retention_class, entry, head, log,
    generation, installation CASCADE;
DROP FUNCTION ensure_partitions(smallint, date);
DROP FUNCTION refuse_change();
