-- What was planted, from the plan and not from looking for it again.
CREATE TABLE demo_load.plants (check_id text, finding text, key text);
INSERT INTO demo_load.plants
SELECT 'anomalies/' || split_part(finding, ' ', 1), coalesce(nullif(split_part(finding, ' ', 2), ''), 'found'),
       demo_load.event_id(n, day, seq)::text
FROM demo_load.planned WHERE finding IS NOT NULL
UNION ALL
SELECT 'anomalies/status_mismatch',
       CASE kind WHEN 'status_missing' THEN 'missing_row' WHEN 'status_last' THEN 'wrong_last_event'
                 WHEN 'status_minutes' THEN 'wrong_minutes' ELSE 'wrong_sync_errors' END,
       employee_id || '|' || day
FROM demo_load.status_plants
UNION ALL
SELECT 'queue/keka-sync', CASE queue_kind WHEN 'status_errors_hidden' THEN 'permanent' ELSE queue_kind END,
       demo_load.event_id(n, day, seq)::text
FROM demo_load.planned
WHERE queue_kind IN ('pending', 'retry', 'exhausted', 'permanent', 'skipped', 'stuck', 'status_errors_hidden')
UNION ALL
SELECT 'migrations/hithonix', 'pending', file FROM unnest(string_to_array(current_setting('demo.pending'), ',')) AS file;

CREATE TABLE demo_load.manifest AS
WITH findings AS (
  SELECT check_id, finding, json_build_object('rows', count(*), 'keys', json_agg(key ORDER BY key)) AS body
  FROM demo_load.plants GROUP BY check_id, finding
), extra AS (
  SELECT 'queue/keka-sync' AS check_id, 'states' AS finding,
         (SELECT json_object_agg(sync_status, n)
          FROM (SELECT sync_status, count(*) AS n FROM attendance_events GROUP BY 1 ORDER BY 1) AS s) AS body
  UNION ALL
  SELECT 'queue/keka-sync', 'failures',
         (SELECT json_agg(json_build_object('code', code, 'message_pattern', pattern, 'class', class, 'rows', n)
                          ORDER BY n DESC, pattern)
          FROM (SELECT f.code, f.pattern, f.class, count(*) AS n
                FROM demo_load.planned p
                JOIN demo_load.failures f ON f.kind = p.queue_kind AND f.variant = p.hash / 6 % 3
                GROUP BY 1, 2, 3) AS grouped)
  UNION ALL
  SELECT 'queue/keka-sync', 'sync_error_days', to_json(count(*)) FROM daily_status WHERE has_sync_errors
)
SELECT json_object_agg(check_id, body ORDER BY check_id) AS body
FROM (SELECT check_id, json_object_agg(finding, body ORDER BY finding) AS body
      FROM (SELECT * FROM findings UNION ALL SELECT * FROM extra) AS f GROUP BY check_id) AS checks;

ANALYZE;
