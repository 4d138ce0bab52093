//! Servers that cannot be reached.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use midwatch::sandbox::{Options, Server};

use super::refused;
use crate::common::{Database, on, shared_server};

/// TCP in front of a server that listens on a socket only; the port is the system's choice.
fn tcp(server: &Server) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = server.socket_dir().join(".s.PGSQL.5432");
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            join(client, &socket);
        }
    });
    port
}

fn join(client: TcpStream, socket: &PathBuf) {
    let server = UnixStream::connect(socket).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
    let (mut from, mut to) = (server, client);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}

#[test]
fn urls_that_are_none() {
    for (url, message) in [
        ("postgres://u@h:port/d", "failed to read the url"),
        ("what is this", "does not begin with postgres://"),
        ("app:secret@h", "does not begin with postgres://"),
        ("mysql://u@h/d", "cannot open a mysql target"),
    ] {
        refused(url, &["check"], 2, message, "ostgre");
    }
}

#[test]
fn nobody_there() {
    refused(
        "postgres://u@127.0.0.1:1/d",
        &["check"],
        5,
        "failed to connect to 127.0.0.1:1/d",
        "nothing listens",
    );
    refused("postgres://u@no-such-host.invalid/d", &["check"], 5, "no-such-host.invalid:5432/d", "host");
    let dir = tempfile::tempdir().unwrap();
    let url = format!("postgres://u@localhost/d?host={}", dir.path().display());
    refused(&url, &["check"], 5, "failed to connect to local socket/d", "no socket there");
}

#[test]
fn a_server_that_is_down() {
    let server = Server::start_blocking(Options { memory: true, ..Options::default() }).unwrap();
    let url = server.url("postgres");
    assert_eq!(on(&url, &["check", "migrations"]).code, 0);
    server.kill9().unwrap();
    refused(&url, &["check"], 5, "failed to connect", "is the server up");
}

#[test]
fn a_server_without_what_is_asked_for() {
    let server = shared_server();
    refused(&server.url("nowhere"), &["check"], 5, "\"nowhere\" does not exist", "end of the url");
    let unknown = server.url("postgres").replacen(server.user(), "nobody_at_all", 1);
    refused(&unknown, &["check"], 5, "nobody_at_all", "role");
}

#[tokio::test]
async fn tls_where_there_is_none() {
    let database = Database::empty().await;
    let port = tcp(shared_server());
    let url = |mode: &str| format!("postgres://keeper@127.0.0.1:{port}/{}?sslmode={mode}", database.name);
    assert_eq!(on(&url("prefer"), &["check", "migrations"]).code, 0);
    refused(&url("require"), &["check"], 5, "TLS", "sslmode=require needs a server with TLS");
    // As libpq does: without a root nothing is verified.
    refused(&url("verify-full"), &["check"], 2, "needs the root certificate", "sslrootcert=system");
}

/// Something listens that does not speak; it must not be waited for without end.
#[test]
fn a_server_that_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let kept: Vec<_> = listener.incoming().map_while(Result::ok).collect();
        drop(kept);
    });
    refused(&format!("postgres://u@127.0.0.1:{port}/d"), &["check"], 5, "no answer within 5 s", "firewall");
}

#[test]
fn a_server_that_speaks_something_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let _ = client.read(&mut [0; 64]);
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    refused(&format!("postgres://u@127.0.0.1:{port}/d"), &["check"], 5, "failed to connect", "");
}

#[tokio::test]
async fn databases_with_odd_names() {
    for name in ["Ö dd \"db\" %2F'; --", "new\nline\ttab\u{1b}[2J", "SELECT"] {
        shared_server().create_database(name, None).await.unwrap();
        let url = shared_server().url(name);
        let json = on(&url, &["check", "migrations", "--json"]);
        assert_eq!((json.code, &json.json()["target"]["database"]), (0, &name.into()), "{json:?}");
        let text = on(&url, &["check", "migrations"]);
        let control = |c: char| c.is_control() && c != '\n';
        assert!(text.code == 0 && !text.stdout.contains(control), "{text:?}");
        assert_eq!(text.stdout.lines().count(), 5, "{text:?}");
        let doctor = on(&url, &["doctor"]);
        assert!(!doctor.stdout.contains(control), "{doctor:?}");
    }
}

#[tokio::test]
async fn an_empty_database_is_ok() {
    let database = Database::empty().await;
    let run = on(&database.url(), &["check", "migrations", "--json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(run.json()["checks"][0]["id"], "migrations/database");
    assert_eq!(run.json()["target"]["environment"], "production");
}
