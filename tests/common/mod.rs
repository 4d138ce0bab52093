//! One private server per test process, one database per test.
#![expect(dead_code, reason = "every test binary uses its own part")]

#[cfg(feature = "tui")]
pub(crate) mod pty;

use std::{
    collections::HashMap,
    io::Read,
    process::{Command, Output},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use midwatch::{
    db::postgres::owner::Owner,
    sandbox::{
        Options, Server,
        demo::{Manifest, System, load_system},
    },
};
use tokio::sync::Mutex;

/// Statics are never dropped: the watcher ends it with the process.
pub(crate) fn shared_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let start = || Server::start_blocking(Options { memory: true, ..Options::default() });
    SERVER.get_or_init(|| start().expect("a private PostgreSQL server"))
}

/// A database of its own on the shared server.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn empty() -> Self {
        Self::from_template(None).await
    }

    pub(crate) async fn from_template(template: Option<&str>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
        shared_server().create_database(&name, template).await.unwrap();
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        shared_server().url(&self.name)
    }

    pub(crate) async fn owner(&self) -> Owner {
        shared_server().owner(&self.name).await.unwrap()
    }
}

/// A copy of a demo system, whose template is loaded once per process, and what is planted in it.
pub(crate) async fn demo_database(system: &str, rows: u64) -> (Database, Manifest) {
    static LOADED: Mutex<Option<HashMap<String, Manifest>>> = Mutex::const_new(None);
    let template = format!("{system}_{rows}");
    let mut loaded = LOADED.lock().await;
    let loaded = loaded.get_or_insert_default();
    if !loaded.contains_key(&template) {
        let server = shared_server();
        server.create_database(&template, None).await.unwrap();
        let part = load_system(server, &template, System::named(system).unwrap(), rows).await.unwrap();
        loaded.insert(template.clone(), part);
    }
    let manifest = loaded[&template].clone();
    let database = Database::from_template(Some(&template)).await;
    // A database's settings are not part of a template.
    let setting = format!("ALTER DATABASE {} SET midwatch.environment = 'demo'", database.name);
    shared_server().owner("postgres").await.unwrap().execute_script(&setting).await.unwrap();
    (database, manifest)
}

/// A tool of the server's own installation.
pub(crate) fn tool(server: &Server, name: &str, args: &[&str]) -> Output {
    server.binaries().command(name).args(args).output().unwrap()
}

/// Blocks until every holder of the pipe's other end is gone; fails after the deadline.
pub(crate) fn wait_for_end(mut pipe: impl Read + Send + 'static, limit: Duration) {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let _ = pipe.read_to_end(&mut Vec::new());
        let _ = done.send(());
    });
    ended.recv_timeout(limit).expect("the other end is still open");
}

/// Re-runs one ignored test of this binary as a process of its own.
pub(crate) fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command
}

/// For conditions nobody announces.
pub(crate) fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
