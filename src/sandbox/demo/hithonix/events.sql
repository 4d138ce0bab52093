-- People, and the events of their days.
INSERT INTO employees (id, slack_user_id, keka_id, email, department, designation, location, manager_employee_id,
                       date_of_joining, role, shift_config, raw_keka_profile)
SELECT demo_load.employee_id(n), CASE WHEN n > people THEN 'ULIVE' ELSE 'U' END || lpad(n::text, 6, '0'),
       'HX-' || lpad(n::text, 5, '0'),
       lower(name || '.' || family || n || '@hithonix.example'), department,
       (ARRAY['Engineer', 'Analyst', 'Lead', 'Associate', 'Consultant'])[1 + n % 5],
       (ARRAY['Bengaluru', 'Pune', 'Hyderabad', 'Kochi', NULL])[1 + (n / 3) % 5],
       CASE WHEN n % 10 <> 1 THEN demo_load.employee_id(n - (n - 1) % 10) END,
       today - 200 - n % 2000,
       CASE WHEN n = 1 THEN 'ORG_ADMIN' WHEN n % 10 = 1 THEN 'MANAGER' ELSE 'EMPLOYEE' END::employee_role_enum,
       CASE WHEN n % 4 = 0 THEN '{"shift": "late"}'::jsonb ELSE '{"shift": "day"}' END,
       jsonb_build_object('displayName', name || ' ' || family, 'employeeNumber', 'HX-' || lpad(n::text, 5, '0'),
                          'department', department)
FROM demo_load.settings, generate_series(1, people + 8) AS n,
     LATERAL (SELECT (ARRAY['Asha', 'Ravi', 'Meera', 'Arjun', 'Divya', 'Imran', 'Kavya', 'Nikhil', 'Zoë', 'José',
                            'Priya', 'Farah', 'Rohan'])[1 + n % 13] AS name,
                     (ARRAY['Nair', 'Sharma', 'Iyer', 'Khan', 'D''Souza', 'Reddy', 'Patel', 'Menon', 'Das',
                            'Müller', 'Rao'])[1 + n % 11] AS family,
                     (ARRAY['Engineering', 'Support', 'Finance', 'People', 'Sales', 'Operations', NULL])[1 + n % 7]
                       AS department) AS person;
INSERT INTO keka_employee_imports (keka_employee_id, raw_payload) SELECT keka_id, raw_keka_profile FROM employees;
INSERT INTO keka_tokens (access_token, expires_at) VALUES ('demo-secret-never-shown', now() + interval '1 hour');

-- What the outside system answered, one line per thing that goes wrong; `pattern` is for LIKE.
CREATE TABLE demo_load.failures (kind text, variant int, code int, class text, message text, pattern text);
INSERT INTO demo_load.failures
SELECT kind, variant, code, class, message, regexp_replace(message, '\{\w+\}', '%', 'g')
FROM (VALUES
  ('retry', 0, 503, 'retryable', 'Service unavailable: request {uuid} failed upstream after {n} ms'),
  ('retry', 1, 429, 'retryable', 'Too many requests for tenant hithonix, retry after {n} s'),
  ('retry', 2, NULL, 'retryable', 'ETIMEDOUT: no answer from 10.3.{m}.17:443 after {n} ms'),
  ('exhausted', 0, 502, 'retryable', 'Bad gateway (trace {uuid})'),
  ('exhausted', 1, 503, 'retryable', 'Service unavailable: request {uuid} failed upstream after {n} ms'),
  ('exhausted', 2, NULL, 'retryable', 'ECONNRESET: connection reset by peer while sending {n} bytes'),
  ('permanent', 0, 422, 'permanent', 'Employee HX-{n} has no attendance number'),
  ('permanent', 1, 404, 'permanent', 'Employee number {n} was not found'),
  ('permanent', 2, 400, 'permanent', 'Attendance of {day} is locked by payroll run {n}')
) AS f (kind, variant, code, class, message);
INSERT INTO demo_load.failures
SELECT 'status_errors_hidden', variant, code, class, message, pattern FROM demo_load.failures WHERE kind = 'permanent';

-- The load is quicker without them; the end of this script puts them back.
ALTER TABLE repairs.business_dates DROP CONSTRAINT business_dates_event_id_fkey;
ALTER TABLE attendance_events DROP CONSTRAINT attendance_events_pkey;
DROP INDEX idx_attendance_events_employee_date, idx_attendance_events_sync_status_date,
           idx_attendance_events_created_at;

CREATE VIEW demo_load.planned AS
SELECT d.n, d.day, d.kind, d.hash, t.seq, t.type, t.finding, t.compensates,
       -- The one event of a queue day that the queue is about.
       CASE WHEN t.seq = 1 + d.hash % 6 THEN d.kind ELSE 'plain' END AS queue_kind,
       (d.day + make_interval(mins => coalesce(t.utc_minute + d.hash % 20,
                                               t.minute + 360 + d.hash % CASE d.kind WHEN 'morning' THEN 90 ELSE 240 END),
                              secs => demo_load.hash(d.hash || ' ' || t.seq) % 180))
         AT TIME ZONE CASE WHEN t.utc_minute IS NULL THEN 'Asia/Kolkata' ELSE 'UTC' END AS at
FROM demo_load.days d JOIN demo_load.template t USING (kind);

INSERT INTO attendance_events (id, employee_id, event_type, event_timestamp_utc, business_date_ist, payload,
                               created_by_slack_id, sync_status, keka_request_body, keka_response_body,
                               keka_status_code, attempt_count, last_attempt_at, created_at)
SELECT demo_load.event_id(n, day, seq), demo_load.employee_id(n), type, at, day,
       CASE WHEN compensates IS NOT NULL
            THEN jsonb_build_object('compensates', demo_load.event_id(n, day, compensates), 'by', 'U000001')
            ELSE '{"source": "slack"}' END,
       'U' || lpad(n::text, 6, '0'), state,
       CASE WHEN state NOT IN ('PENDING', 'SKIPPED')
            THEN jsonb_build_object('employeeNumber', 'HX-' || lpad(n::text, 5, '0'), 'punch', type) END,
       CASE WHEN message IS NOT NULL THEN jsonb_build_object('error', jsonb_build_object('message', message))
            WHEN state = 'SUCCESS' THEN '{"succeeded": true}'
            WHEN state = 'SKIPPED' THEN '{"skipped": "employee is exempt from punching"}' END,
       CASE WHEN state = 'SUCCESS' THEN 200 ELSE code END, attempts,
       CASE WHEN attempts > 0 THEN at + make_interval(secs => 3 + 20 * (attempts - 1)) END,
       at + interval '1 second'
FROM (
  SELECT p.*, f.code,
         replace(replace(replace(replace(f.message, '{n}', (1000 + p.hash % 8999)::text), '{m}', (p.hash % 250)::text),
                         '{uuid}', md5(p.hash::text)::uuid::text), '{day}', p.day::text) AS message,
         CASE p.queue_kind WHEN 'pending' THEN 'PENDING' WHEN 'retry' THEN 'FAILED' WHEN 'exhausted' THEN 'FAILED'
              WHEN 'permanent' THEN 'PERMANENT_FAILURE' WHEN 'status_errors_hidden' THEN 'PERMANENT_FAILURE'
              WHEN 'skipped' THEN 'SKIPPED' WHEN 'stuck' THEN 'PROCESSING' ELSE 'SUCCESS'
         END::attendance_sync_status AS state,
         CASE p.queue_kind WHEN 'pending' THEN 0 WHEN 'skipped' THEN 0 WHEN 'retry' THEN 1 + p.hash % 4
              WHEN 'exhausted' THEN 5 + p.hash / 6 % 2 ELSE 1 END AS attempts
  FROM demo_load.planned p
  LEFT JOIN demo_load.failures f ON f.kind = p.queue_kind AND f.variant = p.hash / 6 % 3
) AS e
ORDER BY at;

-- Notes fill up to exactly the number of rows asked for.
INSERT INTO attendance_events (id, employee_id, event_type, event_timestamp_utc, business_date_ist, payload,
                               sync_status, keka_status_code, attempt_count, last_attempt_at, created_at)
SELECT demo_load.event_id(n, day, 90), demo_load.employee_id(n), 'SYSTEM_NOTE', at, day,
       '{"note": "reminder sent"}', 'SUCCESS', 200, 1, at + interval '3 s', at + interval '1 s'
FROM (SELECT n, day, (day + make_interval(mins => 300 + 360 + hash % 240)) AT TIME ZONE 'Asia/Kolkata' AS at
      FROM demo_load.days WHERE kind IN ('plain', 'long')
      ORDER BY day DESC, hash, n
      LIMIT (SELECT rows - (SELECT count(*) FROM attendance_events) FROM demo_load.settings)) AS notes;

INSERT INTO repairs.business_dates (event_id, old_date, new_date, reason)
SELECT demo_load.event_id(n, day, seq), day, (at AT TIME ZONE 'Asia/Kolkata')::date, 'UTC date stored as business date'
FROM demo_load.planned WHERE finding = 'date_mismatch repaired';

ALTER TABLE attendance_events ADD PRIMARY KEY (id);
ALTER TABLE repairs.business_dates ADD CONSTRAINT business_dates_event_id_fkey
  FOREIGN KEY (event_id) REFERENCES attendance_events (id);
CREATE INDEX idx_attendance_events_employee_date ON attendance_events (employee_id, business_date_ist);
CREATE INDEX idx_attendance_events_sync_status_date ON attendance_events (sync_status, business_date_ist);
CREATE INDEX idx_attendance_events_created_at ON attendance_events (created_at);
