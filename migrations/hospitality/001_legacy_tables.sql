-- The tables the application has always used.

CREATE TABLE daily_cash_balances (
  id                                 serial PRIMARY KEY,
  balance_date                       date NOT NULL,
  property_id                        int NOT NULL,
  org_id                             int NOT NULL,
  opening_balance_cents              int DEFAULT 0,
  closing_balance_cents              int DEFAULT 0,
  cash_received_cents                int DEFAULT 0,
  cash_expenses_cents                int DEFAULT 0,
  bank_received_cents                int DEFAULT 0,
  bank_expenses_cents                int DEFAULT 0,
  created_at                         timestamp DEFAULT now(),
  updated_at                         timestamp DEFAULT now(),
  created_by_user_id                 int NOT NULL DEFAULT 1,
  is_opening_balance_auto_calculated bool DEFAULT false,
  balance_discrepancy_cents          int DEFAULT 0,
  calculated_closing_balance_cents   int DEFAULT 0,
  UNIQUE (org_id, property_id, balance_date)
);

CREATE TABLE revenues (
  id                  serial PRIMARY KEY,
  description         text,
  category            text,
  amount_cents        int NOT NULL,
  payment_method      text,
  occurred_at         timestamp NOT NULL,
  property_id         int NOT NULL,
  org_id              int NOT NULL,
  created_by_user_id  int NOT NULL,
  status              text DEFAULT 'pending',
  reference_number    text,
  approved_at         timestamp,
  approved_by_user_id int,
  updated_at          timestamp DEFAULT now(),
  created_at          timestamp DEFAULT now()
);
CREATE INDEX idx_revenues_org_time ON revenues (org_id, occurred_at);

CREATE TABLE expenses (
  id                  serial PRIMARY KEY,
  vendor_name         text,
  description         text,
  category            text,
  amount_cents        int NOT NULL,
  payment_method      text,
  occurred_at         timestamp NOT NULL,
  property_id         int NOT NULL,
  org_id              int NOT NULL,
  created_by_user_id  int NOT NULL,
  status              text DEFAULT 'pending',
  reference_number    text,
  approved_at         timestamp,
  approved_by_user_id int,
  updated_at          timestamp DEFAULT now(),
  created_at          timestamp DEFAULT now()
);
CREATE INDEX idx_expenses_org_time ON expenses (org_id, occurred_at);

CREATE TABLE revenue_deletion_requests (
  id                   serial PRIMARY KEY,
  revenue_id           int NOT NULL REFERENCES revenues (id),
  requested_by_user_id int NOT NULL,
  reason               text,
  status               text NOT NULL DEFAULT 'pending',
  created_at           timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_revenue_deletion_requests_revenue ON revenue_deletion_requests (revenue_id);

CREATE TABLE expense_deletion_requests (
  id                   serial PRIMARY KEY,
  expense_id           int NOT NULL REFERENCES expenses (id),
  requested_by_user_id int NOT NULL,
  reason               text,
  status               text NOT NULL DEFAULT 'pending',
  created_at           timestamp NOT NULL DEFAULT now()
);
CREATE INDEX idx_expense_deletion_requests_expense ON expense_deletion_requests (expense_id);
