-- 002 kept the first version of a row for ever and knew no deletes. From here on the twin follows every
-- write: all columns, by name; a row whose partition key changes leaves nothing behind under the old one.

CREATE OR REPLACE FUNCTION sync_daily_cash_balances_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND (OLD.id, OLD.org_id) IS DISTINCT FROM (NEW.id, NEW.org_id) THEN
    DELETE FROM daily_cash_balances_partitioned WHERE id = OLD.id AND org_id = OLD.org_id;
  END IF;
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
  ON CONFLICT (id, org_id) DO UPDATE SET
    property_id = EXCLUDED.property_id, balance_date = EXCLUDED.balance_date,
    opening_balance_cents = EXCLUDED.opening_balance_cents,
    cash_received_cents = EXCLUDED.cash_received_cents, bank_received_cents = EXCLUDED.bank_received_cents,
    cash_expenses_cents = EXCLUDED.cash_expenses_cents, bank_expenses_cents = EXCLUDED.bank_expenses_cents,
    closing_balance_cents = EXCLUDED.closing_balance_cents,
    is_opening_balance_auto_calculated = EXCLUDED.is_opening_balance_auto_calculated,
    calculated_closing_balance_cents = EXCLUDED.calculated_closing_balance_cents,
    balance_discrepancy_cents = EXCLUDED.balance_discrepancy_cents,
    created_by_user_id = EXCLUDED.created_by_user_id, created_at = EXCLUDED.created_at,
    updated_at = EXCLUDED.updated_at;
  RETURN NULL;
END
$$;

CREATE FUNCTION sync_daily_cash_balances_delete_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM daily_cash_balances_partitioned WHERE id = OLD.id AND org_id = OLD.org_id;
  RETURN NULL;
END
$$;
CREATE TRIGGER sync_to_partitioned_daily_cash_balances_delete AFTER DELETE ON daily_cash_balances
  FOR EACH ROW EXECUTE FUNCTION sync_daily_cash_balances_delete_to_partitioned();

CREATE OR REPLACE FUNCTION sync_revenues_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND (OLD.id, OLD.occurred_at) IS DISTINCT FROM (NEW.id, NEW.occurred_at) THEN
    DELETE FROM revenues_partitioned WHERE id = OLD.id AND occurred_at = OLD.occurred_at;
  END IF;
  INSERT INTO revenues_partitioned (
    id, org_id, property_id, amount_cents, occurred_at, description, category, payment_method,
    reference_number, status, approved_by_user_id, approved_at, created_by_user_id, created_at, updated_at
  ) VALUES (
    NEW.id, NEW.org_id, NEW.property_id, NEW.amount_cents, NEW.occurred_at, NEW.description, NEW.category,
    NEW.payment_method, NEW.reference_number, NEW.status, NEW.approved_by_user_id, NEW.approved_at,
    NEW.created_by_user_id, NEW.created_at, NEW.updated_at
  )
  ON CONFLICT (id, occurred_at) DO UPDATE SET
    org_id = EXCLUDED.org_id, property_id = EXCLUDED.property_id, amount_cents = EXCLUDED.amount_cents,
    description = EXCLUDED.description, category = EXCLUDED.category,
    payment_method = EXCLUDED.payment_method, reference_number = EXCLUDED.reference_number,
    status = EXCLUDED.status, approved_by_user_id = EXCLUDED.approved_by_user_id,
    approved_at = EXCLUDED.approved_at, created_by_user_id = EXCLUDED.created_by_user_id,
    created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at;
  RETURN NULL;
END
$$;

CREATE FUNCTION sync_revenues_delete_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM revenues_partitioned WHERE id = OLD.id AND occurred_at = OLD.occurred_at;
  RETURN NULL;
END
$$;
CREATE TRIGGER sync_to_partitioned_revenues_delete AFTER DELETE ON revenues
  FOR EACH ROW EXECUTE FUNCTION sync_revenues_delete_to_partitioned();

CREATE OR REPLACE FUNCTION sync_expenses_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND (OLD.id, OLD.occurred_at) IS DISTINCT FROM (NEW.id, NEW.occurred_at) THEN
    DELETE FROM expenses_partitioned WHERE id = OLD.id AND occurred_at = OLD.occurred_at;
  END IF;
  INSERT INTO expenses_partitioned (
    id, org_id, property_id, amount_cents, occurred_at, description, category, vendor_name, payment_method,
    reference_number, status, approved_by_user_id, approved_at, created_by_user_id, created_at, updated_at
  ) VALUES (
    NEW.id, NEW.org_id, NEW.property_id, NEW.amount_cents, NEW.occurred_at, NEW.description, NEW.category,
    NEW.vendor_name, NEW.payment_method, NEW.reference_number, NEW.status, NEW.approved_by_user_id,
    NEW.approved_at, NEW.created_by_user_id, NEW.created_at, NEW.updated_at
  )
  ON CONFLICT (id, occurred_at) DO UPDATE SET
    org_id = EXCLUDED.org_id, property_id = EXCLUDED.property_id, amount_cents = EXCLUDED.amount_cents,
    description = EXCLUDED.description, category = EXCLUDED.category, vendor_name = EXCLUDED.vendor_name,
    payment_method = EXCLUDED.payment_method, reference_number = EXCLUDED.reference_number,
    status = EXCLUDED.status, approved_by_user_id = EXCLUDED.approved_by_user_id,
    approved_at = EXCLUDED.approved_at, created_by_user_id = EXCLUDED.created_by_user_id,
    created_at = EXCLUDED.created_at, updated_at = EXCLUDED.updated_at;
  RETURN NULL;
END
$$;

CREATE FUNCTION sync_expenses_delete_to_partitioned() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM expenses_partitioned WHERE id = OLD.id AND occurred_at = OLD.occurred_at;
  RETURN NULL;
END
$$;
CREATE TRIGGER sync_to_partitioned_expenses_delete AFTER DELETE ON expenses
  FOR EACH ROW EXECUTE FUNCTION sync_expenses_delete_to_partitioned();
