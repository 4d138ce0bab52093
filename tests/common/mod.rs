//! One private server per test process, one database per test.
#![expect(dead_code, reason = "every test binary uses its own part")]

pub(crate) mod own_path;
#[cfg(feature = "tui")]
pub(crate) mod pty;
pub(crate) mod wrapped_reader;

use std::{
    collections::HashMap,
    io::Read,
    path::Path,
    process::{Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use midwatch::compose;
use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::Engine;
use midwatch::engine::check::paging;
use midwatch::engine::model::error::Result;
use midwatch::profile::{Secret, Selected, TargetConfig};
use midwatch::sandbox::demo::{Manifest, System, load_system};
use midwatch::sandbox::postgres::fetch;
use midwatch::sandbox::{Binaries, Options, Server};
use tokio::sync::Mutex;

/// Before-images one by one, as a FROM item.
pub(crate) const IMAGES: &str = "(select b.run, b.step, b.batch, u.seq, b.relation, u.key::jsonb as key, u.before::jsonb as before, \
    u.after::jsonb as after from midwatch.image_blocks b cross join unnest(b.seqs, b.keys, b.before, b.after) u(seq, key, before, after))";

/// Statics are never dropped: the watcher ends it with the process.
pub(crate) fn shared_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let settings = vec![("max_prepared_transactions".into(), "10".into()), ("jit".into(), "off".into())];
    let start = || Server::start_blocking(Options { memory: true, settings, ..Options::default() });
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
    (demo_copy(&template).await, manifest)
}

/// A copy of a demo system's database.
pub(crate) async fn demo_copy(template: &str) -> Database {
    let database = Database::from_template(Some(template)).await;
    // A database's settings are not part of a template.
    let setting = format!("ALTER DATABASE {} SET midwatch.environment = 'demo'", database.name);
    shared_server().owner("postgres").await.unwrap().execute_script(&setting).await.unwrap();
    database
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

/// The second version of the matrix, fetched once into the cache (`make test` brings pip).
pub(crate) fn binaries_18() -> Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| fetch::fetch(&fetch::Consent::given()).expect("PostgreSQL 18")).clone()
}

/// The same for every test: nothing of the developer's environment, no configuration in the way.
pub(crate) fn midwatch(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_midwatch"));
    command.env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LANG", "C.UTF-8");
    // What a test wrote there is meant; a file that is only found needs consent.
    let config = home.join("midwatch.toml");
    if config.exists() {
        command.env("MIDWATCH_CONFIG", config);
    }
    command
}

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e} in {self:?}"))
    }
}

pub(crate) fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    // None: a signal ended it, which no test expects.
    let code = output.status.code().unwrap_or(-1);
    Run { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// `midwatch ARGS` on a database, without any configuration.
pub(crate) fn on(url: &str, args: &[&str]) -> Run {
    let home = tempfile::tempdir().unwrap();
    run(midwatch(home.path()).env("DATABASE_URL", url).args(args))
}

pub(crate) async fn open(url: &str, profile: Option<&str>, base: &Path) -> Result<Engine> {
    let config = TargetConfig { profile: profile.map(str::to_owned), ..TargetConfig::default() };
    let url = Some(Secret::new(url));
    compose::connect(Selected {
        name: "test".into(),
        config,
        url,
        base: base.to_owned(),
        policy: midwatch::engine::model::policy::Policy::default(),
        state_dir: None,
    })
    .await
}

/// An engine whose profile is this text.
pub(crate) async fn engine(url: &str, profile: &str) -> Engine {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("p.toml"), profile).unwrap();
    open(url, Some("p.toml"), dir.path()).await.unwrap()
}

/// One check's report.
pub(crate) async fn observe(engine: &Engine, id: &str) -> midwatch::engine::model::report::Report {
    let ids = engine.select(&[id.to_owned()]).unwrap();
    assert_eq!(ids.len(), 1, "{id}");
    engine.observe(&ids[0]).await
}

/// All rows of a source by paging forward.
pub(crate) async fn all_rows(engine: &Engine, source: paging::RowSource) -> Vec<paging::Row> {
    let mut request = paging::PageRequest {
        source,
        filter: None,
        sort: None,
        at: paging::At::First,
        limit: 7,
        count: true,
        whole: false,
    };
    let mut rows: Vec<paging::Row> = Vec::new();
    loop {
        let page = engine.page(&request).await.unwrap();
        rows.extend(page.rows);
        if page.end {
            assert_eq!(page.total, Some(rows.len() as u64), "{}", request.source.id);
            return rows;
        }
        request.at = paging::At::After(rows.last().unwrap().position.clone());
    }
}
