//! The transactions that a comparison reads in.

// Gentle: no parallel workers. Groups are hashed: sorted they spill. Statements are many and short where there are many
// partitions, so compiling each costs more than it saves. The holder waits for those that share its snapshot.
pub(super) const SETTINGS: &str = "
select set_config('jit', 'off', true) || set_config('enable_sort', 'off', true)
    || set_config('max_parallel_workers_per_gather', '0', true) || set_config('work_mem', '32MB', true)
    || set_config('idle_in_transaction_session_timeout', '10800000', true)";

// Where others are at work, a reading sleeps a millisecond about every 512 rows: it never holds a processor long enough
// for a writer to notice, and one statement that pauses costs the server less than many. By the row's place, which every
// table has; keys may be all odd.
pub(super) const PAUSES: &str = "(hashtid(ctid) & 511 <> 0 or pg_sleep(0.001) is not null)";

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
