//! Connection parameters: honoured as `psql` honours them, or refused by name.

use std::os::unix::fs::PermissionsExt as _;

use crate::rogue_server::{RogueServer, WRONG_PASSWORD};
use crate::tls_server::TlsServer;

type Environment = &'static [(&'static str, &'static str)];

/// What both connect to and over what; `$A`, `$D`, `$S` are the server's address, the files and the socket's directory.
const HONOURED: &[(&str, Environment)] = &[
    ("user=clear dbname=d", &[]),
    ("user=encrypted dbname=d", &[]),
    ("user=encrypted dbname=d sslmode=allow", &[]),
    ("user=clear dbname=d sslmode=allow", &[]),
    ("user=keeper dbname=d ssl_max_protocol_version=TLSv1.2", &[]),
    ("user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/ca.crt", &[]),
    ("user=keeper dbname=d host=db.example hostaddr=$A sslmode=verify-full sslrootcert=$D/ca.crt", &[]),
    ("user=keeper dbname=d host=$A sslmode=verify-full sslrootcert=$D/ca.crt", &[]),
    ("user=keeper dbname=d sslmode=verify-ca", &[("PGSSLROOTCERT", "$D/ca.crt")]),
    ("user=keeper dbname=d sslmode=verify-ca", &[("HOME", "$D/with_ca")]),
    ("user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/ca.crt", &[("HOME", "$D/with_other")]),
    ("user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/ca.crt sslcrl=$D/empty.crl", &[]),
    ("user=certified dbname=d sslcert=$D/client.crt sslkey=$D/client.key", &[]),
    ("user=passworded dbname=d password=s3cr3t", &[]),
    ("user=passworded dbname=d", &[("PGPASSWORD", "s3cr3t")]),
    ("user=passworded dbname=d passfile=$D/passes", &[]),
    ("user=passworded dbname=d", &[("PGPASSFILE", "$D/passes")]),
    ("user=passworded dbname=d passfile=$D/passes", &[("PGPASSFILE", "$D/open_passes")]),
    ("host=127.0.0.1,$A port=1,5432 user=passworded dbname=d passfile=$D/passes_of_hosts", &[]),
    ("postgres://keeper@/d?host=$S", &[]),
    ("postgres://keeper@unused/d?host=$S", &[]),
    ("postgres://keeper@127.0.0.1:1,$A:5432/d", &[]),
    ("host=$A,$A port=5432 user=keeper dbname=d target_session_attrs=prefer-standby", &[]),
    ("host=$A user=keeper dbname=d target_session_attrs=read-write", &[]),
    ("host=$A user=keeper dbname=read_only target_session_attrs=read-only", &[]),
    ("host=$A user=keeper dbname=d options='-c role=pg_read_all_stats'", &[]),
    ("user=keeper dbname=d sslmode=require sslsni=0", &[]),
    ("user=keeper", &[("PGDATABASE", "d"), ("PGSSLMODE", "disable")]),
    (
        "user=keeper dbname=d keepalives=1 keepalives_idle=5 keepalives_interval=2 keepalives_count=3 tcp_user_timeout=9000 connect_timeout=7",
        &[],
    ),
    // What is written, then its service, then the environment.
    (
        "service=whole",
        &[SERVICES, ("PGDATABASE", "read_only"), ("PGUSER", "clear"), ("PGSSLMODE", "require")],
    ),
    ("service=whole dbname=read_only sslmode=require", &[SERVICES]),
    ("postgres:///read_only?service=whole", &[SERVICES, ("PGDATABASE", "d")]),
    ("postgres://clear@/d?service=whole&hostaddr=$A", &[SERVICES, ("PGHOSTADDR", "127.0.0.1")]),
    ("service=part user=keeper", &[SERVICES, ("PGDATABASE", "d"), ("PGUSER", "clear")]),
    ("service=part", &[SERVICES, ("PGDATABASE", "read_only"), ("PGUSER", "keeper"), ("PGSERVICE", "whole")]),
    ("user=keeper", &[SERVICES, ("PGSERVICE", "whole"), ("PGDATABASE", "read_only")]),
];

const SERVICES: (&str, &str) = ("PGSERVICEFILE", "$D/services_of_rows");

/// What neither connects to: why not in the words of `psql`, and in ours.
const REFUSED: &[(&str, Environment, &str, &str)] = &[
    ("user=clear dbname=d sslmode=require", &[], "no pg_hba.conf entry", "no pg_hba.conf entry"),
    ("user=encrypted dbname=d sslmode=disable", &[], "no pg_hba.conf entry", "no pg_hba.conf entry"),
    (
        "user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/other.crt",
        &[],
        "certificate verify failed",
        "its issuer is not among the roots",
    ),
    (
        "user=keeper dbname=d sslmode=require sslrootcert=$D/other.crt",
        &[],
        "certificate verify failed",
        "its issuer is not among the roots",
    ),
    (
        "user=keeper dbname=d sslmode=require",
        &[("HOME", "$D/with_other")],
        "certificate verify failed",
        "its issuer is not among the roots",
    ),
    (
        "user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/other.crt",
        &[("HOME", "$D/with_ca")],
        "certificate verify failed",
        "its issuer is not among the roots",
    ),
    (
        "user=keeper dbname=d sslmode=require sslrootcert=$D/other.crt",
        &[("PGSSLROOTCERT", "$D/ca.crt")],
        "certificate verify failed",
        "its issuer is not among the roots",
    ),
    (
        "user=keeper dbname=d host=else.example hostaddr=$A sslmode=verify-full sslrootcert=$D/ca.crt",
        &[],
        "does not match host name",
        "not else.example",
    ),
    (
        "user=keeper dbname=d sslmode=verify-full",
        &[],
        "root.crt\" does not exist",
        "needs the root certificate",
    ),
    (
        "user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/ca.crt sslcrl=$D/revoked.crl",
        &[],
        "certificate verify failed",
        "it is revoked",
    ),
    (
        "user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/ca.crt",
        &[("PGSSLCRL", "$D/revoked.crl")],
        "certificate verify failed",
        "it is revoked",
    ),
    (
        "user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/ca.crt",
        &[("HOME", "$D/with_revoked")],
        "certificate verify failed",
        "it is revoked",
    ),
    (
        "user=keeper dbname=d sslmode=verify-ca sslrootcert=$D/ca.crt sslcrl=$D/expired.crl",
        &[],
        "certificate verify failed",
        "list of sslcrl is out of date",
    ),
    (
        "user=certified dbname=d sslmode=require",
        &[],
        "requires a valid client certificate",
        "requires a valid client certificate",
    ),
    (
        "user=certified dbname=d sslmode=require sslcert=$D/client.crt sslkey=$D/open.key",
        &[],
        "has group or world access",
        "others may read or write it",
    ),
    (
        "user=passworded dbname=d passfile=$D/open_passes",
        &[],
        "has group or world access",
        "open_passes may be read or written by others",
    ),
    (
        "user=passworded dbname=d passfile=$D/open_passes",
        &[("PGPASSFILE", "$D/passes")],
        "has group or world access",
        "open_passes may be read or written by others",
    ),
    ("user=passworded dbname=d", &[], "no password supplied", "password authentication failed"),
    (
        "host=127.0.0.1,$A port=1,5432 user=passworded dbname=d passfile=$D/passes_of_first",
        &[],
        "no password supplied",
        "password authentication failed",
    ),
    (
        "host=$A,$A port=5432 user=keeper dbname=d target_session_attrs=standby",
        &[],
        "not in hot standby mode",
        "is a primary that can be written to",
    ),
    (
        "host=$A user=keeper dbname=read_only target_session_attrs=read-write",
        &[],
        "session is read-only",
        "is read-only by default",
    ),
    (
        "host=$A user=keeper dbname=d target_session_attrs=sometimes",
        &[],
        "invalid target_session_attrs value",
        "target_session_attrs: it is one of",
    ),
    (
        "host=$A,$A port=1,2,3 user=keeper dbname=d",
        &[],
        "could not match 3 port numbers",
        "port: it has another number of entries",
    ),
    ("user=keeper dbname=d sslmode=on", &[], "invalid sslmode value", "sslmode: it is one of"),
    (
        "user=keeper dbname=d sslmod=require",
        &[],
        "invalid connection option \"sslmod\"",
        "unknown connection parameter sslmod",
    ),
    (
        "postgres://keeper@$A/d?sslmod=require",
        &[],
        "invalid URI query parameter: \"sslmod\"",
        "unknown connection parameter sslmod",
    ),
    ("user=keeper dbname=d port=x", &[], "invalid integer value", "port: it is no number"),
    (
        "service=whole sslmod=require",
        &[SERVICES],
        "invalid connection option \"sslmod\"",
        "unknown connection parameter sslmod",
    ),
    ("service=none", &[SERVICES], "definition of service \"none\" not found", "no service none"),
];

/// What the rows above name.
async fn with_files() -> &'static TlsServer {
    static MADE: tokio::sync::OnceCell<()> = tokio::sync::OnceCell::const_new();
    let tls = TlsServer::shared();
    MADE.get_or_init(|| make_files(tls)).await;
    tls
}

async fn make_files(tls: &TlsServer) {
    let dir = tls.files.path();
    tls.server.create_database("read_only", None).await.unwrap();
    let mut owner = tls.server.owner("postgres").await.unwrap();
    owner.execute_script("alter database read_only set default_transaction_read_only = on").await.unwrap();
    let (server, wrong) = (format!("{}:5432:*:*:s3cr3t\n", tls.address), "127.0.0.1:1:*:*:wrong\n");
    for (name, text, mode) in [
        ("passes", "other:*:*:*:x\n*:5432:d:passworded:s3cr3t\n".to_owned(), 0o600),
        ("open_passes", "*:*:*:*:s3cr3t\n".to_owned(), 0o640),
        ("passes_of_hosts", format!("{wrong}{server}"), 0o600),
        ("passes_of_first", "127.0.0.1:1:*:*:s3cr3t\n".to_owned(), 0o600),
        ("open.key", std::fs::read_to_string(dir.join("client.key")).unwrap(), 0o644),
        (
            "services_of_rows",
            format!(
                "[whole]\nhostaddr={0}\nuser=keeper\ndbname=d\nsslmode=disable\n[part]\nhostaddr={0}\n",
                tls.address
            ),
            0o600,
        ),
    ] {
        std::fs::write(dir.join(name), text).unwrap();
        std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    for (home, files) in [
        ("with_ca", &[("ca.crt", "root.crt")][..]),
        ("with_other", &[("other.crt", "root.crt")]),
        ("with_revoked", &[("ca.crt", "root.crt"), ("revoked.crl", "root.crl")]),
    ] {
        let own = dir.join(home).join(".postgresql");
        std::fs::create_dir_all(&own).unwrap();
        for (from, to) in files {
            std::fs::copy(dir.join(from), own.join(to)).unwrap();
        }
    }
}

/// At 4eabe32: `sslmod`, `passfile`, `sslcrl`, `target_session_attrs` and all others that the driver does not know were dropped: it
/// connected; `sslmode=require` with another authority's root connected; several hosts and `key=value` were no URL.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_as_psql() {
    let tls = with_files().await;
    let mut differ = vec![];
    for (parameters, environment) in HONOURED {
        let (psql, ours) = (tls.psql(parameters, environment), tls.midwatch(parameters, environment));
        if psql.is_err() || psql != ours {
            differ.push(format!("{parameters} {environment:?}\n  psql {psql:?}\n  ours {ours:?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// At 4eabe32 the same; and a revocation list that was out of date was believed until now.
#[tokio::test(flavor = "multi_thread")]
async fn refused_for_the_same_reason_as_by_psql() {
    let tls = with_files().await;
    let mut differ = vec![];
    for (parameters, environment, theirs, own) in REFUSED {
        let (psql, ours) = (tls.psql(parameters, environment), tls.midwatch(parameters, environment));
        let says =
            |said: &Result<String, String>, why: &str| said.as_ref().is_err_and(|said| said.contains(why));
        if !says(&psql, theirs) || !says(&ours, own) {
            differ.push(format!("{parameters} {environment:?}\n  psql {psql:?}\n  ours {ours:?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Until now all addresses of a name had five seconds together: one that was silent kept the others from being tried.
#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_a_name_is_tried() {
    let tls = TlsServer::shared();
    // The nearer to 127.0.0.1, from which it is connected, the earlier an address is tried.
    let silent = tls.address.replacen("127.77.", "127.0.", 1);
    let listener = std::net::TcpListener::bind((silent.as_str(), 5432)).unwrap();
    let hosts = format!("{silent} two.example\n{} two.example\n", tls.address);
    let parameters = "host=two.example user=keeper dbname=d connect_timeout=2";
    let commands = [tls.psql_command(parameters, &[]), tls.midwatch_command(parameters, &[])];
    let [Some(mut psql), Some(mut ours)] = commands.map(|c| tls.with_file(&c, "/etc/hosts", &hosts, true))
    else {
        return;
    };
    let (psql, ours) = (TlsServer::said_by_psql(&mut psql), TlsServer::said_by_midwatch(&mut ours));
    assert_eq!((psql.as_deref(), ours.as_deref()), (Ok("keeper d TLSv1.3"), Ok("keeper d TLSv1.3")));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_ok(), "the silent address was not tried first");
}

/// Until now nothing of the user's own directory was found without `HOME`, and so no `root.crt`: `sslmode=require` verified
/// no certificate.
#[tokio::test(flavor = "multi_thread")]
async fn without_home_the_users_directory_is_that_of_the_account() {
    let tls = with_files().await;
    let home = tls.files.path().join("with_other");
    let accounts = format!("root:x:0:0::{}:/bin/sh\n", home.display());
    let parameters = "user=keeper dbname=d sslmode=require";
    let commands = [tls.psql_command(parameters, &[]), tls.midwatch_command(parameters, &[])];
    let [Some(mut psql), Some(mut ours)] =
        commands.map(|c| tls.with_file(&c, "/etc/passwd", &accounts, false))
    else {
        return;
    };
    let psql = TlsServer::said_by_psql(&mut psql).unwrap_err();
    let ours = TlsServer::said_by_midwatch(&mut ours).unwrap_err();
    assert!(psql.contains("certificate verify failed"), "{psql}");
    assert!(ours.contains("its issuer is not among the roots"), "{ours}");
}

/// Until now `target_session_attrs=prefer-standby` sent a password that was refused once more: twice as fast to the end of
/// the attempts that a server allows.
#[test]
fn a_password_that_was_refused_is_not_sent_again() {
    let attempts = |attributes: &str| {
        let rogue = RogueServer::start(WRONG_PASSWORD);
        let url = format!("{}?sslmode=disable&target_session_attrs={attributes}", rogue.url());
        let run = crate::common::on(&url, &["doctor", "--json"]);
        assert!(run.stdout.contains("wrong password"), "{run:?}");
        rogue.connections()
    };
    assert_eq!(attempts("prefer-standby"), attempts("standby"));
}

/// At 4eabe32 `passfile` was dropped; later a file that was not used was named by `doctor` only, and a failed login said no more
/// than that the password is wrong. The first line of a service counts, as for libpq.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_used_is_said_where_a_login_fails() {
    let tls = TlsServer::shared();
    let file = tls.files.path().join("others_read_it");
    std::fs::write(&file, "*:*:*:*:s3cr3t\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = tls.midwatch("user=passworded dbname=d passfile=$D/others_read_it", &[]).unwrap_err();
    assert!(said.contains("others_read_it"), "{said}");
    // One that nobody writes to: opening it would wait.
    let pipe = tls.files.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&pipe).status().unwrap().success());
    let said = tls.midwatch("user=passworded dbname=d passfile=$D/pipe", &[]).unwrap_err();
    assert!(said.contains("pipe is not a regular file"), "{said}");
    let services = tls.files.path().join("services");
    std::fs::write(
        &services,
        format!("[twice]\nhostaddr={}\nuser=keeper\ndbname=d\ndbname=else\n", tls.address),
    )
    .unwrap();
    let environment = [("PGSERVICEFILE", services.to_str().unwrap())];
    assert_eq!(tls.midwatch("service=twice", &environment), tls.psql("service=twice", &environment));
    // A directory for temporary files that is missing, or whose name is too long for a socket, hinders nothing.
    for dir in ["/no/such/dir", &format!("{}/{}", tls.files.path().display(), "x".repeat(90))] {
        let _ = std::fs::create_dir(dir);
        assert!(tls.midwatch("user=keeper dbname=d", &[("TMPDIR", dir)]).is_ok(), "{dir}");
        assert!(!std::path::Path::new("/no").exists());
    }
}

/// Names of libpq 18 that its program of 15 does not know, or that are not done here. At 4eabe32 each was dropped.
#[test]
fn what_is_not_done_is_refused_by_name() {
    let tls = TlsServer::shared();
    for (parameter, environment) in [
        ("channel_binding=require", None),
        ("gssencmode=require", Some("PGGSSENCMODE")),
        ("krbsrvname=other", Some("PGKRBSRVNAME")),
        ("replication=database", None),
        ("load_balance_hosts=random", Some("PGLOADBALANCEHOSTS")),
        ("sslcrldir=/x", Some("PGSSLCRLDIR")),
        ("sslpassword=x", None),
        ("sslnegotiation=direct", Some("PGSSLNEGOTIATION")),
        ("min_protocol_version=3.2", Some("PGMINPROTOCOLVERSION")),
    ] {
        let (name, value) = parameter.split_once('=').unwrap();
        let written = tls.midwatch(&format!("user=keeper dbname=d {parameter}"), &[]).unwrap_err();
        assert!(written.contains(name) && written.contains("not supported"), "{parameter}: {written}");
        if let Some(variable) = environment {
            let said = tls.midwatch("user=keeper dbname=d", &[(variable, value)]).unwrap_err();
            assert!(said.contains(name) && said.contains(variable), "{variable}: {said}");
        }
    }
}

/// New: at 4eabe32 a token had to stand in the URL or a file.
#[test]
fn a_program_gives_the_password_and_nothing_shows_it() {
    let tls = TlsServer::shared();
    let home = tempfile::tempdir().unwrap();
    let config = |program: &str| {
        let url = tls.full("user=passworded dbname=d");
        let text = format!("[targets.t]\nurl = \"{url}\"\npassword_command = {program}\n");
        std::fs::write(home.path().join("midwatch.toml"), text).unwrap();
        crate::common::run(crate::common::midwatch(home.path()).args(["check", "--json", "-vvv"]))
    };
    let asked = home.path().join("asked");
    let program = format!("['sh', '-c', 'echo x >> {}; echo s3cr3t']", asked.display());
    let run = config(&program);
    assert_eq!(run.json()["target"]["database"], "d", "{run:?}");
    assert!(!format!("{run:?}").contains("s3cr3t"), "{run:?}");
    assert!(std::fs::read_to_string(&asked).unwrap().lines().count() >= 1);
    let run = config("['sh', '-c', 'echo s3cr3t; echo token has expired >&2; exit 1']");
    let said = format!("{run:?}");
    assert!(run.code == 5 && said.contains("token has expired") && !said.contains("s3cr3t"), "{said}");
}
