//! What a connection to a server goes over.

use std::fmt;

use serde::Serialize;

/// Who can read or change what passes between us and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Transport {
    /// A socket of this machine.
    #[default]
    Socket,
    /// A socket in a directory that everybody may write to, of a server under another account.
    #[serde(rename = "shared_socket")]
    SharedSocket,
    /// TCP without encryption.
    Plain {
        /// It does not leave this machine.
        loopback: bool,
    },
    /// TCP with TLS.
    Tls {
        /// `1.3`.
        version: &'static str,
        /// How far the server's certificate was verified.
        verified: CertificateCheck,
        /// It does not leave this machine.
        loopback: bool,
    },
}

/// How far a server's certificate was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CertificateCheck {
    /// Its authority and the host's name.
    Full,
    /// Its authority.
    Ca,
    /// Not at all: anyone between may be the server.
    No,
}

impl Transport {
    /// Somebody between may read or change what is sent, or be the server.
    pub fn exposed(self) -> bool {
        match self {
            Self::Socket => false,
            Self::SharedSocket => true,
            Self::Plain { loopback } => !loopback,
            Self::Tls { verified, loopback, .. } => !loopback && verified != CertificateCheck::Full,
        }
    }

    /// What ends the exposure; `None`: there is none.
    pub fn remedy(self) -> Option<&'static str> {
        match self {
            _ if !self.exposed() => None,
            Self::SharedSocket => {
                Some("requirepeer=ACCOUNT, or a directory of sockets that only root can write to")
            }
            _ => Some("sslmode=verify-full with sslrootcert=FILE (or system)"),
        }
    }

    /// Whoever answers is the server that was meant: by its certificate, or by a socket that nobody else could have put there.
    pub fn proves_the_server(self) -> bool {
        match self {
            Self::Socket => true,
            Self::SharedSocket | Self::Plain { .. } => false,
            Self::Tls { verified, .. } => verified != CertificateCheck::No,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket => f.write_str("local socket"),
            Self::SharedSocket => f.write_str("socket of another account, where everybody may make one"),
            Self::Plain { .. } => f.write_str("TCP without TLS"),
            Self::Tls { version, verified, .. } => {
                let verified = match verified {
                    CertificateCheck::Full => "certificate and host name verified",
                    CertificateCheck::Ca => "certificate verified, host name not",
                    CertificateCheck::No => "certificate not verified",
                };
                write!(f, "TLS {version}, {verified}")
            }
        }
    }
}
