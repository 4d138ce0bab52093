//! From a url (or the `PG*` environment) to connections that can only read.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection as _};

use super::error::{connect_error, unsupported_startup};
use super::search_path::OWN_PATH;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::secret::{Secret, percent_decoded, redact, scrub};

/// Longest wait for a connection: an unreachable host must not look like a slow query.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The same where the server was silent the last time: not each of many questions waits as long.
const SILENT_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a server may say nothing, where nobody has said.
const SILENCE: Duration = Duration::from_secs(15);

/// What every reader session sets at connect, where nothing stands between us and the server.
const SESSION: [(&str, &str); 2] = [("default_transaction_read_only", "on"), ("search_path", OWN_PATH)];

/// How to reach one database.
#[derive(Clone)]
pub struct Connection {
    options: PgConnectOptions,
    /// For messages: `host:port/database`, never the password.
    place: String,
    silence: Duration,
    /// No answer came for that long; until a connection is made.
    silent: Arc<AtomicBool>,
}

impl Connection {
    /// From a url; without one from `PG*`, as libpq does.
    pub fn new(url: Option<&str>) -> Result<Self> {
        let options = match url {
            // The driver would take any scheme, and a text without one for a database's name.
            Some(url) if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) => {
                return Err(Error::usage("failed to read the url: it does not begin with postgres://").hint(
                    "postgres://USER@HOST:PORT/DATABASE; env:NAME and service:NAME belong in midwatch.toml",
                ));
            }
            Some(url) => PgConnectOptions::from_str(url).map_err(|e| {
                Error::usage(format!(
                    "failed to read the url {}: {}",
                    redact(url),
                    scrub(&e.to_string(), url)
                ))
                .hint(
                    "postgres://USER@HOST:PORT/DATABASE; a password belongs in PGPASSFILE or the url itself",
                )
            })?,
            None => PgConnectOptions::new(),
        };
        let options = options.application_name("midwatch/reader").disable_statement_logging();
        let place = place(&options);
        Ok(Self { options, place, silence: SILENCE, silent: Arc::default() })
    }

    /// The same, with another limit on how long the server may say nothing.
    #[must_use]
    pub fn ending_on_silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    /// How long the server may say nothing.
    pub(super) fn silence(&self) -> Duration {
        self.silence
    }

    pub(super) fn set_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// How long to wait for what is no work for a server.
    pub(super) fn patience(&self) -> Duration {
        if self.silent.load(Ordering::Relaxed) { SILENT_TIMEOUT } else { CONNECT_TIMEOUT }
    }

    /// `host:port/database`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Host and database, for guessing the environment.
    pub fn names(&self) -> (String, String) {
        (self.options.get_host().to_owned(), self.options.get_database().unwrap_or_default().to_owned())
    }

    /// The password, for a file that libpq's own programs read.
    pub fn password(&self) -> Option<Secret> {
        self.options.to_url_lossy().password().map(|p| Secret::new(percent_decoded(p)))
    }

    /// The same as libpq's own programs take it from their environment, without the password: others can read that.
    pub fn libpq(&self) -> Vec<(&'static str, String)> {
        let o = &self.options;
        let url = o.to_url_lossy();
        let socket = o.get_socket().map(|s| s.to_string_lossy().into_owned());
        let mut out = vec![
            ("PGHOST", socket.unwrap_or_else(|| o.get_host().to_owned())),
            ("PGPORT", o.get_port().to_string()),
            ("PGUSER", o.get_username().to_owned()),
            ("PGDATABASE", o.get_database().unwrap_or_else(|| o.get_username()).to_owned()),
        ];
        for (key, value) in url.query_pairs() {
            let name = match &*key {
                "sslmode" | "ssl-mode" => "PGSSLMODE",
                "sslrootcert" | "ssl-root-cert" => "PGSSLROOTCERT",
                "sslcert" | "ssl-cert" => "PGSSLCERT",
                "sslkey" | "ssl-key" => "PGSSLKEY",
                _ => continue,
            };
            out.push((name, value.into_owned()));
        }
        out
    }

    /// A connection, and whether a pooler refused our session settings.
    pub(super) async fn open(&self) -> Result<(PgConnection, bool)> {
        let direct = self.options.clone().options(SESSION);
        match self.try_open(&direct).await {
            Err(e) if unsupported_startup(&e) => {
                let connection =
                    self.try_open(&self.options).await.map_err(|e| connect_error(&e, &self.place))?;
                Ok((connection, true))
            }
            other => other.map(|c| (c, false)).map_err(|e| connect_error(&e, &self.place)),
        }
    }

    /// A connection with these settings and no others' habits. A pooler refuses the settings: then this does too.
    pub(super) async fn open_direct(
        &self,
        application: &str,
        settings: &[(&str, String)],
    ) -> Result<PgConnection> {
        let options = self
            .options
            .clone()
            .application_name(application)
            .options(settings.iter().map(|(name, value)| (*name, value.as_str())));
        self.try_open(&options).await.map_err(|e| {
            if unsupported_startup(&e) {
                Error::new(
                    Class::Refused,
                    format!(
                        "{}: a connection pooler stands between, and changes need a direct connection",
                        self.place
                    ),
                )
                .hint("give the target the server's own address and port")
            } else {
                connect_error(&e, &self.place)
            }
        })
    }

    async fn try_open(&self, options: &PgConnectOptions) -> std::result::Result<PgConnection, sqlx::Error> {
        let patience = self.patience();
        match tokio::time::timeout(patience, PgConnection::connect_with(options)).await {
            Ok(result) => {
                self.silent.store(false, Ordering::Relaxed);
                result
            }
            Err(_) => Err(sqlx::Error::Io(std::io::Error::new(
                std::io::ErrorKind::TimedOut,
                format!("no answer within {} s", patience.as_secs()),
            ))),
        }
    }
}

fn place(options: &PgConnectOptions) -> String {
    let database = options.get_database().unwrap_or("?");
    match options.get_socket() {
        Some(_) => format!("local socket/{database}"),
        None if options.get_host().starts_with('/') => format!("local socket/{database}"),
        None => format!("{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_programs_get_no_password_in_their_environment() {
        let c = Connection::new(Some("postgres://u:s%40%C3%BC@h:7/d?sslmode=require")).unwrap();
        let env = c.libpq();
        for pair in [("PGHOST", "h"), ("PGPORT", "7"), ("PGUSER", "u")] {
            assert!(env.iter().any(|(k, v)| (*k, v.as_str()) == pair), "{pair:?} {}", env.len());
        }
        assert!(env.contains(&("PGSSLMODE", "require".into())));
        assert!(env.iter().all(|(_, v)| !v.contains("s@ü")), "{}", env.len());
        assert_eq!(c.password().unwrap().expose(), "s@ü");
        assert_eq!(env.iter().find(|(k, _)| *k == "PGDATABASE").unwrap().1, "d");
    }

    #[test]
    fn a_broken_url_does_not_show_its_password() {
        let error = Connection::new(Some("postgres://u:s3cret@h:port/d")).err().unwrap();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
