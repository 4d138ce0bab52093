//! Where the servers are, and which of several is wanted.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::parameters::Parameters;
use super::passfile::{self, Whom};
use crate::disk;
use crate::engine::model::error::Result;
use crate::engine::model::secret::Secret;

const PORT: &str = "5432";

/// Where libpq of the usual systems looks for a server of this machine, where only the server's account makes a socket.
const SOCKETS: [&str; 2] = ["/run/postgresql", "/var/run/postgresql"];
/// Where libpq as its authors build it looks: there everybody can.
const SHARED: &str = "/tmp";
/// What password files call the server whose socket is where libpq looks by itself.
const LOCAL: &str = "localhost";

/// One server that may be connected to.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) at: ServerPlace,
    pub(super) port: u16,
    /// The one given, or that of the password file for this host.
    pub(super) password: Option<Secret>,
    /// For messages: `host (address):port/database`.
    pub(super) place: String,
}

/// One way to a server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Way<'e> {
    /// The directory of a socket, and the number in the socket's name.
    Socket(&'e Path, u16),
    /// One of the addresses of a name.
    Tcp { host: &'e str, address: SocketAddr },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ServerPlace {
    /// The directory of a socket.
    Socket(PathBuf),
    Tcp {
        /// The name that a certificate must have.
        host: String,
        /// Where it is, if that is not asked of the name.
        address: Option<String>,
    },
}

/// A password, and the server that it is for: by the host and the port under which programs of libpq look it up.
pub struct HostPassword {
    /// A name, an address, or the directory of a socket.
    pub host: String,
    /// TCP's, or the number in the socket's name.
    pub port: u16,
    /// What is sent to that server alone.
    pub password: Secret,
}

/// Of these servers. `asked`: what stands in place of their own.
pub(super) fn passwords(endpoints: &[Endpoint], asked: Option<&Secret>) -> Vec<HostPassword> {
    let line = |e: &Endpoint, host| {
        let password = asked.or(e.password.as_ref())?.clone();
        Some(HostPassword { host, port: e.port, password })
    };
    // Where a program's own socket would be, it asks for this name; which directory that is, its authors have said. Last: a
    // server that is reached by that name has its own line.
    let by_default = |e: &&Endpoint| match &e.at {
        ServerPlace::Socket(dir) => SOCKETS.iter().chain([&SHARED]).any(|d| dir == Path::new(d)),
        ServerPlace::Tcp { .. } => false,
    };
    let named = endpoints.iter().filter_map(|e| line(e, e.host()));
    named.chain(endpoints.iter().filter(by_default).filter_map(|e| line(e, LOCAL.into()))).collect()
}

impl Endpoint {
    /// TLS is spoken with it.
    pub(super) fn is_tcp(&self) -> bool {
        matches!(self.at, ServerPlace::Tcp { .. })
    }

    /// All that it may be reached by, in the order in which they are tried.
    pub(super) async fn ways(&self) -> io::Result<Vec<Way<'_>>> {
        let (host, address) = match &self.at {
            ServerPlace::Socket(dir) => return Ok(vec![Way::Socket(dir, self.port)]),
            ServerPlace::Tcp { host, address } => (host, address.as_ref().unwrap_or(host)),
        };
        let found = tokio::net::lookup_host((address.as_str(), self.port)).await?;
        Ok(found.map(|address| Way::Tcp { host, address }).collect())
    }

    /// `host:port`, or the socket's directory.
    pub(super) fn host(&self) -> String {
        match &self.at {
            ServerPlace::Socket(dir) => dir.to_string_lossy().into_owned(),
            ServerPlace::Tcp { host, .. } => host.clone(),
        }
    }
}

/// All that are given, in their order, and why a password file was not used.
pub(super) fn all(
    p: &Parameters,
    user: &str,
    database: &str,
    passfile: Option<&Path>,
) -> Result<(Vec<Endpoint>, Option<String>)> {
    let (hosts, addresses, ports) = (p.list("host"), p.list("hostaddr"), p.list("port"));
    let count = hosts.len().max(addresses.len()).max(1);
    if !hosts.is_empty() && !addresses.is_empty() && hosts.len() != addresses.len() {
        return Err(p.wrong("hostaddr", "it has another number of entries than host"));
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(p.wrong("port", "it has another number of entries than host"));
    }
    let (mut out, mut warning) = (Vec::new(), None);
    for n in 0..count {
        let nth = |list: &[String]| list.get(n).filter(|v| !v.is_empty()).cloned();
        let port = nth(if ports.len() == 1 { &[] } else { &ports })
            .or_else(|| ports.first().filter(|v| ports.len() == 1 && !v.is_empty()).cloned());
        let port = port.unwrap_or_else(|| PORT.into());
        let number = port.parse::<u16>().ok().filter(|n| *n > 0);
        let number = number.ok_or_else(|| p.wrong("port", "it is no number from 1 to 65535"))?;
        let at = at(p, nth(&hosts), nth(&addresses), number)?;
        let (asked, shown) = match &at {
            ServerPlace::Socket(dir) if SOCKETS.iter().any(|s| dir == Path::new(s)) => (LOCAL.into(), None),
            ServerPlace::Socket(dir) => (dir.to_string_lossy().into_owned(), None),
            ServerPlace::Tcp { host, address: Some(address) } if address != host => {
                (host.clone(), Some(format!("{host} ({address})")))
            }
            ServerPlace::Tcp { host, .. } => (host.clone(), Some(host.clone())),
        };
        let place =
            shown.map_or_else(|| format!("local socket/{database}"), |h| format!("{h}:{port}/{database}"));
        let mut password = p.get("password").map(Secret::new);
        if let (None, Some(file)) = (&password, passfile) {
            // Wherever a server without a name was found.
            let unnamed = nth(&hosts).is_none() && nth(&addresses).is_none();
            let host = if unnamed { LOCAL } else { asked.as_str() };
            let found = passfile::look(file, &Whom { host, port: &port, database, user });
            password = found.password;
            warning = found.warning;
        }
        out.push(Endpoint { at, port: number, password, place });
    }
    Ok((out, warning))
}

fn at(p: &Parameters, host: Option<String>, address: Option<String>, port: u16) -> Result<ServerPlace> {
    if let Some(address) = address {
        if address.parse::<std::net::IpAddr>().is_err() {
            return Err(p.wrong("hostaddr", "it is no address"));
        }
        return Ok(ServerPlace::Tcp {
            host: host.unwrap_or_else(|| address.clone()),
            address: Some(address),
        });
    }
    Ok(match host {
        Some(dir) if dir.starts_with('/') => ServerPlace::Socket(dir.into()),
        Some(abstr) if abstr.starts_with('@') => {
            return Err(p.wrong("host", "abstract sockets are not supported"));
        }
        Some(host) => ServerPlace::Tcp { host, address: None },
        None => {
            let name = format!(".s.PGSQL.{port}");
            let there = SOCKETS.iter().find(|dir| Path::new(dir).join(&name).exists());
            let shared = || disk::is_ours_or_roots(&Path::new(SHARED).join(&name)).then_some(&SHARED);
            let dir = there.or_else(shared).or_else(|| SOCKETS.iter().find(|dir| Path::new(dir).is_dir()));
            ServerPlace::Socket(dir.map_or_else(|| SHARED.into(), PathBuf::from))
        }
    })
}

/// `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

const WANTED: [(&str, Wanted); 6] = [
    ("any", Wanted::Any),
    ("read-write", Wanted::ReadWrite),
    ("read-only", Wanted::ReadOnly),
    ("primary", Wanted::Primary),
    ("standby", Wanted::Standby),
    ("prefer-standby", Wanted::PreferStandby),
];

impl Wanted {
    pub(super) fn from_parameters(p: &Parameters) -> Result<Self> {
        let words: Vec<_> = WANTED.iter().map(|(word, _)| *word).collect();
        let word = p.word("target_session_attrs", &words, "any")?;
        Ok(WANTED.iter().find(|(w, _)| *w == word).map_or(Self::Any, |(_, wanted)| *wanted))
    }

    /// What is asked of the servers, one round after the other.
    pub(super) fn rounds(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// Is a server the wanted one?
    pub(super) fn suits(self, standby: bool, read_only: bool) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::ReadWrite => !standby && !read_only,
            Self::ReadOnly => standby || read_only,
            Self::Primary => !standby,
            Self::Standby => standby,
        }
    }
}

/// What is set on a TCP connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Keep {
    pub(super) alive: bool,
    pub(super) idle: Option<Duration>,
    pub(super) interval: Option<Duration>,
    pub(super) count: Option<u32>,
    /// Milliseconds.
    pub(super) user_timeout: Option<u32>,
}

impl Keep {
    pub(super) fn from_parameters(p: &Parameters) -> Result<Self> {
        // Zero and less: the system's.
        let positive = |name| {
            Ok::<_, crate::engine::model::error::Error>(
                p.number(name)?.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0),
            )
        };
        let seconds = |name| {
            Ok::<_, crate::engine::model::error::Error>(
                positive(name)?.map(|n| Duration::from_secs(n.into())),
            )
        };
        Ok(Self {
            alive: p.number("keepalives")?.unwrap_or(1) != 0,
            idle: seconds("keepalives_idle")?,
            interval: seconds("keepalives_interval")?,
            count: positive("keepalives_count")?,
            user_timeout: positive("tcp_user_timeout")?,
        })
    }
}
