//! A real pgbouncer in transaction mode between us and the server.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use midwatch::engine::Engine;
use midwatch::sandbox::confinement;

use crate::common::{all_rows, demo_database, eventually, on, open, shared_server};

struct Pooler {
    process: Child,
    dir: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Pooler {
    /// `ignored`: startup parameters it swallows instead of refusing them.
    fn start(ignored: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::Builder::new().prefix("mwp").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("users"), "\"keeper\" \"\"\n").unwrap();
        let config = format!(
            "[databases]\n* = host={} port=5432\n[pgbouncer]\nlisten_addr =\nlisten_port = 6432\nunix_socket_dir = {}\n\
             auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 6\n\
             ignore_startup_parameters = {ignored}\n",
            shared_server().socket_dir().display(),
            dir.path().display(),
            path("users"),
        );
        std::fs::write(path("config.ini"), config).unwrap();
        let mut command = Command::new("pgbouncer");
        // It refuses root as PostgreSQL does, and only the server's account reaches its socket.
        if let Some(account) = confinement().unwrap().account {
            command.args(["-u", &account]);
        }
        let process = command.arg("-q").arg(path("config.ini")).stderr(Stdio::null()).spawn();
        let process = process.expect("pgbouncer (./.ci/setup installs it)");
        let socket = dir.path().join(".s.PGSQL.6432");
        eventually("pgbouncer listens", Duration::from_secs(30), || {
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        });
        Self { process, dir }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://keeper@localhost:6432/{database}?host={}", self.dir.path().display())
    }
}

async fn everything_works(engine: &Engine) {
    for _ in 0..2 {
        for id in engine.ids() {
            let report = engine.observe(&id).await;
            if id.kind != "migrations" {
                assert_eq!(report.status.why(), None, "{id}");
            }
            for finding in &report.findings {
                if let Some(source) = engine.rows(&id, finding.what()) {
                    all_rows(engine, source).await;
                }
            }
        }
    }
    engine.facts().vitals().await.unwrap();
}

/// What the console's header says of the server.
fn badges(engine: &Engine) -> Vec<&'static str> {
    engine.server().notes.iter().filter_map(|n| n.badge).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_work_through_a_transaction_pooler() {
    for ignored in ["extra_float_digits", "extra_float_digits, options"] {
        let pooler = Pooler::start(ignored);
        for system in ["hithonix", "hospitality"] {
            let (database, _) = demo_database(system, 1_000).await;
            let url = pooler.url(&database.name);
            let engine = open(&url, None, Path::new(".")).await.unwrap();
            assert_eq!(badges(&engine), ["POOLED"], "{ignored}");
            assert_eq!(engine.profile().name, system);
            everything_works(&engine).await;
            let direct = open(&database.url(), None, Path::new(".")).await.unwrap();
            assert_eq!(badges(&direct), [""; 0]);
            let doctor = on(&url, &["doctor"]);
            assert!(doctor.stdout.contains("a transaction pooler stands between"), "{doctor:?}");
            let kinds = if system == "hithonix" { ["anomalies", "queue"].as_slice() } else { &["parity"] };
            let run = on(&url, &[&["check", "--json"], kinds].concat());
            assert_eq!(run.code, 1, "{run:?}");
        }
    }
}
