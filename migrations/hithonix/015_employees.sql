-- Everyone who clocks in. Keka (the outside HR system) stays the source of most columns.
CREATE EXTENSION IF NOT EXISTS citext;

CREATE TYPE employee_role_enum AS ENUM ('EMPLOYEE', 'MANAGER', 'ORG_ADMIN');

CREATE TABLE employees (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  slack_user_id         text UNIQUE,
  keka_id               text UNIQUE,
  email                 citext NOT NULL,
  department            text,
  designation           text,
  secondary_designation text,
  location              text,
  manager_employee_id   uuid REFERENCES employees (id),
  employment_status     text NOT NULL DEFAULT 'ACTIVE',
  date_of_joining       date,
  role                  employee_role_enum NOT NULL DEFAULT 'EMPLOYEE',
  ai_profile            jsonb,
  shift_config          jsonb,
  raw_keka_profile      jsonb NOT NULL,
  created_at            timestamptz NOT NULL DEFAULT now(),
  updated_at            timestamptz NOT NULL DEFAULT now()
);
