//! What a database holds: to be compared with what it held, and with what the journal says of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::ops::Op;
use crate::world::World;

/// Rows by key, to the byte.
pub(crate) type Rows = BTreeMap<String, String>;

/// Every row of every table that is not the journal's or the system's own audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exact(pub(crate) BTreeMap<String, Rows>);

/// The same without what depends on when and in which order it was done, and with the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End(BTreeMap<String, Vec<String>>);

/// What the journal says of a run.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) outcome: String,
    pub(crate) applied: u64,
    pub(crate) drifted: u64,
    pub(crate) planned: u64,
    pub(crate) verified: bool,
    pub(crate) sizes: Vec<u64>,
    /// Steps of statements that are done.
    pub(crate) ran: u64,
}

const TABLES: &str = "
select format('%I.%I', n.nspname, c.relname), coalesce((
         select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_index i
         join pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey) where i.indrelid = c.oid and i.indisprimary), '')
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and not c.relispartition and n.nspname in ('public', 'repairs') and c.relname not in ('audit_logs', 'job_log') order by 1";

/// A row's key as images have it.
fn key_sql(key: &[&str]) -> String {
    let names: Vec<_> = key.iter().map(|k| format!("'{k}'")).collect();
    let texts: Vec<_> = key.iter().map(|k| format!("t.{k}::text")).collect();
    format!("jsonb_object(array[{}]::text[], array[{}]::text[])::text", names.join(", "), texts.join(", "))
}

impl Exact {
    pub(crate) async fn read(world: &World) -> Self {
        let mut out = BTreeMap::new();
        for table in world.rows(TABLES).await {
            let [Some(name), Some(key)] = &table[..] else { panic!("{table:?}") };
            // The whiteboard is known by its day: its numbers are the server's.
            let key = match name.as_str() {
                "public.daily_status" => key_sql(&["employee_id", "business_date_ist"]),
                _ if key.is_empty() => "t::text".into(),
                _ => key_sql(&key.split(", ").collect::<Vec<_>>()),
            };
            let rows = world.rows(&format!("select {key}, t::text from {name} t")).await;
            let rows: Rows =
                rows.into_iter().map(|r| (r[0].clone().unwrap(), r[1].clone().unwrap())).collect();
            out.insert(name.trim_start_matches("public.").to_owned(), rows);
        }
        Self(out)
    }

    /// Keys of rows that are not the same.
    pub(crate) fn changed(&self, other: &Self, table: &str) -> BTreeSet<String> {
        let (Some(a), Some(b)) = (self.0.get(table), other.0.get(table)) else { return BTreeSet::new() };
        a.keys().chain(b.keys()).filter(|k| a.get(*k) != b.get(*k)).cloned().collect()
    }

    /// Fails with the first rows that differ.
    pub(crate) fn assert_same(&self, other: &Self, what: &str) {
        for table in self.0.keys() {
            let keys = self.changed(other, table);
            let of = |side: &Self, key: &String| {
                side.0[table].get(key).cloned().unwrap_or_else(|| "nothing".into())
            };
            let shown: Vec<_> =
                keys.iter().take(3).map(|k| format!("{} | {}", of(self, k), of(other, k))).collect();
            assert!(keys.is_empty(), "{what}: {} rows of {table} differ: {}", keys.len(), shown.join("; "));
        }
    }
}

impl End {
    pub(crate) async fn read(world: &World, op: &Op) -> Self {
        let parts: &[(&str, &str)] = match op.name {
            "init" => &[
                (
                    "(select table_name, column_name, data_type from information_schema.columns where table_schema = 'midwatch')",
                    "to_jsonb(t)",
                ),
                ("(select folder, file, checksum, normalised from midwatch.migrations)", "to_jsonb(t)"),
                ("(select tgname from pg_trigger where not tgisinternal)", "to_jsonb(t)"),
            ],
            "repair" | "copy-missing" => &[
                ("daily_cash_balances_partitioned", "to_jsonb(t)"),
                ("revenues_partitioned", "to_jsonb(t)"),
                ("expenses_partitioned", "to_jsonb(t)"),
            ],
            "requeue jobs" => &[
                ("jobs", "to_jsonb(t) - 'tried_at'"),
                ("job_log", "(to_jsonb(t) - 'id' - 'at') #- '{context,run}' #- '{context,by}'"),
            ],
            _ => &[
                ("attendance_events", "to_jsonb(t) - 'created_at'"),
                ("daily_status", "to_jsonb(t) - 'id' - 'updated_at'"),
                ("repairs.business_dates", "to_jsonb(t) - 'created_at'"),
                ("audit_logs", "(to_jsonb(t) - 'id' - 'created_at') #- '{context,run}' #- '{context,by}'"),
            ],
        };
        let mut out = BTreeMap::new();
        for (table, row) in parts {
            let sql = format!("select ({row})::text as row from {table} t order by 1");
            let rows = world.rows(&sql).await;
            out.insert((*table).to_owned(), rows.into_iter().map(|mut r| r.remove(0).unwrap()).collect());
        }
        Self(out)
    }

    /// Fails with the first rows that only one of them has.
    pub(crate) fn assert_same(&self, other: &Self, what: &str) {
        for (table, rows) in &self.0 {
            let theirs = &other.0[table];
            let mut only: Vec<String> =
                rows.iter().filter(|r| !theirs.contains(r)).map(|r| format!("- {r}")).collect();
            only.extend(theirs.iter().filter(|r| !rows.contains(r)).map(|r| format!("+ {r}")));
            only.truncate(6);
            assert!(
                rows == theirs,
                "{what}: {table} has {} rows, not {}: {}",
                theirs.len(),
                rows.len(),
                only.join("\n")
            );
        }
    }
}

/// What the journal says of a run.
async fn found(world: &World, run: i64) -> Found {
    let sql = format!(
        "select outcome, applied::text, drifted::text, planned::text, (verified is true)::text from midwatch.runs where id = {run}"
    );
    let row = world.rows(&sql).await.remove(0);
    let get = |i: usize| row[i].clone().unwrap();
    let number = |i: usize| get(i).parse::<u64>().unwrap();
    let sql = format!(
        "select body::jsonb ->> 'applied' from midwatch.events where run = {run} and kind = 'batch' order by seq"
    );
    let sizes: Vec<u64> =
        world.rows(&sql).await.into_iter().map(|mut r| r.remove(0).unwrap().parse().unwrap()).collect();
    let ran = world
        .value(&format!("select count(*)::text from midwatch.events where run = {run} and kind = 'step'"))
        .await
        .parse()
        .unwrap();
    Found {
        outcome: get(0),
        applied: number(1),
        drifted: number(2),
        planned: number(3),
        verified: get(4) == "true",
        sizes,
        ran,
    }
}

/// Row changed ⇔ before-image ⇔ audit row ⇔ journal.
pub(crate) async fn agrees(
    world: &World,
    op: &Op,
    before: &Exact,
    run: Option<i64>,
    guard: &str,
) -> Option<Found> {
    let now = Exact::read(world).await;
    assert_eq!(&guard_state(world).await, guard, "the guard trigger is not as it was");
    let Some(run) = run else {
        now.assert_same(before, "nothing began");
        return None;
    };
    let keys = async |which: &str| -> Vec<String> {
        // By table: rows of different ones may have the same key.
        let sql = format!(
            "select b.relation::regclass || ' ' || u.key::jsonb from midwatch.image_blocks b cross join unnest(b.seqs, b.keys) u(seq, key) \
             where b.run = {run} and {which}"
        );
        world.rows(&sql).await.into_iter().map(|mut r| r.remove(0).unwrap()).collect()
    };
    let found = found(world, run).await;
    if op.is_init() {
        now.assert_same(before, "init");
        return Some(found);
    }
    assert_eq!(found.applied, found.sizes.iter().sum::<u64>(), "rows counted by the run and by its entries");
    let main = keys("seq is not null").await;
    let mains: BTreeSet<String> = main.iter().cloned().collect();
    assert_eq!(main.len(), mains.len(), "a row was changed twice");
    let follow: BTreeSet<String> = keys("seq is null").await.into_iter().collect();
    let changed = |table: &str| -> BTreeSet<String> {
        before.changed(&now, table).into_iter().map(|key| format!("{table} {key}")).collect()
    };
    if op.writes {
        let all: BTreeSet<String> = op.tables().into_iter().flat_map(changed).collect();
        assert_eq!(all, mains, "rows changed, and rows with a before-image");
        assert_eq!(mains.len() as u64, found.applied, "before-images, and rows counted by the run");
        if op.derived {
            let days = changed("daily_status");
            assert!(
                days.is_subset(&follow),
                "derived rows changed without a before-image: {:?}",
                days.difference(&follow)
            );
        }
    } else {
        let days = changed(op.table);
        assert!(
            days.is_subset(&follow),
            "rows changed without a before-image: {:?}",
            days.difference(&follow)
        );
    }
    for (table, _) in now.0.iter().filter(|(t, _)| !op.tables().contains(&t.as_str()) && *t != "daily_status")
    {
        assert_eq!(before.changed(&now, table), BTreeSet::new(), "{table} has nothing to do with it");
    }
    if op.audit.is_empty() {
        return Some(found);
    }
    let audit = format!("select count(*)::text from {} where context ->> 'run' = '{run}'", op.audit);
    assert_eq!(world.value(&audit).await, found.applied.to_string(), "audit rows, and rows changed");
    Some(found)
}

/// How every trigger that is not ours to test with is enabled.
pub(crate) async fn guard_state(world: &World) -> String {
    world
        .value(
            "select coalesce(string_agg(tgrelid::regclass::text || '.' || tgname || ' ' || tgenabled::text, ', ' order by tgrelid::regclass::text, tgname), '')
             from pg_trigger where not tgisinternal and tgname not like 'fault%' and tgrelid::regclass::text not like 'midwatch.%'",
        )
        .await
}
