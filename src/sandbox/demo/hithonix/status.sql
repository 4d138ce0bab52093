-- The derived table, set-based, by the rules of rebuild_daily_status; then what is wrong with it.
INSERT INTO daily_status (employee_id, business_date_ist, current_status, last_event_id, last_event_timestamp_utc,
                          break_minutes_used, has_sync_errors, updated_at)
WITH events AS MATERIALIZED (
  SELECT e.id, e.employee_id, coalesce(r.new_date, e.business_date_ist) AS day, e.event_type,
         e.event_timestamp_utc AS at, e.created_at, e.sync_status,
         e.event_type NOT IN ('ADMIN_ADJUST', 'AUTO_ADJUST', 'SYSTEM_NOTE') AS bears_status
  FROM attendance_events e LEFT JOIN repairs.business_dates r ON r.event_id = e.id
), last AS (
  SELECT DISTINCT ON (employee_id, day) employee_id, day, id, at
  FROM events ORDER BY employee_id, day, at DESC, created_at DESC, id DESC
), status AS (
  SELECT DISTINCT ON (employee_id, day) employee_id, day,
         CASE event_type WHEN 'CLOCK_OUT' THEN 'OFF_DUTY' WHEN 'BREAK_START' THEN 'ON_BREAK'
                         WHEN 'LUNCH_START' THEN 'ON_LUNCH' ELSE 'ON_SHIFT' END::attendance_daily_status AS status
  FROM events WHERE bears_status ORDER BY employee_id, day, at DESC, created_at DESC, id DESC
), breaks AS (
  SELECT employee_id, day, floor(sum(extract(epoch FROM ended - at)) / 60)::int AS minutes
  FROM (SELECT employee_id, day, event_type, at, lead(event_type) OVER walk AS next_type, lead(at) OVER walk AS ended
        FROM events WHERE event_type IN ('BREAK_START', 'BREAK_END')
        WINDOW walk AS (PARTITION BY employee_id, day ORDER BY at, created_at, id)) AS walked
  WHERE event_type = 'BREAK_START' AND next_type = 'BREAK_END' GROUP BY employee_id, day
), errors AS (
  SELECT DISTINCT employee_id, day FROM events WHERE sync_status IN ('FAILED', 'PERMANENT_FAILURE')
)
SELECT l.employee_id, l.day, coalesce(s.status, 'OFF_DUTY'), l.id, l.at, coalesce(b.minutes, 0),
       e.employee_id IS NOT NULL, l.at + interval '1 second'
FROM last l LEFT JOIN status s USING (employee_id, day) LEFT JOIN breaks b USING (employee_id, day)
     LEFT JOIN errors e USING (employee_id, day)
ORDER BY l.day, l.employee_id;

CREATE VIEW demo_load.status_plants AS
SELECT n, day, kind, demo_load.employee_id(n) AS employee_id FROM demo_load.days WHERE kind LIKE 'status%';

DELETE FROM daily_status s USING demo_load.status_plants p
WHERE (s.employee_id, s.business_date_ist) = (p.employee_id, p.day) AND p.kind = 'status_missing';
UPDATE daily_status s SET break_minutes_used = break_minutes_used + 7 FROM demo_load.status_plants p
WHERE (s.employee_id, s.business_date_ist) = (p.employee_id, p.day) AND p.kind = 'status_minutes';
UPDATE daily_status s SET has_sync_errors = NOT has_sync_errors FROM demo_load.status_plants p
WHERE (s.employee_id, s.business_date_ist) = (p.employee_id, p.day) AND p.kind LIKE 'status_errors%';
-- As a projection in order of arrival would leave it.
UPDATE daily_status s SET last_event_id = e.id, last_event_timestamp_utc = e.event_timestamp_utc,
                          current_status = 'ON_SHIFT'
FROM demo_load.status_plants p JOIN attendance_events e ON e.id = demo_load.event_id(p.n, p.day, 5)
WHERE (s.employee_id, s.business_date_ist) = (p.employee_id, p.day) AND p.kind = 'status_last';

INSERT INTO audit_logs (actor_slack_id, target_employee_id, action, reason, context, created_at)
SELECT 'U000001', e.employee_id, 'ADMIN_ADJUST', 'corrected by hand', e.payload, e.created_at
FROM attendance_events e WHERE e.event_type = 'ADMIN_ADJUST';
