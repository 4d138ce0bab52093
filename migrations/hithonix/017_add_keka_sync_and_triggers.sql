-- The immutable ledger, the status table derived from it, and what the sync worker needs.

CREATE TYPE attendance_event_type AS ENUM (
  'CLOCK_IN', 'CLOCK_OUT', 'BREAK_START', 'BREAK_END', 'LUNCH_START', 'LUNCH_END',
  'ADMIN_ADJUST', 'AUTO_ADJUST', 'SYSTEM_NOTE'
);
CREATE TYPE attendance_sync_status AS ENUM (
  'PENDING', 'PROCESSING', 'SUCCESS', 'FAILED', 'PERMANENT_FAILURE', 'SKIPPED'
);
CREATE TYPE attendance_daily_status AS ENUM ('OFF_DUTY', 'ON_SHIFT', 'ON_BREAK', 'ON_LUNCH');

CREATE TABLE attendance_events (
  id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  employee_id         uuid NOT NULL REFERENCES employees (id) ON DELETE RESTRICT,
  event_type          attendance_event_type NOT NULL,
  event_timestamp_utc timestamptz NOT NULL DEFAULT now(),
  event_timestamp_ist timestamp GENERATED ALWAYS AS (event_timestamp_utc AT TIME ZONE 'Asia/Kolkata') STORED,
  business_date_ist   date NOT NULL,
  payload             jsonb,
  created_by_slack_id text,
  sync_status         attendance_sync_status NOT NULL DEFAULT 'PENDING',
  keka_request_body   jsonb,
  keka_response_body  jsonb,
  keka_status_code    int,
  attempt_count       int NOT NULL DEFAULT 0,
  last_attempt_at     timestamptz,
  created_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_attendance_events_employee_date ON attendance_events (employee_id, business_date_ist);
CREATE INDEX idx_attendance_events_sync_status_date ON attendance_events (sync_status, business_date_ist);
CREATE INDEX idx_attendance_events_created_at ON attendance_events (created_at);

CREATE TABLE daily_status (
  id                       bigserial PRIMARY KEY,
  employee_id              uuid NOT NULL REFERENCES employees (id) ON DELETE RESTRICT,
  business_date_ist        date NOT NULL,
  current_status           attendance_daily_status NOT NULL DEFAULT 'OFF_DUTY',
  last_event_id            uuid,
  last_event_timestamp_utc timestamptz,
  break_minutes_used       int NOT NULL DEFAULT 0,
  has_sync_errors          bool NOT NULL DEFAULT false,
  is_locked                bool NOT NULL DEFAULT false,
  lock_reason              text,
  notes                    jsonb,
  updated_at               timestamptz NOT NULL DEFAULT now(),
  UNIQUE (employee_id, business_date_ist)
);

CREATE TABLE audit_logs (
  id                 bigserial PRIMARY KEY,
  actor_slack_id     text NOT NULL,
  target_employee_id uuid REFERENCES employees (id),
  action             text NOT NULL,
  reason             text,
  context            jsonb,
  created_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_audit_logs_target ON audit_logs (target_employee_id, created_at DESC);
CREATE INDEX idx_audit_logs_actor ON audit_logs (actor_slack_id, created_at DESC);

CREATE TABLE keka_tokens (
  id           bigserial PRIMARY KEY,
  access_token text NOT NULL,
  expires_at   timestamptz NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now()
);

-- Corrections that leave the ledger as it is: everything derived reads dates through this table.
CREATE SCHEMA repairs;
CREATE TABLE repairs.business_dates (
  event_id   uuid PRIMARY KEY REFERENCES attendance_events (id),
  old_date   date,
  new_date   date NOT NULL,
  reason     text,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_repairs_business_dates_new_date ON repairs.business_dates (new_date);

-- The ledger is append-only; the sync worker alone may write what became of an event.
CREATE FUNCTION attendance_events_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  -- The generated column is not computed yet in a BEFORE trigger.
  free CONSTANT text[] := ARRAY['sync_status', 'keka_request_body', 'keka_response_body', 'keka_status_code',
                                'attempt_count', 'last_attempt_at', 'event_timestamp_ist'];
BEGIN
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'attendance_events is append-only: DELETE refused' USING ERRCODE = 'restrict_violation';
  END IF;
  IF to_jsonb(NEW) - free IS DISTINCT FROM to_jsonb(OLD) - free THEN
    RAISE EXCEPTION 'attendance_events is append-only: only sync columns may be updated'
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER attendance_events_guard BEFORE UPDATE OR DELETE ON attendance_events
  FOR EACH ROW EXECUTE FUNCTION attendance_events_guard();

CREATE FUNCTION attendance_events_before_insert() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  expected date := (NEW.event_timestamp_utc AT TIME ZONE 'Asia/Kolkata')::date;
BEGIN
  IF NEW.business_date_ist IS NULL THEN
    NEW.business_date_ist := expected;
  ELSIF NEW.business_date_ist <> expected THEN
    RAISE EXCEPTION 'business_date_ist % is not the IST date % of the event', NEW.business_date_ist, expected
      USING ERRCODE = 'check_violation';
  END IF;
  IF NEW.event_type = 'CLOCK_IN' THEN
    -- Two sessions of one employee take turns, or both would see no first CLOCK_IN.
    PERFORM 1 FROM employees WHERE id = NEW.employee_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM attendance_events e
               WHERE e.employee_id = NEW.employee_id AND e.business_date_ist = NEW.business_date_ist
                 AND e.event_type = 'CLOCK_IN') THEN
      RAISE EXCEPTION 'employee % has clocked in on % already', NEW.employee_id, NEW.business_date_ist
        USING ERRCODE = 'unique_violation';
    END IF;
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER attendance_events_before_insert BEFORE INSERT ON attendance_events
  FOR EACH ROW EXECUTE FUNCTION attendance_events_before_insert();

-- One employee's day, dates read through the repairs.
CREATE FUNCTION attendance_day(employee uuid, day date) RETURNS SETOF attendance_events
LANGUAGE sql STABLE AS $$
  SELECT e.* FROM attendance_events e
  WHERE e.employee_id = employee AND e.business_date_ist = day
    AND NOT EXISTS (SELECT FROM repairs.business_dates r WHERE r.event_id = e.id AND r.new_date <> day)
  UNION ALL
  SELECT e.* FROM repairs.business_dates r JOIN attendance_events e ON e.id = r.event_id
  WHERE r.new_date = day AND e.employee_id = employee AND e.business_date_ist <> day
$$;

-- Rebuilds one employee's day from the ledger, whatever order its events arrived in.
CREATE FUNCTION rebuild_daily_status(employee uuid, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  fresh record;
BEGIN
  -- The row is the lock: whoever comes second computes from what the first has committed.
  PERFORM FROM daily_status d WHERE d.employee_id = employee AND d.business_date_ist = day FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO daily_status (employee_id, business_date_ist) VALUES (employee, day)
    ON CONFLICT (employee_id, business_date_ist) DO NOTHING;
    PERFORM FROM daily_status d WHERE d.employee_id = employee AND d.business_date_ist = day FOR UPDATE;
  END IF;

  WITH events AS MATERIALIZED (
    SELECT e.*, row_number() OVER (ORDER BY e.event_timestamp_utc, e.created_at, e.id) AS position
    FROM attendance_day(employee, day) e
  ), breaks AS (
    SELECT event_type, event_timestamp_utc AS began,
           lead(event_type) OVER walk AS next_type, lead(event_timestamp_utc) OVER walk AS ended
    FROM events WHERE event_type IN ('BREAK_START', 'BREAK_END') WINDOW walk AS (ORDER BY position)
  )
  SELECT
    (SELECT count(*) FROM events) AS events,
    (SELECT id FROM events ORDER BY position DESC LIMIT 1) AS last_id,
    (SELECT event_timestamp_utc FROM events ORDER BY position DESC LIMIT 1) AS last_at,
    (SELECT CASE event_type
              WHEN 'CLOCK_OUT' THEN 'OFF_DUTY' WHEN 'BREAK_START' THEN 'ON_BREAK'
              WHEN 'LUNCH_START' THEN 'ON_LUNCH' ELSE 'ON_SHIFT' END::attendance_daily_status
     FROM events WHERE event_type NOT IN ('ADMIN_ADJUST', 'AUTO_ADJUST', 'SYSTEM_NOTE')
     ORDER BY position DESC LIMIT 1) AS status,
    (SELECT floor(coalesce(sum(extract(epoch FROM ended - began)), 0) / 60)::int
     FROM breaks WHERE event_type = 'BREAK_START' AND next_type = 'BREAK_END') AS minutes,
    EXISTS (SELECT FROM events WHERE sync_status IN ('FAILED', 'PERMANENT_FAILURE')) AS errors
  INTO fresh;

  IF fresh.events = 0 THEN
    DELETE FROM daily_status d WHERE d.employee_id = employee AND d.business_date_ist = day;
    RETURN;
  END IF;
  UPDATE daily_status d
  SET current_status = coalesce(fresh.status, 'OFF_DUTY'), last_event_id = fresh.last_id,
      last_event_timestamp_utc = fresh.last_at, break_minutes_used = fresh.minutes,
      has_sync_errors = fresh.errors, updated_at = now()
  WHERE d.employee_id = employee AND d.business_date_ist = day
    AND (d.current_status, d.last_event_id, d.last_event_timestamp_utc, d.break_minutes_used, d.has_sync_errors)
        IS DISTINCT FROM
        (coalesce(fresh.status, 'OFF_DUTY'), fresh.last_id, fresh.last_at, fresh.minutes, fresh.errors);
END
$$;

-- Security definer: the worker writes sync columns and has no right on the table derived from them.
CREATE FUNCTION attendance_events_project() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  day date := coalesce((SELECT r.new_date FROM repairs.business_dates r WHERE r.event_id = NEW.id),
                       NEW.business_date_ist);
  errors bool;
BEGIN
  IF TG_OP = 'INSERT' THEN
    PERFORM rebuild_daily_status(NEW.employee_id, day);
    RETURN NULL;
  END IF;
  IF NEW.sync_status = OLD.sync_status THEN
    RETURN NULL;
  END IF;
  -- A sync result says nothing about the rest of the day, so the rest is not touched.
  PERFORM FROM daily_status d WHERE d.employee_id = NEW.employee_id AND d.business_date_ist = day FOR UPDATE;
  errors := EXISTS (SELECT FROM attendance_day(NEW.employee_id, day) e
                    WHERE e.sync_status IN ('FAILED', 'PERMANENT_FAILURE'));
  UPDATE daily_status d SET has_sync_errors = errors, updated_at = now()
  WHERE d.employee_id = NEW.employee_id AND d.business_date_ist = day AND d.has_sync_errors <> errors;
  RETURN NULL;
END
$$;
CREATE TRIGGER attendance_events_project AFTER INSERT OR UPDATE OF sync_status ON attendance_events
  FOR EACH ROW EXECUTE FUNCTION attendance_events_project();
