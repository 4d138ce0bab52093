//! A switchover and its way back in the real console, on a real server, with somebody in the way.

use crate::common::pty::Console;
use crate::common::{Database, demo_database, midwatch, run};
use crate::real::phrase;

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");

struct World {
    database: Database,
    home: tempfile::TempDir,
}

impl World {
    /// The demo's hospitality, mended: ready for a switchover.
    async fn ready() -> Self {
        let (database, _) = demo_database("hospitality", 1_000).await;
        let home = tempfile::tempdir().unwrap();
        let config = format!(
            "[targets.main]\nurl = \"{}\"\nprofile = \"hospitality\"\nenvironment = \"demo\"\n\
             [policy]\nmax_active_sessions = 1000\nmax_lock_waits = 1000\n",
            database.url()
        );
        std::fs::write(home.path().join("midwatch.toml"), config).unwrap();
        let world = Self { database, home };
        for operation in ["repair-triggers", "repair", "copy-missing"] {
            let plan = world.headless(&["plan", operation, "--out", "p.json", "--json"]).json();
            let words = plan["plan"]["phrase"].as_str().unwrap().to_owned();
            let applied = world.headless(&["apply", "p.json", "--confirm", &words]);
            assert_eq!(applied.code, 0, "{applied:?}");
        }
        world
    }

    fn headless(&self, args: &[&str]) -> crate::common::Run {
        run(midwatch(self.home.path()).env("USER", "dana").args(args))
    }

    fn console(&self) -> Console {
        let path = |name: &str| self.home.path().join(name).to_str().unwrap().to_owned();
        let (config, home) = (path("midwatch.toml"), path(""));
        let env = [("HOME", home.as_str()), ("XDG_STATE_HOME", &home), ("USER", "dana")];
        Console::start(BINARY, (110, 40), &["--config", &config], &env)
    }

    async fn value(&self, sql: &str) -> String {
        self.database.owner().await.fetch_value(sql, &[]).await.unwrap().unwrap_or_default()
    }

    async fn kinds(&self) -> String {
        self.value(
            "select string_agg(relname || relkind::text, ' ' order by relname) from pg_class
                    where relname ~ '^revenues(_partitioned|_legacy)?$'",
        )
        .await
    }
}

/// Types the phrase that the plan on the screen asks for.
fn confirm(console: &mut Console) {
    console.press("c");
    let screen = console.wait("the phrase", |s| phrase(&s.contents()).is_some());
    console.types(&phrase(&screen.contents()).unwrap());
    console.enter();
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_are_switched_over_and_back_with_a_session_in_the_way() {
    let world = World::ready().await;
    let before = world.kinds().await;
    let mut in_the_way = world.database.owner().await;
    in_the_way.execute_script("begin; select * from revenues limit 1").await.unwrap();
    let pid = in_the_way.fetch_value("select pg_backend_pid()::text", &[]).await.unwrap().unwrap();

    let mut console = world.console();
    console.shows("3 Parity");
    console.press("3");
    console.shows("daily_cash_balances");
    console.press("s");
    console.shows("ready   d plans it");
    console.press("d");
    console.shows("c opens the line");
    confirm(&mut console);
    console.shows("waiting for ACCESS EXCLUSIVE on");
    let screen = console.shows(&format!("pid {pid}"));
    let text = screen.contents();
    assert!(
        text.contains("would lose nothing (read only)") && text.contains("idle in transaction"),
        "{text}"
    );
    console.press("c");
    let words = format!("end {pid} keeper ");
    let screen = console.shows(&format!("type   {words}"));
    let text = screen.contents();
    let code: String = text.split_once(&words).unwrap().1.chars().take(4).collect();
    let words = format!("{words}{code}");
    console.types("y");
    console.enter();
    console.shows("differs at character 1");
    assert_eq!(world.value("select count(*)::text from midwatch.events where kind = 'ended'").await, "0");
    console.press("\u{8}");
    console.types(&words);
    console.enter();
    console.shows("MONITOR");
    console.shows("switchover all: applied and proved");
    console.shows("lossless: yes, 0 rows at risk");
    assert_eq!(world.kinds().await, "revenuesp revenues_legacyr revenues_partitionedv");
    assert!(in_the_way.fetch_value("select 1::text", &[]).await.is_err(), "its session is gone");
    let told = "select string_agg(coalesce(body::json ->> 'role', body::json ->> 'ended'), ' ' order by seq)
                from midwatch.events where kind = 'ended'";
    assert_eq!(world.value(told).await, "keeper true");

    console.press("d");
    console.shows("PLAN  rollback");
    console.shows("c opens the line");
    confirm(&mut console);
    console.shows("ROLLBACK");
    console.shows("rollback all: applied and proved");
    assert_eq!(world.kinds().await, before);
    let verified = world.headless(&["journal", "verify", "--target", "main"]);
    // The console has a home and a key of its own, which nobody has confirmed in this one.
    assert!(
        verified.code == 5 && verified.stdout.contains("nothing altered or removed was found"),
        "{verified:?}"
    );
}
