//! The target's definitions are executed in a private copy: what its owners wrote must get no further than its tables.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use midwatch::dialect::postgres::owner::{Login, Owner};
use midwatch::engine::port::copies::{CopyRequest, Rows};
use midwatch::sandbox::{ConfinementReport, confinement};
use serde_json::Value;

use crate::common::{Database, Run, engine, midwatch, on, run, shared_server};
use crate::forger::Forger;

const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/features/world/sales.toml");
const SALES: &str = include_str!("../features/world/sales.sql");
const HOSTILE: &str = include_str!("sandbox/hostile.sql");

/// Tables of a role that is no superuser, which also is the operator's: what runs as more than it ran in a copy.
struct Sales {
    database: Database,
    home: tempfile::TempDir,
    /// What an attack that succeeds leaves a file in.
    trace: tempfile::TempDir,
}

impl Sales {
    async fn new() -> Self {
        Self::seen_by("sales_owner").await
    }

    /// With this role as the operator's.
    async fn seen_by(role: &str) -> Self {
        let database = Database::empty().await;
        database.owner().await.execute_script(SALES).await.unwrap();
        let url = database.url().replace("keeper@", &format!("{role}@"));
        let home = tempfile::tempdir().unwrap();
        let config = format!(
            "[targets.main]\nurl = \"{url}\"\nprofile = \"{PROFILE}\"\nenvironment = \"demo\"\n\
             [policy]\nallow_unknown_load = true\n"
        );
        fs::write(home.path().join("midwatch.toml"), config).unwrap();
        let trace = tempfile::Builder::new().prefix("t").tempdir_in("/tmp").unwrap();
        fs::set_permissions(trace.path(), fs::Permissions::from_mode(0o777)).unwrap();
        Self { database, home, trace }
    }

    /// As the tables' owner: a superuser's session would run what it defines.
    async fn as_owner(&self, script: &str) {
        let login = Login { role: "sales_owner".into(), password: None, unprivileged: true };
        let socket = shared_server().socket_dir();
        let mut owner = Owner::log_in(&socket, &login, &self.database.name).await.unwrap();
        owner
            .execute_script(&script.replace("TRACE", &self.trace.path().display().to_string()))
            .await
            .unwrap();
    }

    async fn as_superuser(&self, script: &str) {
        let script = script.replace("TRACE", &self.trace.path().display().to_string());
        self.database.owner().await.execute_script(&script).await.unwrap();
    }

    fn run(&self, args: &[&str]) -> Run {
        run(midwatch(self.home.path()).env("USER", "dana").args(args).arg("--json"))
    }

    /// Plans, and gives the plan.
    fn plan(&self, args: &[&str]) -> Value {
        let file = self.home.path().join("p.json");
        let out = self.run(&[&["plan"], args, &["--out", file.to_str().unwrap()]].concat());
        assert!(!out.stdout.contains("BREACH"), "{args:?}: {:?} {out:?}", self.traces());
        out.json()["plan"].clone()
    }

    /// Applies what was planned last.
    fn apply(&self, plan: &Value) -> Value {
        let file = self.home.path().join("p.json");
        let out = self.run(&["apply", file.to_str().unwrap(), "--confirm", plan["phrase"].as_str().unwrap()]);
        let value = out.json();
        assert_eq!(value["run"]["outcome"], "applied", "{value:#}");
        value
    }

    /// Files that an attack left.
    fn traces(&self) -> Vec<String> {
        let files = fs::read_dir(self.trace.path()).unwrap();
        let mut names: Vec<_> =
            files.map(|f| f.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

fn told(plan: &Value, id: &str) -> Vec<String> {
    let all = plan["preflight"].as_array().unwrap().iter().filter(|p| p["id"] == id);
    all.map(|p| format!("{}: {}", p["status"].as_str().unwrap(), p["message"].as_str().unwrap())).collect()
}

/// At 4eabe32 the plan of `repair-triggers` alone ran a program on the operator's machine from five of these places (CHECK,
/// domain, generated column, index expression, trigger), and wrote a file with `lo_export` from each; it also read the
/// server's files and the superuser's password: all of it was executed by the copy's superuser.
#[tokio::test]
async fn definitions_of_the_target_run_no_program() {
    let sales = Sales::new().await;
    // An administrator's, for good reasons.
    sales
        .as_superuser(
            "create extension dblink; create extension postgres_fdw;
             create server elsewhere foreign data wrapper postgres_fdw options (host 'none');
             create foreign table sales.far (x int) server elsewhere;
             grant all on foreign server elsewhere to sales_owner; grant all on sales.far to sales_owner;
             create role \"r\n\\! touch TRACE/role\n\"; grant select on sales.audit to \"r\n\\! touch TRACE/role\n\"",
        )
        .await;
    sales.as_owner(HOSTILE).await;
    assert_eq!(sales.traces(), [""; 0], "on the target itself");
    sales.apply(&sales.plan(&["init"]));
    let repair = sales.plan(&["repair-triggers"]);
    assert!(told(&repair, "proof").iter().all(|t| t.starts_with("ok: ")), "{:#}", repair["preflight"]);
    assert_eq!(sales.traces(), [""; 0], "repair-triggers");
    sales.apply(&repair);

    let checked = sales.run(&["check", "parity", "--self-test"]);
    let value = checked.json();
    assert!(!checked.stdout.contains("BREACH"), "{value:#}");
    let test = &value["checks"][0]["facts"]["self_test"];
    assert!(test["planted"].as_u64() > Some(5), "{:#}", value["checks"][0]);
    assert_eq!((&test["found"], &test["missed"]), (&test["planted"], &serde_json::json!([])), "{test}");
    let copy = test["copy"].as_str().unwrap();
    assert!(copy.contains("extension dblink (never made in a copy)"), "{copy}");
    assert!(copy.contains("foreign table sales.far"), "{copy}");
    assert_eq!(sales.traces(), [""; 0], "self-test");

    let switch = sales.plan(&["switchover", "--set", "monitor=0"]);
    assert!(told(&switch, "triggers")[0].starts_with("ok: "), "{:#}", switch["preflight"]);
    assert!(told(&switch, "trial")[0].starts_with("ok: "), "{:#}", switch["preflight"]);
    assert_eq!(sales.traces(), [""; 0], "switchover");
    let rehearse = ["rehearse", "--set", "writers=1", "--set", "seconds=1", "--set", "rows=40"];
    let played = sales.apply(&sales.plan(&rehearse));
    assert!(!played.to_string().contains("BREACH"), "{played:#}");
    assert_eq!(sales.traces(), [""; 0], "rehearse");
}

/// A change itself fires what hangs on its rows, as whoever makes it: docs/security.md. All that comes before fires nothing
/// on the target. At 4eabe32 the five places ran their program in the copy.
#[tokio::test]
async fn a_superuser_s_plans_run_nothing_on_the_target() {
    let sales = Sales::seen_by("keeper").await;
    sales.as_owner(HOSTILE).await;
    sales.apply(&sales.plan(&["init"]));
    let repair = sales.plan(&["repair-triggers"]);
    assert!(told(&repair, "proof").iter().all(|t| t.starts_with("ok: ")), "{repair:#}");
    let test = &sales.run(&["check", "parity", "--self-test"]).json()["checks"][0]["facts"]["self_test"];
    assert!(test["planted"].as_u64() > Some(5), "{test:#}");
    let switch = sales.plan(&["switchover", "--set", "monitor=0"]);
    assert!(!told(&switch, "triggers").is_empty(), "{switch:#}");
    for command in [&["check"][..], &["doctor"], &["runs"], &["journal", "verify"]] {
        sales.run(command);
    }
    assert_eq!(sales.traces(), [""; 0]);
}

/// At 4eabe32 the same five places ran their program, in the copies of the plan and where the backup was restored.
#[tokio::test]
async fn a_backup_is_restored_without_running_what_is_in_it() {
    let sales = Sales::new().await;
    sales.as_owner(HOSTILE).await;
    sales.apply(&sales.plan(&["init"]));
    sales.apply(&sales.plan(&["repair-triggers"]));
    let plan = sales.plan(&["switchover", "--set", "monitor=0"]);
    let value = sales.apply(&plan);
    assert_eq!(sales.traces(), [""; 0]);
    let run = sales.run(&["runs", value["run"]["id"].as_str().unwrap()]).json();
    let backup = run["runs"][0]["events"].as_array().unwrap().iter().find(|e| e["kind"] == "backup").unwrap();
    let proof = backup["content"]["verified"].as_str().unwrap();
    assert!(proof.starts_with("restored from nothing into a private PostgreSQL"), "{proof}");
}

/// At 4eabe32 the event trigger and the function in C were made in the copy, by its superuser.
#[tokio::test]
async fn what_a_copy_is_without_is_named_and_never_passes() {
    let sales = Sales::new().await;
    sales.apply(&sales.plan(&["init"]));
    sales.apply(&sales.plan(&["repair-triggers"]));
    let before = sales.plan(&["switchover", "--set", "backup=skip"]);
    assert_eq!(told(&before, "untried"), [""; 0], "{:#}", before["preflight"]);
    sales
        .as_superuser(
            "create function sales.noticed() returns trigger language c as '$libdir/tcn', 'triggered_change_notification';
             create trigger noticed after update on sales.orders for each row execute function sales.noticed();
             create function public.watched() returns event_trigger language plpgsql as 'begin end';
             create event trigger watched on ddl_command_end execute function public.watched()",
        )
        .await;
    let plan = sales.plan(&["switchover", "--set", "backup=skip"]);
    let untried = told(&plan, "untried").join("\n");
    assert!(untried.contains("unknown: not tried, since the copy is without them"), "{untried}");
    assert!(untried.contains("event trigger watched"), "{untried}");
    assert!(untried.contains("trigger noticed of sales.orders"), "{untried}");
    let accepted = sales.plan(&["switchover", "--set", "backup=skip", "--set", "accept=untried"]);
    assert!(
        told(&accepted, "untried").iter().all(|t| t.starts_with("warn: ")),
        "{:#}",
        accepted["preflight"]
    );
    let value = sales.run(&["check", "parity", "--self-test"]).json();
    let copy = value["checks"][0]["facts"]["self_test"]["copy"].as_str().unwrap_or_default().to_owned();
    assert!(copy.contains("event trigger watched (a superuser's, not copied)"), "{value:#}");
    assert!(copy.contains("function sales.noticed() (a superuser's, not copied)"), "{copy}");
}

/// At 4eabe32 the same statements of the target were run by the copy's superuser; the first mend of that took the names
/// of roles as data, and granted what it was told: `touch` ran in `check parity --self-test`.
#[tokio::test]
async fn a_server_that_forges_memberships_runs_no_program_in_a_copy() {
    // Of one length with the role that it shall be taken for.
    const FORGED: &str = "xg_execute_server_program";
    let sales = Sales::new().await;
    sales
        .as_superuser(&format!(
            "create role {FORGED}; create role {0}_forger; grant {FORGED} to {0}_forger",
            sales.database.name
        ))
        .await;
    sales
        .as_owner(
            "create function sales.runs() returns boolean language plpgsql as $$ begin
               if current_database() = 'rehearsal' then
                 execute $x$ copy (select 1) to program 'touch TRACE/called' $x$;
               end if;
               return true;
             exception when insufficient_privilege then return true; end $$;
             alter table sales.orders add constraint runs check (sales.runs());
             alter table sales.orders_twin add constraint runs check (sales.runs())",
        )
        .await;
    let said = |role: &str| format!("\"role\" : \"{role}\"").into_bytes();
    let socket = shared_server().socket_dir().join(".s.PGSQL.5432");
    let forger = Forger::start(socket, said(FORGED), said("pg_execute_server_program"));
    let url =
        format!("postgres://keeper@127.0.0.1:{}/{}?sslmode=disable", forger.port(), sales.database.name);
    let config =
        format!("[targets.main]\nurl = \"{url}\"\nprofile = \"{PROFILE}\"\nenvironment = \"demo\"\n");
    fs::write(sales.home.path().join("midwatch.toml"), config).unwrap();
    let value = sales.run(&["check", "parity", "--self-test"]).json();
    assert_eq!(sales.traces(), [""; 0], "{value:#}");
    assert!(forger.forged(), "the answer was as the server gave it");
    let test = &value["checks"][0]["facts"]["self_test"];
    assert!(test["planted"].as_u64() > Some(0), "{value:#}");
}

/// Policies that bind the owner would hide rows from the copy's role, which is none of the target's.
#[tokio::test]
async fn rows_behind_policies_are_compared_all_the_same() {
    let sales = Sales::new().await;
    sales
        .as_owner(
            "alter table sales.orders enable row level security; alter table sales.orders_twin enable row level security;
             alter table sales.orders_twin force row level security; create policy none on sales.orders_twin using (true)",
        )
        .await;
    sales.as_superuser("alter role sales_owner bypassrls").await;
    let value = sales.run(&["check", "parity", "--self-test"]).json();
    sales.as_superuser("alter role sales_owner nobypassrls").await;
    let test = &value["checks"][0]["facts"]["self_test"];
    assert_eq!((&test["found"], &test["missed"]), (&test["planted"], &serde_json::json!([])), "{value:#}");
}

/// At 4eabe32 whoever reached the socket was superuser `keeper`, in a process with the network of the operator's machine.
#[tokio::test]
async fn a_copy_is_shut_in() {
    let database = Database::empty().await;
    database.owner().await.execute_script("create table t (id int primary key)").await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\n").await;
    let request = CopyRequest { relations: vec!["t".into()], ..CopyRequest::default() };
    let copy = engine.copies().open(&request).await.unwrap();
    // Other tests of this process have servers of their own, which are no copies.
    let pid = children("postgres").into_iter().find(|pid| access(*pid).contains("local rehearsal ")).unwrap();
    let proc = |what: &str| fs::read_to_string(format!("/proc/{pid}/{what}")).unwrap();
    let done = confined().done;
    assert_eq!(proc("status").contains("NoNewPrivs:\t1"), done.contains(&"no new privileges"));
    let limits = done.contains(&"limits on memory and files");
    assert_eq!(proc("limits").lines().any(|l| l.starts_with("Max core file size        0 ")), limits);
    let network = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let apart = network(&pid.to_string()) != network("self");
    assert_eq!(apart, done.contains(&"no network in copies"));
    for (name, _) in std::env::vars().filter(|(name, _)| !["PATH", "TZ", "LC_ALL"].contains(&name.as_str())) {
        assert!(!proc("environ").contains(&format!("{name}=")), "{name}");
    }
    let command = proc("cmdline");
    let root = command.split('\0').find_map(|word| word.strip_suffix("/data")).unwrap();
    let rules = fs::read_to_string(format!("{root}/data/pg_hba.conf")).unwrap();
    let ways: Vec<_> = rules.lines().map(|l| l.rsplit(' ').next().unwrap()).collect();
    assert_eq!(ways, ["scram-sha-256"; 2], "{rules}");
    assert!(!Path::new(root).join("first").exists(), "the superuser's password");
    // Without a password nobody gets in; nor with the one name that is known.
    for role in ["keeper", "postgres"] {
        let knocked = Owner::connect(&Path::new(root).join("run"), role, "postgres").await;
        assert!(knocked.is_err(), "{role}");
    }
    drop(copy);
}

/// At 4eabe32 `pg_restore` read the dump as the operator: as root, with the network, where root started midwatch.
#[tokio::test]
async fn what_reads_a_dump_is_shut_in() {
    let database = Database::empty().await;
    let slow = "create function slow(n int) returns int language plpgsql immutable as $$ begin
            if current_database() = 'rehearsal' then perform pg_sleep(3); end if; return n; end $$;
        create table t (id int primary key); insert into t values (1); create index slow on t (slow(id))";
    database.owner().await.execute_script(slow).await.unwrap();
    let engine = engine(&database.url(), "name = \"p\"\n").await;
    let rows = Rows::Sample(1);
    let request = CopyRequest { relations: vec!["public.t".into()], rows, ..CopyRequest::default() };
    let mut found = None;
    let end = tokio::time::Instant::now() + std::time::Duration::from_mins(2);
    let look = async {
        while found.is_none() && tokio::time::Instant::now() < end {
            found = children("pg_restore").into_iter().find_map(|pid| {
                let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
                let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
                let network = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
                command.contains("--use-list").then_some((status, network))
            });
            tokio::task::yield_now().await;
        }
    };
    let (copy, ()) = tokio::join!(engine.copies().open(&request), look);
    let copy = copy.unwrap();
    assert!(copy.lacks().is_empty(), "{:?}", copy.lacks());
    let (status, network) = found.unwrap();
    let confined = confined();
    assert_eq!(status.contains("NoNewPrivs:\t1"), confined.done.contains(&"no new privileges"));
    let apart = network != fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(apart, confined.done.contains(&"no network in copies"));
    let root = status.lines().any(|l| l.starts_with("Uid:\t0\t"));
    assert!(!root || confined.account.is_none(), "{status}");
}

/// How far this machine lets a server be shut in. Where root runs the tests, the two programs without which they would
/// compare nothing with nothing must be there.
fn confined() -> ConfinementReport {
    let found = confinement().unwrap();
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let least = ["no new privileges", "limits on memory and files"];
    assert!(!root || least.iter().all(|part| found.done.contains(part)), "{found:?}");
    found
}

/// Who may log in to a server, and how.
fn access(pid: u32) -> String {
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let data = command.split('\0').find(|word| word.ends_with("/data")).unwrap_or_default();
    fs::read_to_string(format!("{data}/pg_hba.conf")).unwrap_or_default()
}

/// Processes of this program that this process started.
fn children(program: &str) -> Vec<u32> {
    let ours = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse().ok());
        stat.contains(&format!("({program}) ")) && parent == Some(std::process::id())
    };
    let all = fs::read_dir("/proc").unwrap().filter_map(|e| e.unwrap().file_name().to_str()?.parse().ok());
    all.filter(ours).collect()
}

/// At 4eabe32 doctor said nothing of it.
#[tokio::test]
async fn doctor_says_how_far_private_servers_are_shut_in() {
    let database = Database::empty().await;
    let value = on(&database.url(), &["doctor", "--json"]).json();
    let line = value["doctor"].as_array().unwrap().iter().find(|l| l["name"] == "sandbox");
    let message = line.unwrap_or_else(|| panic!("{value:#}"))["message"].as_str().unwrap();
    let found = confined();
    let not = found.not_possible.iter().map(String::as_str);
    for part in found.done.into_iter().chain(not) {
        assert!(message.contains(part), "{message}");
    }
}
