//! What goes on around the tables of a set: sessions, locks, other statements, the backups that there are.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::preflight::{Preflight, Ready};
use crate::engine::model::query::Param;
use crate::engine::model::step::LockStrength;
use crate::engine::plan::operation::PlanCx;
use crate::engine::port::backups::Dumped;
use crate::engine::port::catalog::WantedLocks;
use crate::engine::port::reader::ReadTx;
use crate::features::switchover::plan::dependents::DependentObjects;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::preflight::accept::{Accepted, ok, warn};
use crate::features::switchover::texts::server as texts;
use crate::features::switchover::twins::{age, named};

#[derive(Deserialize)]
struct ServerActivity {
    prepared: Vec<String>,
    elsewhere: u64,
    hidden: u64,
    wraparound: Vec<String>,
    slots: Vec<String>,
    sizes: i64,
    locks: usize,
}

/// `$1`: all tables, `$2`: the legacy ones. A prepared transaction has no process; the lock on its number
/// tells which locks are its own.
const AROUND: &str = "
with recursive tree as (
  select t::regclass::oid as oid from unnest($1::text[]) t union select i.inhrelid from pg_inherits i join tree t on i.inhparent = t.oid),
held as (
  select l.pid, l.virtualtransaction, l.mode, l.relation from pg_locks l
  where l.locktype = 'relation' and l.granted and l.relation in (select oid from tree)
    and l.database = (select oid from pg_database where datname = current_database())),
prepared as (
  select p.gid || ' since ' || p.prepared::text as what,
         exists (select from pg_locks x join held h using (virtualtransaction)
                 where x.locktype = 'transactionid' and x.transactionid = p.transaction and x.pid is null and h.pid is null) as holds
  from pg_prepared_xacts p where p.database = current_database())
select array(select p.what from prepared p where p.holds) as prepared,
       (select count(*) from prepared p where not p.holds) as elsewhere,
       (select count(distinct h.pid) from held h join pg_stat_activity a on a.pid = h.pid
        where a.state is null and a.backend_type is null and a.pid <> pg_backend_pid()) as hidden,
       array(select distinct a.query from pg_stat_activity a join held h on h.pid = a.pid and h.mode = 'ShareUpdateExclusiveLock'
             where a.backend_type = 'autovacuum worker' and a.query like '%to prevent wraparound%') as wraparound,
       array(select s.slot_name || case when s.active then ' is ' else ' (inactive) is ' end
                    || pg_size_pretty(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, s.restart_lsn)) || ' behind'
             from pg_replication_slots s
             where not s.active or pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, s.restart_lsn) > 1e9) as slots,
       (select coalesce(sum(pg_table_size(t::regclass)), 0)::bigint from unnest($2::text[]) t) as sizes,
       (select count(*) from tree) + (select count(*) from pg_index i where i.indrelid in (select oid from tree)) as locks";

/// What else the server has to do, and how many bytes the legacy tables have.
pub(crate) async fn server_activity(
    cx: &PlanCx<'_>,
    twin_pairs: &[TwinPair<'_>],
) -> Result<(Vec<Preflight>, u64)> {
    let tables: Vec<String> =
        twin_pairs.iter().flat_map(|c| [c.legacy.relation.clone(), c.partitioned.relation.clone()]).collect();
    let legacy: Vec<String> = twin_pairs.iter().map(|c| c.legacy.relation.clone()).collect();
    let mut tx = cx.cx.read().await?;
    let a: ServerActivity =
        tx.one(&Sql::new(AROUND).bind([Param::Texts(tables.clone()), Param::Texts(legacy)])).await?;
    let mut out = Vec::new();
    let dialect = cx.dialect();
    let mode = dialect.lock_mode(LockStrength::Everyone);
    let wanted = WantedLocks { tables: &tables, mode, older_ms: 5_000 };
    let blockers = dialect.blockers(&mut *tx, &wanted).await?;
    out.extend(blockers.iter().map(|b| warn("long_transaction", texts::blocker(&b.text()))));
    out.extend(transactions(&a, blockers.is_empty(), &cx.cx.server.role));
    if !a.wraparound.is_empty() {
        let text = texts::vacuum(&a.wraparound);
        out.push(Preflight::new("wraparound", Ready::Fail, text));
    }
    if !a.slots.is_empty() {
        out.push(warn("replication_slot", a.slots.join("; ")));
    }
    out.push(locks(&mut *tx, a.locks).await?);
    Ok((out, u64::try_from(a.sizes).unwrap_or(0)))
}

fn transactions(a: &ServerActivity, free: bool, role: &str) -> Vec<Preflight> {
    let mut out = Vec::new();
    if a.hidden > 0 {
        out.push(warn("long_transaction", texts::sessions_hidden(a.hidden, role)));
    } else if free {
        out.push(ok("long_transaction", texts::NO_BLOCKER.into()));
    }
    if !a.prepared.is_empty() {
        out.push(Preflight::new("prepared_transaction", Ready::Fail, texts::prepared(&a.prepared)));
    } else if a.elsewhere > 0 {
        out.push(ok("prepared_transaction", texts::prepared_elsewhere(a.elsewhere)));
    }
    out
}

/// Has the server room for so many locks of one transaction, beside those of others?
pub(crate) async fn locks(tx: &mut dyn ReadTx, needed: usize) -> Result<Preflight> {
    let sql = "select (current_setting('max_locks_per_transaction')::int8 * \
               (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8))::text";
    let said = tx.texts(&Sql::new(sql)).await?;
    let room: usize = said.into_iter().flatten().next().and_then(|t| t.parse().ok()).unwrap_or(0);
    Ok(if needed > room {
        Preflight::new("locks", Ready::Fail, texts::locks_short(needed, room))
    } else if needed > room / 2 {
        warn("locks", texts::locks(needed, room))
    } else {
        ok("locks", texts::locks(needed, room))
    })
}

/// A backup that the journal knows.
#[derive(Debug, Deserialize)]
pub(crate) struct JournalledBackup {
    pub(crate) run: String,
    pub(crate) age_h: f64,
    pub(crate) body: Dumped,
    name: String,
}

/// Backups that hold all of these twins' legacy tables, the newest first.
pub(crate) async fn backups_of(cx: &PlanCx<'_>, twins: &[&str]) -> Result<Vec<JournalledBackup>> {
    let sql = "select r.id::text as run, r.name, e.body::json as body, \
               (extract(epoch from clock_timestamp() - e.at::timestamptz) / 3600)::float8 as age_h \
               from midwatch.events e join midwatch.runs r on r.id = e.run \
               where e.kind = 'backup' and r.operation in ('switchover', 'cleanup') order by e.seq desc limit 50";
    let mut found: Vec<JournalledBackup> = cx.cx.read().await?.fetch(&Sql::new(sql)).await?;
    found.retain(|f| {
        let set = named(cx.profile(), &f.name);
        twins.iter().all(|t| set.iter().any(|s| s.name() == *t))
    });
    Ok(found)
}

/// How old the last backup is that was restored and compared.
pub(crate) async fn last_backup(cx: &PlanCx<'_>, twin_pairs: &[TwinPair<'_>]) -> Preflight {
    let twins: Vec<_> = twin_pairs.iter().map(|c| c.twin.name()).collect();
    let found = match backups_of(cx, &twins).await {
        Ok(found) => found,
        Err(e) => return warn("last_backup", texts::last_backup_unknown(&e.message)),
    };
    match found.iter().find(|f| f.body.verified.is_some()) {
        None => warn("last_backup", texts::no_verified_backup(&twins)),
        Some(f) => match cx.backups.intact(&f.body).await {
            Ok(()) => ok("last_backup", texts::last_backup(&f.body.file, &f.run, &age(f.age_h))),
            Err(e) => warn("last_backup", texts::last_backup_spoiled(&f.run, &age(f.age_h), &e.message)),
        },
    }
}

/// `$1`: the legacy table's bare name. What was sent to it, and asks for a conflict.
const SENT: &str = r#"
select left(regexp_replace(s.query, '\s+', ' ', 'g'), 160) as query, m.found[1] as columns, m.found[2] as arbiter
from STATEMENTS s cross join lateral regexp_matches(s.query, '\mon\s+conflict\s*(?:\(((?:[^()]|\([^()]*\))*)\)|on\s+constraint\s+"?([^\s"]+)|do\s+nothing)', 'gi') m(found)
where s.query ~* ('\minto\s+("?\w+"?\.)?"?' || regexp_replace($1, '\W', '\\\&', 'g') || '"?\M') limit 100"#;

#[derive(Deserialize)]
struct Sent {
    query: String,
    columns: Option<String>,
    arbiter: Option<String>,
}

/// Where the statistics of statements are, or why nobody can search them.
async fn statements(cx: &PlanCx<'_>) -> Result<Result<String, String>> {
    let mut tx = cx.cx.read().await?;
    let place = "select format('%I.pg_stat_statements', n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace \
                 where e.extname = 'pg_stat_statements'";
    let Some(place) = tx.texts(&Sql::new(place)).await?.into_iter().flatten().next() else {
        return Ok(Err(texts::NO_STATEMENTS.into()));
    };
    let hidden = format!("select count(*)::text from {place} s where s.query = '<insufficient privilege>'");
    Ok(match tx.texts(&Sql::new(&hidden)).await {
        Err(e) => Err(e.message),
        Ok(n) => match n.into_iter().flatten().next().as_deref() {
            None | Some("0") => Ok(place),
            Some(n) => Err(texts::statements_hidden(n, &cx.cx.server.role)),
        },
    })
}

/// Statements seen by the server that would miss a unique key.
pub(crate) async fn statements_needing_keys(
    cx: &PlanCx<'_>,
    twin_pair: &TwinPair<'_>,
    b: &DependentObjects,
    accepted: &Accepted,
) -> Vec<Preflight> {
    let name = twin_pair.twin.name();
    let unknown = |why: &str| warn("statements", texts::statements_unknown(name, why));
    let place = match statements(cx).await {
        Ok(Ok(place)) => place,
        Ok(Err(why)) => return vec![unknown(&why)],
        Err(e) => return vec![unknown(&e.message)],
    };
    let table = Relation::parse(&twin_pair.legacy.relation).name;
    let sql = SENT.replace("STATEMENTS", &place);
    let found: Result<Vec<Sent>> =
        async { cx.cx.read().await?.fetch(&Sql::new(&sql).bind([Param::from(table.as_str())])).await }.await;
    let found = match found {
        Ok(found) => found,
        Err(e) => return vec![unknown(&e.message)],
    };
    let held = b.held().join(" or ");
    let text = |s: &Sent| {
        let what = match (&s.columns, &s.arbiter) {
            (Some(target), _) => b.misses(target).then(|| texts::target_fails(target)),
            (_, Some(a)) => {
                let named = b.arbiters.iter().any(|k| k.eq_ignore_ascii_case(a));
                named.then(|| texts::constraint_fails(a))
            }
            _ => (!held.is_empty()).then(|| texts::nothing_fails(&held)),
        };
        let text = texts::statement_fails(name, &what?, &s.query);
        Some(accepted.unless("on_conflict", &text).copied_with(name))
    };
    let mut out: Vec<Preflight> = found.iter().filter_map(text).collect();
    out.dedup();
    out
}
