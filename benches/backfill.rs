//! The backfill of a whole ledger, against a loop of one-row transactions and against one set-based statement, all
//! with audit rows, before-images and days projected again, on equal databases of one durable server, in one run.
//!
//! `MIDWATCH_BENCH_ROWS` sets the size (1,000,000).
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench prints, and ends on the first surprise"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use midwatch::engine::Engine;
use midwatch::engine::gate::guard::TypedPhrase;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::progress::{Control, Phase, Progress};
use midwatch::engine::plan::request::{PlanNews, Request};
use midwatch::profile::TargetConfig;
use midwatch::sandbox::demo::{System, load_system};
use midwatch::sandbox::{Options, Server};

#[expect(dead_code, reason = "other benches use the rest")]
mod common;

/// One-row transactions that are timed.
const SINGLES: usize = 2_000;

const WRONG: &str = "
begin;
alter table attendance_events disable trigger user;
update attendance_events set business_date_ist = business_date_ist - 1;
alter table attendance_events enable trigger user;
commit";

/// The same writes as a run, by hand, for all rows at once.
const WHOLE: &str = "
alter table attendance_events disable trigger attendance_events_guard;
create temp table days on commit drop as
  select k.employee_id, k.day, to_jsonb(d) as before
  from (select distinct e.employee_id, x.day from attendance_events e
        cross join lateral (values (e.business_date_ist), ((e.event_timestamp_utc at time zone 'Asia/Kolkata')::date)) x(day)
        where e.business_date_ist is distinct from (e.event_timestamp_utc at time zone 'Asia/Kolkata')::date) k
  left join daily_status d on d.employee_id = k.employee_id and d.business_date_ist = k.day;
with changed as (
  update attendance_events e set business_date_ist = (e.event_timestamp_utc at time zone 'Asia/Kolkata')::date
  from attendance_events o
  where o.id = e.id and e.business_date_ist is distinct from (e.event_timestamp_utc at time zone 'Asia/Kolkata')::date
  returning e.id, e.employee_id, o.business_date_ist as old_date, e.business_date_ist as new_date, to_jsonb(o) as before),
images as (
  insert into by_hand_images (relation, key, before, after)
  select 'attendance_events', jsonb_build_object('id', id), before, jsonb_build_object('business_date_ist', new_date) from changed)
insert into audit_logs (actor_slack_id, target_employee_id, action, reason, context)
select 'system.backfill', employee_id, 'BACKFILL_BUSINESS_DATE', 'by hand',
       jsonb_build_object('event_id', id, 'old_date', old_date, 'new_date', new_date) from changed;
select count(rebuild_daily_status(employee_id, day)) from days;
insert into by_hand_images (relation, key, before, after)
select 'daily_status', jsonb_build_object('employee_id', k.employee_id, 'day', k.day), k.before, to_jsonb(d)
from days k left join daily_status d on d.employee_id = k.employee_id and d.business_date_ist = k.day;
alter table attendance_events enable trigger attendance_events_guard;";

/// The same for one row, as a careful script would do it. `%s` is the row.
const ONE: &str = "
alter table attendance_events disable trigger attendance_events_guard;
insert into by_hand_images (relation, key, before)
  select 'daily_status', jsonb_build_object('employee_id', e.employee_id, 'day', x.day), to_jsonb(d) from attendance_events e
  cross join lateral (values (e.business_date_ist), ((e.event_timestamp_utc at time zone 'Asia/Kolkata')::date)) x(day)
  left join daily_status d on d.employee_id = e.employee_id and d.business_date_ist = x.day where e.id = '%s';
with changed as (
  update attendance_events e set business_date_ist = (e.event_timestamp_utc at time zone 'Asia/Kolkata')::date
  from attendance_events o where o.id = e.id and e.id = '%s'
  returning e.id, e.employee_id, o.business_date_ist as old_date, e.business_date_ist as new_date, to_jsonb(o) as before),
images as (
  insert into by_hand_images (relation, key, before, after)
  select 'attendance_events', jsonb_build_object('id', id), before, jsonb_build_object('business_date_ist', new_date) from changed),
audit as (
  insert into audit_logs (actor_slack_id, target_employee_id, action, reason, context)
  select 'system.backfill', employee_id, 'BACKFILL_BUSINESS_DATE', 'by hand',
         jsonb_build_object('event_id', id, 'old_date', old_date, 'new_date', new_date) from changed)
select employee_id, old_date, new_date from changed;
select rebuild_daily_status(e.employee_id, x.day) from attendance_events e
  cross join lateral (values (e.business_date_ist), (e.business_date_ist - 1)) x(day) where e.id = '%s';
alter table attendance_events enable trigger attendance_events_guard;";

const IMAGES: &str = "
create table by_hand_images (id bigint generated always as identity, relation text, key jsonb, before jsonb, after jsonb);
create index on by_hand_images (id)";

fn main() {
    common::run(run());
}

async fn run() {
    let rows = common::number("MIDWATCH_BENCH_ROWS", 1_000_000);
    let settings =
        [("fsync", "on"), ("synchronous_commit", "on"), ("max_wal_size", "8GB"), ("shared_buffers", "512MB")];
    let settings = settings.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
    let server = Server::start(Options { settings, ..Options::default() }).await.unwrap();
    server.create_database("template", None).await.unwrap();
    load_system(&server, "template", System::named("hithonix").unwrap(), rows).await.unwrap();
    let mut owner = server.owner("template").await.unwrap();
    owner.execute_script(WRONG).await.unwrap();
    owner.execute_script(IMAGES).await.unwrap();
    owner.execute_script("vacuum analyze attendance_events").await.unwrap();
    owner.execute_script("vacuum analyze daily_status").await.unwrap();
    owner.close().await;

    let planned = midwatch(&server).await;
    sizes(&server, planned.0).await;
    let whole = by_hand(&server).await;
    let single = singles(&server).await;
    println!("backfill of {} rows: {:.0} rows/s", planned.0, planned.0 / planned.1);
    println!(
        "  one set-based transaction      {:.0} rows/s   midwatch takes {:.2}x its time (goal <= 1.6)",
        planned.0 / whole,
        planned.1 / whole
    );
    println!(
        "  one-row transactions           {single:.0} rows/s   midwatch is {:.1}x as fast (goal >= 10)",
        planned.0 / planned.1 / single
    );
}

/// Rows and seconds, from the approval to the proof: comparing, staging, batches, verification.
async fn midwatch(server: &Server) -> (f64, f64) {
    let engine = open(server, "run").await;
    let begun = Instant::now();
    let first = Mutex::new(None);
    let news = |n: PlanNews| {
        if matches!(n, PlanNews::First(_)) {
            first.lock().unwrap().get_or_insert(begun.elapsed());
        }
    };
    let request = Request::Operation { verb: "backfill".into(), name: None, params: Params(BTreeMap::new()) };
    let planned = engine.plan(&request, &news).await.unwrap();
    let first = first.lock().unwrap().unwrap();
    println!(
        "plan of {} rows: first page after {:.1} ms (goal <= 1000), all after {:.1} ms, peak memory of the process {} MB (goal <= 50)",
        planned.plan.rows,
        first.as_secs_f64() * 1000.0,
        begun.elapsed().as_secs_f64() * 1000.0,
        peak_memory_mb()
    );
    let gate = engine.review(planned, true).await.unwrap();
    let phrase = gate.phrase().to_owned();
    let typed = TypedPhrase { phrase: &phrase, database: None, at: engine.server_time().await.unwrap() };
    let Ok(approved) = gate.confirm(&typed) else { panic!("not confirmed") };
    let begun = Instant::now();
    let phases = Mutex::new(Vec::<(Phase, f64)>::new());
    let watcher = |p: Progress| {
        let mut phases = phases.lock().unwrap();
        if phases.last().is_none_or(|(last, _)| *last != p.phase) {
            phases.push((p.phase, begun.elapsed().as_secs_f64()));
        }
    };
    let done = engine.run(approved, &Control::default(), &watcher).await;
    let phases: Vec<_> =
        phases.into_inner().unwrap().iter().map(|(p, s)| format!("{} from {s:.1} s", p.word())).collect();
    println!("  {}", phases.join(", "));
    assert_eq!(done.exit_code(), 0, "{:?}", done.failure);
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rows = done.applied as f64;
    (rows, begun.elapsed().as_secs_f64())
}

/// What the journal keeps of it, with indexes and what is stored out of line.
async fn sizes(server: &Server, rows: f64) {
    let mut owner = server.owner("run").await.unwrap();
    for table in ["image_blocks", "planned_blocks"] {
        let sql = format!("select pg_total_relation_size('midwatch.{table}')::text");
        let size: f64 = owner.fetch_value(&sql, &[]).await.unwrap().unwrap().parse().unwrap();
        println!("  midwatch.{table}: {:.1} bytes a row", size / rows);
    }
    owner.close().await;
}

async fn by_hand(server: &Server) -> f64 {
    server.create_database("whole", Some("template")).await.unwrap();
    let mut owner = server.owner("whole").await.unwrap();
    let sql = format!("begin;{WHOLE}commit;");
    let begun = Instant::now();
    owner.execute_script(&sql).await.unwrap();
    begun.elapsed().as_secs_f64()
}

async fn singles(server: &Server) -> f64 {
    server.create_database("single", Some("template")).await.unwrap();
    let mut owner = server.owner("single").await.unwrap();
    let sql = format!(
        "select e.id::text from attendance_events e where e.business_date_ist is distinct from \
         (e.event_timestamp_utc at time zone 'Asia/Kolkata')::date order by employee_id, business_date_ist limit {SINGLES}"
    );
    let ids: Vec<String> =
        owner.fetch_text(&sql, &[]).await.unwrap().into_iter().flatten().flatten().collect();
    let begun = Instant::now();
    for id in &ids {
        let one = ONE.replace("%s", id);
        owner.execute_script(&format!("begin;{one}commit;")).await.unwrap();
    }
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rows = ids.len() as f64;
    rows / begun.elapsed().as_secs_f64()
}

async fn open(server: &Server, database: &str) -> Engine {
    server.create_database(database, Some("template")).await.unwrap();
    let mut owner = server.owner("postgres").await.unwrap();
    owner
        .execute_script(&format!("alter database {database} set midwatch.environment = 'demo'"))
        .await
        .unwrap();
    let config = TargetConfig { profile: Some("hithonix".into()), ..TargetConfig::default() };
    common::open(server.url(database), config, None).await
}

fn peak_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
