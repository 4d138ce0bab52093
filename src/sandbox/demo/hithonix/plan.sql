-- Which employee-days exist and what is wrong with each: one plant per day, so that none makes another.
SET LOCAL session_replication_role = replica;
SET LOCAL work_mem = '128MB';
SET LOCAL maintenance_work_mem = '256MB';
CREATE SCHEMA demo_load;

CREATE FUNCTION demo_load.hash(text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashtextextended($1, 0) & 2147483647)::int;
CREATE FUNCTION demo_load.event_id(n int, day date, seq int) RETURNS uuid LANGUAGE sql STABLE
RETURN md5('event ' || n || ' ' || day || ' ' || seq)::uuid;
CREATE FUNCTION demo_load.employee_id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE RETURN md5('employee ' || n)::uuid;

CREATE TABLE demo_load.settings AS
SELECT current_setting('demo.rows')::bigint AS rows,
       greatest(12, current_setting('demo.rows')::bigint / 480)::int AS people,
       (now() AT TIME ZONE 'Asia/Kolkata')::date AS today,
       (now() AT TIME ZONE 'Asia/Kolkata')::time >= '09:50' AS morning_over;

-- An event of a kind of day: minutes after the shift's start, or after midnight UTC.
CREATE TABLE demo_load.template (kind text, seq int, type attendance_event_type, minute int, utc_minute int,
                                 finding text, compensates int);
INSERT INTO demo_load.template (kind, seq, type, minute)
SELECT kind, seq, type::attendance_event_type, minute
FROM unnest(ARRAY['plain', 'duplicate', 'triple', 'duplicate_compensated', 'start_start_end', 'lone_start',
                  'start_compensated', 'lunch_reversed', 'lunch_lone', 'no_clock_out', 'date_pair', 'date_repaired',
                  'status_missing', 'status_last', 'status_minutes', 'status_errors_shown', 'status_errors_hidden',
                  'pending', 'retry', 'exhausted', 'permanent', 'skipped', 'stuck']) AS kind
CROSS JOIN (VALUES (1, 'CLOCK_IN', 0), (2, 'BREAK_START', 95), (3, 'BREAK_END', 110), (4, 'LUNCH_START', 240),
                   (5, 'LUNCH_END', 285), (6, 'CLOCK_OUT', 540)) AS day (seq, type, minute)
UNION ALL
VALUES ('long', 1, 'CLOCK_IN'::attendance_event_type, 0), ('long', 2, 'BREAK_START', 95), ('long', 3, 'BREAK_END', 110),
       ('long', 4, 'LUNCH_START', 240), ('long', 5, 'LUNCH_END', 285), ('long', 7, 'BREAK_START', 380),
       ('long', 8, 'BREAK_END', 392), ('long', 6, 'CLOCK_OUT', 540),
       ('morning', 1, 'CLOCK_IN', 0), ('morning', 2, 'BREAK_START', 60), ('morning', 3, 'BREAK_END', 70),
       ('morning', 6, 'CLOCK_OUT', 120);
DELETE FROM demo_load.template
WHERE (kind, seq) IN (('lunch_lone', 5), ('lunch_reversed', 4), ('lunch_reversed', 5), ('no_clock_out', 6));
INSERT INTO demo_load.template
VALUES ('duplicate', 11, 'CLOCK_IN', 5, NULL, 'duplicate_clock_in', NULL),
       ('triple', 11, 'CLOCK_IN', 5, NULL, 'duplicate_clock_in', NULL),
       ('triple', 12, 'CLOCK_IN', 400, NULL, 'duplicate_clock_in', NULL),
       ('duplicate_compensated', 11, 'CLOCK_IN', 5, NULL, 'duplicate_clock_in compensated', NULL),
       ('duplicate_compensated', 12, 'ADMIN_ADJUST', 600, NULL, NULL, 11),
       ('start_start_end', 11, 'BREAK_START', 90, NULL, 'unclosed_break', NULL),
       ('lone_start', 11, 'BREAK_START', 400, NULL, 'unclosed_break', NULL),
       ('start_compensated', 11, 'BREAK_START', 400, NULL, 'unclosed_break compensated', NULL),
       ('start_compensated', 12, 'ADMIN_ADJUST', 600, NULL, NULL, 11),
       ('lunch_reversed', 14, 'LUNCH_END', 240, NULL, 'unpaired_lunch', NULL),
       ('lunch_reversed', 15, 'LUNCH_START', 285, NULL, 'unpaired_lunch', NULL),
       ('date_pair', 11, 'BREAK_START', NULL, 1320, 'date_mismatch', NULL),
       ('date_pair', 12, 'BREAK_END', NULL, 1350, 'date_mismatch', NULL),
       ('date_repaired', 11, 'BREAK_START', NULL, 1320, 'date_mismatch repaired', NULL),
       ('date_repaired', 12, 'BREAK_END', NULL, 1350, 'date_mismatch repaired', NULL);
UPDATE demo_load.template SET finding = 'unpaired_lunch' WHERE kind = 'lunch_lone' AND seq = 4;
UPDATE demo_load.template SET finding = 'never_clocked_out' WHERE kind = 'no_clock_out' AND seq = 1;

-- How many days of each kind: per 50,000 rows, at least, and of which group of days.
CREATE TABLE demo_load.quota AS
SELECT ordinality AS place, kind, pool,
       CASE pool WHEN 'night' THEN greatest(least_days, base * s.rows / 50000)
                 ELSE greatest(least_days, least(base * 20, base * s.rows / 50000)) END AS days
FROM demo_load.settings s, ROWS FROM (unnest(
  ARRAY['date_pair', 'date_repaired', 'pending', 'retry', 'stuck', 'duplicate', 'triple', 'duplicate_compensated',
        'start_start_end', 'lone_start', 'start_compensated', 'lunch_reversed', 'lunch_lone', 'no_clock_out',
        'status_missing', 'status_last', 'status_minutes', 'status_errors_shown', 'status_errors_hidden',
        'exhausted', 'permanent', 'skipped'],
  ARRAY['night', 'night', 'recent', 'recent', 'recent', 'any', 'any', 'any', 'any', 'any', 'any', 'any', 'any', 'any',
        'any', 'any', 'any', 'any', 'any', 'any', 'any', 'any'],
  ARRAY[400, 6, 120, 150, 9, 18, 6, 4, 20, 25, 4, 12, 14, 30, 10, 10, 12, 4, 4, 40, 80, 25],
  ARRAY[8, 2, 5, 9, 2, 3, 1, 1, 3, 3, 1, 2, 2, 3, 2, 2, 2, 2, 2, 4, 6, 2])) WITH ORDINALITY
  AS q (kind, pool, base, least_days, ordinality);

CREATE TABLE demo_load.slots AS
SELECT pool, kind, row_number() OVER (PARTITION BY pool ORDER BY place, i) AS slot
FROM demo_load.quota, generate_series(1, days) AS i;

-- The newest days come first; every fourth employee works nights, where the date goes wrong.
CREATE TABLE demo_load.pool AS
SELECT n, day, demo_load.hash(n || ' ' || day) AS hash, n % 4 = 0 AS night, day = s.today AS is_today
FROM demo_load.settings s, generate_series(1, s.people) AS n,
     LATERAL (SELECT d::date AS day FROM generate_series(s.today - 119, s.today, '1 day') AS d
              WHERE extract(isodow FROM d) < 6 AND (d < s.today OR s.morning_over)) AS days
ORDER BY day DESC, hash, n
LIMIT (SELECT rows / 6 + 100 FROM demo_load.settings);

-- The budget is kept exactly: plants first, then whole days while they fit.
CREATE TABLE demo_load.days AS
WITH groups AS (
  SELECT p.*, CASE WHEN night THEN CASE WHEN day <= today - 2 THEN 'night' END
                   WHEN day < today THEN 'any' END AS pool,
         row_number() OVER (PARTITION BY night, day < today ORDER BY day DESC, hash, n)
           <= (SELECT count(*) FROM demo_load.slots WHERE pool = 'recent') AND NOT night AND day < today AS recent
  FROM demo_load.pool p, demo_load.settings
), ranked AS (
  SELECT n, day, hash, is_today, CASE WHEN recent THEN 'recent' ELSE pool END AS pool,
         row_number() OVER (PARTITION BY CASE WHEN recent THEN 'recent' ELSE pool END ORDER BY hash, n, day) AS slot
  FROM groups
), kinds AS (
  SELECT r.n, r.day, r.hash, s.kind IS NOT NULL AS planted,
         coalesce(s.kind, CASE WHEN is_today THEN 'morning' WHEN r.hash % 5 < 2 THEN 'long' ELSE 'plain' END) AS kind
  FROM ranked r LEFT JOIN demo_load.slots s USING (pool, slot)
), counted AS (
  SELECT k.*, sum(events) OVER (ORDER BY planted DESC, day DESC, hash, n ROWS UNBOUNDED PRECEDING) AS so_far
  FROM kinds k JOIN (SELECT kind, count(*) AS events FROM demo_load.template GROUP BY kind) t USING (kind)
)
SELECT n, day, hash, kind, planted, so_far FROM counted, demo_load.settings WHERE so_far <= rows;
