//! Who looks at a target runs code of others: what a function in their view reaches is what the reader's role reaches.

use std::path::Path;

use crate::common::{Database, Run, midwatch, run};

/// A view of mallory's that calls a function of mallory's, and a table of whose index expression another one is called when
/// a query on it is planned: each runs a program on the server for whoever may.
fn planted(trace: &Path) -> String {
    let trace = trace.display();
    format!(
        "do $$ begin create role mallory; create role looks login; exception when duplicate_object or unique_violation then null; end $$;
         create schema shop authorization mallory; grant usage on schema shop to looks; set role mallory;
         create table shop.orders (id int primary key, note text); insert into shop.orders select i, '' from generate_series(1, 3) i;
         create function shop.act(t text) returns text language plpgsql as $f$
           begin
             if (select rolsuper from pg_roles where rolname = current_user) then
               execute format('copy (select 1) to program %L', 'cat > ' || t);
             end if;
             return t;
           end $f$;
         create view shop.seen as select id, shop.act('{trace}-view') as acted from shop.orders;
         create function shop.act_planned(t text) returns text language plpgsql immutable as $f$ begin return t; end $f$;
         create index on shop.orders (shop.act_planned('{trace}-plan'), id);
         create or replace function shop.act_planned(t text) returns text language plpgsql immutable as $f$
           begin return (select shop.act(t)); end $f$;
         grant select on shop.orders, shop.seen to looks; reset role"
    )
}

const PROFILE: &str = r#"
name = "shop"
search_path = ["shop"]
[[anomalies]]
name = "view"
title = "rows of a view"
key = ["id"]
sql = "select id from shop.seen where acted <> ''"
[[anomalies]]
name = "plan"
title = "rows of a table"
key = ["id"]
sql = "select id from shop.orders where id < 0"
"#;

struct Shop {
    database: Database,
    home: tempfile::TempDir,
    traces: tempfile::TempDir,
}

impl Shop {
    async fn new() -> Self {
        let database = Database::empty().await;
        let home = tempfile::tempdir().unwrap();
        // The server runs under another account where the tests run as root.
        let traces = tempfile::tempdir_in("/tmp").unwrap();
        let everyone = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(traces.path(), everyone).unwrap();
        let shop = Self { database, home, traces };
        shop.database.owner().await.execute_script(&planted(&shop.trace())).await.unwrap();
        // Planting has planned, as a superuser.
        shop.swept();
        shop
    }

    fn trace(&self) -> std::path::PathBuf {
        self.traces.path().join("ran")
    }

    /// The programs that ran; their traces are removed.
    fn swept(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.traces.path()).unwrap().map(|f| f.unwrap());
        let mut names: Vec<_> = files
            .map(|f| {
                std::fs::remove_file(f.path()).unwrap();
                f.file_name().into_string().unwrap()
            })
            .collect();
        names.sort();
        names
    }

    fn check(&self, more: &str, args: &[&str]) -> Run {
        std::fs::write(self.home.path().join("shop.toml"), PROFILE).unwrap();
        let text =
            format!("[targets.shop]\nurl = \"{}\"\nprofile = \"shop.toml\"\n{more}", self.database.url());
        std::fs::write(self.home.path().join("midwatch.toml"), text).unwrap();
        run(midwatch(self.home.path()).args(args).arg("--json"))
    }
}

/// At 4eabe32 `check` as superuser ran both programs and ended with the findings of the rules alone: nothing said that the
/// role is a superuser. It still runs them, which no client can prevent; with a reader it runs none.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_runs_no_program_of_others_where_a_superuser_does() {
    let shop = Shop::new().await;
    let alone = shop.check("", &["check"]);
    assert_eq!(alone.code, 1, "{alone:?}");
    assert_eq!(shop.swept(), ["ran-plan", "ran-view"], "what is looked for happens");
    let reader =
        alone.json()["checks"].as_array().unwrap().iter().find(|c| c["id"] == "roles/reader").cloned();
    assert_eq!(reader.unwrap()["status"], "fail");
    let apart = shop.check("reader = \"looks\"\n", &["check"]);
    assert_eq!(apart.code, 1, "{apart:?}");
    assert_eq!(shop.swept(), [""; 0]);
    for check in apart.json()["checks"].as_array().unwrap() {
        let expected = match check["id"].as_str().unwrap() {
            "anomalies/view" => "warn",
            // The schema is mallory's.
            "roles/search-path" => "fail",
            _ => "ok",
        };
        assert_eq!(check["status"], expected, "{check:#}");
    }
    // The rights of the role that makes changes are asked for without its running anything.
    let doctor = shop.check("reader = \"looks\"\n", &["doctor"]);
    assert!(doctor.stdout.contains("read by role looks"), "{doctor:?}");
    assert_eq!(shop.swept(), [""; 0]);
}

/// A reader's login that the server refuses is an error: nothing is read with other rights instead.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_cannot_log_in_is_not_replaced() {
    let shop = Shop::new().await;
    let refused = shop.check("reader = \"nobody_of_this_name\"\n", &["check"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stdout.contains("nobody_of_this_name"), "{refused:?}");
    assert_eq!(shop.swept(), [""; 0]);
}
