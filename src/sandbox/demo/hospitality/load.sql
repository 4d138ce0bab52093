-- The rows of both sides. Ids that exist in the twin only are left out of the legacy table, so that the
-- legacy table holds exactly the number of rows asked for.
SET LOCAL session_replication_role = replica;
SET LOCAL work_mem = '128MB';
CREATE SCHEMA demo_load;

CREATE FUNCTION demo_load.hash(text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashtextextended($1, 0) & 2147483647)::int;

CREATE TABLE demo_load.settings AS
SELECT current_setting('demo.rows')::bigint AS rows,
       greatest(200, current_setting('demo.rows')::bigint / 10) AS balances,
       date_trunc('month', now() AT TIME ZONE 'UTC') - interval '13 months' AS began,
       now() AT TIME ZONE 'UTC' AS present;

CREATE TABLE demo_load.tables AS
SELECT t.name, t.rows FROM demo_load.settings s,
     LATERAL (VALUES ('revenues', s.rows), ('expenses', s.rows), ('daily_cash_balances', s.balances)) AS t (name, rows);

-- Per table: every plant an id of its own, spread over the whole range.
CREATE TABLE demo_load.plants AS
WITH quota AS (
  SELECT t.name, t.rows, q.kind, q.place,
         greatest(q.least_rows, least(q.base * 20, q.base * t.rows / 50000)) AS n
  FROM demo_load.tables t, (VALUES ('missing_in_partitioned', 1, 40, 4), ('missing_in_legacy', 2, 12, 3),
                                   ('different', 3, 60, 8), ('stale', 4, 15, 3)) AS q (kind, place, base, least_rows)
), slots AS (
  SELECT name, rows, kind, row_number() OVER (PARTITION BY name ORDER BY demo_load.hash(name || kind || i)) AS slot,
         row_number() OVER (PARTITION BY name, kind ORDER BY i) AS variant, count(*) OVER (PARTITION BY name) AS total
  FROM quota, generate_series(1, n) AS i
)
SELECT name, kind, (slot - 1) * (rows / total) + 1 + demo_load.hash(name || slot) % (rows / total) AS id,
       variant % 6 AS variant, NULL::text[] AS columns
FROM slots;
ALTER TABLE demo_load.plants ADD PRIMARY KEY (name, id);

CREATE VIEW demo_load.extra AS
SELECT name, count(*) FILTER (WHERE kind = 'missing_in_legacy') AS n FROM demo_load.plants GROUP BY name;

CREATE TABLE demo_load.partition_to_be_missed AS
SELECT 'expenses_' || to_char(present + make_interval(months => ahead), 'YYYY_MM') AS name, ahead
FROM demo_load.settings, generate_series(1, 2) AS ahead;

ALTER TABLE revenues DROP CONSTRAINT revenues_pkey CASCADE;
ALTER TABLE expenses DROP CONSTRAINT expenses_pkey CASCADE;
DROP INDEX idx_revenues_org_time, idx_expenses_org_time;
ALTER TABLE revenues_partitioned DROP CONSTRAINT revenues_partitioned_pkey;
ALTER TABLE expenses_partitioned DROP CONSTRAINT expenses_partitioned_pkey;
DROP INDEX idx_revenues_partitioned_org_time, idx_expenses_partitioned_org_time;

INSERT INTO revenues_partitioned (id, org_id, property_id, amount_cents, occurred_at, description, category,
                                  payment_method, reference_number, status, approved_by_user_id,
                                  approved_at, created_by_user_id, created_at, updated_at)
SELECT id, 1 + h % 24, 1 + h % 24 * 10 + h / 24 % 6, 1500 + h % 250000, at,
       CASE h % 9 WHEN 0 THEN NULL WHEN 1 THEN 'Café Münster, désayuno' WHEN 2 THEN '宿泊料 第' || h % 400 || '号室'
            WHEN 3 THEN 'Miete für März ☂' ELSE 'Room ' || 100 + h % 400 || ', ' || 1 + h % 5 || ' nights' END,
       (ARRAY['accommodation', 'restaurant', 'events', 'spa', NULL])[1 + h / 7 % 5],
       (ARRAY['card', 'cash', 'bank_transfer', 'upi', NULL])[1 + h / 11 % 5],
       CASE WHEN h % 3 > 0 THEN 'R-' || lpad(id::text, 8, '0') END,
       CASE WHEN approved THEN 'approved' ELSE (ARRAY['pending', 'rejected', 'pending', NULL])[1 + h / 17 % 4] END,
       CASE WHEN approved THEN 1 + h % 40 END, CASE WHEN approved THEN at + make_interval(mins => h % 2880) END,
       1 + h % 90, at, at + make_interval(mins => h % 3000)
FROM (SELECT id, h, h / 13 % 4 > 0 AS approved,
             date_trunc('milliseconds', began + (present - began) * ((id - 1 + h % 1000 / 1000.0) / last)::float) AS at
      FROM demo_load.settings CROSS JOIN LATERAL
           (SELECT rows + n AS last FROM demo_load.extra WHERE name = 'revenues') AS e CROSS JOIN LATERAL
           (SELECT id, demo_load.hash('revenue ' || id) AS h FROM generate_series(1, last) AS id) AS ids) AS r;

INSERT INTO expenses_partitioned (id, org_id, property_id, amount_cents, occurred_at, description, category,
                                  vendor_name, payment_method, reference_number, status, approved_by_user_id,
                                  approved_at, created_by_user_id, created_at, updated_at)
SELECT id, 1 + h % 24, 1 + h % 24 * 10 + h / 24 % 6, 500 + h % 120000, at,
       CASE h % 8 WHEN 0 THEN NULL WHEN 1 THEN 'Würzige Vorräte, 12 kg' WHEN 2 THEN '電気代 ' || h % 12 + 1 || '月'
            ELSE 'Invoice ' || 1000 + h % 9000 END,
       (ARRAY['utilities', 'supplies', 'payroll', 'repairs', NULL])[1 + h / 7 % 5],
       (ARRAY['Śląsk Linen Co', 'Mumbai Gas Ltd', 'Bäckerei Weiß', 'City Water', NULL])[1 + h / 19 % 5],
       (ARRAY['card', 'cash', 'bank_transfer', 'upi', NULL])[1 + h / 11 % 5],
       CASE WHEN h % 3 > 0 THEN 'E-' || lpad(id::text, 8, '0') END,
       CASE WHEN approved THEN 'approved' ELSE (ARRAY['pending', 'rejected', 'pending', NULL])[1 + h / 17 % 4] END,
       CASE WHEN approved THEN 1 + h % 40 END, CASE WHEN approved THEN at + make_interval(mins => h % 2880) END,
       1 + h % 90, at, at + make_interval(mins => h % 3000)
FROM (SELECT id, h, h / 13 % 4 > 0 AS approved,
             date_trunc('milliseconds', began + (present - began) * ((id - 1 + h % 1000 / 1000.0) / last)::float) AS at
      FROM demo_load.settings CROSS JOIN LATERAL
           (SELECT rows + n AS last FROM demo_load.extra WHERE name = 'expenses') AS e CROSS JOIN LATERAL
           (SELECT id, demo_load.hash('expense ' || id) AS h FROM generate_series(1, last) AS id) AS ids) AS r;

-- One balance a day for each property; closing = opening + received - spent.
INSERT INTO daily_cash_balances_partitioned (
  id, org_id, property_id, balance_date, opening_balance_cents, cash_received_cents, bank_received_cents,
  cash_expenses_cents, bank_expenses_cents, closing_balance_cents, is_opening_balance_auto_calculated,
  calculated_closing_balance_cents, balance_discrepancy_cents, created_by_user_id, created_at, updated_at)
SELECT id, org, org * 1000 + place, day, opening, cash_in, bank_in, cash_out, bank_out, closing,
       (ARRAY[true, false, NULL])[1 + h % 3], closing + CASE WHEN h % 50 = 0 THEN 25 ELSE 0 END,
       CASE WHEN h % 50 = 0 THEN 25 WHEN h % 50 = 1 THEN NULL ELSE 0 END, 1 + h % 40,
       day + interval '21 hours', day + interval '22 hours'
FROM (SELECT *, opening + cash_in + bank_in - cash_out - bank_out AS closing
      FROM (SELECT id, h, 1 + id % 20 AS org, id / 20 % places AS place,
                   present::date - (last / (20 * places) - id / (20 * places))::int AS day,
                   h % 100000 AS opening, h / 3 % 50000 AS cash_in, h / 5 % 90000 AS bank_in,
                   h / 7 % 20000 AS cash_out, h / 11 % 40000 AS bank_out
            FROM demo_load.settings CROSS JOIN LATERAL
                 (SELECT balances + n AS last, 1 + balances / 8000 AS places
                  FROM demo_load.extra WHERE name = 'daily_cash_balances') AS e CROSS JOIN LATERAL
                 (SELECT id, demo_load.hash('balance ' || id) AS h FROM generate_series(1, last) AS id) AS ids)
           AS amounts) AS b;

-- Columns by name: the two sides have them in another order.
DO $$
DECLARE
  t text;
  names text;
BEGIN
  FOR t IN SELECT name FROM demo_load.tables LOOP
    SELECT string_agg(quote_ident(attname), ', ') INTO names FROM pg_attribute
    WHERE attrelid = t::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE format('INSERT INTO %I (%s) SELECT %s FROM %I p WHERE NOT EXISTS (SELECT FROM demo_load.plants x '
                   'WHERE x.name = %L AND x.kind = ''missing_in_legacy'' AND x.id = p.id) ORDER BY id',
                   t, names, names, t || '_partitioned', t);
    EXECUTE format('SELECT setval(%L, (SELECT max(id) FROM %I) + 1000, false)', t || '_id_seq', t || '_partitioned');
  END LOOP;
END
$$;

ALTER TABLE revenues ADD PRIMARY KEY (id);
ALTER TABLE expenses ADD PRIMARY KEY (id);
ALTER TABLE revenue_deletion_requests ADD CONSTRAINT revenue_deletion_requests_revenue_id_fkey
  FOREIGN KEY (revenue_id) REFERENCES revenues (id);
ALTER TABLE expense_deletion_requests ADD CONSTRAINT expense_deletion_requests_expense_id_fkey
  FOREIGN KEY (expense_id) REFERENCES expenses (id);
CREATE INDEX idx_revenues_org_time ON revenues (org_id, occurred_at);
CREATE INDEX idx_expenses_org_time ON expenses (org_id, occurred_at);
ALTER TABLE revenues_partitioned ADD PRIMARY KEY (id, occurred_at);
ALTER TABLE expenses_partitioned ADD PRIMARY KEY (id, occurred_at);
CREATE INDEX idx_revenues_partitioned_org_time ON revenues_partitioned (org_id, occurred_at);
CREATE INDEX idx_expenses_partitioned_org_time ON expenses_partitioned (org_id, occurred_at);

INSERT INTO revenue_deletion_requests (revenue_id, requested_by_user_id, reason, status)
SELECT id, 1 + id % 40, 'entered twice', (ARRAY['pending', 'rejected'])[1 + id % 2]
FROM revenues r WHERE id % 97 = 0 AND id < 20000
  AND NOT EXISTS (SELECT FROM demo_load.plants p WHERE p.name = 'revenues' AND p.id = r.id);
INSERT INTO expense_deletion_requests (expense_id, requested_by_user_id, reason, status)
SELECT id, 1 + id % 40, 'wrong property', (ARRAY['pending', 'rejected'])[1 + id % 2]
FROM expenses r WHERE id % 113 = 0 AND id < 20000
  AND NOT EXISTS (SELECT FROM demo_load.plants p WHERE p.name = 'expenses' AND p.id = r.id);
