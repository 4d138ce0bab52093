//! A password in clear text: to a server that has proved which one it is, or to one that was said to get it.

use std::process::Command;

use crate::common::{Run, midwatch, run};
use crate::rogue_server::{CLEAR_TEXT, RogueServer};
use crate::tls_server::TlsServer;

/// A login of nobody's that is granted; then the question.
const GRANTED_BEFORE: &[u8] = b"R\0\0\0\x08\0\0\0\0R\0\0\0\x08\0\0\0\x03";
/// Ready for statements, before any login.
const READY: &[u8] = b"Z\0\0\0\x05I";
/// A login by SCRAM that the server grants without having proved that it knows the password.
const UNPROVED: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
const PASSWORD: &str = "s3cr3t-of-dana";

fn doctor(url: &str) -> Run {
    let home = tempfile::tempdir().unwrap();
    let mut command: Command = midwatch(home.path());
    run(command.env("DATABASE_URL", url).env("PGPASSWORD", PASSWORD).args(["doctor", "--json"]))
}

/// At 4eabe32 the rogue server had it, with `sslmode=prefer` and `disable`.
#[test]
fn a_rogue_server_gets_no_password() {
    for says in [CLEAR_TEXT, GRANTED_BEFORE] {
        for mode in ["prefer", "allow", "disable"] {
            let rogue = RogueServer::start(says);
            let said = doctor(&format!("{}?sslmode={mode}", rogue.url()));
            assert!(rogue.connections() > 0 && !rogue.has_heard(PASSWORD), "{mode}: {said:?}");
            assert!(said.stdout.contains("asks for the password in clear text"), "{mode}: {said:?}");
        }
        // Who says so sends it: the rogue server hears what it is sent.
        let rogue = RogueServer::start(says);
        doctor(&format!("{}?sslmode=disable&require_auth=password,none", rogue.url()));
        assert!(rogue.has_heard(PASSWORD));
    }
}

/// At 4eabe32 `require_auth` was dropped, and the first statements were sent.
#[test]
fn nothing_is_sent_before_the_login_that_was_asked_for() {
    for says in [READY, UNPROVED] {
        let rogue = RogueServer::start(says);
        let said = doctor(&format!("{}?sslmode=disable&require_auth=scram-sha-256", rogue.url()));
        assert!(rogue.connections() > 0 && !rogue.has_heard("begin"), "{said:?}");
        assert!(said.stdout.contains("out of its turn"), "{said:?}");
    }
}

/// At 4eabe32 all of them connected.
#[tokio::test(flavor = "multi_thread")]
async fn the_password_in_clear_text_needs_a_verified_server_or_the_word() {
    let tls = TlsServer::shared();
    let by = "user=clear_text dbname=d password=s3cr3t";
    let verified = format!("{by} host=$A sslmode=verify-full sslrootcert=$D/ca.crt");
    assert_eq!(tls.midwatch(&verified, &[]).as_deref(), Ok("clear_text d TLSv1.3"));
    for (parameters, over) in [("sslmode=disable", "plain"), ("sslmode=require", "TLSv1.3")] {
        let parameters = format!("{by} {parameters}");
        assert!(tls.psql(&parameters, &[]).is_ok(), "{parameters}");
        let said = tls.midwatch(&parameters, &[]).unwrap_err();
        assert!(said.contains("in clear text"), "{parameters}: {said}");
        for (more, variable) in [(" require_auth=password", None), ("", Some(("PGREQUIREAUTH", "password")))]
        {
            let said = tls.midwatch(&format!("{parameters}{more}"), variable.as_slice());
            assert_eq!(said, Ok(format!("clear_text d {over}")), "{parameters}{more}");
        }
    }
}

/// New: at 4eabe32 `require_auth` was dropped.
#[tokio::test(flavor = "multi_thread")]
async fn what_require_auth_excludes_is_not_answered() {
    let tls = TlsServer::shared();
    for (parameters, why) in [
        ("user=passworded password=s3cr3t require_auth=scram-sha-256", None),
        ("user=passworded password=s3cr3t require_auth=!scram-sha-256", Some("login by scram-sha-256")),
        ("user=passworded password=s3cr3t require_auth=md5,none", Some("login by scram-sha-256")),
        ("user=keeper require_auth=none", None),
        ("user=keeper require_auth=scram-sha-256", Some("no proof of who logs in")),
        ("host=$S user=keeper require_auth=none", None),
        ("host=$S user=keeper require_auth=scram-sha-256", Some("no proof of who logs in")),
        ("user=keeper require_auth=scram", Some("its methods are none, password")),
    ] {
        let said = tls.midwatch(&format!("dbname=d {parameters}"), &[]);
        match why {
            None => assert!(said.is_ok(), "{parameters}: {said:?}"),
            Some(why) => assert!(said.unwrap_err().contains(why), "{parameters}"),
        }
    }
}
