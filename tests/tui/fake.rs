//! A session and reports made by hand, for tests of drawing and keys. Never behind a pane of the program.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use midwatch::engine::check::paging::{Page, Row, RowSource};
use midwatch::engine::model::preflight::Risk;
use midwatch::engine::model::query::Column;
use midwatch::engine::model::report::{CheckId, Evidence, Finding, Report, Severity};
use midwatch::engine::model::target::{Environment, ServerInfo, TargetInfo};
use midwatch::engine::model::vitals::{ServerSession as Backend, Vitals};
use midwatch::engine::plan::operation::Offer;
use midwatch::tui::app::App;
use midwatch::tui::data::Session;
use midwatch::tui::failure::Failure;
use midwatch::tui::msg::{Effect, Keystroke, Msg};
use midwatch::tui::theme::{Depth, Theme};
use serde_json::{Value, json};

pub(crate) fn start() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-11-21T01:46:12Z").unwrap().to_utc()
}

pub(crate) fn later(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

pub(crate) fn id(kind: &'static str, name: &str) -> CheckId {
    CheckId { kind, name: name.into() }
}

pub(crate) fn session() -> Session {
    let every = Duration::from_secs(30);
    let checks = [
        ("migrations", "hithonix"),
        ("parity", "revenues"),
        ("queue", "keka-sync"),
        ("anomalies", "date_mismatch"),
        ("anomalies", "unclosed_break"),
        ("roles", "reader"),
    ];
    Session {
        target: TargetInfo {
            name: "hithonix".into(),
            environment: Environment::Production,
            engine: "postgres".into(),
            version: "15.18".into(),
            database: "hithonix".into(),
            transport: midwatch::engine::model::transport::Transport::Socket,
        },
        server: ServerInfo {
            engine: "postgres",
            version: "15.18".into(),
            role: "app_ro".into(),
            address: "db1:5432/hithonix".into(),
            database: "hithonix".into(),
            ..ServerInfo::default()
        },
        environment_note: None,
        unfinished: vec![],
        read_only: false,
        window: None,
        profile: "hithonix".into(),
        checks: checks.iter().map(|(k, n)| (id(k, n), every)).collect(),
        operations: vec![offer("backfill", "business_date_ist", Some(id("anomalies", "date_mismatch")))],
    }
}

/// An operation that can be done.
pub(crate) fn offer(verb: &'static str, name: &str, mends: Option<CheckId>) -> Offer {
    Offer {
        verb,
        name: name.into(),
        about: format!("{verb} what is wrong with {name}"),
        mends,
        risk: Risk::Reversible,
        locks: "ROW EXCLUSIVE attendance_events".into(),
        disabled: None,
        asks: vec![],
        takes_rows: true,
    }
}

pub(crate) fn app(size: (u16, u16)) -> App {
    App::new(start(), size, Theme::new(Depth::True, false))
        .with_targets(vec!["hithonix".into(), "hospitality".into()])
}

/// An app that is connected and has looked at nothing yet.
pub(crate) fn connected(size: (u16, u16)) -> App {
    let mut app = app(size);
    app.start();
    app.update(Msg::Connected(Box::new(session())));
    app.update(Msg::Vitals(Ok(Box::new(vitals()))));
    app
}

pub(crate) fn vitals() -> Vitals {
    let blocker = Backend {
        pid: 4711,
        role: Some("report_ro".into()),
        application: Some("psql".into()),
        state: Some("idle in transaction".into()),
        idle_in_transaction: true,
        tx_s: Some(192.0),
        query: Some("select * from revenues for update".into()),
        locks: Some("revenues RowShare".into()),
        ..Backend::default()
    };
    let waiter = Backend {
        pid: 4712,
        role: Some("app".into()),
        state: Some("active".into()),
        wait: Some("Lock: transactionid".into()),
        blocked_by: vec![4711],
        query: Some("update revenues set status = 'paid' where id = 7".into()),
        ..Backend::default()
    };
    Vitals {
        blocked: 1,
        longest_tx_s: Some(192.0),
        replica_lag_ms: Some(120.0),
        own_sessions: 1,
        sessions: 14,
        activity: vec![blocker, waiter],
        ..Vitals::default()
    }
}

pub(crate) fn key(app: &mut App, name: &str) -> Vec<Effect> {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    let event = match name {
        "enter" => plain(KeyCode::Enter),
        "esc" => plain(KeyCode::Esc),
        "tab" => plain(KeyCode::Tab),
        "space" => plain(KeyCode::Char(' ')),
        "down" => plain(KeyCode::Down),
        "backspace" => plain(KeyCode::Backspace),
        ctrl if ctrl.starts_with("ctrl-") => {
            KeyEvent::new(KeyCode::Char(ctrl.chars().last().unwrap()), KeyModifiers::CONTROL)
        }
        one => plain(KeyCode::Char(one.chars().next().unwrap())),
    };
    app.update(Msg::Key(stroke(event)))
}

/// A key as a person types it, some time after the one before.
pub(crate) fn stroke(key: KeyEvent) -> Keystroke {
    static TYPED: AtomicU64 = AtomicU64::new(0);
    let at = Duration::from_millis(400 * TYPED.fetch_add(1, Ordering::Relaxed));
    Keystroke { key, at, alone: true }
}

pub(crate) fn keys(app: &mut App, names: &[&str]) -> Vec<Effect> {
    names.iter().flat_map(|n| key(app, n)).collect()
}

pub(crate) fn typed(app: &mut App, text: &str) {
    for c in text.chars() {
        app.update(Msg::Key(stroke(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))));
    }
}

pub(crate) fn finding(
    id: &str,
    severity: Severity,
    message: &str,
    rows: Option<u64>,
    sample: &Value,
) -> Finding {
    let sample = sample.as_array().into_iter().flatten().filter_map(|v| v.as_object().cloned()).collect();
    Finding { id: id.into(), severity, message: message.into(), title: None, rows, sample }
}

/// A report of each kind with these findings and plausible facts.
pub(crate) fn report(id: &CheckId, findings: Vec<Finding>) -> Report {
    let facts = facts(id.kind, !findings.is_empty());
    let mut report = Report::observed(id.clone(), &facts, findings, "all is well");
    report.observed_at = start();
    report.elapsed_ms = 42;
    report.evidence = vec![Evidence { title: "rows".into(), sql: "select 1".into() }];
    report
}

pub(crate) fn unknown(id: &CheckId) -> Report {
    let mut report = Report::unknown(
        id.clone(),
        "failed to read: permission denied for table employees [42501]\nhint: grant SELECT",
    );
    report.observed_at = start();
    report
}

pub(crate) fn wrong(id: &CheckId, severity: Severity) -> Report {
    let of = |what: &str, message: &str, rows, sample| {
        finding(&format!("{id}/{what}"), severity, message, rows, &sample)
    };
    let findings = match id.kind {
        "migrations" => vec![of(
            "pending",
            "018_worker_privileges.sql: pending",
            Some(1),
            json!([{"file": "018_worker_privileges.sql"}]),
        )],
        "parity" => vec![of(
            "different",
            "2 of 3,002 rows differ (status, category)",
            Some(2),
            json!([
                {"key": 5, "partition": "revenues_2025_04", "columns": ["status"], "legacy": {"status": null}, "partitioned": {"status": "pending"},
                 "row": {"legacy": {"id": "5", "status": null, "amount_cents": "1200"}, "partitioned": {"id": "5", "status": "pending", "amount_cents": "1200"}}},
                {"key": 6, "partition": "revenues_2025_04", "columns": ["category", "approved_by_user_id"],
                 "legacy": {"category": "rooms", "approved_by_user_id": "42"}, "partitioned": {"category": null, "approved_by_user_id": null}}
            ]),
        )],
        "queue" => vec![of(
            "exhausted",
            "12 failed with all 5 attempts used: nothing will try them again",
            Some(12),
            json!([]),
        )],
        "roles" => vec![of(
            "superuser",
            "role keeper looks as superuser: functions of others in views, index expressions and defaults run with its rights, also in READ ONLY and at EXPLAIN",
            None,
            json!([]),
        )],
        _ => vec![of("rows", "812 × business date is not the India date of the event", Some(812), json!([]))],
    };
    let findings = findings.into_iter().map(|mut f: Finding| {
        f.title = f.message.strip_prefix("812 × ").map(str::to_owned);
        f
    });
    report(id, findings.collect())
}

fn facts(kind: &str, wrong: bool) -> Value {
    match kind {
        "migrations" => {
            json!({"applied": 2, "pending": u8::from(wrong), "history": "none: the catalog is probed",
            "cannot_tell": ["when a file was applied"], "files": [
            {"file": "017_add_keka_sync.sql", "state": "applied", "applied_at": null, "note": "by the catalog"},
            {"file": "018_worker_privileges.sql", "state": if wrong { "pending" } else { "applied" }, "applied_at": null, "note": "by the catalog"}]})
        }
        "parity" => {
            json!({"legacy_rows": 3002, "partitioned_rows": 3002, "missing_in_partitioned": 0, "missing_in_legacy": 0,
            "different": if wrong { 2 } else { 0 }, "stale": 0, "duplicate": 0, "sums": {}, "snapshot": "00000A3F-1",
            "compared": "count and 64-bit digests of 15 columns", "columns": [], "partitions": [
            {"partition": "revenues_2025_02", "legacy_rows": 0, "partitioned_rows": 0, "status": "equal"},
            {"partition": "revenues_2025_03", "legacy_rows": 1000, "partitioned_rows": 1000, "status": "equal",
             "sealed": true, "proof_snapshot": "00000A30-1", "proved_at": "2026-11-20T23:46:00Z"},
            {"partition": "revenues_2025_04", "legacy_rows": 2002, "partitioned_rows": 2002, "status": if wrong { "differs" } else { "equal" }}],
            "triggers": [{"name": "sync_to_partitioned_revenues", "state": "enabled", "events": ["INSERT", "UPDATE"]},
                         {"name": "sync_to_partitioned_revenues_delete", "state": "disabled", "events": ["DELETE"]}],
            "sequence": null, "sequences": [], "not_classified": 0, "partitions_not_read": 0, "sealed": 1})
        }
        "queue" => {
            json!({"states": {"FAILED": if wrong { 2010 } else { 0 }, "PENDING": 14, "SUCCESS": 81220}, "failed": if wrong { json!([
            {"id": "ab12cd34", "fingerprint": "503 Service unavailable: request <uuid>", "class": "retryable", "code": "503", "rows": 1844,
             "exhausted": 12, "first": "2026-11-21T01:02:00Z", "last": "2026-11-21T01:46:00Z", "recent": [0,0,1,2,4,6,7,7,7,7]}]) } else { json!([]) },
            "causes": u8::from(wrong), "lost": null, "ghost": null, "duplicate": null, "silent": null, "jobs_unknown": "no Redis configured",
            "oldest_pending_s": 1.2, "age_p50_s": 0.4, "age_p95_s": 9.0, "late": 0, "stuck": 0, "exhausted": if wrong { 12 } else { 0 },
            "sync_error_days": 3, "arrived": vec![41; 30], "finished": vec![38; 30]})
        }
        _ => json!({"rows": if wrong { 812 } else { 0 }}),
    }
}

/// A source of numbered rows.
pub(crate) fn source() -> RowSource {
    RowSource {
        id: "anomalies/date_mismatch".into(),
        title: "business date is not the India date of the event".into(),
        sql: "select * from t".into(),
        params: vec![],
        key: vec!["id".into()],
        labels: [("recorded".to_owned(), "recorded day".to_owned())].into(),
        context: Some(("the whole day".into(), "select 1".into())),
    }
}

pub(crate) fn page(from: u64, count: u64, total: Option<u64>, end: bool) -> Page {
    let column = |name: &str, kind: &str| Column {
        name: name.into(),
        type_name: kind.into(),
        numeric: ["INT4", "INT8", "NUMERIC", "FLOAT8"].contains(&kind.to_uppercase().as_str()),
        operators: None,
    };
    let row = |n: u64| Row {
        cells: vec![Some(n.to_string()), Some("2025-11-24".into()), None],
        position: vec![Some(n.to_string())],
    };
    Page {
        columns: vec![column("id", "INT8"), column("recorded", "DATE"), column("note", "TEXT")],
        rows: (from..from + count).map(row).collect(),
        total,
        end,
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "messages carry it boxed")]
pub(crate) fn failure(message: &str) -> Box<Failure> {
    Box::new(Failure {
        message: message.into(),
        hint: Some("look at the server".into()),
        cancelled: false,
        fatal: false,
    })
}
