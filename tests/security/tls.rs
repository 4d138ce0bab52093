//! TLS: who the server is, is verified as far as was asked; a certificate that is refused is named.

use crate::tls_server::TlsServer;

const ON: &str = "user=keeper dbname=d";

/// At 4eabe32 an error said `invalid peer certificate: UnknownIssuer`, and not whose certificate it is; `sslmode=require` with the
/// root of another authority connected.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_certificate_is_named_with_the_reason() {
    let tls = TlsServer::shared();
    let of = "certificate of CN=db.example, issued by CN=ca, O=midwatch, valid until 20";
    for (parameters, why) in [
        ("sslmode=verify-ca sslrootcert=$D/other.crt", "its issuer is not among the roots of sslrootcert"),
        ("sslmode=require sslrootcert=$D/other.crt", "its issuer is not among the roots of sslrootcert"),
        ("host=else.example hostaddr=$A sslmode=verify-full sslrootcert=$D/ca.crt", "it is for"),
        ("sslmode=verify-ca sslrootcert=$D/ca.crt sslcrl=$D/revoked.crl", "it is revoked"),
        (
            "sslmode=verify-ca sslrootcert=$D/ca.crt sslcrl=$D/expired.crl",
            "the revocation list of sslcrl is out of date",
        ),
    ] {
        let said = tls.midwatch(&format!("{ON} {parameters}"), &[]).unwrap_err();
        assert!(said.contains(of) && said.contains(why), "{parameters}: {said}");
    }
    let system = format!("{ON} host=db.example hostaddr=$A sslrootcert=system");
    let bundle = tls.files.path().join("ca.crt");
    let verified = tls.midwatch(&system, &[("SSL_CERT_FILE", bundle.to_str().unwrap())]);
    assert_eq!(verified.as_deref(), Ok("keeper d TLSv1.3"));
    let system = tls.midwatch(&system, &[]).unwrap_err();
    assert!(system.contains("issuer is not among") || system.contains("no roots of the system"), "{system}");
}

/// At 4eabe32 `sslmode=prefer` (the default) gave plain text or TLS that verifies nothing, and nothing showed which.
#[test]
fn what_a_connection_goes_over_is_shown() {
    let tls = TlsServer::shared();
    for (parameters, kind, verified) in [
        ("sslmode=disable", "plain", None),
        ("sslmode=prefer", "tls", Some("no")),
        ("sslmode=require sslrootcert=$D/ca.crt", "tls", Some("ca")),
        ("sslmode=verify-full sslrootcert=$D/ca.crt host=$A", "tls", Some("full")),
    ] {
        let run = crate::common::on(&tls.full(&format!("{ON} {parameters}")), &["check", "--json"]);
        let transport = &run.json()["target"]["transport"];
        assert_eq!(
            (transport["kind"].as_str(), transport["verified"].as_str()),
            (Some(kind), verified),
            "{run:?}"
        );
        assert_eq!(transport["loopback"], true, "{run:?}");
    }
}

/// At 4eabe32 the error said `invalid peer certificate: certificate expired: verification time 1796029206 (UNIX), but …`, and not
/// whose certificate it is.
#[test]
fn a_certificate_that_expired_is_named_with_its_end() {
    let tls = TlsServer::start(1, "expired");
    let said = tls.midwatch(&format!("{ON} sslmode=verify-ca sslrootcert=$D/ca.crt"), &[]).unwrap_err();
    assert!(
        said.contains("certificate of CN=db.example") && said.contains("it expired 2020-02-01 00:00 UTC"),
        "{said}"
    );
}

/// Until now the files of TLS were read once: a console that is open for days never saw that a certificate was revoked.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_fetched_while_the_console_is_open_counts() {
    let tls = TlsServer::shared();
    let (home, dir) = (tempfile::tempdir().unwrap(), tls.files.path());
    let list = home.path().join("ca.crl");
    std::fs::copy(dir.join("empty.crl"), &list).unwrap();
    tls.server.create_database("revoked", None).await.unwrap();
    let parameters = "user=keeper dbname=revoked sslmode=verify-ca sslrootcert=$D/ca.crt";
    let url = tls.full(&format!("{parameters} sslcrl={}", list.display()));
    let revoke = || assert!(std::fs::copy(dir.join("revoked.crl"), &list).is_ok());
    let why = crate::sockets::init_after(&url, "revoked", revoke).await;
    let mut owner = tls.server.owner("revoked").await.unwrap();
    let made = owner.fetch_value("select pg_catalog.to_regnamespace('midwatch')::text", &[]).await.unwrap();
    assert_eq!(made, None, "changed through a server whose certificate is revoked");
    assert!(why.as_deref().is_some_and(|why| why.contains("it is revoked")), "{why:?}");
}
