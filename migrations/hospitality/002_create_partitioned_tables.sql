-- The partitioned twins. Dual writes begin here; 003 makes them complete.

CREATE TABLE daily_cash_balances_partitioned (
  id                                 serial,
  org_id                             int NOT NULL,
  property_id                        int NOT NULL,
  balance_date                       date NOT NULL,
  opening_balance_cents              int DEFAULT 0,
  cash_received_cents                int DEFAULT 0,
  bank_received_cents                int DEFAULT 0,
  cash_expenses_cents                int DEFAULT 0,
  bank_expenses_cents                int DEFAULT 0,
  closing_balance_cents              int DEFAULT 0,
  is_opening_balance_auto_calculated bool DEFAULT false,
  calculated_closing_balance_cents   int DEFAULT 0,
  balance_discrepancy_cents          int DEFAULT 0,
  created_by_user_id                 int NOT NULL DEFAULT 1,
  created_at                         timestamp DEFAULT now(),
  updated_at                         timestamp DEFAULT now(),
  PRIMARY KEY (id, org_id),
  UNIQUE (org_id, property_id, balance_date)
) PARTITION BY HASH (org_id);

DO $$
BEGIN
  FOR n IN 0..15 LOOP
    EXECUTE format('CREATE TABLE %I PARTITION OF daily_cash_balances_partitioned '
                   'FOR VALUES WITH (MODULUS 16, REMAINDER %s)', 'daily_cash_balances_' || n, n);
  END LOOP;
END
$$;

CREATE TABLE revenues_partitioned (
  id                  serial,
  org_id              int NOT NULL,
  property_id         int NOT NULL,
  amount_cents        int NOT NULL,
  occurred_at         timestamp NOT NULL,
  description         text,
  category            text,
  payment_method      text,
  reference_number    text,
  status              text DEFAULT 'pending',
  approved_by_user_id int,
  approved_at         timestamp,
  created_by_user_id  int NOT NULL,
  created_at          timestamp DEFAULT now(),
  updated_at          timestamp DEFAULT now(),
  PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX idx_revenues_partitioned_org_time ON revenues_partitioned (org_id, occurred_at);

CREATE TABLE expenses_partitioned (
  id                  serial,
  org_id              int NOT NULL,
  property_id         int NOT NULL,
  amount_cents        int NOT NULL,
  occurred_at         timestamp NOT NULL,
  description         text,
  category            text,
  vendor_name         text,
  payment_method      text,
  reference_number    text,
  status              text DEFAULT 'pending',
  approved_by_user_id int,
  approved_at         timestamp,
  created_by_user_id  int NOT NULL,
  created_at          timestamp DEFAULT now(),
  updated_at          timestamp DEFAULT now(),
  PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX idx_expenses_partitioned_org_time ON expenses_partitioned (org_id, occurred_at);

-- Monthly partitions of a table from one month to another, both included: revenues_2026_01, …
CREATE FUNCTION create_monthly_partitions(table_name text, first_month date, last_month date) RETURNS int
LANGUAGE plpgsql AS $$
DECLARE
  month date := date_trunc('month', first_month);
  made int := 0;
BEGIN
  WHILE month <= last_month LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                   table_name || to_char(month, '_YYYY_MM'), table_name || '_partitioned',
                   month, (month + interval '1 month')::date);
    month := month + interval '1 month';
    made := made + 1;
  END LOOP;
  RETURN made;
END
$$;

SELECT create_monthly_partitions(twin, (now() - interval '15 months')::date, (now() + interval '2 months')::date)
FROM unnest(ARRAY['revenues', 'expenses']) AS twin;

CREATE FUNCTION sync_daily_cash_balances_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO daily_cash_balances_partitioned (
    id, org_id, property_id, balance_date, opening_balance_cents, cash_received_cents, bank_received_cents,
    cash_expenses_cents, bank_expenses_cents, closing_balance_cents, is_opening_balance_auto_calculated,
    calculated_closing_balance_cents, balance_discrepancy_cents, created_by_user_id, created_at, updated_at
  ) VALUES (
    NEW.id, NEW.org_id, NEW.property_id, NEW.balance_date, NEW.opening_balance_cents,
    NEW.cash_received_cents, NEW.bank_received_cents, NEW.cash_expenses_cents, NEW.bank_expenses_cents,
    NEW.closing_balance_cents, NEW.is_opening_balance_auto_calculated,
    NEW.calculated_closing_balance_cents, NEW.balance_discrepancy_cents, NEW.created_by_user_id,
    NEW.created_at, NEW.updated_at
  )
  ON CONFLICT (id, org_id) DO NOTHING;
  RETURN NULL;
END
$$;
CREATE TRIGGER sync_to_partitioned_daily_cash_balances AFTER INSERT OR UPDATE ON daily_cash_balances
  FOR EACH ROW EXECUTE FUNCTION sync_daily_cash_balances_to_partitioned();

CREATE FUNCTION sync_revenues_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO revenues_partitioned (
    id, org_id, property_id, amount_cents, occurred_at, description, category, payment_method,
    reference_number, status, approved_by_user_id, approved_at, created_by_user_id, created_at, updated_at
  ) VALUES (
    NEW.id, NEW.org_id, NEW.property_id, NEW.amount_cents, NEW.occurred_at, NEW.description, NEW.category,
    NEW.payment_method, NEW.reference_number, NEW.status, NEW.approved_by_user_id, NEW.approved_at,
    NEW.created_by_user_id, NEW.created_at, NEW.updated_at
  )
  ON CONFLICT (id, occurred_at) DO NOTHING;
  RETURN NULL;
END
$$;
CREATE TRIGGER sync_to_partitioned_revenues AFTER INSERT OR UPDATE ON revenues
  FOR EACH ROW EXECUTE FUNCTION sync_revenues_to_partitioned();

CREATE FUNCTION sync_expenses_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO expenses_partitioned (
    id, org_id, property_id, amount_cents, occurred_at, description, category, vendor_name, payment_method,
    reference_number, status, approved_by_user_id, approved_at, created_by_user_id, created_at, updated_at
  ) VALUES (
    NEW.id, NEW.org_id, NEW.property_id, NEW.amount_cents, NEW.occurred_at, NEW.description, NEW.category,
    NEW.vendor_name, NEW.payment_method, NEW.reference_number, NEW.status, NEW.approved_by_user_id,
    NEW.approved_at, NEW.created_by_user_id, NEW.created_at, NEW.updated_at
  )
  ON CONFLICT (id, occurred_at) DO NOTHING;
  RETURN NULL;
END
$$;
CREATE TRIGGER sync_to_partitioned_expenses AFTER INSERT OR UPDATE ON expenses
  FOR EACH ROW EXECUTE FUNCTION sync_expenses_to_partitioned();
