//! Everything is done with exactly the rights that `doctor --grants` prints: checks and plans by a reader, operations by an
//! operator, on every demo system.

use midwatch::dialect::postgres::owner::{Login, Owner};
use midwatch::sandbox::demo::System;
use serde_json::Value;

use crate::common::{Database, Run, demo_database, midwatch, on, run, shared_server};

const READER: &str = "midwatch_reader";
const OPERATOR: &str = "midwatch_operator";
/// The operator's url, and the reader's login beside it.
const BOTH: &str = "both";

/// Tables and functions of the demo belong to a role of an application, as they do on a server of others; what a
/// superuser owns cannot be given to an operator.
const OWNED: &str = "
do $$ begin create role app_owner nologin; exception when duplicate_object or unique_violation then null; end $$;
do $$
declare o record;
begin
  for o in select c.oid::regclass as name, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where n.nspname in ('public', 'repairs') and c.relkind in ('r', 'p', 'v')
  loop execute format('alter %s %s owner to app_owner', case o.relkind when 'v' then 'view' else 'table' end, o.name); end loop;
  for o in select p.oid::regprocedure as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
           where n.nspname in ('public', 'repairs') and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
  loop execute format('alter routine %s owner to app_owner', o.name); end loop;
  if to_regnamespace('repairs') is not null then alter schema repairs owner to app_owner; end if;
end $$;";

struct Site {
    database: Database,
    home: tempfile::TempDir,
    system: &'static str,
}

impl Site {
    /// A system with both roles.
    async fn new(system: &'static str) -> Self {
        let (database, _) = demo_database(system, 2_000).await;
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("migrations");
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in System::named(system).unwrap().migrations() {
            std::fs::write(folder.join(name), text).unwrap();
        }
        database.owner().await.execute_script(OWNED).await.unwrap();
        let script = on(&database.url(), &["doctor", "--grants", "--profile", system]);
        assert_eq!(script.code, 0, "{script:?}");
        // Twice: it changes nothing the second time.
        for _ in 0..2 {
            database.owner().await.execute_script(&script.stdout).await.unwrap();
        }
        Self { database, home, system }
    }

    /// As a role alone, or, with `reader`, as the role that changes what the reader looks at.
    fn run(&self, role: &str, args: &[&str]) -> Run {
        let reader = if role == BOTH { format!("reader = \"{READER}\"\n") } else { String::new() };
        let role = if role == BOTH { OPERATOR } else { role };
        let url = self.database.url().replacen(shared_server().user(), role, 1);
        let system = self.system;
        let text =
            format!("[targets.t]\nurl = \"{url}\"\nprofile = \"{system}\"\nenvironment = \"demo\"\n{reader}");
        std::fs::write(self.home.path().join("midwatch.toml"), text).unwrap();
        run(midwatch(self.home.path()).args(args))
    }

    fn plan(&self, role: &str, args: &[&str]) -> (Run, Value) {
        let file = self.home.path().join("plan.json");
        let _ = std::fs::remove_file(&file);
        let args = [&["plan"], args, &["--out", file.to_str().unwrap(), "--json"]].concat();
        let run = self.run(role, &args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        let plan = run.json()["plan"].clone();
        (run, plan)
    }

    fn applied(&self, who: &str, args: &[&str]) {
        let (_, plan) = self.plan(who, args);
        let file = self.home.path().join("plan.json");
        let apply =
            ["apply", file.to_str().unwrap(), "--confirm", plan["phrase"].as_str().unwrap(), "--json"];
        let run = self.run(who, &apply);
        let outcome = run.json()["run"]["outcome"].clone();
        assert_eq!((run.code, outcome.as_str()), (0, Some("applied")), "{args:?}: {run:?}");
    }

    /// What the role is refused, by the server's code.
    async fn refused(&self, role: &str, statement: &str) {
        let login = Login { role: role.to_owned(), password: None, unprivileged: true };
        let socket = shared_server().socket_dir();
        let mut session = Owner::log_in(&socket, &login, &self.database.name).await.unwrap();
        let error = session.execute_script(statement).await.unwrap_err();
        assert_eq!(error.code.as_deref(), Some("42501"), "{role} {statement}: {error:?}");
        session.close().await;
    }
}

const PLANS: [(&str, &[&[&str]]); 2] = [
    (
        "hithonix",
        &[
            &["backfill", "business_date_ist", "--set", "limit=5"],
            &["backfill", "business_date_ist", "--set", "strategy=repairs"],
            &["fix", "duplicate_clock_in"],
            &["fix", "status_mismatch"],
            &[
                "resolve",
                "keka-sync",
                "--set",
                "to=SKIPPED",
                "--set",
                "reason=x",
                "--set",
                "finding=exhausted",
            ],
        ],
    ),
    (
        "hospitality",
        // One twin is as good as three.
        &[
            &["watch", "daily_cash_balances"],
            &["copy-missing", "daily_cash_balances"],
            &["repair-triggers", "daily_cash_balances"],
            &["repair", "daily_cash_balances"],
            &["rehearse", "daily_cash_balances", "--set", "seconds=1", "--set", "writers=1"],
            &["switchover", "daily_cash_balances"],
        ],
    ),
];

/// At 4eabe32 nothing said which rights are needed: the README's advice, `pg_read_all_data`, reads password hashes
/// (`pg_authid`) too.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_makes_every_check_and_every_plan_and_nothing_else() {
    for (system, plans) in PLANS {
        let site = Site::new(system).await;
        let checks = site.run(READER, &["check", "--json"]);
        assert_eq!(checks.code, 1, "{checks:?}");
        for check in checks.json()["checks"].as_array().unwrap() {
            assert!(check["status"] != "unknown" && check["unknown"].is_null(), "{check:#}");
        }
        for args in plans {
            site.plan(READER, args);
        }
        let table = if system == "hithonix" { "attendance_events" } else { "revenues" };
        for statement in [
            &format!("delete from {table}"),
            "insert into midwatch.head default values",
            "select * from pg_authid",
            "select pg_read_file('/etc/passwd')",
            "create table public.planted (id int)",
        ] {
            site.refused(READER, statement).await;
        }
        if system == "hithonix" {
            // Named in the profile as secret only.
            site.refused(READER, "select * from keka_tokens").await;
        }
    }
}

/// At 4eabe32 the operator's rights had to be found out by runs that failed half-way (code 7 at the swap).
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_carries_out_every_operation_and_cannot_rewrite_the_journal() {
    let ((hithonix, rows), (hospitality, twins)) = (PLANS[0], PLANS[1]);
    for (system, plans, who) in
        [(hithonix, &rows[..1], OPERATOR), (hithonix, rows, BOTH), (hospitality, twins, BOTH)]
    {
        let site = Site::new(system).await;
        for args in plans {
            site.applied(who, args);
            if args[0] == "watch" {
                site.applied(who, &["watch", args[1], "--set", "off=yes"]);
                site.applied(who, args);
            }
        }
        if system == "hospitality" {
            site.applied(who, &["rollback", "daily_cash_balances"]);
            site.applied(who, &["switchover", "daily_cash_balances"]);
            site.applied(who, &["cleanup", "daily_cash_balances", "--set", "accept=foreign_key,quiet"]);
        } else {
            let file = site.home.path().join("undo.json");
            let undo = site.run(who, &["undo", "1", "--out", file.to_str().unwrap(), "--json"]);
            let phrase = undo.json()["plan"]["phrase"].as_str().unwrap().to_owned();
            let undone = site.run(who, &["apply", file.to_str().unwrap(), "--confirm", &phrase]);
            assert_eq!(undone.code, 0, "{undone:?}");
        }
        let verified = site.run(who, &["journal", "verify"]);
        assert_eq!(verified.code, 0, "{verified:?}");
        for statement in [
            "update midwatch.events set body = ''",
            "delete from midwatch.events",
            "delete from midwatch.images",
            "alter table midwatch.events disable trigger all",
            "select * from pg_authid",
            "copy (select 1) to program 'true'",
        ] {
            site.refused(OPERATOR, statement).await;
        }
    }
}

/// Roles belong to the server: whoever prepares another of its databases at the same moment creates them too.
#[tokio::test(flavor = "multi_thread")]
async fn two_scripts_for_one_server_run_at_once() {
    let (one, _) = demo_database("hospitality", 1_000).await;
    let (other, _) = demo_database("hospitality", 1_000).await;
    let (reader, operator) = (format!("{READER}_{}", one.name), format!("{OPERATOR}_{}", one.name));
    let script = |url: &str| {
        let printed = on(url, &["doctor", "--grants", "--profile", "hospitality"]);
        assert_eq!(printed.code, 0, "{printed:?}");
        printed.stdout.replace(READER, &reader).replace(OPERATOR, &operator)
    };
    let (first, second) = (script(&one.url()), script(&other.url()));
    let mut session = one.owner().await;
    session.execute_script(&format!("begin; {first}")).await.unwrap();
    let mut waiting = other.owner().await;
    let pid = waiting.fetch_value("select pg_backend_pid()::text", &[]).await.unwrap().unwrap();
    let second = tokio::spawn(async move { waiting.execute_script(&second).await });
    let waits = "select wait_event_type from pg_stat_activity where pid = $1::text::int";
    while session.fetch_value(waits, &[&pid]).await.unwrap().as_deref() != Some("Lock") {
        assert!(!second.is_finished(), "the second script did not wait: {:?}", second.await);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    session.execute_script("commit").await.unwrap();
    second.await.unwrap().unwrap();
}
