-- What Keka said last about each employee, as it said it.
CREATE TABLE keka_employee_imports (
  keka_employee_id text PRIMARY KEY,
  raw_payload      jsonb NOT NULL,
  fetched_at       timestamptz NOT NULL DEFAULT now()
);
