-- The ledger is large and in use: each index alone and without blocking writers.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_attendance_events_employee_time
  ON attendance_events (employee_id, event_timestamp_utc);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_attendance_events_open_sync
  ON attendance_events (sync_status, last_attempt_at)
  WHERE sync_status IN ('PENDING', 'PROCESSING', 'FAILED');
