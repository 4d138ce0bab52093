//! What a switchover does besides statements: proofs, the swap itself inside its locks, a backup, watching, hooks.
//! Plain data; the executor carries it out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use sha2::{Digest as _, Sha256};

use crate::engine::model::name::literal;
use crate::engine::model::phrase::differs;

/// Are both sides of a twin equal? Every row of its queries is one that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The twin.
    pub name: String,
    /// All rows, compared in the statement's own snapshot.
    pub sql: String,
    /// Only rows that were written since the snapshot `$1`; absent: nothing marks them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
}

/// Rows written since a snapshot, as a write marker keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// Those that differ.
    pub differ: String,
    /// How many there are, as one number.
    pub marked: String,
    /// What tells this marker from another: one text, or NULL where it is not complete. As long as it is the same,
    /// nothing was written unmarked.
    pub fingerprint: String,
}

/// Tables that change places, in one transaction, within a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swap {
    /// Twins that are switched.
    pub twins: u64,
    /// Locked in this order, so that two who do it cannot block each other for good.
    pub tables: Vec<String>,
    /// Asked again inside the locks.
    pub proofs: Vec<Proof>,
    /// How long one attempt waits for a lock, and whoever comes after it waits with it (milliseconds).
    pub lock_timeout_ms: u64,
    /// How long the locks may be held before it all is taken back (milliseconds).
    pub budget_ms: u64,
    /// Attempts.
    pub attempts: u32,
    /// A transaction that has held one of the tables for longer is waited for without standing in line (milliseconds).
    pub patience_ms: u64,
    /// How long such transactions are waited for in all before it is postponed (seconds).
    #[serde(default)]
    pub wait_s: u64,
}

/// Counts, sums and checksums at a stage, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// `PRE-FLIGHT`, …
    pub stage: String,
    /// Gives `table`, `rows`, `sums` (an object) and `checksum` (the sum of the 64-bit digests of all rows).
    pub sql: String,
}

/// A dump of some tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// The tables.
    pub tables: Vec<String>,
    /// It counts only when it was restored in a sandbox and compared.
    pub verify: bool,
}

/// Looking on after the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Monitor {
    /// For so long.
    pub seconds: u64,
    /// What must stay true.
    pub proofs: Vec<Proof>,
}

impl Monitor {
    /// Does a marker tell what is written meanwhile?
    pub fn is_marked(&self) -> bool {
        self.proofs.iter().all(|p| p.since.is_some())
    }
}

/// A command on the operator's machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// For `sh -c`.
    pub command: String,
    /// Ended after so many seconds.
    pub timeout_s: u64,
    /// Takes back what it has done where nothing is switched in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Who ends a prepared transaction.
const BY_NAME: &str = "its transaction manager, COMMIT PREPARED or ROLLBACK PREPARED end it";

/// A session, or a prepared transaction, that holds a table back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// Its process; 0: none, a prepared transaction.
    pub pid: i64,
    /// Its role.
    pub role: String,
    /// Its application; of a prepared transaction its name.
    pub application: String,
    /// `active`, `idle in transaction`, …; empty: not shown to us.
    pub state: String,
    /// Milliseconds since its transaction began.
    pub age_ms: i64,
    /// Milliseconds since its statement began, or ended.
    pub statement_ms: i64,
    /// What it runs, or ran last.
    pub query: String,
    /// The table that it holds.
    pub table: String,
    /// It has written something: to end it would lose that.
    pub wrote: bool,
    /// When its session began, by the server's clock: a process's number alone may be somebody else's by now.
    #[serde(default)]
    pub since: String,
    /// When its last statement began.
    #[serde(default)]
    pub query_at: Option<String>,
}

/// A session that somebody wants ended, and has said so by its phrase.
#[derive(Debug, PartialEq, Eq)]
pub struct EndSession {
    blocker: Blocker,
}

impl EndSession {
    /// Which.
    pub fn blocker(&self) -> &Blocker {
        &self.blocker
    }
}

impl Blocker {
    /// What must be typed to end it: another session has another phrase, also under the same number.
    pub fn phrase(&self) -> String {
        let text = format!("{}\n{}\n{}", self.pid, self.role, self.since);
        let digest = format!("{:x}", Sha256::digest(text.as_bytes()));
        format!("end {} {} {}", self.pid, self.role, &digest[..4])
    }

    /// The right words, or how they differ.
    pub fn confirm(self, typed: &str) -> std::result::Result<EndSession, String> {
        if self.is_prepared() {
            return Err(format!("a prepared transaction is no session: {BY_NAME}"));
        }
        let phrase = self.phrase();
        if typed == phrase { Ok(EndSession { blocker: self }) } else { Err(differs(&phrase, typed)) }
    }

    /// A prepared transaction waits for whoever ends it by name, across restarts.
    pub fn is_prepared(&self) -> bool {
        self.pid == 0
    }

    /// What ending it would cost.
    pub fn loses(&self) -> &'static str {
        if self.wrote { "what it has written" } else { "nothing (read only)" }
    }

    /// In a line.
    pub fn text(&self) -> String {
        let seconds = self.age_ms / 1_000;
        let tenths = self.age_ms % 1_000 / 100;
        if self.is_prepared() {
            return format!(
                "prepared transaction {} of {} for {seconds}.{tenths} s, holds {}: {}",
                literal(&self.application),
                self.role,
                self.table,
                BY_NAME
            );
        }
        let mut query = self.query.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((at, _)) = query.char_indices().nth(60) {
            query.truncate(at);
            query.push('…');
        }
        let loses =
            if self.wrote { "would lose what it has written" } else { "would lose nothing (read only)" };
        format!(
            "pid {} {} {} for {}.{} s, holds {}, {loses}: {query}",
            self.pid,
            self.role,
            if self.state.is_empty() { "(state not shown)" } else { &self.state },
            seconds,
            tenths,
            self.table
        )
    }
}

/// Whoever holds one of the tables `$1`, their partitions or sequences, and began more than `$2` ms ago; when a session's
/// transaction began is hidden from a role that may not see it: such a one is told only where `$2` is 0.
pub const BLOCKERS: &str = "
with recursive tree as (
  select t::regclass::oid as oid, t::regclass::oid as root from unnest($1::text[]) t
  union
  select i.inhrelid, t.root from pg_inherits i join tree t on i.inhparent = t.oid),
wanted as (
  select oid, root from tree
  union
  select d.objid, t.root from pg_depend d join tree t on d.refobjid = t.oid join pg_class s on s.oid = d.objid and s.relkind = 'S'
  where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')),
held as (
  select l.pid, l.virtualtransaction, min(w.root::regclass::text) as table
  from pg_locks l join wanted w on w.oid = l.relation
  where l.locktype = 'relation' and l.granted and l.database = (select oid from pg_database where datname = current_database())
  group by l.pid, l.virtualtransaction)
select a.pid::bigint as pid, coalesce(a.usename, '')::text as role, coalesce(a.application_name, '') as application,
       coalesce(a.state, a.backend_type, '') as state,
       coalesce((extract(epoch from clock_timestamp() - a.xact_start) * 1000)::bigint, 0) as age_ms,
       coalesce((extract(epoch from clock_timestamp() - a.state_change) * 1000)::bigint, 0) as statement_ms,
       coalesce(left(a.query, 200), '') as query, h.table,
       a.backend_xid is not null as wrote, a.backend_start::text as since, a.query_start::text as query_at
from held h join pg_stat_activity a on a.pid = h.pid
where a.pid <> pg_backend_pid()
  and (a.xact_start is null and $2 = 0 or a.xact_start < clock_timestamp() - make_interval(secs => $2 / 1000.0))
union all
select 0, cast(p.owner as text), p.gid, 'prepared', (extract(epoch from clock_timestamp() - p.prepared) * 1000)::bigint, 0, '', h.table,
       true, p.prepared::text, null
from held h join pg_locks x on h.pid is null and x.pid is null and x.virtualtransaction = h.virtualtransaction and x.locktype = 'transactionid'
join pg_prepared_xacts p on p.transaction = x.transactionid
where p.prepared < clock_timestamp() - make_interval(secs => $2 / 1000.0)
order by age_ms desc limit 20";

/// Of those only who holds what a weaker lock waits for: a reader does not keep out what only wants writers away.
#[must_use]
pub fn blockers_of(mode: &str) -> String {
    let weaker: &[&str] = if mode.starts_with("ACCESS EXCLUSIVE") {
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

/// A switchover to be played through in a copy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Play {
    /// The set, as the switchover would name it.
    pub name: String,
    /// Its parameters.
    pub params: std::collections::BTreeMap<String, String>,
    /// The twins' tables that get rows.
    pub twins: Vec<PlayTwin>,
    /// Rows of each legacy table that are copied at most; absent: all.
    pub rows: Option<u64>,
    /// Sessions that write meanwhile.
    pub writers: u32,
    /// How long they write before the switch, after it and after the way back.
    pub seconds: u64,
}

/// A twin of a [`Play`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayTwin {
    /// The legacy table.
    pub legacy: String,
    /// Its twin.
    pub twin: String,
    /// The key of a row, with its types.
    pub key: Vec<(String, String)>,
    /// A column of the partition key that is a time.
    pub time: Option<String>,
    /// Columns that an inserted copy of a row takes over; the others come from their defaults.
    pub columns: Vec<String>,
    /// A column that is written over and over.
    pub column: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// What was copied, in words.
    pub copied: String,
    /// The switchover's preflight there: id, verdict, message.
    pub preflight: Vec<(String, String, String)>,
    /// Locks held by the switch, and by the way back (milliseconds).
    pub held_ms: u64,
    /// The way back.
    pub back_ms: u64,
    /// Attempts that the switch took.
    pub attempts: u64,
    /// Statements that the writers committed.
    pub writes: u64,
    /// Writes that the tables themselves refused (a unique key, a CHECK), before the switch as after it.
    pub refused: u64,
    /// Their latency, over all: median, 99th percentile, longest (milliseconds).
    pub latency_ms: (f64, f64, f64),
    /// The longest of those that began before the switch and ended after it had begun.
    pub stall_ms: f64,
    /// How long a transaction of each of the switch's other steps took (milliseconds), the longest of its portions.
    #[serde(default)]
    pub steps: BTreeMap<String, u64>,
    /// What went wrong, in words; none: it would do.
    pub failures: Vec<String>,
}

impl Played {
    /// What is worth knowing of it at once.
    pub fn told(&self) -> Vec<String> {
        let (median, p99, longest) = self.latency_ms;
        vec![
            format!(
                "locks held {} ms by the switch ({}), {} ms by the way back",
                self.held_ms,
                tries(self.attempts),
                self.back_ms
            ),
            format!(
                "{} writes committed beside it: median {median:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms; across the switch {:.1} ms at most",
                self.writes, self.stall_ms
            ),
            format!(
                "{} writes of the generator were refused by the tables' own constraints, before the switch as after it",
                self.refused
            ),
            self.copied.clone(),
        ]
    }
}

pub(crate) fn tries(attempts: impl Into<u64>) -> String {
    match attempts.into() {
        1 => "1 attempt".into(),
        n => format!("{n} attempts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_session_under_the_same_number_has_another_phrase() {
        let of = |since: &str| Blocker {
            pid: 4711,
            role: "report_ro".into(),
            since: since.into(),
            ..Blocker::default()
        };
        let (one, other) = (of("2026-11-21 01:40:00.1+00"), of("2026-11-21 01:46:00.2+00"));
        assert!(one.phrase().starts_with("end 4711 report_ro "), "{}", one.phrase());
        assert_ne!(one.phrase(), other.phrase());
        assert_eq!(one.clone().confirm(&one.phrase()).unwrap().blocker(), &one);
        for typed in ["", "y", "end 4711", &other.phrase(), &one.phrase().to_uppercase()] {
            assert!(one.clone().confirm(typed).is_err(), "{typed}");
        }
    }
}
