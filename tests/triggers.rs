//! Every rule of the demo systems' triggers, on a real server.

#![cfg(test)]

mod common;

use common::{Database, demo_database, shared_server};
use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::model::error::Error;
use midwatch::sandbox::demo::System;

const PERSON: &str = "00000000-0000-0000-0000-00000000000a";
const DAY: &str = "2026-03-10";

/// The ledger with nothing in it but one employee.
async fn ledger() -> Owner {
    let mut owner = migrated("hithonix", 3).await;
    let person = "INSERT INTO employees (id, email, raw_keka_profile) VALUES ($1::uuid, 'a@b.example', '{}')";
    owner.execute(person, &[PERSON]).await.unwrap();
    owner
}

/// The twins, empty, with partitions from 2026-01 to 2026-06.
async fn twins() -> Owner {
    let mut owner = migrated("hospitality", 3).await;
    let months = "SELECT create_monthly_partitions(t, '2026-01-01', '2026-06-01') FROM unnest(ARRAY['revenues', 'expenses']) AS t";
    owner.execute_script(months).await.unwrap();
    owner
}

async fn migrated(system: &str, files: usize) -> Owner {
    let mut owner = Database::empty().await.owner().await;
    for (name, sql) in System::named(system).unwrap().migrations().into_iter().take(files) {
        owner.execute_script(sql).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    owner
}

/// An event at an IST time of [`DAY`].
async fn event(owner: &mut Owner, kind: &str, time: &str) -> Result<String, Error> {
    let sql = "INSERT INTO attendance_events (employee_id, event_type, event_timestamp_utc)
               VALUES ($1::uuid, $2::attendance_event_type, ($3 || ' ' || $4)::timestamp AT TIME ZONE 'Asia/Kolkata')
               RETURNING id::text";
    owner.fetch_value(sql, &[PERSON, kind, DAY, time]).await.map(Option::unwrap)
}

async fn day(owner: &mut Owner, kinds: &[(&str, &str)]) {
    for (kind, time) in kinds {
        event(owner, kind, time).await.unwrap();
    }
}

/// Status, last event's type, minutes, errors of [`DAY`].
async fn status(owner: &mut Owner) -> String {
    let sql = "SELECT concat_ws(' ', d.current_status, e.event_type, d.break_minutes_used, d.has_sync_errors)
               FROM daily_status d JOIN attendance_events e ON e.id = d.last_event_id
               AND e.event_timestamp_utc = d.last_event_timestamp_utc
               WHERE d.employee_id = $1::uuid AND d.business_date_ist = $2::date";
    owner.fetch_value(sql, &[PERSON, DAY]).await.unwrap().unwrap_or_default()
}

async fn value(owner: &mut Owner, sql: &str) -> String {
    owner.fetch_value(sql, &[]).await.unwrap().unwrap_or_default()
}

fn refused(outcome: Result<impl std::fmt::Debug, Error>, code: &str) {
    assert_eq!(outcome.unwrap_err().code.as_deref(), Some(code));
}

#[tokio::test]
async fn the_ledger_takes_no_delete_and_no_change_but_of_the_sync_columns() {
    let mut owner = ledger().await;
    event(&mut owner, "CLOCK_IN", "09:00").await.unwrap();
    refused(owner.execute("DELETE FROM attendance_events", &[]).await, "23001");
    for change in [
        "payload = '{\"x\": 1}'",
        "event_type = 'CLOCK_OUT'",
        "business_date_ist = business_date_ist + 1",
        "event_timestamp_utc = event_timestamp_utc + interval '1 s'",
        "created_at = now() + interval '1 s'",
        "sync_status = 'SUCCESS', created_by_slack_id = 'U1'",
    ] {
        refused(owner.execute(&format!("UPDATE attendance_events SET {change}"), &[]).await, "23001");
    }
    let sync = "UPDATE attendance_events SET sync_status = 'SUCCESS', keka_request_body = '{}', keka_response_body = '{}',
                keka_status_code = 200, attempt_count = 1, last_attempt_at = now()";
    assert_eq!(owner.execute(sync, &[]).await.unwrap(), 1);
}

#[tokio::test]
async fn the_business_date_is_derived_and_a_wrong_one_refused() {
    let mut owner = ledger().await;
    let insert =
        "INSERT INTO attendance_events (employee_id, event_type, event_timestamp_utc, business_date_ist)
                  VALUES ($1::uuid, 'SYSTEM_NOTE', '2026-03-09 22:00Z', nullif($2, '')::date)";
    owner.execute(insert, &[PERSON, ""]).await.unwrap();
    owner.execute(insert, &[PERSON, "2026-03-10"]).await.unwrap();
    refused(owner.execute(insert, &[PERSON, "2026-03-09"]).await, "23514");
    let dates =
        "SELECT string_agg(business_date_ist || ' ' || event_timestamp_ist, ',') FROM attendance_events";
    assert_eq!(
        value(&mut owner, dates).await,
        "2026-03-10 2026-03-10 03:30:00,2026-03-10 2026-03-10 03:30:00"
    );
}

#[tokio::test]
async fn a_second_clock_in_of_a_day_is_refused() {
    let mut owner = ledger().await;
    event(&mut owner, "CLOCK_IN", "09:00").await.unwrap();
    refused(event(&mut owner, "CLOCK_IN", "08:00").await, "23505");
    event(&mut owner, "CLOCK_OUT", "18:00").await.unwrap();
    refused(event(&mut owner, "CLOCK_IN", "19:00").await, "23505");
}

#[tokio::test]
async fn each_event_shows_in_the_status() {
    let mut owner = ledger().await;
    for (kind, time, expected) in [
        ("CLOCK_IN", "09:00", "ON_SHIFT CLOCK_IN 0 f"),
        ("BREAK_START", "10:00:00", "ON_BREAK BREAK_START 0 f"),
        ("BREAK_END", "10:10:40", "ON_SHIFT BREAK_END 10 f"),
        ("LUNCH_START", "13:00", "ON_LUNCH LUNCH_START 10 f"),
        ("LUNCH_END", "14:00", "ON_SHIFT LUNCH_END 10 f"),
        ("BREAK_START", "16:00:00", "ON_BREAK BREAK_START 10 f"),
        ("BREAK_END", "16:05:30", "ON_SHIFT BREAK_END 16 f"),
        ("ADMIN_ADJUST", "16:30", "ON_SHIFT ADMIN_ADJUST 16 f"),
        ("CLOCK_OUT", "18:00", "OFF_DUTY CLOCK_OUT 16 f"),
        ("SYSTEM_NOTE", "18:10", "OFF_DUTY SYSTEM_NOTE 16 f"),
        ("AUTO_ADJUST", "18:20", "OFF_DUTY AUTO_ADJUST 16 f"),
    ] {
        event(&mut owner, kind, time).await.unwrap();
        assert_eq!(status(&mut owner).await, expected);
    }
}

#[tokio::test]
async fn only_paired_breaks_count() {
    let mut owner = ledger().await;
    day(&mut owner, &[("BREAK_END", "09:30"), ("BREAK_START", "10:00"), ("BREAK_START", "10:10")]).await;
    day(&mut owner, &[("BREAK_END", "10:15"), ("BREAK_END", "10:40"), ("BREAK_START", "11:00")]).await;
    assert_eq!(status(&mut owner).await, "ON_BREAK BREAK_START 5 f");
}

#[tokio::test]
async fn an_event_that_arrives_late_takes_its_place_in_time() {
    let mut owner = ledger().await;
    day(&mut owner, &[("CLOCK_IN", "09:00"), ("BREAK_START", "10:00"), ("CLOCK_OUT", "18:00")]).await;
    event(&mut owner, "BREAK_END", "10:20").await.unwrap();
    assert_eq!(status(&mut owner).await, "OFF_DUTY CLOCK_OUT 20 f");
}

#[tokio::test]
async fn of_one_instant_the_later_recorded_is_last() {
    let mut owner = ledger().await;
    event(&mut owner, "CLOCK_IN", "09:00").await.unwrap();
    event(&mut owner, "BREAK_START", "09:00").await.unwrap();
    assert_eq!(status(&mut owner).await, "ON_BREAK BREAK_START 0 f");
}

#[tokio::test]
async fn sync_errors_follow_the_sync_status_and_touch_nothing_else() {
    let mut owner = ledger().await;
    let first = event(&mut owner, "CLOCK_IN", "09:00").await.unwrap();
    let second = event(&mut owner, "CLOCK_OUT", "18:00").await.unwrap();
    owner.execute("UPDATE daily_status SET break_minutes_used = 99", &[]).await.unwrap();
    let set = "UPDATE attendance_events SET sync_status = $2::attendance_sync_status WHERE id = $1::uuid";
    for (id, state, errors) in [
        (&first, "FAILED", "t"),
        (&second, "PERMANENT_FAILURE", "t"),
        (&first, "SUCCESS", "t"),
        (&second, "SKIPPED", "f"),
        (&second, "PROCESSING", "f"),
    ] {
        owner.execute(set, &[id, state]).await.unwrap();
        assert_eq!(status(&mut owner).await, format!("OFF_DUTY CLOCK_OUT 99 {errors}"), "{state}");
    }
}

#[tokio::test]
async fn a_rebuild_reads_through_the_repairs_and_removes_an_empty_day() {
    let mut owner = ledger().await;
    day(&mut owner, &[("BREAK_START", "10:00"), ("BREAK_END", "10:30")]).await;
    let repair = "INSERT INTO repairs.business_dates (event_id, old_date, new_date)
                  SELECT id, business_date_ist, business_date_ist + 1 FROM attendance_events";
    owner.execute(repair, &[]).await.unwrap();
    let rebuild = "SELECT rebuild_daily_status(employee_id, d) FROM employees e (employee_id),
                   unnest(ARRAY['2026-03-10', '2026-03-11']::date[]) AS d";
    owner.execute_script(rebuild).await.unwrap();
    let days = "SELECT string_agg(business_date_ist || ' ' || break_minutes_used, ',') FROM daily_status";
    assert_eq!(value(&mut owner, days).await, "2026-03-11 30");
    owner.execute("UPDATE attendance_events SET sync_status = 'FAILED'", &[]).await.unwrap();
    assert_eq!(value(&mut owner, "SELECT has_sync_errors::text FROM daily_status").await, "true");
}

#[tokio::test]
async fn the_worker_writes_sync_columns_only() {
    let (database, _) = demo_database("hithonix", 1_000).await;
    let mut owner = database.owner().await;
    let (_, grants) = System::named("hithonix").unwrap().migrations()[3];
    owner.execute_script(grants).await.unwrap();
    owner.execute_script("SET ROLE hithonix_worker").await.unwrap();
    let one = "WHERE id = (SELECT id FROM attendance_events WHERE sync_status = 'PENDING' LIMIT 1)";
    let failed = format!("UPDATE attendance_events SET sync_status = 'FAILED', attempt_count = 1 {one}");
    assert_eq!(owner.execute(&failed, &[]).await.unwrap(), 1);
    let audit = "INSERT INTO audit_logs (actor_slack_id, action) VALUES ('worker', 'PUSH')";
    assert_eq!(owner.execute(audit, &[]).await.unwrap(), 1);
    for denied in
        ["UPDATE attendance_events SET payload = NULL", "DELETE FROM daily_status", "SELECT FROM audit_logs"]
    {
        refused(owner.execute(denied, &[]).await, "42501");
    }
}

const BOOK: &str = "INSERT INTO revenues (org_id, property_id, amount_cents, occurred_at, created_by_user_id)
                    VALUES (1, 2, 300, '2026-03-05 10:00', 4)";

/// Rows that only one of the two sides has.
async fn differences(owner: &mut Owner, table: &str) -> String {
    let columns = format!(
        "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname) FROM pg_attribute
         WHERE attrelid = '{table}'::regclass AND attnum > 0"
    );
    let columns = value(owner, &columns).await;
    let (a, b) =
        (format!("SELECT {columns} FROM {table}"), format!("SELECT {columns} FROM {table}_partitioned"));
    value(owner, &format!("SELECT count(*)::text FROM (({a} EXCEPT {b}) UNION ALL ({b} EXCEPT {a})) AS d"))
        .await
}

#[tokio::test]
async fn the_twin_follows_every_write() {
    let mut owner = twins().await;
    let balance =
        "INSERT INTO daily_cash_balances (org_id, property_id, balance_date) VALUES (1, 2, '2026-03-05')";
    let expense = BOOK
        .replace("revenues", "expenses")
        .replace("created_by_user_id)", "created_by_user_id, vendor_name)");
    let expense = expense.replace(", 4)", ", 4, 'Böhm')");
    for (table, insert, changes) in [
        (
            "daily_cash_balances",
            balance,
            &["balance_discrepancy_cents = NULL", "org_id = 7", "balance_date = '2026-03-06'"],
        ),
        (
            "revenues",
            BOOK,
            &["description = 'x', approved_at = now()", "occurred_at = '2026-04-01'", "status = NULL"],
        ),
        (
            "expenses",
            expense.as_str(),
            &["vendor_name = NULL", "occurred_at = '2026-03-06', id = 90", "org_id = 3"],
        ),
    ] {
        let count = format!("SELECT count(*)::text FROM {table}_partitioned");
        owner.execute_script(insert).await.unwrap();
        assert_eq!(value(&mut owner, &count).await, "1", "{table}");
        assert_eq!(differences(&mut owner, table).await, "0", "{table}");
        for change in changes {
            owner.execute(&format!("UPDATE {table} SET {change}"), &[]).await.unwrap();
            assert_eq!(value(&mut owner, &count).await, "1", "{table} {change}");
            assert_eq!(differences(&mut owner, table).await, "0", "{table} {change}");
        }
        owner.execute(&format!("DELETE FROM {table}"), &[]).await.unwrap();
        assert_eq!(value(&mut owner, &count).await, "0", "{table}");
    }
}

#[tokio::test]
async fn a_row_that_is_in_the_twin_already_is_brought_up_to_date() {
    let mut owner = twins().await;
    owner.execute(BOOK, &[]).await.unwrap();
    owner.execute("UPDATE revenues_partitioned SET amount_cents = 1, category = 'old'", &[]).await.unwrap();
    owner.execute("UPDATE revenues SET updated_at = now()", &[]).await.unwrap();
    assert_eq!(differences(&mut owner, "revenues").await, "0");
}

#[tokio::test]
async fn without_a_partition_the_legacy_write_fails_too() {
    let mut owner = twins().await;
    refused(owner.execute(&BOOK.replace("2026-03", "2020-03"), &[]).await, "23514");
    assert_eq!(value(&mut owner, "SELECT count(*)::text FROM revenues").await, "0");
}

#[tokio::test]
async fn before_003_the_first_version_of_a_row_stays() {
    let mut owner = migrated("hospitality", 2).await;
    let months = "SELECT create_monthly_partitions('revenues', '2026-03-01', '2026-04-01')";
    owner.execute_script(months).await.unwrap();
    owner.execute(BOOK, &[]).await.unwrap();
    owner.execute("UPDATE revenues SET amount_cents = 5", &[]).await.unwrap();
    owner.execute("UPDATE revenues SET occurred_at = '2026-04-02'", &[]).await.unwrap();
    let amounts = "SELECT string_agg(amount_cents::text, ',' ORDER BY occurred_at) FROM revenues_partitioned";
    assert_eq!(value(&mut owner, amounts).await, "300,5");
}

#[tokio::test]
async fn files_apply_with_psql() {
    let server = shared_server();
    for system in midwatch::sandbox::demo::ALL {
        let database = Database::empty().await;
        let role = "DO $$ BEGIN CREATE ROLE hithonix_worker; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$";
        database.owner().await.execute_script(role).await.unwrap();
        for (name, _) in system.migrations() {
            let path = format!("{}/migrations/{}/{name}", env!("CARGO_MANIFEST_DIR"), system.name);
            let url = database.url();
            let output = common::tool(server, "psql", &["-Xq", "-v", "ON_ERROR_STOP=1", "-f", &path, &url]);
            assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }
}
