//! Sockets in directories where everybody can make one: whoever serves it is not known by its place.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::Path;

use midwatch::compose;
use midwatch::engine::gate::guard::TypedPhrase;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::policy::Policy;
use midwatch::engine::model::progress::Control;
use midwatch::engine::plan::request::Request;
use midwatch::profile::{Secret, Selected, TargetConfig};

use crate::common::{Database, shared_server};
use crate::tls_server::TlsServer;

/// A directory with this mode, and in it a way to the socket.
fn place(socket_dir: &Path, mode: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    symlink(socket_dir.join(".s.PGSQL.5432"), dir.path().join(".s.PGSQL.5432")).unwrap();
    dir
}

/// The server's account is not this one: what follows can be tried.
fn is_anothers(socket_dir: &Path) -> bool {
    let anothers =
        socket_dir.join(".s.PGSQL.5432").metadata().unwrap().uid() != rustix::process::geteuid().as_raw();
    if !anothers {
        eprintln!("skipped: the server runs under this account, so that no socket is another's");
    }
    anothers
}

/// The name of the account that serves it.
fn account(socket_dir: &Path) -> String {
    let owner = socket_dir.join(".s.PGSQL.5432").metadata().unwrap().uid().to_string();
    let of = std::process::Command::new("id").args(["-un", &owner]).output().unwrap();
    String::from_utf8(of.stdout).unwrap().trim().to_owned()
}

/// At 4eabe32 the password went to whoever had made the socket.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_clear_text_goes_to_no_socket_that_anybody_could_have_made() {
    let tls = TlsServer::shared();
    let real = tls.server.socket_dir();
    if !is_anothers(&real) {
        return;
    }
    let (shared, own) = (place(&real, 0o1777), place(&real, 0o755));
    let to = |dir: &Path, more: &str| {
        format!("host={} user=clear_text password=s3cr3t dbname=d {more}", dir.display())
    };
    assert!(tls.psql(&to(shared.path(), ""), &[]).is_ok());
    let said = tls.midwatch(&to(shared.path(), ""), &[]).unwrap_err();
    assert!(said.contains("in clear text"), "{said}");
    assert!(tls.midwatch(&to(own.path(), ""), &[]).is_ok());
    let said = tls.midwatch(&to(shared.path(), "requirepeer=daemon"), &[]).unwrap_err();
    assert!(said.contains("another account than daemon"), "{said}");
    assert!(tls.midwatch(&to(shared.path(), &format!("requirepeer={}", account(&real))), &[]).is_ok());
    // Whoever needs no password is connected, and it is seen what it is.
    let run = crate::common::on(
        &format!("host={} user=keeper dbname=d", shared.path().display()),
        &["check", "--json"],
    );
    assert_eq!(run.json()["target"]["transport"]["kind"], "shared_socket", "{run:?}");
}

/// Of nobody's, as another user of this machine makes what is not there.
fn of_nobody(path: &Path) {
    const NOBODY: Option<u32> = Some(65534);
    lchown(path, NOBODY, NOBODY).unwrap();
}

/// Until now the directory's own mode was looked at alone: another user who makes `/tmp/pg` (0755) before the server does
/// got the password, and what it serves counted as proved.
#[tokio::test(flavor = "multi_thread")]
async fn a_directory_or_a_link_that_another_user_made_in_tmp_is_no_place_of_the_servers() {
    let tls = TlsServer::shared();
    let real = tls.server.socket_dir();
    if !is_anothers(&real) {
        return;
    }
    let (below, own) = (tempfile::tempdir().unwrap(), place(&real, 0o755));
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(below.path(), 0o1777);
    // A directory of theirs, one below it, and a link of theirs to a place that is safe.
    let (planted, link) = (below.path().join("pg"), below.path().join("link"));
    std::fs::create_dir_all(planted.join("run")).unwrap();
    symlink(own.path(), &link).unwrap();
    for dir in [&planted, &planted.join("run")] {
        mode(dir, 0o755);
        symlink(real.join(".s.PGSQL.5432"), dir.join(".s.PGSQL.5432")).unwrap();
    }
    of_nobody(&planted);
    of_nobody(&link);
    // What is root's may be moved away by everybody where the directory above has no sticky bit.
    let open = tempfile::tempdir().unwrap();
    mode(open.path(), 0o777);
    std::fs::rename(place(&real, 0o755).keep(), open.path().join("pg")).unwrap();
    let to = |dir: &Path| format!("host={} user=clear_text password=s3cr3t dbname=d", dir.display());
    for dir in [&planted, &planted.join("run"), &link, &open.path().join("pg")] {
        assert!(tls.psql(&to(dir), &[]).is_ok(), "{}", dir.display());
        let said = tls.midwatch(&to(dir), &[]).unwrap_err();
        assert!(said.contains("in clear text"), "{}: {said}", dir.display());
        let by_name = tls.midwatch(&format!("{} requirepeer={}", to(dir), account(&real)), &[]);
        assert!(by_name.is_ok(), "{by_name:?}");
    }
    // The same of ours is what it was.
    let ours = below.path().join("ours");
    symlink(own.path(), &ours).unwrap();
    assert!(tls.midwatch(&to(&ours), &[]).is_ok());
    let url = format!("host={} user=keeper dbname=d", planted.display());
    let run = crate::common::on(&url, &["check", "--json"]);
    assert_eq!(run.json()["target"]["transport"]["kind"], "shared_socket", "{run:?}");
}

/// Carries out `plan init` on this target, and does this after the plan was looked at: why it failed.
pub(crate) async fn init_after(url: &str, database: &str, meanwhile: impl FnOnce()) -> Option<String> {
    let state = tempfile::tempdir().unwrap();
    let selected = Selected {
        name: "main".into(),
        config: TargetConfig::default(),
        url: Some(Secret::new(url)),
        base: state.path().to_owned(),
        policy: Policy { allow_unknown_lag: true, ..Policy::default() },
        state_dir: Some(state.path().join("state")),
    };
    let engine = compose::connect(selected).await.unwrap();
    let request = Request::Operation { verb: "init".into(), name: None, params: Params::default() };
    let planned = engine.plan(&request, &|_| ()).await.unwrap();
    let phrase = planned.plan.phrase.clone();
    let gate = engine.review(planned, true).await.unwrap();
    let at = engine.server_time().await.unwrap();
    meanwhile();
    let typed = TypedPhrase { phrase: &phrase, database: Some(database), at };
    let approved = gate.confirm(&typed).map_err(|d| d.why).unwrap();
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    done.failure.map(|failure| failure.message)
}

fn remove_socket(dir: &Path) {
    std::fs::remove_file(dir.join(".s.PGSQL.5432")).unwrap();
}

async fn has_the_schema(database: &Database) -> bool {
    let mut owner = database.owner().await;
    let there = owner.fetch_value("select pg_catalog.to_regnamespace('midwatch')::text", &[]).await.unwrap();
    there.is_some()
}

/// At 4eabe32, and later: the gate looked at what the first connection went over, and the session that writes took the next
/// host when the first one was gone.
#[tokio::test(flavor = "multi_thread")]
async fn what_writes_goes_over_nothing_weaker_than_what_was_looked_at() {
    let real = shared_server().socket_dir();
    if !is_anothers(&real) {
        return;
    }
    let database = Database::empty().await;
    let (own, shared) = (place(&real, 0o755), place(&real, 0o1777));
    let (first, second) = (own.path().display(), shared.path().display());
    let url = format!("host={first},{second} user=keeper dbname={}", database.name);
    let why = init_after(&url, &database.name, || remove_socket(own.path())).await.unwrap();
    assert!(why.contains("another way than was looked at"), "{why}");
    assert!(!has_the_schema(&database).await);
}

/// Until now what the first connection went over was taken from a server that was asked and not wanted: behind one over a
/// shared socket the session that writes took any other.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_the_wanted_one_is_not_what_was_looked_at() {
    let (real, unwanted) = (shared_server().socket_dir(), &TlsServer::shared().server);
    if !is_anothers(&real) {
        return;
    }
    let database = Database::empty().await;
    let name = &database.name;
    unwanted.create_database(name, None).await.unwrap();
    let read_only = format!("alter database {name} set default_transaction_read_only = on");
    unwanted.owner("postgres").await.unwrap().execute_script(&read_only).await.unwrap();
    // Production is not changed over a shared socket in any case.
    let demo = format!("alter database {name} set midwatch.environment = 'demo'");
    database.owner().await.execute_script(&demo).await.unwrap();
    let passed_over = place(&unwanted.socket_dir(), 0o1777);
    let (own, shared) = (place(&real, 0o755), place(&real, 0o1777));
    let url = format!(
        "host={},{},{} user=keeper dbname={name} target_session_attrs=read-write",
        passed_over.path().display(),
        own.path().display(),
        shared.path().display()
    );
    let why = init_after(&url, name, || remove_socket(own.path())).await;
    assert!(!has_the_schema(&database).await, "changed over a socket that was not looked at");
    assert!(why.as_deref().is_some_and(|why| why.contains("another way than was looked at")), "{why:?}");
}
