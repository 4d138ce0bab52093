//! Applications at work while tables change places: each keeps a ledger of what was committed to it, and of what failed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use midwatch::dialect::postgres::owner::Owner;
use tokio::task::JoinHandle;

use crate::common::Database;

/// What one of them did.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Its rows that must be there: id → amount, and how many days ago it occurred.
    pub(crate) rows: BTreeMap<String, (i64, i64)>,
    pub(crate) deleted: Vec<String>,
    pub(crate) errors: Vec<String>,
    pub(crate) commits: u64,
    pub(crate) slowest: Duration,
}

pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Ledger>>,
}

impl Writers {
    /// Inserts, updates, deletes and updates of the partition key, each on rows of its own.
    pub(crate) async fn start(database: &Database, n: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for i in 0..n {
            let (owner, stop) = (database.owner().await, Arc::clone(&stop));
            tasks.push(tokio::spawn(work(owner, i as u64, stop)));
        }
        Self { stop, tasks }
    }

    pub(crate) async fn stop(self) -> Vec<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        let mut out = Vec::new();
        for task in self.tasks {
            out.push(task.await.unwrap());
        }
        out
    }
}

async fn work(mut owner: Owner, seed: u64, stop: Arc<AtomicBool>) -> Ledger {
    let mut out = Ledger::default();
    let mut dice = seed * 7_919 + 1;
    while !stop.load(Ordering::Relaxed) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let roll = (dice >> 33) % 10;
        let began = Instant::now();
        let done = step(&mut owner, &mut out, roll, (dice >> 40) as usize).await;
        out.slowest = out.slowest.max(began.elapsed());
        match done {
            Ok(()) => {
                out.commits += 1;
                // An application has other things to do as well.
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
            Err(e) => out.errors.push(format!("{} {}", e.code.unwrap_or_default(), e.message)),
        }
    }
    out
}

async fn step(
    owner: &mut Owner,
    out: &mut Ledger,
    roll: u64,
    pick: usize,
) -> midwatch::engine::model::error::Result<()> {
    let own = out.rows.keys().nth(pick % out.rows.len().max(1)).cloned();
    let Some(id) = own.filter(|_| roll >= 4) else {
        let days = i64::try_from(pick % 300).unwrap();
        let sql = "insert into revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id)
                   values (9009, 9, $1::int, date_trunc('day', now() at time zone 'UTC') - make_interval(days => $2::int), 9) returning id::text";
        let id = owner.fetch_value(sql, &[&roll.to_string(), &days.to_string()]).await?.unwrap();
        out.rows.insert(id, (roll.cast_signed(), days));
        return Ok(());
    };
    let (amount, days) = out.rows[&id];
    match roll {
        4..=6 => {
            let sql =
                "update revenues set amount_cents = amount_cents + 1, description = null where id = $1::int";
            assert_eq!(owner.execute(sql, &[&id]).await?, 1, "{id}");
            out.rows.insert(id, (amount + 1, days));
        }
        7 | 8 => {
            let further = (days + 37) % 300;
            let sql = "update revenues set occurred_at = date_trunc('day', now() at time zone 'UTC') - make_interval(days => $2::int)
                       where id = $1::int";
            assert_eq!(owner.execute(sql, &[&id, &further.to_string()]).await?, 1, "{id}");
            out.rows.insert(id, (amount, further));
        }
        _ => {
            assert_eq!(owner.execute("delete from revenues where id = $1::int", &[&id]).await?, 1, "{id}");
            out.rows.remove(&id);
            out.deleted.push(id);
        }
    }
    Ok(())
}

/// Every committed write is in both tables, exactly once, and nothing else of theirs.
pub(crate) async fn judge(owner: &mut Owner, ledgers: &[Ledger], tables: [&str; 2]) {
    let all: usize = ledgers.iter().map(|l| l.rows.len()).sum();
    for ledger in ledgers {
        assert_eq!(ledger.errors, Vec::<String>::new());
    }
    let mut expected: Vec<String> = ledgers
        .iter()
        .flat_map(|l| l.rows.iter().map(|(id, (amount, days))| format!("{id} {amount} {days}")))
        .collect();
    expected.sort();
    for table in tables {
        let sql = format!(
            "select coalesce(string_agg(t, ',' order by t collate \"C\"), '') from (select id || ' ' || amount_cents || ' ' ||
             extract(day from date_trunc('day', now() at time zone 'UTC') - occurred_at)::int as t from {table} where org_id = 9009) q"
        );
        let found = owner.fetch_value(&sql, &[]).await.unwrap().unwrap();
        let found: Vec<&str> = found.split(',').filter(|t| !t.is_empty()).collect();
        assert_eq!(found.len(), all, "{table}");
        let (found, expected): (BTreeSet<_>, BTreeSet<_>) =
            (found.into_iter().collect(), expected.iter().map(String::as_str).collect());
        let differ: Vec<_> = found.symmetric_difference(&expected).collect();
        assert!(differ.is_empty(), "{table}: {differ:?}");
    }
}
