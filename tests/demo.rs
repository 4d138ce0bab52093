//! The planted problems are found by other means than they were planted, exactly and no more; the
//! traffic leaves them as they are.

#![cfg(test)]

mod common;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{demo_database, tool};
use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::model::error::Class;
use midwatch::sandbox::demo::{Demo, DemoOptions, Manifest};

/// The ledger as the rules read it: dates through the repairs, compensated events marked.
const EVENTS: &str = "
    WITH events AS (
      SELECT e.*, coalesce(r.new_date, e.business_date_ist) AS day,
             EXISTS (SELECT FROM attendance_events a WHERE a.employee_id = e.employee_id
                     AND a.event_type = 'ADMIN_ADJUST' AND a.payload ->> 'compensates' = e.id::text) AS compensated
      FROM attendance_events e LEFT JOIN repairs.business_dates r ON r.event_id = e.id
    ), walk AS (
      SELECT *, row_number() OVER w AS nth, lead(event_type) OVER w AS next, lag(event_type) OVER w AS previous
      FROM events WINDOW w AS (PARTITION BY employee_id, day,
        CASE WHEN event_type IN ('BREAK_START', 'BREAK_END') THEN 'break'
             WHEN event_type IN ('LUNCH_START', 'LUNCH_END') THEN 'lunch' ELSE event_type::text END
        ORDER BY event_timestamp_utc, created_at, id)
    )";

const RULES: [(&str, &str); 5] = [
    ("duplicate_clock_in", "FROM walk WHERE event_type = 'CLOCK_IN' AND nth > 1 AND NOT compensated"),
    (
        "unclosed_break",
        "FROM walk w WHERE event_type = 'BREAK_START' AND next IS DISTINCT FROM 'BREAK_END' AND NOT compensated
         AND NOT (day = (now() AT TIME ZONE 'Asia/Kolkata')::date AND NOT EXISTS (
           SELECT FROM attendance_events l WHERE l.employee_id = w.employee_id
           AND l.event_timestamp_utc > w.event_timestamp_utc))",
    ),
    (
        "unpaired_lunch",
        "FROM walk WHERE (event_type = 'LUNCH_START' AND next IS DISTINCT FROM 'LUNCH_END')
         OR (event_type = 'LUNCH_END' AND previous IS DISTINCT FROM 'LUNCH_START')",
    ),
    (
        "never_clocked_out",
        "FROM events i WHERE event_type = 'CLOCK_IN' AND day < (now() AT TIME ZONE 'Asia/Kolkata')::date
         AND NOT EXISTS (SELECT FROM events o WHERE o.employee_id = i.employee_id AND o.day = i.day
                         AND o.event_type = 'CLOCK_OUT' AND o.event_timestamp_utc > i.event_timestamp_utc)",
    ),
    ("date_mismatch", "FROM events WHERE day <> (event_timestamp_utc AT TIME ZONE 'Asia/Kolkata')::date"),
];

/// Let the database's own projection rebuild every day, and see what that changes.
const STATUS: &str = "
    BEGIN;
    CREATE TEMP TABLE before ON COMMIT PRESERVE ROWS AS SELECT * FROM daily_status;
    SELECT rebuild_daily_status(employee_id, day) FROM (
      SELECT employee_id, coalesce(r.new_date, e.business_date_ist) AS day
      FROM attendance_events e LEFT JOIN repairs.business_dates r ON r.event_id = e.id
      UNION SELECT employee_id, business_date_ist FROM daily_status) AS days;
    CREATE TEMP TABLE changed ON COMMIT PRESERVE ROWS AS
    SELECT coalesce(b.employee_id, a.employee_id) || '|' || coalesce(b.business_date_ist, a.business_date_ist) AS key,
           CASE WHEN b.id IS NULL THEN 'missing_row' WHEN a.id IS NULL THEN 'row_too_many'
                WHEN b.last_event_id IS DISTINCT FROM a.last_event_id THEN 'wrong_last_event'
                WHEN b.break_minutes_used <> a.break_minutes_used THEN 'wrong_minutes'
                WHEN b.has_sync_errors <> a.has_sync_errors THEN 'wrong_sync_errors' ELSE 'other' END AS finding
    FROM before b FULL JOIN daily_status a USING (employee_id, business_date_ist)
    WHERE (b.current_status, b.last_event_id, b.last_event_timestamp_utc, b.break_minutes_used, b.has_sync_errors)
          IS DISTINCT FROM
          (a.current_status, a.last_event_id, a.last_event_timestamp_utc, a.break_minutes_used, a.has_sync_errors);
    COMMIT;";

const TWINS: [(&str, &str); 3] =
    [("revenues", "occurred_at"), ("expenses", "occurred_at"), ("daily_cash_balances", "org_id")];

type Keys = BTreeSet<String>;

fn planted(manifest: &Manifest, check: &str, finding: &str) -> Keys {
    let body = &manifest[check][finding];
    let keys = body["keys"].as_array().unwrap_or_else(|| panic!("{check}/{finding} is not in the manifest"));
    let set: Keys =
        keys.iter().map(|key| key.as_str().map_or_else(|| key.to_string(), str::to_owned)).collect();
    assert_eq!(body["rows"].as_u64(), Some(set.len() as u64), "{check}/{finding}");
    assert!(!set.is_empty(), "{check}/{finding}");
    set
}

async fn keys(owner: &mut Owner, sql: &str) -> Keys {
    owner
        .fetch_text(sql, &[])
        .await
        .unwrap()
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten())
        .collect()
}

async fn anomalies_as_planted(owner: &mut Owner, manifest: &Manifest) {
    for (rule, sql) in RULES {
        let found = keys(owner, &format!("{EVENTS} SELECT id::text {sql}")).await;
        assert_eq!(found, planted(manifest, &format!("anomalies/{rule}"), "found"), "{rule}");
    }
}

async fn twins_as_planted(owner: &mut Owner, manifest: &Manifest) {
    for (table, key) in TWINS {
        let check = format!("parity/{table}");
        let twin = format!("{table}_partitioned");
        let columns = format!(
            "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute
             WHERE attrelid = '{table}'::regclass AND attnum > 0"
        );
        let columns = owner.fetch_value(&columns, &[]).await.unwrap().unwrap();
        for (finding, sql) in [
            ("missing_in_partitioned", format!("SELECT id::text FROM {table} WHERE id NOT IN (SELECT id FROM {twin})")),
            ("missing_in_legacy", format!("SELECT id::text FROM {twin} WHERE id NOT IN (SELECT id FROM {table})")),
            ("stale", format!("SELECT p.id::text FROM {twin} p JOIN {table} l USING (id) WHERE p.{key} <> l.{key}")),
            (
                "different",
                format!(
                    "SELECT id::text FROM (SELECT {columns} FROM {table} EXCEPT SELECT {columns} FROM {twin}) AS d
                     WHERE id IN (SELECT id FROM {twin})"
                ),
            ),
        ] {
            assert_eq!(keys(owner, &sql).await, planted(manifest, &check, finding), "{check} {finding}");
        }
    }
}

#[tokio::test]
async fn anomalies_are_exactly_as_planted() {
    for rows in [1_000, 20_000] {
        let (database, manifest) = demo_database("hithonix", rows).await;
        let mut owner = database.owner().await;
        let count = owner.fetch_value("SELECT count(*)::text FROM attendance_events", &[]).await.unwrap();
        assert_eq!(count, Some(rows.to_string()));
        anomalies_as_planted(&mut owner, &manifest).await;
        for (check, finding) in [
            ("anomalies/duplicate_clock_in", "compensated"),
            ("anomalies/unclosed_break", "compensated"),
            ("anomalies/date_mismatch", "repaired"),
            ("migrations/hithonix", "pending"),
        ] {
            planted(&manifest, check, finding);
        }
        owner.execute_script(STATUS).await.unwrap();
        for finding in ["missing_row", "wrong_last_event", "wrong_minutes", "wrong_sync_errors"] {
            let sql = format!("SELECT key FROM changed WHERE finding = '{finding}'");
            assert_eq!(
                keys(&mut owner, &sql).await,
                planted(&manifest, "anomalies/status_mismatch", finding)
            );
        }
        let sql = "SELECT key FROM changed WHERE finding IN ('row_too_many', 'other')";
        assert_eq!(keys(&mut owner, sql).await, Keys::new());
    }
}

#[tokio::test]
async fn the_queue_is_as_planted() {
    let (database, manifest) = demo_database("hithonix", 20_000).await;
    let mut owner = database.owner().await;
    let queue = &manifest["queue/keka-sync"];
    let states = "SELECT sync_status::text, count(*)::text FROM attendance_events GROUP BY 1";
    for row in owner.fetch_text(states, &[]).await.unwrap() {
        assert_eq!(queue["states"][row[0].as_ref().unwrap()].to_string(), row[1].clone().unwrap());
    }
    for (finding, condition) in [
        ("pending", "sync_status = 'PENDING' AND created_at < now() - interval '2 hours'"),
        ("retry", "sync_status = 'FAILED' AND attempt_count BETWEEN 1 AND 4"),
        ("exhausted", "sync_status = 'FAILED' AND attempt_count >= 5"),
        ("permanent", "sync_status = 'PERMANENT_FAILURE' AND keka_status_code BETWEEN 400 AND 499"),
        ("skipped", "sync_status = 'SKIPPED'"),
        ("stuck", "sync_status = 'PROCESSING' AND last_attempt_at < now() - interval '1 hour'"),
    ] {
        let sql = format!("SELECT id::text FROM attendance_events WHERE {condition}");
        assert_eq!(keys(&mut owner, &sql).await, planted(&manifest, "queue/keka-sync", finding), "{finding}");
    }
    for failure in queue["failures"].as_array().unwrap() {
        let sql = "SELECT count(*)::text FROM attendance_events WHERE sync_status IN ('FAILED', 'PERMANENT_FAILURE')
                   AND keka_status_code IS NOT DISTINCT FROM nullif($1, 'null')::int
                   AND keka_response_body -> 'error' ->> 'message' LIKE $2";
        let params = [&failure["code"].to_string(), failure["message_pattern"].as_str().unwrap()];
        assert_eq!(owner.fetch_value(sql, &params).await.unwrap().unwrap(), failure["rows"].to_string());
    }
    let days = owner
        .fetch_value("SELECT count(*)::text FROM daily_status WHERE has_sync_errors", &[])
        .await
        .unwrap();
    assert_eq!(days.unwrap(), queue["sync_error_days"].to_string());
}

#[tokio::test]
async fn twins_differ_exactly_as_planted() {
    for rows in [1_000, 20_000] {
        let (database, manifest) = demo_database("hospitality", rows).await;
        let mut owner = database.owner().await;
        for table in ["revenues", "expenses"] {
            let sql = format!("SELECT count(*)::text FROM {table}");
            assert_eq!(owner.fetch_value(&sql, &[]).await.unwrap(), Some(rows.to_string()));
        }
        twins_as_planted(&mut owner, &manifest).await;
        columns_as_planted(&mut owner, &manifest).await;
    }
}

/// The columns that differ, both ways of NULL among them.
async fn columns_as_planted(owner: &mut Owner, manifest: &Manifest) {
    for (table, key) in TWINS {
        for (id, columns) in manifest[format!("parity/{table}")]["different"]["columns"].as_object().unwrap()
        {
            let sql = format!(
                "SELECT o.key FROM {table} l JOIN {table}_partitioned p ON p.id = l.id AND p.{key} = l.{key},
                 LATERAL jsonb_each(to_jsonb(l)) AS o JOIN LATERAL jsonb_each(to_jsonb(p)) AS n ON n.key = o.key
                 WHERE l.id = {id} AND o.value IS DISTINCT FROM n.value"
            );
            let expected: Keys =
                columns.as_array().unwrap().iter().map(|name| name.as_str().unwrap().into()).collect();
            assert_eq!(keys(owner, &sql).await, expected, "{table} {id}");
        }
    }
}

#[tokio::test]
async fn structure_is_as_planted() {
    let (database, _) = demo_database("hospitality", 1_000).await;
    let mut owner = database.owner().await;
    let sql =
        "SELECT tgname::text FROM pg_trigger WHERE tgname LIKE 'sync_to_partitioned%' AND tgenabled = 'D'
               AND tgrelid = 'daily_cash_balances'::regclass";
    assert_eq!(
        keys(&mut owner, sql).await,
        Keys::from(["sync_to_partitioned_daily_cash_balances_delete".into()])
    );
    let month =
        "SELECT coalesce(to_regclass(t || to_char(date_trunc('month', now()) + m * interval '1 month',
                 '_YYYY_MM'))::text, 'none') FROM (VALUES ($1, $2::int)) AS x (t, m)";
    for (table, ahead, exists) in [
        ("revenues", "0", true),
        ("revenues", "1", true),
        ("revenues", "2", true),
        ("expenses", "0", true),
        ("expenses", "1", false),
    ] {
        let found = owner.fetch_value(month, &[table, ahead]).await.unwrap().unwrap();
        assert_eq!(found != "none", exists, "{table} {ahead}");
    }
    let sql = "SELECT current_setting('midwatch.environment')";
    assert_eq!(owner.fetch_value(sql, &[]).await.unwrap().as_deref(), Some("demo"));
}

#[tokio::test]
async fn pending_migrations_apply_with_psql() {
    let (database, _) = demo_database("hithonix", 1_000).await;
    for file in ["018_worker_privileges.sql", "019_ledger_indexes.sql"] {
        let path = format!("{}/migrations/hithonix/{file}", env!("CARGO_MANIFEST_DIR"));
        let url = database.url();
        let output =
            tool(common::shared_server(), "psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", &path, &url]);
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// How long the traffic is watched; longer by hand.
fn traffic_goal() -> u64 {
    std::env::var("MIDWATCH_TRAFFIC_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(12)
}

async fn live_rows(demo: &Demo) -> (u64, u64) {
    let count = |value: Option<String>| value.unwrap().parse().unwrap();
    let mut attendance = demo.server().owner("hithonix").await.unwrap();
    let events =
        "SELECT count(*)::text FROM attendance_events WHERE sync_status = 'SUCCESS' AND employee_id IN
                  (SELECT id FROM employees WHERE slack_user_id LIKE 'ULIVE%')";
    let mut money = demo.server().owner("hospitality").await.unwrap();
    let booked =
        "SELECT (SELECT last_value FROM revenues_id_seq) - (SELECT max(id) + 1000 FROM revenues_partitioned
                  WHERE org_id < 9000)";
    let events = count(attendance.fetch_value(events, &[]).await.unwrap());
    let booked = count(money.fetch_value(&format!("SELECT ({booked})::text"), &[]).await.unwrap());
    (events, booked)
}

async fn traffic_until(demo: &Demo, events: u64, booked: u64) {
    let begun = Instant::now();
    loop {
        let (now_events, now_booked) = live_rows(demo).await;
        if now_events >= events && now_booked >= booked {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_mins(10),
            "the traffic does not move: {now_events} {now_booked}"
        );
        // Each look is a round trip to the server: that is pause enough.
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_leaves_the_plants_alone_and_survives_a_crash() {
    let options = DemoOptions { rows: 2_000, ..DemoOptions::default() };
    let demo = Demo::start(options, Arc::new(|_| ())).await.unwrap();
    let goal = traffic_goal();
    traffic_until(&demo, goal / 2, goal / 4).await;
    let (events, booked) = live_rows(&demo).await;
    demo.server().kill9().unwrap();
    demo.server().restart().await.unwrap();
    traffic_until(&demo, events + goal / 2, booked + goal / 4).await;
    let mut owner = demo.server().owner("hithonix").await.unwrap();
    anomalies_as_planted(&mut owner, &demo.manifest()["hithonix"]).await;
    let sql = "SELECT count(*)::text FROM daily_status d JOIN employees e ON e.id = d.employee_id
               WHERE slack_user_id LIKE 'ULIVE%' AND last_event_id IS NOT NULL";
    assert_ne!(owner.fetch_value(sql, &[]).await.unwrap().as_deref(), Some("0"));
    let mut owner = demo.server().owner("hospitality").await.unwrap();
    twins_as_planted(&mut owner, &demo.manifest()["hospitality"]).await;
    let dir = demo.dir().to_owned();
    let begun = Instant::now();
    demo.stop().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20) && !dir.exists());
}

#[tokio::test]
async fn a_demo_describes_itself() {
    let options = DemoOptions { rows: 1_000, traffic: false, ..DemoOptions::default() };
    let demo = Demo::start(options, Arc::new(|_| ())).await.unwrap();
    let text = std::fs::read_to_string(demo.config_file()).unwrap();
    let config: toml::Table = text.parse().unwrap();
    assert_eq!(config["default_target"].as_str(), Some("hithonix"));
    for (system, files) in [("hithonix", 5), ("hospitality", 3)] {
        let target = &config["targets"][system];
        assert_eq!(target["profile"].as_str(), Some(system));
        assert_eq!(target["environment"].as_str(), Some("demo"));
        let folder = target["migrations"].as_str().unwrap();
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), files);
        let url = target["url"].as_str().unwrap();
        assert!(tool(demo.server(), "psql", &["-XAtc", "select 1", url]).status.success());
    }
    let manifest = std::fs::read_to_string(demo.dir().join("manifest.json")).unwrap();
    let manifest: Manifest = serde_json::from_str(&manifest).unwrap();
    assert_eq!(&manifest, demo.manifest());
    demo.stop().await.unwrap();
}

#[tokio::test]
async fn too_few_rows_are_refused() {
    let options = DemoOptions { rows: 10, ..DemoOptions::default() };
    assert_eq!(Demo::start(options, Arc::new(|_| ())).await.unwrap_err().class, Class::Usage);
}
