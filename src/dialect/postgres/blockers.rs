//! Which sessions hold a lock on a table.

use serde::Deserialize;

use crate::dialect::postgres::lock_modes::EVERYONE;
use crate::engine::model::blocker::Blocker;
use crate::engine::model::error::Result;
use crate::engine::model::name::literal;
use crate::engine::model::query::{Param, ProfileSql, Sql};
use crate::engine::port::catalog::WantedLocks;
use crate::engine::port::reader::ReadTx;

/// Numbers of the tables `$1`, and their names as the profile's path lets them be written; one that is not there is an
/// error. Everything with its schema: the path that it is asked under is the profile's.
const TABLES: &str = "
select (t::pg_catalog.regclass::pg_catalog.oid)::pg_catalog.text as oid, t::pg_catalog.regclass::pg_catalog.text as name
from pg_catalog.unnest($1::pg_catalog.text[]) t";

/// Whoever holds one of the tables of the numbers `$1` and the names `$3`, their partitions or sequences, and began more
/// than `$2` ms ago; when a session's transaction began is hidden from a role that may not see it: such a one is told only
/// where `$2` is 0.
const BLOCKERS: &str = "
with recursive tree as (
  select t.oid::oid as oid, t.name as root from unnest($1::text[], $3::text[]) t(oid, name)
  union
  select i.inhrelid, t.root from pg_inherits i join tree t on i.inhparent = t.oid),
wanted as (
  select oid, root from tree
  union
  select d.objid, t.root from pg_depend d join tree t on d.refobjid = t.oid join pg_class s on s.oid = d.objid and s.relkind = 'S'
  where d.classid = 'pg_class'::regclass::oid and d.refclassid = 'pg_class'::regclass::oid and d.deptype in ('a', 'i')),
held as (
  select l.pid, l.virtualtransaction, min(w.root) as table
  from pg_locks l join wanted w on w.oid = l.relation
  where l.locktype = 'relation' and l.granted and l.database = (select oid from pg_database where datname = current_database())
  group by l.pid, l.virtualtransaction)
select a.pid::bigint as pid, coalesce(a.usename, '')::text as role, coalesce(a.application_name, '') as application,
       coalesce(a.state, a.backend_type, '') as state,
       coalesce((extract(epoch from clock_timestamp() - a.xact_start) * 1000)::bigint, 0) as age_ms,
       coalesce((extract(epoch from clock_timestamp() - a.state_change) * 1000)::bigint, 0) as statement_ms,
       coalesce(left(a.query, 200), '') as query, h.table,
       a.backend_xid is not null as wrote, a.backend_start::text as since, a.query_start::text as query_at, null as quoted
from held h join pg_stat_activity a on a.pid = h.pid
where a.pid <> pg_backend_pid()
  and (a.xact_start is null and $2 = 0 or a.xact_start < clock_timestamp() - make_interval(secs => $2 / 1000.0))
union all
select 0, cast(p.owner as text), p.gid, 'prepared', (extract(epoch from clock_timestamp() - p.prepared) * 1000)::bigint, 0, '', h.table,
       true, p.prepared::text, null, quote_literal(p.gid)
from held h join pg_locks x on h.pid is null and x.pid is null and x.virtualtransaction = h.virtualtransaction and x.locktype = 'transactionid'
join pg_prepared_xacts p on p.transaction = x.transactionid
where p.prepared < clock_timestamp() - make_interval(secs => $2 / 1000.0)
order by age_ms desc limit 20";

/// Of those only who holds what a weaker lock waits for: a reader does not keep out what only wants writers away.
fn blockers_of(mode: &str) -> String {
    let weaker: &[&str] = if mode.starts_with(EVERYONE) {
        &[]
    } else if mode.starts_with("SHARE UPDATE EXCLUSIVE") {
        &["AccessShareLock", "RowShareLock", "RowExclusiveLock"]
    } else {
        &["AccessShareLock", "RowShareLock"]
    };
    let weaker: Vec<_> = weaker.iter().map(|m| literal(m)).collect();
    let granted = format!("l.granted and l.mode <> all (array[{}]::text[])", weaker.join(", "));
    BLOCKERS.replace("l.granted", &granted)
}

#[derive(Deserialize)]
struct Found {
    oid: String,
    name: String,
}

pub(super) async fn blockers(tx: &mut dyn ReadTx, wanted: &WantedLocks<'_>) -> Result<Vec<Blocker>> {
    let named = ProfileSql::names(TABLES).bind([Param::Texts(wanted.tables.to_vec())]);
    let found: Vec<Found> = tx.fetch(&named).await?;
    let (tables, shown) = found.into_iter().map(|f| (f.oid, f.name)).unzip();
    let older = i64::try_from(wanted.older_ms).unwrap_or(i64::MAX);
    tx.fetch(&Sql::new(blockers_of(wanted.mode)).bind([
        Param::Texts(tables),
        Param::Int(older),
        Param::Texts(shown),
    ]))
    .await
}
