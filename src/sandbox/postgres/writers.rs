//! Applications at work on a copy: inserts, updates, deletes, updates of the partition key, each timed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::dialect::postgres::owner::Owner;
use crate::engine::model::cause::Cause;
use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, literal};
use crate::sandbox::postgres::rehearsal::Private;

/// Two tables that are kept in step, and what of their rows is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrittenPair {
    /// The table that applications write.
    pub legacy: String,
    /// The other one.
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

/// A statement of a writer: when it began, and how long it took.
pub type Timed = (Instant, Duration);

/// What they did.
#[derive(Debug, Default)]
pub struct Written {
    /// Every statement that was committed.
    pub times: Vec<Timed>,
    /// Statements that the tables themselves refuse.
    pub refused: u64,
    /// Statements that failed otherwise.
    pub failures: Vec<String>,
}

/// Sessions that write until they are stopped.
pub struct LoadWriters {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Written>>,
}

impl LoadWriters {
    /// So many, on the legacy tables by their names.
    pub async fn start(copy: &Private, twins: &[WrittenPair], n: u32) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for seed in 0..n {
            let owner = copy.owner().await?;
            tasks.push(tokio::spawn(write(owner, twins.to_vec(), u64::from(seed), Arc::clone(&stop))));
        }
        Ok(Self { stop, tasks })
    }

    /// Waits for the last statement of each.
    pub async fn stop(self) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        let mut out = Written::default();
        for task in self.tasks {
            match task.await {
                Ok(w) => {
                    out.times.extend(w.times);
                    out.refused += w.refused;
                    out.failures.extend(w.failures);
                }
                Err(e) => out.failures.push(format!("it ended: {e}")),
            }
        }
        out
    }
}

impl Private {
    /// Sequences past the copied rows, statistics of them.
    pub async fn settle(&self, twins: &[WrittenPair]) -> Result<()> {
        let mut owner = self.owner().await?;
        for twin in twins {
            owner.execute_script(&numbers(twin)).await?;
        }
        owner.execute_script("analyze").await
    }
}

/// Sequences of a copy stand at their start; its rows do not.
fn numbers(twin: &WrittenPair) -> String {
    let block = format!(
        "declare c record; begin for c in select a.attname, pg_get_serial_sequence({0}, a.attname) as s from pg_attribute a \
         where a.attrelid = {0}::regclass and a.attnum > 0 and not a.attisdropped loop if c.s is not null then \
         execute format('select setval(%L, coalesce((select max(%I) from {1}), 0) + 1)', c.s, c.attname); end if; end loop; end",
        literal(&twin.legacy),
        twin.legacy
    );
    format!("do {}", literal(&block))
}

/// One application: rows of its own, and rows that are there.
async fn write(mut owner: Owner, twins: Vec<WrittenPair>, seed: u64, stop: Arc<AtomicBool>) -> Written {
    let mut out = Written::default();
    let mut own: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let mut dice = seed * 7_919 + 1;
    while !stop.load(Ordering::Relaxed) {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = usize::try_from((dice >> 20) % twins.len() as u64).unwrap_or(0);
        let Some(twin) = twins.get(at) else { return out };
        let (sql, key) = statement(twin, (dice >> 33) % 10, own.entry(at).or_default());
        let began = Instant::now();
        let params: Vec<&str> = key.iter().map(String::as_str).collect();
        match owner.fetch_value(&sql, &params).await {
            Ok(new) => {
                out.times.push((began, began.elapsed()));
                own.entry(at).or_default().extend(new);
            }
            // What the table refuses it would have refused anyway.
            Err(e) if e.cause == Cause::Constraint => out.refused += 1,
            Err(e) => out.failures.push(format!("{} ({})", e.message, e.code.unwrap_or_default())),
        }
        if out.failures.len() > 20 {
            return out;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    out
}

/// A write of one kind or another; what it inserts tells its key, by which it is found again.
fn statement(twin: &WrittenPair, roll: u64, own: &mut Vec<String>) -> (String, Option<String>) {
    let table = &twin.legacy;
    let told: Vec<_> = twin.key.iter().map(|(k, _)| format!("{}::text", Ident(k))).collect();
    let names: Vec<_> = twin.columns.iter().map(|c| Ident(c).to_string()).collect();
    let names = names.join(", ");
    let insert = format!(
        "insert into {table} ({names}) select {names} from {table} offset (select floor(random() * 50)) limit 1 \
         returning json_build_array({})::text",
        told.join(", ")
    );
    let Some(key) = own.last().cloned().filter(|_| roll > 3) else { return (insert, None) };
    let same: Vec<_> = twin
        .key
        .iter()
        .enumerate()
        .map(|(i, (k, kind))| format!("t.{} = ($1::json ->> {i})::{kind}", Ident(k)))
        .collect();
    let which = same.join(" and ");
    let done = |change: String| {
        format!("with done as ({change} where {which} returning 1) select null::text where false")
    };
    let set = |column: &str, value: &str| done(format!("update {table} t set {} = {value}", Ident(column)));
    let sql = match (roll, &twin.time, &twin.column) {
        (9, ..) => {
            own.pop();
            done(format!("delete from {table} t"))
        }
        (7 | 8, Some(time), _) => set(time, &format!("{} - interval '20 days'", Ident(time))),
        (_, _, Some(column)) => set(column, &Ident(column).to_string()),
        _ => return (insert, None),
    };
    (sql, Some(key))
}
