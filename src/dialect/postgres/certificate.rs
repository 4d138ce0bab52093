//! What a person needs to know of a certificate that was refused: whose it is, who issued it, until when, and why it was refused.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, Utc};
use rustls::CertificateError;
use rustls::pki_types::CertificateDer;

/// Why the server's certificate was refused.
#[derive(Debug)]
pub(super) struct Refused {
    /// In words, with the certificate's own.
    pub(super) what: String,
    /// What would help.
    pub(super) hint: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// Of the server's own certificate.
    pub(super) fn new(certificate: &CertificateDer<'_>, host: &str, error: &CertificateError) -> Self {
        let facts = Facts::read(certificate).unwrap_or_default();
        let until = facts.not_after.map(|t| t.format("%F %R UTC").to_string()).unwrap_or_default();
        let from = facts.not_before.map(|t| t.format("%F %R UTC").to_string()).unwrap_or_default();
        let (why, hint) = match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                (format!("it expired {until}"), "renew the server's certificate")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                (format!("it is not valid before {from}"), "compare the clocks of both machines")
            }
            CertificateError::NotValidForName => (not_for(host, &[]), NAME_HINT),
            CertificateError::NotValidForNameContext { presented, .. } => {
                (not_for(host, presented), NAME_HINT)
            }
            CertificateError::UnknownIssuer => (
                "its issuer is not among the roots of sslrootcert".into(),
                "sslrootcert=FILE with the certificate of that issuer, or sslrootcert=system for public authorities",
            ),
            CertificateError::Revoked => ("it is revoked".into(), "issue the server a new certificate"),
            CertificateError::UnknownRevocationStatus => (
                "sslcrl has no revocation list of its issuer".into(),
                "sslcrl needs a list of every authority of the chain",
            ),
            CertificateError::ExpiredRevocationList
            | CertificateError::ExpiredRevocationListContext { .. } => {
                ("the revocation list of sslcrl is out of date".into(), "fetch a new list")
            }
            other => (other.to_string(), "look at it: openssl s_client -starttls postgres -showcerts"),
        };
        let shown = |name: String| if name.is_empty() { "an unnamed subject".to_owned() } else { name };
        let (subject, issuer) = (shown(facts.subject), shown(facts.issuer));
        Self {
            what: format!("certificate of {subject}, issued by {issuer}, valid until {until}: {why}"),
            hint,
        }
    }
}

const NAME_HINT: &str = "connect by a name of the certificate (hostaddr=ADDRESS keeps the address), or issue one with this name as subjectAltName";

fn not_for(host: &str, presented: &[String]) -> String {
    if presented.is_empty() {
        return format!("it has no subjectAltName {host}");
    }
    format!("it is for {}, not {host}", presented.join(", "))
}

/// What is read of a certificate. A walk over its fields, for messages only: what is trusted, `rustls` decides.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) not_before: Option<DateTime<Utc>>,
    pub(super) not_after: Option<DateTime<Utc>>,
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
/// `UTF8String`, `PrintableString`, `TeletexString`, `IA5String`.
const TEXTS: [u8; 4] = [0x0c, 0x13, 0x14, 0x16];

impl Facts {
    pub(super) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate, _) = element(certificate.as_ref())?;
        let (_, mut fields, _) = element(certificate)?;
        let mut next = || {
            let (tag, content, rest) = element(fields)?;
            fields = rest;
            Some((tag, content))
        };
        // Version (which may be absent), number, algorithm; then what is looked for.
        if next()?.0 == VERSION {
            next()?;
        }
        next()?;
        let issuer = name(next()?.1);
        let (_, validity) = next()?;
        let subject = name(next()?.1);
        let (_, _, rest) = element(validity)?;
        Some(Self { subject, issuer, not_before: time(validity), not_after: time(rest) })
    }
}

/// Tag and content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        let (bytes, rest) = rest.split_at_checked(count).filter(|_| (1..=4).contains(&count))?;
        (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// `CN=db, O=Example`.
fn name(mut rest: &[u8]) -> String {
    let mut parts = Vec::new();
    while let Some((SET, set, after)) = element(rest) {
        rest = after;
        let Some((SEQUENCE, pair, _)) = element(set) else { continue };
        let Some((_, kind, text)) = element(pair) else { continue };
        let label = match kind {
            [0x55, 4, 3] => "CN",
            [0x55, 4, 10] => "O",
            [0x55, 4, 11] => "OU",
            [0x55, 4, 6] => "C",
            _ => continue,
        };
        if let Some((tag, text, _)) = element(text)
            && TEXTS.contains(&tag)
        {
            parts.push(format!("{label}={}", String::from_utf8_lossy(text)));
        }
    }
    parts.reverse();
    parts.join(", ")
}

fn time(der: &[u8]) -> Option<DateTime<Utc>> {
    let (tag, text, _) = element(der)?;
    let text = std::str::from_utf8(text).ok()?;
    // Two digits of a year are of 1950 to 2049.
    let century = match (tag, text.get(..2)?.parse::<u8>().ok()?) {
        (UTC_TIME, 50..) => "19",
        (UTC_TIME, _) => "20",
        _ => "",
    };
    Some(NaiveDateTime::parse_from_str(&format!("{century}{text}"), "%Y%m%d%H%M%SZ").ok()?.and_utc())
}
