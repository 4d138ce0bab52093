//! Sockets in directories where everybody can make one: whoever serves it is not known by its place.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use midwatch::compose;
use midwatch::engine::gate::guard::TypedPhrase;
use midwatch::engine::model::param::Params;
use midwatch::engine::model::policy::Policy;
use midwatch::engine::model::progress::Control;
use midwatch::engine::plan::request::Request;
use midwatch::profile::{Secret, Selected, TargetConfig};
use midwatch::sandbox::confinement;

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
    socket_dir.join(".s.PGSQL.5432").metadata().unwrap().uid() != rustix::process::geteuid().as_raw()
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
    let account = confinement().unwrap().account.unwrap();
    assert!(tls.midwatch(&to(shared.path(), &format!("requirepeer={account}")), &[]).is_ok());
    // Whoever needs no password is connected, and it is seen what it is.
    let run = crate::common::on(
        &format!("host={} user=keeper dbname=d", shared.path().display()),
        &["check", "--json"],
    );
    assert_eq!(run.json()["target"]["transport"]["kind"], "shared_socket", "{run:?}");
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
    let (own, shared, state) = (place(&real, 0o755), place(&real, 0o1777), tempfile::tempdir().unwrap());
    let url = format!(
        "host={},{} user=keeper dbname={}",
        own.path().display(),
        shared.path().display(),
        database.name
    );
    let selected = Selected {
        name: "main".into(),
        config: TargetConfig::default(),
        url: Some(Secret::new(&url)),
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
    std::fs::remove_file(own.path().join(".s.PGSQL.5432")).unwrap();
    let typed = TypedPhrase { phrase: &phrase, database: Some(&database.name), at };
    let approved = gate.confirm(&typed).map_err(|d| d.why).unwrap();
    let done = engine.run(approved, &Control::default(), &|_| ()).await;
    let why = done.failure.unwrap().message;
    assert!(why.contains("another way than was looked at"), "{why}");
    let mut owner = database.owner().await;
    let there = owner.fetch_value("select pg_catalog.to_regnamespace('midwatch')::text", &[]).await.unwrap();
    assert_eq!(there, None);
}
