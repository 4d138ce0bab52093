-- The sync worker's role must exist: CREATE ROLE hithonix_worker LOGIN PASSWORD '…';
GRANT USAGE ON SCHEMA public, repairs TO hithonix_worker;
GRANT SELECT ON attendance_events, employees, keka_tokens, repairs.business_dates TO hithonix_worker;
GRANT UPDATE (sync_status, keka_request_body, keka_response_body, keka_status_code, attempt_count, last_attempt_at)
  ON attendance_events TO hithonix_worker;
GRANT INSERT ON audit_logs TO hithonix_worker;
GRANT USAGE ON SEQUENCE audit_logs_id_seq TO hithonix_worker;
