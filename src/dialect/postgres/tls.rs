//! TLS as libpq means it: which roots a server's certificate is verified by, and how far.
//!
//! The driver's own TLS is not used: it accepts every public authority beside the root that was given, so that `verify-ca` would
//! take any certificate that anyone can have issued for a name of their own.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::certificate::{Facts, Refused};
use super::parameters::Parameters;
use super::variables::Variables;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::transport::CertificateCheck;

/// `sslmode`, from the weakest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Where the roots are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Roots {
    /// No certificate is verified.
    None,
    /// Those of the operating system.
    System,
    File(PathBuf),
}

/// What is asked of TLS.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) mode: Mode,
    roots: Roots,
    /// The list of revoked certificates.
    crl: Option<PathBuf>,
    /// The same where none is named: it may appear at any time.
    default_crl: Option<PathBuf>,
    /// The client's own certificate and its key.
    own: Option<(PathBuf, PathBuf)>,
    sni: bool,
    versions: Vec<&'static rustls::SupportedProtocolVersion>,
    prepared: Arc<Mutex<Option<Prepared>>>,
}

/// What a handshake needs, and the state of each file that it was made from; absent: it could not be looked at.
#[derive(Debug)]
struct Prepared {
    config: Arc<ClientConfig>,
    files: Vec<(PathBuf, Option<FileState>)>,
}

/// By which a file that was written anew is told.
#[derive(Debug, PartialEq, Eq)]
struct FileState {
    /// Its device, and its number there.
    place: (u64, u64),
    length: u64,
    /// Seconds and nanoseconds, of its content.
    written: (i64, i64),
    /// The same of its owner, its mode and its names.
    changed: (i64, i64),
}

const MODES: [(&str, Mode); 6] = [
    ("disable", Mode::Disable),
    ("allow", Mode::Allow),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

/// Where systems keep the roots of public authorities, in one file.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/openssl@3/cert.pem",
];

impl Tls {
    /// `tcp`: one of the servers is reached over TCP; a socket has no TLS, whatever is asked.
    pub(super) fn new(p: &Parameters, variables: &Variables, tcp: bool) -> Result<Self> {
        let system = p.get("sslrootcert") == Some("system");
        let words: Vec<_> = MODES.iter().map(|(word, _)| *word).collect();
        let word = p.word("sslmode", &words, if system { "verify-full" } else { "prefer" })?;
        let mode = MODES.iter().find(|(w, _)| *w == word).map_or(Mode::Prefer, |(_, mode)| *mode);
        if system && mode != Mode::VerifyFull {
            return Err(p
                .wrong("sslmode", &format!("{word} is too weak for sslrootcert=system"))
                .hint("sslmode=verify-full: anyone can have a certificate of a public authority"));
        }
        let existing = |name: &str| Ok::<_, Error>(variables.users_file(name)?.filter(|f| f.exists()));
        let roots = match p.get("sslrootcert") {
            Some("system") => Roots::System,
            Some(file) => Roots::File(file.into()),
            None => existing("root.crt")?.map_or(Roots::None, Roots::File),
        };
        if tcp && mode >= Mode::VerifyCa && roots == Roots::None {
            return Err(p
                .wrong(
                    "sslmode",
                    &format!("{word} needs the root certificate that the server's is verified by"),
                )
                .hint(
                    "sslrootcert=FILE, ~/.postgresql/root.crt, or sslrootcert=system for public authorities",
                ));
        }
        let crl = p.get("sslcrl").map(PathBuf::from);
        let default_crl = variables.users_file("root.crl")?;
        let own = own_certificate(p, existing("postgresql.crt")?, variables.users_file("postgresql.key")?)?;
        let sni = p.switch("sslsni", true)?;
        Ok(Self { mode, roots, crl, default_crl, own, sni, versions: versions(p)?, prepared: Arc::default() })
    }

    /// How far a certificate is verified.
    pub(super) fn verified(&self) -> CertificateCheck {
        match self.mode {
            Mode::VerifyFull => CertificateCheck::Full,
            // As in libpq: who has given a root wants it to count.
            _ if self.roots != Roots::None => CertificateCheck::Ca,
            _ => CertificateCheck::No,
        }
    }

    /// The bundle of the system's roots as a file, where those are asked for: for programs with an older libpq.
    pub(super) fn system_bundle(&self) -> Option<PathBuf> {
        (self.roots == Roots::System).then(bundle).flatten()
    }

    /// What `rustls` needs. A session lasts for days: a file that has changed since the last connection is read again.
    pub(super) fn config(&self) -> std::result::Result<Arc<ClientConfig>, String> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before they are read: what changes in between is read once more.
        let files = self.file_states();
        if let Some(before) = prepared.as_ref().filter(|before| before.files == files) {
            return Ok(Arc::clone(&before.config));
        }
        let config = Arc::new(self.read()?);
        *prepared = Some(Prepared { config: Arc::clone(&config), files });
        Ok(config)
    }

    fn file_states(&self) -> Vec<(PathBuf, Option<FileState>)> {
        let roots = match &self.roots {
            Roots::None => None,
            Roots::System => bundle(),
            Roots::File(file) => Some(file.clone()),
        };
        let own = self.own.iter().flat_map(|(certificate, key)| [certificate.clone(), key.clone()]);
        roots.into_iter().chain(self.crl()).chain(own).map(|file| (file.clone(), state(&file))).collect()
    }

    fn crl(&self) -> Option<PathBuf> {
        self.crl.clone().or_else(|| self.default_crl.clone().filter(|file| file.exists()))
    }

    fn read(&self) -> std::result::Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = self.verifier(&provider)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .map_err(|e| e.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_slice(&secret_key(key)?)
                    .map_err(|e| format!("sslkey {}: {e}", key.display()))?;
                builder.with_client_auth_cert(chain, key).map_err(|e| format!("sslcert and sslkey: {e}"))?
            }
        };
        config.enable_sni = self.sni;
        // A handshake that continues an earlier one verifies no certificate.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    fn verifier(&self, provider: &Arc<CryptoProvider>) -> std::result::Result<Verifier, String> {
        let provider = Arc::clone(provider);
        if self.verified() == CertificateCheck::No {
            return Ok(Verifier { chain: None, given: vec![], name: false, provider });
        }
        let file = match &self.roots {
            Roots::File(file) => file.clone(),
            Roots::System => bundle().ok_or("sslrootcert=system: no roots of the system were found")?,
            Roots::None => return Err("no root certificate".into()),
        };
        let given = certificates(&file)?;
        let mut store = RootCertStore::empty();
        // Certificates of forms that nobody issues any more are left out of a system's bundle, not of a file that was given.
        let (_, broken) = store.add_parsable_certificates(given.iter().cloned());
        if store.is_empty() || broken > 0 && self.roots != Roots::System {
            return Err(format!("sslrootcert {}: {broken} certificates cannot be used", file.display()));
        }
        let mut builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
        let crl = self.crl();
        if let Some(crl) = &crl {
            let wrong = |e: &dyn std::fmt::Display| format!("sslcrl {}: {e}", crl.display());
            let lists: std::result::Result<Vec<_>, _> =
                CertificateRevocationListDer::pem_slice_iter(&bytes(crl)?).collect();
            let lists = lists.map_err(|e| wrong(&e))?;
            if lists.is_empty() {
                return Err(wrong(&"it holds no revocation list"));
            }
            builder = builder.with_crls(lists).enforce_revocation_expiration();
        }
        let chain = builder.build().map_err(|e| format!("sslrootcert {}: {e}", file.display()))?;
        // A revocation list is asked through the chain only.
        let given = if self.roots == Roots::System || crl.is_some() { vec![] } else { given };
        Ok(Verifier { chain: Some(chain), given, name: self.mode == Mode::VerifyFull, provider })
    }
}

fn own_certificate(
    p: &Parameters,
    default: Option<PathBuf>,
    default_key: Option<PathBuf>,
) -> Result<Option<(PathBuf, PathBuf)>> {
    let Some(certificate) = p.get("sslcert").map(PathBuf::from).or(default) else { return Ok(None) };
    let key = p.get("sslkey").map(PathBuf::from).or(default_key);
    key.map(|key| Some((certificate, key))).ok_or_else(|| p.wrong("sslcert", "sslkey is missing"))
}

fn versions(p: &Parameters) -> Result<Vec<&'static rustls::SupportedProtocolVersion>> {
    const WORDS: [&str; 4] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
    let least = p.word("ssl_min_protocol_version", &WORDS, "TLSv1.2")?;
    let most = p.word("ssl_max_protocol_version", &WORDS, "TLSv1.3")?;
    let known = [("TLSv1.2", &rustls::version::TLS12), ("TLSv1.3", &rustls::version::TLS13)];
    let allowed: Vec<_> =
        known.into_iter().filter(|(word, _)| (least..=most).contains(word)).map(|(_, v)| v).collect();
    if allowed.is_empty() {
        return Err(
            p.wrong("ssl_max_protocol_version", "TLS 1.2 and 1.3 are supported, and neither is allowed")
        );
    }
    Ok(allowed)
}

fn bundle() -> Option<PathBuf> {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|f| !f.is_empty()).map(PathBuf::from);
    named.or_else(|| BUNDLES.iter().map(PathBuf::from).find(|f| f.is_file()))
}

fn bytes(file: &Path) -> std::result::Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|e| format!("failed to read {}: {e}", file.display()))
}

fn certificates(file: &Path) -> std::result::Result<Vec<CertificateDer<'static>>, String> {
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes(file)?).collect();
    match read {
        Ok(list) if list.is_empty() => Err(format!("{} holds no certificate", file.display())),
        Ok(list) => Ok(list),
        Err(e) => Err(format!("failed to read {}: {e}", file.display())),
    }
}

/// A key that others may read is not used, as in libpq: theirs alone, or root's with the group's right to read. The file that
/// is looked at is the one that is read.
fn secret_key(key: &Path) -> std::result::Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| format!("failed to read {}: {e}", key.display());
    let mut file = File::open(key).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let allowed = if meta.uid() == 0 { 0o640 } else { 0o600 };
    if meta.mode() & 0o777 & !(allowed | 0o100) != 0 {
        return Err(format!("sslkey {}: others may read or write it (chmod 0600)", key.display()));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn state(file: &Path) -> Option<FileState> {
    let meta = file.metadata().ok()?;
    Some(FileState {
        place: (meta.dev(), meta.ino()),
        length: meta.len(),
        written: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}

/// Decides on a server's certificate.
#[derive(Debug)]
struct Verifier {
    /// By the roots; absent: none is verified.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// The roots as they were given: a server's certificate that is one of them is trusted as it stands.
    given: Vec<CertificateDer<'static>>,
    name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn verify(
        &self,
        chain: &WebPkiServerVerifier,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> std::result::Result<(), rustls::Error> {
        if self.given.iter().any(|root| root == certificate) {
            return self.itself(certificate, host, now);
        }
        match chain.verify_server_cert(certificate, intermediates, host, &[], now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name => Ok(()),
            other => other.map(drop),
        }
    }

    /// One that is its own root, as servers make for themselves.
    fn itself(
        &self,
        certificate: &CertificateDer<'_>,
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> std::result::Result<(), rustls::Error> {
        let facts = Facts::read(certificate).ok_or(CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if facts.not_after.is_none_or(|t| t.timestamp() < now) {
            return Err(CertificateError::Expired.into());
        }
        if facts.not_before.is_none_or(|t| t.timestamp() > now) {
            return Err(CertificateError::NotValidYet.into());
        }
        if self.name {
            rustls::client::verify_server_name(&ParsedCertificate::try_from(certificate)?, host)?;
        }
        Ok(())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match self.verify(chain, end_entity, intermediates, server_name, now) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(rustls::Error::InvalidCertificate(why)) => {
                let refused = Refused::new(end_entity, &server_name.to_str(), &why);
                Err(rustls::Error::Other(rustls::OtherError(Arc::new(refused))))
            }
            Err(other) => Err(other),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
