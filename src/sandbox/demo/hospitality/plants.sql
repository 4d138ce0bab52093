-- What is wrong with the twins.
DO $$
DECLARE
  t text;
BEGIN
  FOR t IN SELECT name FROM demo_load.tables LOOP
    EXECUTE format('DELETE FROM %I p USING demo_load.plants x WHERE x.name = %L '
                   'AND x.kind = ''missing_in_partitioned'' AND p.id = x.id', t || '_partitioned', t);
  END LOOP;

  FOREACH t IN ARRAY ARRAY['revenues', 'expenses'] LOOP
    -- NULL against a value both ways: what is NULL gets a value, what has one becomes NULL.
    EXECUTE format($sql$
      UPDATE %I p SET
        amount_cents = p.amount_cents + CASE x.variant WHEN 0 THEN 100 WHEN 4 THEN -1 ELSE 0 END,
        description = CASE WHEN x.variant <> 1 THEN p.description WHEN p.description IS NULL THEN 'added later' END,
        category = CASE WHEN x.variant <> 2 THEN p.category WHEN p.category IS NULL THEN 'other' END,
        status = CASE WHEN x.variant <> 3 THEN p.status WHEN p.status = 'approved' THEN 'pending' ELSE 'approved' END,
        payment_method = CASE WHEN x.variant <> 4 THEN p.payment_method WHEN p.payment_method IS NULL THEN 'cash' END,
        approved_at = CASE WHEN x.variant <> 5 THEN p.approved_at WHEN p.approved_at IS NULL THEN p.occurred_at END,
        approved_by_user_id = CASE WHEN x.variant <> 5 THEN p.approved_by_user_id
                                   WHEN p.approved_by_user_id IS NULL THEN 7 END
      FROM demo_load.plants x WHERE x.name = %L AND x.kind = 'different' AND p.id = x.id$sql$, t || '_partitioned', t);
    UPDATE demo_load.plants SET columns = CASE variant
      WHEN 0 THEN ARRAY['amount_cents'] WHEN 1 THEN ARRAY['description'] WHEN 2 THEN ARRAY['category']
      WHEN 3 THEN ARRAY['status'] WHEN 4 THEN ARRAY['amount_cents', 'payment_method']
      ELSE ARRAY['approved_at', 'approved_by_user_id'] END
    WHERE name = t AND kind = 'different';
  END LOOP;
END
$$;

UPDATE daily_cash_balances_partitioned p SET
  closing_balance_cents = p.closing_balance_cents + CASE x.variant WHEN 0 THEN 50 WHEN 4 THEN -5 ELSE 0 END,
  cash_received_cents = p.cash_received_cents + CASE x.variant WHEN 1 THEN 1 WHEN 4 THEN -5 ELSE 0 END,
  balance_discrepancy_cents = CASE WHEN x.variant <> 2 THEN p.balance_discrepancy_cents
                                   WHEN p.balance_discrepancy_cents IS NULL THEN 0 END,
  is_opening_balance_auto_calculated = CASE WHEN x.variant <> 3 THEN p.is_opening_balance_auto_calculated
                                            WHEN p.is_opening_balance_auto_calculated IS NULL THEN true END,
  updated_at = p.updated_at + CASE x.variant WHEN 5 THEN interval '1 microsecond' ELSE '0' END
FROM demo_load.plants x WHERE x.name = 'daily_cash_balances' AND x.kind = 'different' AND p.id = x.id;
UPDATE demo_load.plants SET columns = CASE variant
  WHEN 0 THEN ARRAY['closing_balance_cents'] WHEN 1 THEN ARRAY['cash_received_cents']
  WHEN 2 THEN ARRAY['balance_discrepancy_cents'] WHEN 3 THEN ARRAY['is_opening_balance_auto_calculated']
  WHEN 4 THEN ARRAY['cash_received_cents', 'closing_balance_cents'] ELSE ARRAY['updated_at'] END
WHERE name = 'daily_cash_balances' AND kind = 'different';

-- The row moved once, and DO NOTHING left it under its old key as well.
INSERT INTO revenues_partitioned (id, org_id, property_id, amount_cents, occurred_at, description, category,
                                  payment_method, status, created_by_user_id, created_at, updated_at)
SELECT p.id, org_id, property_id, amount_cents, occurred_at - interval '31 days', description, category,
       payment_method, 'pending', created_by_user_id, created_at, created_at
FROM revenues_partitioned p JOIN demo_load.plants x ON x.name = 'revenues' AND x.kind = 'stale' AND x.id = p.id;
INSERT INTO expenses_partitioned (id, org_id, property_id, amount_cents, occurred_at, description, category,
                                  vendor_name, payment_method, status, created_by_user_id, created_at, updated_at)
SELECT p.id, org_id, property_id, amount_cents, occurred_at - interval '31 days', description, category,
       vendor_name, payment_method, 'pending', created_by_user_id, created_at, created_at
FROM expenses_partitioned p JOIN demo_load.plants x ON x.name = 'expenses' AND x.kind = 'stale' AND x.id = p.id;
INSERT INTO daily_cash_balances_partitioned (id, org_id, property_id, balance_date, opening_balance_cents,
                                             closing_balance_cents, created_at, updated_at)
SELECT p.id, org_id + 500, property_id + 500000, balance_date, opening_balance_cents, closing_balance_cents,
       created_at, created_at
FROM daily_cash_balances_partitioned p
JOIN demo_load.plants x ON x.name = 'daily_cash_balances' AND x.kind = 'stale' AND x.id = p.id;

ALTER TABLE daily_cash_balances DISABLE TRIGGER sync_to_partitioned_daily_cash_balances_delete;
DO $$
DECLARE
  partition text;
BEGIN
  FOR partition IN SELECT name FROM demo_load.partition_to_be_missed LOOP
    EXECUTE format('DROP TABLE %I', partition);
  END LOOP;
END
$$;

CREATE TABLE demo_load.manifest AS
WITH findings AS (
  SELECT name, kind AS finding,
         CASE kind WHEN 'different' THEN json_build_object(
                     'rows', count(*), 'keys', json_agg(id ORDER BY id),
                     'columns', json_object_agg(id, columns ORDER BY id))
                   ELSE json_build_object('rows', count(*), 'keys', json_agg(id ORDER BY id)) END AS body
  FROM demo_load.plants GROUP BY name, kind
), structure AS (
  SELECT name, 'sequence' AS finding, name || '_partitioned_id_seq' AS key FROM demo_load.tables
  UNION ALL SELECT 'expenses', 'coverage', name FROM demo_load.partition_to_be_missed WHERE ahead = 1
  UNION ALL SELECT 'daily_cash_balances', 'trigger', 'sync_to_partitioned_daily_cash_balances_delete'
), every AS (
  SELECT * FROM findings
  UNION ALL
  SELECT name, finding, json_build_object('rows', 1, 'keys', json_build_array(key)) FROM structure
)
SELECT json_object_agg('parity/' || name, body ORDER BY name) AS body
FROM (SELECT name, json_object_agg(finding, body ORDER BY finding) AS body FROM every GROUP BY name) AS checks;

ANALYZE;
