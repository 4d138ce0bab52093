//! Servers to be hurt, and databases on them that are copied instead of loaded.

use std::collections::HashSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use midwatch::dialect::postgres::owner::Owner;
use midwatch::sandbox::demo::{System, load_system};
use midwatch::sandbox::{Options, Server};
use tokio::sync::{Mutex, MutexGuard};

use crate::world::World;

/// Servers that are killed: two, so that they are killed at the same time.
const MORTAL: usize = 2;

/// A server, and what is prepared on it.
pub(crate) struct Rig {
    pub(crate) server: Server,
    /// Killed now and then: one case at a time, and data of its own.
    pub(crate) mortal: bool,
    pub(crate) number: usize,
    templates: Mutex<HashSet<&'static str>>,
    alone: Mutex<()>,
}

/// What a database begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Template {
    /// The attendance ledger, without a journal.
    Bare,
    /// With it.
    Ready,
    /// And a backfill applied.
    Backfilled,
    /// A queue that is a table, with a journal.
    Jobs,
    /// Twins as the demo plants them, not equal.
    Planted,
    /// And more of it, to be mended row by row.
    Unequal,
    /// Equal, and kept so.
    Twins,
    /// And switched over.
    Switched,
}

impl Template {
    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Ready => "ready",
            Self::Backfilled => "backfilled",
            Self::Jobs => "jobs",
            Self::Planted => "planted",
            Self::Unequal => "unequal",
            Self::Twins => "twins",
            Self::Switched => "switched",
        }
    }

    /// The profile of its target.
    pub(crate) fn profile(self) -> String {
        match self {
            Self::Jobs => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/jobs.toml").to_owned(),
            Self::Unequal => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/hospitality.toml").to_owned(),
            Self::Planted | Self::Twins | Self::Switched => "hospitality".to_owned(),
            _ => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/hithonix.toml").to_owned(),
        }
    }
}

/// The server that nobody kills.
pub(crate) fn lasting() -> &'static Rig {
    static RIG: OnceLock<Rig> = OnceLock::new();
    RIG.get_or_init(|| Rig::start(0, false))
}

/// Where the server's other work is what a test is about: one at a time.
#[cfg(feature = "tui")]
pub(crate) async fn throttled() -> (&'static Rig, MutexGuard<'static, ()>) {
    static RIG: OnceLock<Rig> = OnceLock::new();
    let rig = RIG.get_or_init(|| Rig::start(MORTAL + 1, false));
    (rig, rig.alone.lock().await)
}

/// One of those that are, for this case alone.
pub(crate) async fn mortal(case: usize) -> (&'static Rig, MutexGuard<'static, ()>) {
    static RIGS: [OnceLock<Rig>; MORTAL] = [const { OnceLock::new() }; MORTAL];
    let number = case % MORTAL;
    let rig = RIGS[number].get_or_init(|| Rig::start(number + 1, true));
    (rig, rig.alone.lock().await)
}

impl Rig {
    fn start(number: usize, mortal: bool) -> Self {
        // A vacuum that comes by itself is a session that no case has asked for.
        let settings = [
            ("autovacuum", "off"),
            ("max_connections", "200"),
            ("max_wal_size", "2GB"),
            ("max_prepared_transactions", "20"),
        ];
        let settings = settings.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        let server = Server::start_blocking(Options { memory: true, settings, ..Options::default() });
        let server = server.expect("a private PostgreSQL server");
        Self { server, mortal, number, templates: Mutex::default(), alone: Mutex::default() }
    }

    /// A copy of a template, which is made when it is first asked for.
    pub(crate) async fn database(&'static self, template: Template) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        self.prepare(template).await;
        let name = format!("f{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.server.create_database(&name, Some(template.name())).await.unwrap();
        name
    }

    /// Not held up by a standby that is not there.
    pub(crate) async fn owner(&self, database: &str) -> Owner {
        let mut owner = self.server.owner(database).await.unwrap();
        owner.execute_script("set synchronous_commit = local").await.unwrap();
        owner
    }

    async fn prepare(&'static self, template: Template) {
        let mut made = self.templates.lock().await;
        for part in needs(template) {
            if made.insert(part.name()) {
                self.make(*part).await;
            }
        }
    }

    /// Runs scripts in a database, as its owner.
    async fn run(&self, name: &str, scripts: &[&str]) {
        let mut owner = self.owner(name).await;
        for sql in scripts {
            owner.execute_script(sql).await.unwrap();
        }
        owner.close().await;
    }

    async fn make(&'static self, template: Template) {
        let name = template.name();
        match template {
            Template::Bare => {
                self.server.create_database(name, None).await.unwrap();
                load_system(&self.server, name, System::named("hithonix").unwrap(), 1_000).await.unwrap();
                let without = "drop schema midwatch cascade";
                self.run(name, &[without, include_str!("fault.sql"), include_str!("plants.sql")]).await;
            }
            Template::Ready => {
                self.server.create_database(name, Some("bare")).await.unwrap();
                World::on(self, name, Template::Ready).apply_now(&["plan", "init"]).await;
            }
            Template::Backfilled => {
                self.server.create_database(name, Some("ready")).await.unwrap();
                World::on(self, name, template).apply_now(&["plan", "backfill", "--set", "limit=24"]).await;
            }
            Template::Jobs => {
                self.server.create_database(name, None).await.unwrap();
                self.run(name, &[include_str!("fault.sql"), include_str!("jobs.sql")]).await;
                World::on(self, name, template).apply_now(&["plan", "init"]).await;
            }
            Template::Planted => {
                self.server.create_database(name, None).await.unwrap();
                load_system(&self.server, name, System::named("hospitality").unwrap(), 1_000).await.unwrap();
                let watch = "select fault.watch_journal()";
                self.run(name, &[include_str!("fault.sql"), watch, include_str!("switch.sql")]).await;
            }
            Template::Unequal => {
                self.server.create_database(name, Some("planted")).await.unwrap();
                self.run(name, &[include_str!("unequal.sql")]).await;
            }
            Template::Twins => {
                self.server.create_database(name, Some("planted")).await.unwrap();
                let world = World::on(self, name, template);
                for operation in ["repair-triggers", "repair", "copy-missing"] {
                    world.apply_now(&["plan", operation]).await;
                }
                world.close().await;
            }
            Template::Switched => {
                self.server.create_database(name, Some("twins")).await.unwrap();
                let world = World::on(self, name, template);
                let plan = ["plan", "switchover", "--set", "backup=skip", "--set", "monitor=0"];
                world.apply_now(&plan).await;
                world.close().await;
            }
        }
    }
}

/// In the order in which they are made.
fn needs(template: Template) -> &'static [Template] {
    match template {
        Template::Bare => &[Template::Bare],
        Template::Ready => &[Template::Bare, Template::Ready],
        Template::Backfilled => &[Template::Bare, Template::Ready, Template::Backfilled],
        Template::Jobs => &[Template::Jobs],
        Template::Planted => &[Template::Planted],
        Template::Unequal => &[Template::Planted, Template::Unequal],
        Template::Twins => &[Template::Planted, Template::Twins],
        Template::Switched => &[Template::Planted, Template::Twins, Template::Switched],
    }
}
