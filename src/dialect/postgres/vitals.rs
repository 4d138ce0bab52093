//! What the server is doing right now.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::load::ServerLoad;
use crate::engine::model::vitals::{ServerSession, Vitals};
use crate::engine::port::reader::{ReadOptions, Reader};

/// Sessions shown at most; the count of all is always given.
const SHOWN: usize = 200;

const SESSIONS: &str = include_str!("sessions.sql");

const SUMMARY: &str = "
select count(*) filter (where backend_type = 'client backend') as sessions,
       count(*) filter (where application_name like 'midwatch/%' and state = 'active') as own_sessions,
       count(*) filter (where wait_event_type = 'Lock') as blocked,
       extract(epoch from max(clock_timestamp() - xact_start)
         filter (where backend_type = 'client backend' and application_name not like 'midwatch/%'))::float8 as longest_tx_s,
       pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_all,
       (select (extract(epoch from max(replay_lag)) * 1000)::float8 from pg_stat_replication) as lag_ms,
       (select count(*) from pg_stat_replication) as standbys
from pg_stat_activity";

/// Lag in time as well as in log: a replica that has stopped replaying reports no time.
const PRESSURE: &str = "
select r.replicas, r.lag_ms, r.lag_bytes, r.unreadable, r.sync, a.active, a.lock_waits,
       current_setting('synchronous_standby_names') as sync_names,
       pg_has_role(current_user, 'pg_read_all_stats', 'usage') as sees_all
from (select count(*) as replicas, (extract(epoch from max(replay_lag)) * 1000)::float8 as lag_ms,
             max(pg_wal_lsn_diff(case when pg_is_in_recovery() then null else pg_current_wal_lsn() end, replay_lsn))::float8 as lag_bytes,
             count(*) filter (where state is null) as unreadable,
             count(*) filter (where sync_state in ('sync', 'quorum')) as sync
      from pg_stat_replication where state is distinct from 'backup') r,
     (select count(*) filter (where state = 'active') as active,
             count(*) filter (where wait_event_type = 'Lock') as lock_waits
      from pg_stat_activity where backend_type = 'client backend' and application_name not like 'midwatch/%') a";

pub(super) async fn load(facts: &dyn Reader) -> Result<ServerLoad> {
    let options = ReadOptions {
        timeout: Some(std::time::Duration::from_secs(3)),
        heartbeat: true,
        ..ReadOptions::default()
    };
    let p: Pressure = facts.begin(options).await?.one(&Sql::new(PRESSURE)).await?;
    Ok(ServerLoad {
        replicas: p.replicas,
        lag_ms: p.lag_ms,
        lag_bytes: p.lag_bytes,
        unreadable: p.unreadable,
        active: p.active,
        lock_waits: p.lock_waits,
        sees_all: p.sees_all,
        sync: p.sync,
        endless: endless(&p.sync_names, p.sync).filter(|_| p.unreadable == 0),
        lag_needs: "pg_monitor",
        sessions_need: "pg_read_all_stats",
    })
}

#[derive(Deserialize)]
struct Pressure {
    replicas: u32,
    lag_ms: Option<f64>,
    lag_bytes: Option<f64>,
    unreadable: u32,
    sync: u32,
    active: u32,
    lock_waits: u32,
    sync_names: String,
    sees_all: bool,
}

/// So many standbys a commit waits for, by `synchronous_standby_names`.
fn needed(names: &str) -> u32 {
    let names = names.trim();
    let upper = names.to_ascii_uppercase();
    let rest = ["FIRST", "ANY"].iter().find_map(|w| upper.strip_prefix(w)).unwrap_or(&upper).trim_start();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    match (names.is_empty(), after.starts_with('('), digits.parse()) {
        (true, ..) => 0,
        (_, true, Ok(n)) => n,
        _ => 1,
    }
}

fn endless(names: &str, there: u32) -> Option<String> {
    let needed = needed(names);
    (there < needed).then(|| {
        format!(
            "no commit ends: each waits for {needed} synchronous standby{} (synchronous_standby_names = {names}), {there} there",
            if needed == 1 { "" } else { "s" },
        )
    })
}

#[derive(Deserialize)]
struct Summary {
    sessions: u32,
    own_sessions: u32,
    blocked: u32,
    longest_tx_s: Option<f64>,
    sees_all: bool,
    lag_ms: Option<f64>,
    standbys: u32,
}

pub(super) async fn read(facts: &dyn Reader) -> Result<Vitals> {
    let options = ReadOptions {
        timeout: Some(std::time::Duration::from_secs(3)),
        heartbeat: true,
        ..ReadOptions::default()
    };
    let mut tx = facts.begin(options).await?;
    let summary: Summary = tx.one(&Sql::new(SUMMARY)).await?;
    let sql = format!("{SESSIONS}\nlimit {SHOWN}");
    let activity: Vec<ServerSession> = tx.fetch(&Sql::new(&sql)).await?;
    let lag_unknown = (summary.standbys > 0 && summary.lag_ms.is_none() && !summary.sees_all)
        .then(|| "no privilege: grant pg_monitor".to_owned());
    Ok(Vitals {
        blocked: summary.blocked,
        longest_tx_s: summary.longest_tx_s,
        // A standby that is caught up reports no lag at all.
        replica_lag_ms: if summary.standbys > 0 && lag_unknown.is_none() {
            Some(summary.lag_ms.unwrap_or(0.0))
        } else {
            None
        },
        lag_unknown,
        own_sessions: summary.own_sessions,
        sessions: summary.sessions,
        activity,
    })
}

#[cfg(test)]
mod tests {
    use super::{endless, needed};

    #[test]
    fn a_commit_waits_for_as_many_standbys_as_the_setting_says() {
        for (names, wanted) in [
            ("", 0),
            ("a", 1),
            ("*", 1),
            ("a, b", 1),
            ("FIRST 2 (a, b, c)", 2),
            ("any 3 (*)", 3),
            ("2 (a, b)", 2),
            ("2fast", 1),
            ("firstborn", 1),
        ] {
            assert_eq!(needed(names), wanted, "{names}");
            assert_eq!(endless(names, wanted), None, "{names}");
        }
        let why = "no commit ends: each waits for 2 synchronous standbys (synchronous_standby_names = 2 (a, b)), 1 there";
        assert_eq!(endless("2 (a, b)", 1).as_deref(), Some(why));
    }
}
