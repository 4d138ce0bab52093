//! Private servers: they start, are usable by every client, stand apart, and leave nothing behind.

#![cfg(test)]

mod common;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use sqlx::Connection;

use common::{Database, eventually, shared_server, this_test, tool, wait_for_end};
use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::model::error::Class;
use midwatch::sandbox::{Access, Options, Server};

const LIMIT: Duration = Duration::from_secs(30);

fn alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

async fn one(owner: &mut Owner, sql: &str) -> String {
    owner.fetch_value(sql, &[]).await.unwrap().unwrap()
}

#[tokio::test]
async fn starts_serves_and_leaves_nothing() {
    let begun = Instant::now();
    let server = Server::start(Options::default()).await.unwrap();
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    let mut owner = server.owner("postgres").await.unwrap();
    assert_eq!(one(&mut owner, "select current_user::text").await, "keeper");
    assert_eq!(one(&mut owner, "show listen_addresses").await, "");
    assert_eq!(one(&mut owner, "show synchronous_commit").await, "on");
    let major = server.version().major.to_string();
    assert!(one(&mut owner, "show server_version").await.starts_with(&major));
    let (pid, dir) = (server.pid().unwrap(), server.dir().to_owned());
    server.stop().await.unwrap();
    assert!(!alive(pid) && !dir.exists());
}

#[tokio::test]
async fn dropping_is_stopping() {
    let server = Server::start(Options::default()).await.unwrap();
    let (pid, dir) = (server.pid().unwrap(), server.dir().to_owned());
    drop(server);
    assert!(!alive(pid) && !dir.exists());
}

#[tokio::test]
async fn two_at_once_stand_apart() {
    let (a, b) = tokio::join!(Server::start(Options::default()), Server::start(Options::default()));
    let (a, b) = (a.unwrap(), b.unwrap());
    a.create_database("only_here", None).await.unwrap();
    assert!(b.owner("only_here").await.is_err());
    a.stop().await.unwrap();
    assert!(b.owner("postgres").await.is_ok());
}

#[tokio::test]
async fn every_client_takes_the_url() {
    let database = Database::empty().await;
    let url = database.url();
    for (name, args) in [
        ("psql", vec!["-XAtc", "select 40 + 2", &url]),
        ("pg_dump", vec!["--schema-only", &url]),
        ("pgbench", vec!["-i", "-q", &url]),
    ] {
        let output = tool(shared_server(), name, &args);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    connection.ping().await.unwrap();
}

#[tokio::test]
async fn a_database_from_a_template_is_quick() {
    let template = Database::empty().await;
    let mut owner = template.owner().await;
    owner.execute_script("create table t (x int); insert into t values (7)").await.unwrap();
    owner.close().await;
    let begun = Instant::now();
    let copy = Database::from_template(Some(&template.name)).await;
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    assert_eq!(one(&mut copy.owner().await, "select x::text from t").await, "7");
    shared_server().drop_database(&copy.name).await.unwrap();
    assert!(shared_server().owner(&copy.name).await.is_err());
}

/// The child of the next test.
#[tokio::test]
#[ignore = "started by killing_us_ends_the_server in a process of its own"]
async fn parent_to_be_killed() {
    let dir = std::env::var_os("MIDWATCH_TEST_DIR").map(PathBuf::from);
    // Of others' definitions it is started through other programs, in namespaces of its own.
    let access =
        if std::env::var_os("MIDWATCH_TEST_FOREIGN").is_some() { Access::Foreign } else { Access::Ours };
    let server = Server::start(Options { dir, access, ..Options::default() }).await.unwrap();
    println!("\nSERVER {} {}", server.pid().unwrap(), server.dir().display());
    std::io::stdout().flush().unwrap();
    std::future::pending::<()>().await;
}

#[test]
fn killing_us_ends_the_server() {
    for access in [Access::Ours, Access::Foreign] {
        let (pid, dir) = kill_a_parent(None, access);
        eventually("the directory is gone", LIMIT, || !dir.exists());
        assert!(!alive(pid));
    }
}

#[test]
fn killing_us_empties_a_given_directory() {
    let tmp = open_tempdir();
    let (pid, dir) = kill_a_parent(Some(tmp.path()), Access::Ours);
    eventually("the directory is empty", LIMIT, || fs::read_dir(&dir).unwrap().next().is_none());
    assert!(!alive(pid));
}

fn kill_a_parent(dir: Option<&Path>, access: Access) -> (u32, PathBuf) {
    let mut child = this_test("parent_to_be_killed");
    if access == Access::Foreign {
        child.env("MIDWATCH_TEST_FOREIGN", "1");
    }
    if let Some(dir) = dir {
        child.env("MIDWATCH_TEST_DIR", dir);
    }
    let mut child = child.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.starts_with("SERVER ")).expect("the child's server");
    let mut words = line.split(' ').skip(1);
    let (pid, dir): (u32, PathBuf) = (words.next().unwrap().parse().unwrap(), words.next().unwrap().into());
    assert!(alive(pid) && dir.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    (pid, dir)
}

#[tokio::test]
async fn a_killed_server_comes_back_with_what_was_committed() {
    let server = Server::start(Options::default()).await.unwrap();
    let mut owner = server.owner("postgres").await.unwrap();
    owner.execute_script("create table t (x int); insert into t values (1)").await.unwrap();
    server.kill9().unwrap();
    assert!(server.pid().is_none());
    assert!(owner.fetch_value("select 1::text", &[]).await.is_err());
    server.restart().await.unwrap();
    let mut owner = server.owner("postgres").await.unwrap();
    assert_eq!(one(&mut owner, "select count(*)::text from t").await, "1");
}

#[tokio::test]
async fn someone_elses_files_are_not_touched() {
    let tmp = tempfile::tempdir().unwrap();
    fs::write(tmp.path().join("thesis.txt"), "x").unwrap();
    let error = Server::start(in_dir(tmp.path())).await.unwrap_err();
    assert_eq!(error.class, Class::Usage);
    assert!(tmp.path().join("thesis.txt").exists());
}

#[tokio::test]
async fn a_given_directory_is_created_and_emptied() {
    let tmp = open_tempdir();
    let dir = tmp.path().join("a/b");
    let server = Server::start(in_dir(&dir)).await.unwrap();
    let second = Server::start(in_dir(&dir)).await.unwrap_err();
    assert_eq!(second.class, Class::Refused);
    assert!(server.owner("postgres").await.is_ok());
    server.stop().await.unwrap();
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
}

#[tokio::test]
async fn the_directory_in_the_way_is_named() {
    assert!(rustix::process::geteuid().is_root(), "needs root: only root hands over to another user");
    let tmp = open_tempdir();
    let shut = tmp.path().join("shut");
    fs::create_dir(&shut).unwrap();
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o700)).unwrap();
    let error = Server::start(in_dir(&shut.join("demo"))).await.unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(error.message.contains(&format!("cannot pass {}", shut.display())), "{error}");
    assert!(error.hint.unwrap().contains("chmod o+x"));
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_refused() {
    let tmp = open_tempdir();
    let error = Server::start(in_dir(&tmp.path().join("d".repeat(90)))).await.unwrap_err();
    assert_eq!(error.class, Class::Usage);
    assert!(error.message.contains("107") || error.message.contains("103"), "{error}");
}

#[tokio::test]
async fn an_owner_is_refused_outside_a_sandbox() {
    let tmp = tempfile::tempdir().unwrap();
    let error = Owner::connect(&tmp.path().join("run"), "keeper", "postgres").await.unwrap_err();
    assert_eq!(error.class, Class::Refused);
}

#[tokio::test]
async fn stopping_ends_the_watcher_too() {
    let mut child = this_test("stops_on_its_own").stdout(Stdio::piped()).spawn().unwrap();
    let pipe = child.stdout.take().unwrap();
    assert!(child.wait().unwrap().success());
    wait_for_end(pipe, LIMIT);
}

/// The child of the test before.
#[tokio::test]
#[ignore = "started by stopping_ends_the_watcher_too in a process of its own"]
async fn stops_on_its_own() {
    Server::start(Options::default()).await.unwrap().stop().await.unwrap();
}

fn in_dir(dir: &Path) -> Options {
    Options { dir: Some(dir.to_owned()), ..Options::default() }
}

fn open_tempdir() -> tempfile::TempDir {
    let tmp = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o755)).tempdir().unwrap();
    fs::set_permissions(tmp.path(), fs::Permissions::from_mode(0o755)).unwrap();
    tmp
}
