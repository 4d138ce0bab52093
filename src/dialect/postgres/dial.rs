//! A TCP connection to a server, with TLS as it was asked for, handed to the driver as a socket that only we can open.
//!
//! The driver takes no connection that was made by others, and its own verifies no certificate as libpq does (`tls`). So bytes
//! pass between it and the server through a socket in a directory of ours that is gone once the driver has connected; the
//! questions of the login are looked at on their way (`login`).

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ring::rand::SecureRandom as _;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional_with_sizes,
};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsConnector;

use super::certificate::Refused;
use super::endpoint::Keep;
use super::login::{self, LoginMethods};
use crate::disk;
use crate::engine::model::transport::{CertificateCheck, Transport};

/// Bytes of one direction under way.
const BUFFER: usize = 64 * 1024;

/// Length, and the number that is no version.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// What is asked of TLS on this attempt.
pub(super) struct Wish {
    pub(super) config: Arc<ClientConfig>,
    pub(super) verified: CertificateCheck,
    /// A server without TLS will do.
    pub(super) optional: bool,
}

/// A way to a server.
pub(super) struct Line {
    place: Place,
    pub(super) transport: Transport,
    refused: Arc<OnceLock<Refused>>,
}

impl Line {
    /// For the driver: the socket's directory. Its port is 1.
    pub(super) fn dir(&self) -> &Path {
        &self.place.0
    }

    /// Why what the server asked was not answered.
    pub(super) fn refused(&self) -> Option<io::Error> {
        let Refused { what, hint } = self.refused.get()?;
        Some(io::Error::other(Refused { what: what.clone(), hint }))
    }

    fn new(stream: Box<dyn Stream>, transport: Transport, methods: &LoginMethods) -> io::Result<Self> {
        let (place, listener) = Place::make()?;
        let refused = Arc::<OnceLock<Refused>>::default();
        let verified = transport.proves_the_server();
        tokio::spawn(pass(listener, stream, methods.clone(), verified, Arc::clone(&refused)));
        Ok(Self { place, transport, refused })
    }
}

/// A directory of ours with a socket in it.
struct Place(PathBuf);

impl Place {
    fn make() -> io::Result<(Self, UnixListener)> {
        let mut random = [0; 8];
        ring::rand::SystemRandom::new().fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        let name = format!("midwatch-{}", hex::encode(random));
        let mut failed = None;
        for above in [std::env::temp_dir(), "/tmp".into()] {
            match Self::within(above.join(&name)) {
                Ok(made) => return Ok(made),
                Err(e) => failed = Some(e),
            }
        }
        Err(failed.unwrap_or_else(|| io::Error::other("no directory for a socket")))
    }

    /// The path of a socket has a limit.
    fn within(dir: PathBuf) -> io::Result<(Self, UnixListener)> {
        disk::new_directory(&dir)?;
        let place = Self(dir);
        let listener = UnixListener::bind(place.socket())?;
        Ok((place, listener))
    }

    fn socket(&self) -> PathBuf {
        self.0.join(".s.PGSQL.1")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// What both kinds of connections are.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Through a socket of this machine, where it matters who serves it or what it asks. `account`: who must.
pub(super) async fn local(
    dir: &Path,
    port: u16,
    account: Option<&str>,
    methods: &LoginMethods,
) -> io::Result<Line> {
    let server = UnixStream::connect(dir.join(format!(".s.PGSQL.{port}"))).await?;
    let uid = server.peer_cred()?.uid();
    let transport = match account {
        Some(wanted) if account_of(uid)? == wanted => Transport::Socket,
        Some(wanted) => {
            let what = format!("another account than {wanted} (uid {uid}) serves {}", dir.display());
            return Err(io::Error::other(Refused { what, hint: "requirepeer asks for it" }));
        }
        None if disk::is_shared(dir) && !disk::is_ours_or_root(uid) => Transport::SharedSocket,
        None => Transport::Socket,
    };
    Line::new(Box::new(server), transport, methods)
}

fn account_of(uid: u32) -> io::Result<String> {
    let accounts = std::fs::read_to_string("/etc/passwd")?;
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    Ok(name.unwrap_or_default())
}

/// Connects; `host` is the name that the certificate must have.
pub(super) async fn dial(
    host: &str,
    address: SocketAddr,
    keep: &Keep,
    tls: Option<Wish>,
    methods: &LoginMethods,
) -> io::Result<Line> {
    let mut tcp = TcpStream::connect(address).await?;
    tcp.set_nodelay(true)?;
    keep_alive(&tcp, keep)?;
    let loopback = tcp.peer_addr()?.ip().to_canonical().is_loopback();
    let plain = Transport::Plain { loopback };
    let (stream, transport): (Box<dyn Stream>, _) = match tls {
        None => (Box::new(tcp), plain),
        Some(wish) if speaks_tls(&mut tcp).await? => {
            let name = ServerName::try_from(host.to_owned()).map_err(|e| refused(&format!("{host}: {e}")))?;
            let tls = TlsConnector::from(wish.config).connect(name, tcp).await.map_err(explained)?;
            let version = match tls.get_ref().1.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_2) => "1.2",
                _ => "1.3",
            };
            (Box::new(tls), Transport::Tls { version, verified: wish.verified, loopback })
        }
        Some(wish) if wish.optional => (Box::new(tcp), plain),
        Some(_) => {
            let hint = "sslmode=require needs a server with TLS; so do verify-ca and verify-full";
            return Err(io::Error::other(Refused { what: "the server has no TLS".into(), hint }));
        }
    };
    Line::new(stream, transport, methods)
}

/// The server's answer is one byte; nothing that comes with it is taken for what comes after encryption began.
async fn speaks_tls(tcp: &mut TcpStream) -> io::Result<bool> {
    tcp.write_all(&SSL_REQUEST).await?;
    match tcp.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        _ => Err(refused("the server does not answer as PostgreSQL does")),
    }
}

/// Between the driver and the server, until one of them ends.
async fn pass(
    listener: UnixListener,
    mut server: Box<dyn Stream>,
    methods: LoginMethods,
    verified: bool,
    refused: Arc<OnceLock<Refused>>,
) {
    loop {
        let Ok((mut driver, _)) = listener.accept().await else { return };
        // Another process of this user could open the directory.
        let ours = driver.peer_cred().is_ok_and(|c| {
            c.pid().and_then(|pid| u32::try_from(pid).ok()).is_none_or(|pid| pid == std::process::id())
        });
        if ours {
            drop(listener);
            if login::watch(&mut driver, &mut server, &methods, verified, &refused).await.is_ok() {
                let _ = copy_bidirectional_with_sizes(&mut driver, &mut server, BUFFER, BUFFER).await;
            }
            return;
        }
    }
}

fn keep_alive(tcp: &TcpStream, keep: &Keep) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(tcp, keep.alive)?;
    if keep.alive {
        keep.idle.map_or(Ok(()), |time| sockopt::set_tcp_keepidle(tcp, time))?;
        keep.interval.map_or(Ok(()), |time| sockopt::set_tcp_keepintvl(tcp, time))?;
        keep.count.map_or(Ok(()), |count| sockopt::set_tcp_keepcnt(tcp, count))?;
    }
    #[cfg(target_os = "linux")]
    keep.user_timeout.map_or(Ok(()), |ms| sockopt::set_tcp_user_timeout(tcp, ms))?;
    Ok(())
}

pub(super) fn refused(what: &str) -> io::Error {
    let hint = "check sslmode, sslrootcert and the other ssl parameters";
    io::Error::other(Refused { what: what.to_owned(), hint })
}

/// Finds what the verifier said of a certificate.
fn explained(e: io::Error) -> io::Error {
    let tls = e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::Other(other)) => match other.0.downcast_ref::<Refused>() {
            Some(r) => io::Error::other(Refused { what: r.what.clone(), hint: r.hint }),
            None => refused(&format!("TLS: {other}")),
        },
        Some(other) => refused(&format!("TLS: {other}")),
        None => e,
    }
}
