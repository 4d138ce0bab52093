-- More of everything that the demo plants a little of, so that runs have several batches of seven; and a queue table.
SET session_replication_role = replica;
INSERT INTO attendance_events (id, employee_id, event_type, event_timestamp_utc, business_date_ist, sync_status, created_at)
SELECT md5('golden duplicate ' || id)::uuid, employee_id, 'CLOCK_IN', event_timestamp_utc + interval '3 min', business_date_ist,
       'SUCCESS', created_at + interval '1 s'
FROM attendance_events WHERE event_type = 'CLOCK_IN' ORDER BY id LIMIT 20;
UPDATE attendance_events SET business_date_ist = business_date_ist - 1
WHERE id IN (SELECT id FROM attendance_events
             WHERE event_type IN ('LUNCH_END', 'CLOCK_OUT')
               AND business_date_ist = (event_timestamp_utc AT TIME ZONE 'Asia/Kolkata')::date
             ORDER BY id LIMIT 140);
UPDATE attendance_events SET sync_status = 'FAILED', attempt_count = 5, keka_status_code = 503
WHERE id IN (SELECT DISTINCT ON (employee_id, business_date_ist) id FROM attendance_events
             WHERE sync_status = 'SUCCESS' AND event_type = 'BREAK_END'
             ORDER BY employee_id, business_date_ist, id LIMIT 20);
SET session_replication_role = origin;
SELECT rebuild_daily_status(employee_id, day) FROM (
  SELECT DISTINCT e.employee_id, x.day FROM attendance_events e
  CROSS JOIN LATERAL (VALUES (e.business_date_ist), (e.business_date_ist + 1)) x(day)) d;
UPDATE daily_status SET break_minutes_used = break_minutes_used + 500
WHERE (employee_id, business_date_ist) IN (SELECT employee_id, business_date_ist FROM daily_status
                                           ORDER BY md5(employee_id::text || business_date_ist) LIMIT 20);

CREATE TABLE jobs (id bigint PRIMARY KEY, state text NOT NULL DEFAULT 'waiting', payload text NOT NULL, tries int NOT NULL DEFAULT 0,
                   failure text, created_at timestamptz NOT NULL, tried_at timestamptz);
CREATE TABLE job_log (id bigserial PRIMARY KEY, job bigint NOT NULL, action text NOT NULL, reason text, context jsonb,
                      at timestamptz DEFAULT now());
INSERT INTO jobs (id, state, payload, tries, failure, created_at, tried_at)
SELECT n, CASE WHEN n % 3 = 0 THEN 'done' ELSE 'failed' END, 'job ' || n, 5, CASE WHEN n % 3 > 0 THEN 'timeout' END,
       now() - interval '1 day', now() - interval '1 hour' FROM generate_series(1, 30) AS n;
