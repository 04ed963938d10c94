-- Groups only: a process logs in by its own role, which is a member of one of these, and does SET ROLE.
-- Roles belong to the cluster, so that this file may run on a cluster that has them already.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'reviewsvc_owner', 'reviewsvc_maint', 'reviewsvc_capture', 'reviewsvc_relay',
        'reviewsvc_web', 'reviewsvc_worker', 'reviewsvc_read'
    ] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;
