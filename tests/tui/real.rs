//! Runs begun in the real console on a real server, and what ends them.

use midwatch::engine::journal::Outcome;
use midwatch::engine::progress::{Phase, Wish};
use midwatch::tui::msg::{Effect, Msg};
use rustix::process::{Signal, kill_process};

use crate::common::pty::Console;
use crate::common::{Database, demo_database};
use crate::made::{done, progress, running};

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");

/// The first signal stops after the batch, the second leaves at once; a terminal that is gone never counts twice.
#[test]
fn a_signal_stops_the_run_first() {
    let mut app = running((80, 24));
    app.update(Msg::Progress(Box::new(progress(Phase::Working, 412))));
    assert_eq!(app.update(Msg::Terminate), [Effect::Wish(Wish::Cancel)]);
    assert!(app.notice.as_ref().unwrap().text.contains("stopping after this batch"));
    assert_eq!(app.update(Msg::HungUp), []);
    let mut again = app.clone();
    assert_eq!(again.update(Msg::Terminate), [Effect::Quit]);
    let left = again.farewell().unwrap();
    assert!(left.message.contains("400 of 812 rows are changed"), "{left}");
    assert!(left.hint.as_ref().unwrap().contains("midwatch resume 17"), "{left}");
    assert_eq!(left.exit_code(), 7);
    assert!(app.update(Msg::RunDone(Ok(Some(Box::new(done(Outcome::Partial)))))).contains(&Effect::Quit));
    assert_eq!(app.farewell(), app.run.unwrap().done.unwrap().failure);

    let mut app = running((80, 24));
    assert_eq!(app.update(Msg::HungUp), [Effect::Wish(Wish::Cancel)]);
    assert_eq!(app.update(Msg::HungUp), []);
    let mut idle = crate::fake::connected((80, 24));
    assert_eq!(idle.update(Msg::Terminate), [Effect::Quit]);
    assert_eq!(idle.farewell(), None);
}

/// Every second batch waits until the row of `gate` is gone.
const GATE: &str = "create table public.gate (shut bool); insert into public.gate values (true);
    create function public.wait() returns trigger language plpgsql as $$ begin
      while exists (select from public.gate) and exists (select from midwatch.runs r where r.outcome = 'running' and r.batch > 0)
      loop perform pg_sleep(0.01); end loop; return new; end $$;
    create trigger aaa_wait before insert on midwatch.images for each row execute function public.wait()";

struct World {
    database: Database,
    home: tempfile::TempDir,
}

impl World {
    async fn new(environment: &str) -> Self {
        let (database, _) = demo_database("hithonix", 2_000).await;
        let home = tempfile::tempdir().unwrap();
        let setting = format!("alter database {} set midwatch.environment = '{environment}'", database.name);
        database.owner().await.execute_script(&setting).await.unwrap();
        let config = format!(
            "[targets.main]\nurl = \"{}\"\nprofile = \"hithonix\"\nenvironment = \"{environment}\"\n\
             [policy]\nbatch_rows = 5\nmax_active_sessions = 1000\nmax_lock_waits = 1000\n",
            database.url()
        );
        std::fs::write(home.path().join("midwatch.toml"), config).unwrap();
        Self { database, home }
    }

    /// The console, with the phrase of a backfill asked for; and that phrase.
    fn asked(&self) -> (Console, String) {
        let path = |name: &str| self.home.path().join(name).to_str().unwrap().to_owned();
        let (config, home) = (path("midwatch.toml"), path(""));
        let env = [("HOME", home.as_str()), ("XDG_STATE_HOME", &home), ("USER", "dana")];
        let mut console = Console::start(BINARY, (110, 40), &["--config", &config], &env);
        console.shows("anomalies/date_mismatch");
        console.press(":backfill\r");
        console.shows("preflight");
        console.press("c");
        let screen = console.wait("the phrase", |s| phrase(&s.contents()).is_some());
        let phrase = phrase(&screen.contents()).unwrap();
        (console, phrase)
    }

    async fn value(&self, sql: &str) -> String {
        self.database.owner().await.fetch_value(sql, &[]).await.unwrap().unwrap_or_default()
    }

    /// A run that waits within its second batch.
    async fn held(&self) -> Console {
        self.database.owner().await.execute_script(GATE).await.unwrap();
        let (mut console, phrase) = self.asked();
        console.press(&phrase);
        console.press("\r");
        let waits = "select count(*)::text from pg_stat_activity a join midwatch.runs r on r.batch = 1 \
                     where a.datname = current_database() and a.wait_event = 'PgSleep'";
        for _ in 0..6_000 {
            if self.value(waits).await == "1" {
                return console;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("the second batch was not begun");
    }

    async fn open(&self) {
        self.database.owner().await.execute_script("delete from public.gate").await.unwrap();
    }

    async fn stands(&self) -> String {
        self.value("select outcome || ' ' || resumable || ' ' || batch from midwatch.runs").await
    }
}

/// `type   backfill main 12 a3f9`
fn phrase(screen: &str) -> Option<String> {
    let line = screen.lines().find_map(|l| l.trim().strip_prefix("type "))?;
    Some(line.split("  ").map(str::trim).find(|p| !p.is_empty())?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_closes_the_journal_of_a_run_before_it_leaves() {
    let world = World::new("demo").await;
    let console = world.held().await;
    kill_process(console.pid(), Signal::TERM).unwrap();
    console.shows("told to end: stopping after this batch");
    world.open().await;
    let (code, parser) = console.end();
    assert_eq!(world.stands().await, "partial true 2");
    let text = parser.screen().contents();
    assert!(text.contains("10 of") && text.contains("midwatch resume 1"), "{text}");
    assert_eq!(code, 7, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_is_gone_closes_the_journal_as_well() {
    let world = World::new("demo").await;
    let mut console = world.held().await;
    console.hang_up();
    world.open().await;
    assert_eq!(console.end().0, 7);
    assert_eq!(world.stands().await, "partial true 2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_leaves_at_once() {
    let world = World::new("demo").await;
    let console = world.held().await;
    kill_process(console.pid(), Signal::TERM).unwrap();
    console.shows("told to end");
    kill_process(console.pid(), Signal::TERM).unwrap();
    let (code, parser) = console.end();
    let text = parser.screen().contents();
    assert!(text.contains("left at once") && text.contains("midwatch resume 1"), "{text}");
    assert_eq!(code, 7, "{text}");
    world.open().await;
}
