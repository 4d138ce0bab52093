-- More of everything the demo plants a little of: enough for several batches of seven.
SET session_replication_role = replica;

-- A second CLOCK_IN on 40 days.
INSERT INTO attendance_events (id, employee_id, event_type, event_timestamp_utc, business_date_ist, sync_status, created_at)
SELECT md5('fault duplicate ' || id)::uuid, employee_id, 'CLOCK_IN', event_timestamp_utc + interval '3 min', business_date_ist,
       'SUCCESS', created_at + interval '1 s'
FROM attendance_events WHERE event_type = 'CLOCK_IN' ORDER BY id LIMIT 40;

-- 60 events dated a day early.
UPDATE attendance_events SET business_date_ist = business_date_ist - 1
WHERE id IN (SELECT id FROM attendance_events
             WHERE event_type IN ('LUNCH_END', 'CLOCK_OUT')
               AND business_date_ist = (event_timestamp_utc AT TIME ZONE 'Asia/Kolkata')::date
             ORDER BY id LIMIT 60);

-- 40 events that could not be pushed, on as many days.
UPDATE attendance_events SET sync_status = 'FAILED', attempt_count = 5, keka_status_code = 503
WHERE id IN (SELECT DISTINCT ON (employee_id, business_date_ist) id FROM attendance_events
             WHERE sync_status = 'SUCCESS' AND event_type = 'BREAK_END'
             ORDER BY employee_id, business_date_ist, id LIMIT 40);

SET session_replication_role = origin;

-- The whiteboard agrees with all that, except on 40 days.
SELECT rebuild_daily_status(employee_id, day) FROM (
  SELECT DISTINCT e.employee_id, x.day FROM attendance_events e
  CROSS JOIN LATERAL (VALUES (e.business_date_ist), (e.business_date_ist + 1)) x(day)) d;
UPDATE daily_status SET break_minutes_used = break_minutes_used + 500
WHERE (employee_id, business_date_ist) IN (SELECT employee_id, business_date_ist FROM daily_status
                                           ORDER BY md5(employee_id::text || business_date_ist) LIMIT 40);

SELECT fault.watch('attendance_events', 'change', 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT');
SELECT fault.watch('repairs.business_dates', 'change', 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT');
SELECT fault.watch('daily_status', 'derived', 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT');
SELECT fault.watch('audit_logs', 'audit', 'BEFORE INSERT ON %s FOR EACH STATEMENT');
