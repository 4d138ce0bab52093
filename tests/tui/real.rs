//! Runs begun in the real console on a real server, and what ends them.

use midwatch::engine::model::progress::Phase;
use midwatch::engine::model::record::Outcome;
use midwatch::tui::msg::{Effect, Msg};
use rustix::process::{Signal, kill_process};

use crate::common::pty::Console;
use crate::common::{Database, demo_database, midwatch, run};
use crate::handmade::{done, progress, running};

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");

/// The first signal stops after the batch, the second leaves at once; a terminal that is gone never counts twice.
#[test]
fn a_signal_stops_the_run_first() {
    let mut app = running((80, 24));
    app.update(Msg::Progress(Box::new(progress(Phase::Working, 412))));
    assert_eq!(app.update(Msg::Terminate("SIGTERM")), [Effect::Stop("SIGTERM")]);
    assert!(app.notice.as_ref().unwrap().text.contains("stopping after this batch"));
    assert_eq!(app.update(Msg::HungUp), []);
    let mut again = app.clone();
    assert_eq!(again.update(Msg::Terminate("SIGTERM")), [Effect::Quit]);
    let left = again.farewell().unwrap();
    assert!(left.message.contains("400 of 812 rows are changed"), "{left}");
    assert!(left.hint.as_ref().unwrap().contains("midwatch resume 17"), "{left}");
    assert_eq!(left.exit_code(), 7);
    assert!(app.update(Msg::RunDone(Ok(Some(Box::new(done(Outcome::Partial)))))).contains(&Effect::Quit));
    assert_eq!(app.farewell(), app.model.run.clone().unwrap().done.unwrap().failure);

    let mut app = running((80, 24));
    assert_eq!(app.update(Msg::HungUp), [Effect::Stop("a hangup")]);
    assert_eq!(app.update(Msg::HungUp), []);
    let mut idle = crate::fake::connected((80, 24));
    assert_eq!(idle.update(Msg::Terminate("SIGTERM")), [Effect::Quit]);
    assert_eq!(idle.farewell(), None);
}

/// Every second batch waits until the row of `gate` is gone.
const GATE: &str = "create table public.gate (shut bool); insert into public.gate values (true);
    create function public.wait() returns trigger language plpgsql as $$ begin
      while exists (select from public.gate) and exists (select from midwatch.runs r where r.outcome = 'running' and r.batch > 0)
      loop perform pg_sleep(0.01); end loop; return new; end $$;
    create trigger aaa_wait before insert on midwatch.image_blocks for each row execute function public.wait()";

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
             [policy]\nbatch_rows = 5\nmax_active_sessions = 1000\nmax_lock_waits = 1000\nguard_off_ms = 60000\n",
            database.url()
        );
        std::fs::write(home.path().join("midwatch.toml"), config).unwrap();
        Self { database, home }
    }

    fn console(&self) -> Console {
        let path = |name: &str| self.home.path().join(name).to_str().unwrap().to_owned();
        let (config, home) = (path("midwatch.toml"), path(""));
        let env = [("HOME", home.as_str()), ("XDG_STATE_HOME", &home), ("USER", "dana")];
        Console::start(BINARY, (110, 40), &["--config", &config], &env)
    }

    /// The console, with the phrase of a backfill asked for; and that phrase.
    fn asked(&self) -> (Console, String) {
        let mut console = self.console();
        console.shows("anomalies/date_mismatch");
        console.press(":backfill\r");
        console.shows("c opens the line");
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
        console.types(&phrase);
        console.enter();
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
pub(crate) fn phrase(screen: &str) -> Option<String> {
    let line = screen.lines().find_map(|l| l.trim().strip_prefix("type "))?;
    Some(line.split("  ").map(str::trim).find(|p| !p.is_empty())?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_notes_is_in_the_journal() {
    let world = World::new("demo").await;
    let mut console = world.held().await;
    console.press("m");
    console.shows("It is written into the journal");
    console.press("the replica was 2 s behind\r");
    console.shows("noted in the run's journal");
    world.open().await;
    console.shows("verified");
    let noted = "select body::json ->> 'text' from midwatch.events where kind = 'note'";
    assert_eq!(world.value(noted).await, "the replica was 2 s behind");
    let drop = "drop trigger aaa_wait on midwatch.image_blocks";
    world.database.owner().await.execute_script(drop).await.unwrap();
    let verified = run(midwatch(world.home.path()).args(["journal", "verify", "--target", "main"]));
    // The console has a home and a key of its own, which nobody has confirmed in this one.
    assert!(verified.code == 5 && !verified.stdout.contains('✖'), "{verified:?}");
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

/// Nothing has been begun since.
async fn runs(world: &World, expected: &str) {
    assert_eq!(world.value("select count(*)::text from midwatch.runs").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn production_asks_for_the_phrase_and_for_nothing_less() {
    let world = World::new("production").await;
    let (mut console, phrase) = world.asked();
    console.shows("PRODUCTION");
    for wrong in ["", "y", "yes", "\u{1b}[200~", &phrase.to_uppercase()] {
        // The marks of a paste: what stands between them is not typed.
        let pasted = wrong.starts_with('\u{1b}');
        let text = if pasted { format!("\u{1b}[200~{phrase}\u{1b}[201~") } else { wrong.to_owned() };
        if pasted {
            console.press(&text);
        } else {
            console.types(&text);
        }
        console.enter();
        let refused = if pasted { "pasted" } else { "the phrase" };
        console.wait(refused, |s| s.contents().contains(refused));
        console.press("\u{15}");
    }
    runs(&world, "0").await;
    console.types(&phrase);
    console.enter();
    // It can be taken back: neither a delay nor the database's name.
    console.shows("applied and proved");
    assert_eq!(world.value("select outcome from midwatch.runs").await, "applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_back_on_production_is_read_first_and_the_database_named() {
    let world = World::new("production").await;
    let config = world.home.path().join("midwatch.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}reading_delay_s = 6\n")).unwrap();
    // Of one installation with the console: an undo restores nothing that an unknown key tells of.
    let headless = |args: &[&str]| {
        run(midwatch(world.home.path())
            .env("USER", "dana")
            .env("XDG_STATE_HOME", world.home.path().join(""))
            .args(args))
    };
    let plan = headless(&["plan", "fix", "duplicate_clock_in", "--out", "p.json", "--json"]).json();
    let words = plan["plan"]["phrase"].as_str().unwrap().to_owned();
    assert_eq!(headless(&["apply", "p.json", "--confirm", &words]).code, 0);

    let mut console = world.console();
    console.shows("last run");
    console.press("6");
    console.shows("z undo");
    console.press("z");
    let screen = console.wait("the ladder", |s| s.contents().contains("and then"));
    assert!(screen.contents().contains(&world.database.name), "{}", screen.contents());
    console.press("c");
    let screen = console.wait("the phrase", |s| phrase(&s.contents()).is_some());
    let words = phrase(&screen.contents()).unwrap();
    console.types(&words);
    console.enter();
    console.shows("read it first");
    runs(&world, "1").await;
    // The delay is the server's and cannot be shortened: Enter whenever the screen has changed, as its clock does.
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let accepted = format!("{words}   › ");
    let mut screen = console.wait("the line", |_| true).contents();
    while !screen.contains(&accepted) {
        assert!(std::time::Instant::now() < until, "{screen}");
        console.press("\r");
        screen = console.wait("another screen", |s| s.contents() != screen).contents();
    }
    console.types("another");
    console.enter();
    console.shows("differs");
    runs(&world, "1").await;
    console.press("\u{15}");
    console.types(&world.database.name);
    console.enter();
    console.shows("applied and proved");
    runs(&world, "2").await;
}
