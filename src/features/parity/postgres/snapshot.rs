//! The transactions that a comparison reads in.

pub(super) const TAKEN: &str = "select pg_current_snapshot()::text as sees, \
                     to_char(now() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') as at";

// Whose activity may not be seen counts as active.
pub(super) const BUSY: &str = "
select (count(*) > 0)::text from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name not like 'midwatch/%'
  and (state_change is null or state_change > clock_timestamp() - interval '1 second' or state = 'active')";

pub(super) const EXPORT: &str = "select pg_export_snapshot()";

pub(super) const REFRESH_SESSIONS: &str = "select pg_stat_clear_snapshot()::text";

pub(super) const AGE: &str = "select extract(epoch from clock_timestamp() - now())::float8 as seconds";

// A snapshot that this one cannot have come after is of another history.
pub(super) const AFTER: &str =
    "select (pg_snapshot_xmax(pg_current_snapshot()) >= pg_snapshot_xmax($1::pg_snapshot))::text";
