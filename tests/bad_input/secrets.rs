//! A planted password is in no output, log, file or error.

use std::fmt::Write as _;
use std::path::Path;

use midwatch::sandbox::{Options, Server};

use crate::common::{midwatch, run};

const PASSWORD: &str = "p1anted@S3cret";
const ENCODED: &str = "p1anted%40S3cret";

/// A server where only its superuser needs no password.
fn guarded(dir: &Path) -> Server {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let hba = dir.join("pg_hba.conf");
    std::fs::write(&hba, "local all keeper trust\nlocal all all scram-sha-256\n").unwrap();
    let settings = vec![("hba_file".to_owned(), hba.display().to_string())];
    Server::start_blocking(Options { memory: true, settings, ..Options::default() }).unwrap()
}

struct Place {
    dir: tempfile::TempDir,
    server: Server,
    seen: String,
}

impl Place {
    fn run(&mut self, url: Option<&str>, args: &[&str]) -> i32 {
        let mut command = midwatch(self.dir.path());
        command.args(args).args(["-vv", "--log-file", "midwatch.log"]);
        if let Some(url) = url {
            command.env("DATABASE_URL", url);
        }
        let run = run(&mut command);
        writeln!(self.seen, "{args:?}: {}\n{}", run.stdout, run.stderr).unwrap();
        run.code
    }

    fn url(&self, password: &str) -> String {
        self.server.url("postgres").replacen("keeper@", &format!("app:{password}@"), 1)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_planted_password_is_nowhere() {
    let dir = tempfile::tempdir().unwrap();
    let server = guarded(dir.path());
    let mut owner = server.owner("postgres").await.unwrap();
    owner.execute_script(&format!("create role app login password '{PASSWORD}'")).await.unwrap();
    let mut place = Place { dir, server, seen: String::new() };

    let good = place.url(ENCODED);
    for args in
        [&["check", "--out", "out.json"][..], &["check", "--json"], &["doctor"], &["doctor", "--json"]]
    {
        assert!(place.run(Some(&good), args) <= 1, "{args:?}: {}", place.seen);
    }
    // Wrong ones, in every place of a url.
    let wrong = place.url(&format!("{ENCODED}-wrong"));
    assert_eq!(place.run(Some(&wrong), &["check"]), 5);
    assert!(place.seen.contains("[28P01]") && place.seen.contains("hint: wrong password"), "{}", place.seen);
    let broken = [
        format!("postgres://app:{ENCODED}@h:port/d"),
        format!("postgres://app:{PASSWORD}@h:port/d"),
        format!("postgres://app@h:port/d?password={PASSWORD}"),
        format!("postgres://app@127.0.0.1:1/d?password={ENCODED}"),
        format!("postgres://app@127.0.0.1:1/d?password={PASSWORD}&sslmode=nonsense"),
        format!("mysql://app:{PASSWORD}@h/d"),
        format!("app:{PASSWORD}@h"),
        format!("postgres://app:{ENCODED}"),
        format!("host=h user=app password={PASSWORD}"),
    ];
    for url in &broken {
        for args in [&["check"][..], &["check", "--json"], &["doctor", "--json"]] {
            assert_ne!(place.run(Some(url), args), 0, "{url}");
        }
    }
    // In the configuration, whole and broken.
    for url in broken.iter().chain([&good, &wrong]) {
        let config = format!("[targets.a]\nurl = \"{url}\"\nredis = \"redis://:{PASSWORD}@h/0\"\n");
        std::fs::write(place.dir.path().join("midwatch.toml"), config).unwrap();
        for args in [
            &["config", "show"][..],
            &["config", "show", "--json"],
            &["config", "check"],
            &["doctor"],
            &["check"],
        ] {
            place.run(None, args);
        }
        let config = format!("[targets.a]\nurl = \"{url}\nredis = nonsense\n");
        std::fs::write(place.dir.path().join("midwatch.toml"), config).unwrap();
        assert_eq!(place.run(None, &["config", "show"]), 2);
    }

    let log = std::fs::read_to_string(place.dir.path().join("midwatch.log")).unwrap();
    let out = std::fs::read_to_string(place.dir.path().join("out.json")).unwrap();
    for (name, text) in [("output", &place.seen), ("log", &log), ("file", &out)] {
        for secret in [PASSWORD, ENCODED, "S3cret"] {
            let at = text.find(secret).map(|at| text.get(at.saturating_sub(200)..at + 40));
            assert_eq!(at, None, "{secret} in the {name}");
        }
    }
    assert!(place.seen.contains("***"));
}
