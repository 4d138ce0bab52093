//! A real streaming replica of a sandbox's server, for as long as a test needs one.

use std::fs::File;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use midwatch::dialect::postgres::owner::Owner;
use midwatch::sandbox::{MARKER, Server};
use serde_json::{Value, json};

use crate::program::until;
use crate::servers::{Template, throttled};
use crate::world::{POLICY, World};

/// Ends with the test.
pub(crate) struct Standby {
    child: Child,
    dir: tempfile::TempDir,
    user: String,
}

/// The primary's files as they are now, to be followed from there.
fn copy(primary: &Server, data: &Path, account: &std::fs::Metadata) {
    let copied = primary
        .binaries()
        .command("pg_basebackup")
        .args(["-R", "-X", "stream", "-c", "fast", "-p", "5432", "-U", primary.user(), "-D"])
        .arg(data)
        .arg("-h")
        .arg(primary.socket_dir())
        .uid(account.uid())
        .gid(account.gid())
        .current_dir("/")
        .output()
        .unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
}

impl Standby {
    /// Copied from the primary and streaming.
    pub(crate) async fn of(primary: &Server) -> Self {
        let dir = tempfile::Builder::new().prefix("mw").tempdir().unwrap();
        let (data, run) = (dir.path().join("data"), dir.path().join("run"));
        // PostgreSQL refuses root: the account is the primary's.
        let account = std::fs::metadata(primary.socket_dir()).unwrap();
        std::fs::create_dir(&run).unwrap();
        // An owner's session is opened in a sandbox only.
        File::create(dir.path().join(MARKER)).unwrap();
        for place in [dir.path(), &run] {
            chown(place, Some(account.uid()), Some(account.gid())).unwrap();
        }
        copy(primary, &data, &account);
        let plain = primary.binaries().command("postgres");
        // Dies with this thread, should the test be killed.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(plain.get_program())
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&run);
        for (name, value) in plain.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        for setting in [
            "listen_addresses=",
            "port=5432",
            "unix_socket_permissions=0700",
            "fsync=off",
            // At least the primary's.
            "max_connections=200",
            "max_prepared_transactions=20",
            "wal_receiver_status_interval=1s",
        ] {
            command.args(["-c", setting]);
        }
        let child = command
            .uid(account.uid())
            .gid(account.gid())
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let standby = Self { child, dir, user: primary.user().to_owned() };
        let mut watch = primary.owner("postgres").await.unwrap();
        let streams = "select count(*)::text from pg_stat_replication where state = 'streaming' and replay_lsn is not null";
        until("the replica streams", async || {
            watch.fetch_value(streams, &[]).await.unwrap().as_deref() == Some("1")
        })
        .await;
        standby
    }

    fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user={}", self.run().display(), self.user)
    }

    async fn tell(&self, sql: &str) {
        let mut owner = Owner::connect(&self.run(), &self.user, "postgres").await.unwrap();
        owner.fetch_value(sql, &[]).await.unwrap();
    }

    /// It receives, and stands still.
    pub(crate) async fn pause(&self) {
        self.tell("select pg_wal_replay_pause()::text").await;
    }

    /// It catches up.
    pub(crate) async fn resume(&self) {
        self.tell("select pg_wal_replay_resume()::text").await;
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is kept of how far the journal was seen: at another address, of a server whose directory is where the standby's is, as on
/// two machines. The last entry is the primary's.
async fn seen_elsewhere(world: &World, standby: &Standby) -> Vec<(PathBuf, Value)> {
    let last = &world.rows("select seq::text, hash from midwatch.events order by seq desc limit 1").await[0];
    for (path, mut mark) in marks(world) {
        mark["seen"]["address"] = json!("first.example:5432/shop");
        mark["seen"]["data_directory"] = json!(standby.dir.path().join("data"));
        mark["seq"] = json!(last[0].as_ref().unwrap().parse::<i64>().unwrap());
        mark["hash"] = json!(last[1]);
        std::fs::write(path, mark.to_string()).unwrap();
    }
    marks(world)
}

fn marks(world: &World) -> Vec<(PathBuf, Value)> {
    let kept = std::fs::read_dir(world.home.path().join(".local/state/midwatch/journal")).unwrap();
    let paths = kept.map(|f| f.unwrap().path()).filter(|p| p.to_str().unwrap().ends_with(".mark.json"));
    paths.map(|p| (p.clone(), serde_json::from_slice(&std::fs::read(&p).unwrap()).unwrap())).collect()
}

/// At 6fa06dc2 a look at a standby made its address one where the journal was seen: when it lagged after it was made a primary
/// of its own, the journal there was called cut.
#[tokio::test]
async fn a_standby_is_no_address_of_the_journal() {
    let (rig, _alone) = throttled().await;
    let world = World::new(rig, Template::Ready).await;
    let key = world.value("select min(fingerprint) from midwatch.installations").await;
    assert_eq!(world.midwatch(&["key", "trust", &key]).await.code, 0);
    world.apply_now(&["plan", "backfill", "--set", "limit=7"]).await;
    let verified = async || {
        let run = world.midwatch(&["journal", "verify", "--json"]).await;
        let journal = &run.json()["journal"];
        assert!(!journal["findings"].to_string().contains("it was cut"), "{run:?}");
        journal["unknown"].to_string()
    };
    // Its template was another database, which is told wherever it is looked at.
    let at_home = verified().await;
    let standby = Standby::of(&rig.server).await;
    let before = seen_elsewhere(&world, &standby).await;
    world.configure(&standby.url(&world.db), POLICY);
    assert_eq!(verified().await, at_home);
    assert_eq!(marks(&world), before, "its address is kept");
    standby.pause().await;
    world.policy(POLICY);
    world.apply_now(&["plan", "backfill", "--set", "limit=7"]).await;
    let before = seen_elsewhere(&world, &standby).await;
    world.configure(&standby.url(&world.db), POLICY);
    let found = verified().await;
    assert!(found.contains("a standby may not have received it yet"), "{found}");
    assert_eq!(marks(&world), before);
    world.drop().await;
}
