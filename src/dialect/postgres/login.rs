//! The server's questions at a login, looked at before the driver answers them: a password in clear text goes to nobody who has
//! not proved to be the wanted server, and `require_auth` is honoured as in libpq.

use std::io;
use std::sync::OnceLock;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::certificate::Refused;
use super::parameters::Parameters;
use crate::engine::model::error::Result;

/// Longest message of a server before it is ready (bytes).
const LONGEST: usize = 64 * 1024;

/// Bytes that are read at once.
const PIECE: usize = 8 * 1024;

const NAME: &str = "require_auth";

/// How a server has a role prove who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// It asks for nothing.
    None,
    /// The password itself.
    Password,
    Md5,
    Gss,
    Sspi,
    Scram,
}

const METHODS: [(&str, Method); 6] = [
    ("none", Method::None),
    ("password", Method::Password),
    ("md5", Method::Md5),
    ("gss", Method::Gss),
    ("sspi", Method::Sspi),
    ("scram-sha-256", Method::Scram),
];

/// Which questions are answered.
#[derive(Debug, Clone, Default)]
pub(super) struct LoginMethods {
    named: Vec<Method>,
    excluded: Vec<Method>,
}

impl LoginMethods {
    /// From `require_auth`.
    pub(super) fn from_parameters(p: &Parameters) -> Result<Self> {
        let mut out = Self::default();
        for word in p.list(NAME) {
            let (list, name) = match word.strip_prefix('!') {
                Some(name) => (&mut out.excluded, name),
                None => (&mut out.named, word.as_str()),
            };
            let Some((_, method)) = METHODS.iter().find(|(known, _)| *known == name) else {
                let known: Vec<_> = METHODS.iter().map(|(known, _)| *known).collect();
                return Err(p.wrong(NAME, &format!("its methods are {}", known.join(", "))));
            };
            list.push(*method);
        }
        if !out.named.is_empty() && !out.excluded.is_empty() {
            return Err(p.wrong(NAME, "methods with ! cannot be mixed with others"));
        }
        Ok(out)
    }

    /// Nobody has said anything.
    pub(super) fn is_default(&self) -> bool {
        self.named.is_empty() && self.excluded.is_empty()
    }

    /// Why a question is not answered. `verified`: the server has proved who it is.
    fn refuses(&self, method: Method, verified: bool) -> Option<Refused> {
        let word = METHODS.iter().find(|(_, m)| *m == method).map_or("", |(word, _)| *word);
        if self.excluded.contains(&method) || !self.named.is_empty() && !self.named.contains(&method) {
            let what = match method {
                Method::None => "the server asks for no proof of who logs in".to_owned(),
                _ => format!("the server asks for a login by {word}"),
            };
            let what = format!("{what}, which require_auth excludes");
            return Some(Refused { what, hint: "check the server, or change require_auth" });
        }
        (method == Method::Password && !verified && self.named.is_empty()).then(|| Refused {
            what: "the server asks for the password in clear text, and it is not verified which server it is: nothing was sent"
                .into(),
            hint: "sslmode=verify-full with sslrootcert=FILE verifies it; require_auth=password sends it without",
        })
    }
}

/// What a message of the server asks, of those by which logins go.
fn question(kind: u8, body: &[u8]) -> Option<u32> {
    let code = body.first_chunk::<4>().filter(|_| kind == b'R')?;
    Some(u32::from_be_bytes(*code))
}

/// What is known of a login under way.
struct Login<'a> {
    methods: &'a LoginMethods,
    verified: bool,
    asked: Option<Method>,
    /// The server has proved, too, that it knows the password.
    proved: bool,
    granted: bool,
}

impl Login<'_> {
    /// Why this message of the server must not reach the driver.
    fn refuses(&mut self, kind: u8, body: &[u8]) -> Option<Refused> {
        // Errors, notices and versions come at any time; nothing else before the login is granted.
        if !self.granted && !matches!(kind, b'R' | b'E' | b'N' | b'v') {
            return Some(out_of_turn());
        }
        let method = match question(kind, body)? {
            0 if self.asked == Some(Method::Scram) && !self.proved => return Some(out_of_turn()),
            0 => {
                self.granted = true;
                if self.asked.is_some() {
                    return None;
                }
                Method::None
            }
            12 => {
                self.proved = true;
                return None;
            }
            3 => Method::Password,
            5 => Method::Md5,
            7 => Method::Gss,
            9 => Method::Sspi,
            10 => Method::Scram,
            // What belongs to a question before.
            _ => return None,
        };
        self.asked = Some(method);
        self.methods.refuses(method, self.verified)
    }
}

fn out_of_turn() -> Refused {
    Refused {
        what: "the server does not log in as PostgreSQL does: a message is out of its turn".into(),
        hint: "check what answers at this address",
    }
}

/// A whole message at the start of what has come: its kind, its body, and its length with both.
fn message(bytes: &[u8]) -> io::Result<Option<(u8, &[u8], usize)>> {
    let Some(([kind, length @ ..], _)) = bytes.split_first_chunk::<5>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if !(4..=LONGEST).contains(&length) {
        return Err(io::Error::other("the server does not answer as PostgreSQL does"));
    }
    Ok(bytes.get(5..=length).map(|body| (*kind, body, length + 1)))
}

/// Passes messages until the server is ready for statements: up to then the driver answers whatever is asked. What must not be
/// answered ends the connection, with the reason in `refused`.
pub(super) async fn watch<D, S>(
    driver: &mut D,
    server: &mut S,
    methods: &LoginMethods,
    verified: bool,
    refused: &OnceLock<Refused>,
) -> io::Result<()>
where
    D: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut login = Login { methods, verified, asked: None, proved: false, granted: false };
    // A message of a login fits in, and so is passed on whole.
    let (mut said, mut answered) = (Vec::with_capacity(PIECE), Vec::with_capacity(PIECE));
    loop {
        while let Some((kind, body, length)) = message(&said)? {
            if let Some(why) = login.refuses(kind, body) {
                let _ = refused.set(why);
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let ready = kind == b'Z';
            driver.write_all(said.get(..length).unwrap_or_default()).await?;
            said.drain(..length);
            if ready {
                return driver.write_all(&said).await;
            }
        }
        let ended = tokio::select! {
            // A connection that was reset has ended, too: what came before is still passed on.
            read = server.read_buf(&mut said) => read.unwrap_or_default() == 0,
            read = driver.read_buf(&mut answered) => {
                let ended = read? == 0;
                server.write_all(&answered).await?;
                server.flush().await?;
                answered.clear();
                ended
            }
        };
        if ended {
            // A socket that is closed with something unread in it takes along what the driver has not read.
            driver.shutdown().await?;
            let _ = tokio::io::copy(driver, &mut tokio::io::sink()).await;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::variables::tests::variables;
    use super::*;

    fn methods(written: &str) -> Result<LoginMethods> {
        let p = Parameters::read(Some(&format!("require_auth='{written}'")), &variables(&[])).unwrap();
        LoginMethods::from_parameters(&p)
    }

    #[test]
    fn the_parameter_is_read_as_libpq_reads_it() {
        for (written, verified, answered) in [
            ("", false, "none md5 gss sspi scram-sha-256"),
            ("", true, "none password md5 gss sspi scram-sha-256"),
            ("password", false, "password"),
            ("scram-sha-256,md5", true, "md5 scram-sha-256"),
            ("!md5, !none", false, "gss sspi scram-sha-256"),
            ("!md5", true, "none password gss sspi scram-sha-256"),
        ] {
            let m = methods(written).unwrap();
            let found: Vec<_> = METHODS
                .iter()
                .filter(|(_, one)| m.refuses(*one, verified).is_none())
                .map(|(w, _)| *w)
                .collect();
            assert_eq!(found.join(" "), answered, "{written} {verified}");
        }
        for wrong in ["scram", "md5,!none", "password,"] {
            assert_eq!(methods(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }

    #[test]
    fn a_message_is_read_when_it_is_whole() {
        assert_eq!(message(b"R\0\0\0").unwrap(), None);
        assert_eq!(message(b"R\0\0\0\x08\0\0\0").unwrap(), None);
        assert_eq!(message(b"R\0\0\0\x08\0\0\0\x03Z").unwrap(), Some((b'R', &b"\0\0\0\x03"[..], 9)));
        assert_eq!(message(b"Z\0\0\0\x05I").unwrap(), Some((b'Z', &b"I"[..], 6)));
        assert!(message(b"R\0\0\0\x03").is_err());
        assert!(message(b"HTTP/").is_err());
    }
}
