//! Comparisons that are asked for in the real console, on a real server.

use std::path::Path;

use midwatch::compose;
use midwatch::engine::model::policy::Policy;
use midwatch::profile::{Secret, Selected, TargetConfig};

use crate::common::Database;
use crate::common::pty::Console;

const BINARY: &str = env!("CARGO_BIN_EXE_midwatch");

const TWIN: &str = "
    create table t (id int primary key, v text); create table p (id int primary key, v text) partition by range (id);
    create table p0 partition of p for values from (0) to (10000);
    create table p1 partition of p for values from (10000) to (20000);
    insert into t select i, 'v' || i from generate_series(0, 19999) i; insert into p select * from t; analyze t; analyze p;
    create function mirror() returns trigger language plpgsql as $$ begin
      if tg_op <> 'INSERT' then delete from p where id = old.id; end if;
      if tg_op <> 'DELETE' then insert into p (id, v) values (new.id, new.v); end if; return null; end $$;
    create trigger mirror after insert or update or delete on t for each row execute function mirror();";

const PROFILE: &str =
    "name = \"p\"\n[[twins]]\nlegacy = \"t\"\npartitioned = \"p\"\nkey = [\"id\"]\nchunk_rows = 1000\n";

struct World {
    database: Database,
    home: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let world = Self { database: Database::empty().await, home: tempfile::tempdir().unwrap() };
        world.database.owner().await.execute_script(TWIN).await.unwrap();
        std::fs::write(world.home.path().join("p.toml"), PROFILE).unwrap();
        let config = format!(
            "state_dir = \"state\"\n[targets.main]\nurl = \"{}\"\nprofile = \"p.toml\"\nenvironment = \"demo\"\n",
            world.database.url()
        );
        std::fs::write(world.home.path().join("midwatch.toml"), config).unwrap();
        world
    }

    fn console(&self) -> Console {
        let path = |name: &str| self.home.path().join(name).to_str().unwrap().to_owned();
        let (config, home) = (path("midwatch.toml"), path(""));
        Console::start(BINARY, (110, 40), &["--config", &config], &[("HOME", &home), ("USER", "dana")])
    }

    /// A comparison that was dropped between two of its pieces, as by another console.
    async fn cut_off(&self, state: &Path) {
        let selected = Selected {
            name: "main".into(),
            config: TargetConfig { profile: Some("p.toml".into()), ..TargetConfig::default() },
            url: Some(Secret::new(self.database.url())),
            base: self.home.path().to_owned(),
            policy: Policy::default(),
            state_dir: Some(state.to_owned()),
        };
        let engine = compose::connect(selected).await.unwrap();
        let id = engine.ids()[0].clone();
        for _ in 0..50 {
            let kept = async {
                while !engine.is_unfinished(&id) {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! {
                () = kept => return,
                _ = engine.observe(&id) => {}
            }
        }
        panic!("it was never stopped between two pieces");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_console_left_is_gone_on_with() {
    let world = World::new().await;
    world.cut_off(&world.home.path().join("state")).await;
    let mut console = world.console();
    console.press("3");
    console.shows("cut off earlier: c goes on with it");
    console.press("c");
    let screen = console.shows("resumed comparison of t: 20000 rows equal").contents();
    assert!(screen.contains("✓ ok"), "{screen}");
    console.press("c");
    console.shows("go on: no comparison of it was cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_test_is_made_in_a_copy_and_cancelled_with_it() {
    let world = World::new().await;
    let mut console = world.console();
    console.press("3");
    console.shows("✓ ok");
    console.press("T");
    console.shows("planting in a copy");
    console.press("\u{3}");
    console.shows("cancelled: self-test of t; what was known before stands");
    console.press("T");
    let screen = console.shows("✓ self-test").contents();
    assert!(screen.contains("planted found") && !screen.contains("UNTRUSTED"), "{screen}");
}

/// The same without a unique index: nothing pretends to know which rows they are.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_no_unique_key_names_are_told_by_partition() {
    let world = World::new().await;
    let sql = "alter table t drop constraint t_pkey; create index on t (id); delete from p where id = 12345;";
    world.database.owner().await.execute_script(sql).await.unwrap();
    let mut console = world.console();
    console.press("3");
    console.shows("✖ fail");
    console.press("\r");
    let screen = console.shows("digests  rows there").contents();
    assert!(screen.contains("not ready: no unique key names its rows"), "{screen}");
    assert!(screen.contains("compared by count and digest only"), "{screen}");
    let row = screen.lines().find(|l| l.contains("digests  rows there")).unwrap_or_default();
    assert!(row.contains("10,000") && row.contains("9,999") && row.contains("p1"), "{screen}");
}
