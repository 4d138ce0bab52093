//! From connection parameters to connections that can only read.

use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection as _};

use super::certificate::Refused;
use super::dial::{self, Line, Wish, refused};
use super::endpoint::{self, Endpoint, HostPassword, Keep, Wanted, Way};
use super::error::{connect_error, refuses_encryption, stops_the_search, unsupported_startup};
use super::login::LoginMethods;
use super::parameters::{ParameterOrigin, Parameters};
use super::password_command;
use super::search_path::OWN_PATH;
use super::tls::{Mode, Tls};
use super::variables::Variables;
use crate::disk;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::secret::Secret;
use crate::engine::model::transport::Transport;
use crate::engine::port::driver::ReaderLogin;

/// Longest wait for a connection: an unreachable host must not look like a slow query.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The same where the server was silent the last time: not each of many questions waits as long.
const SILENT_TIMEOUT: Duration = Duration::from_secs(2);

/// Who must serve a socket.
const PEER: &str = "requirepeer";

/// `connect_timeout=0`: as long as the network lets us.
const NO_TIMEOUT: Duration = Duration::from_hours(24);

/// How long a server may say nothing, where nobody has said.
const SILENCE: Duration = Duration::from_secs(15);

/// What every reader session sets at connect, where nothing stands between us and the server.
const SESSION: [(&str, &str); 2] = [("default_transaction_read_only", "on"), ("search_path", OWN_PATH)];

/// How to reach one database.
#[derive(Clone)]
pub struct Connection {
    parameters: Parameters,
    endpoints: Vec<Endpoint>,
    /// Of the driver; without server, password and TLS.
    options: PgConnectOptions,
    user: String,
    database: String,
    tls: Tls,
    keep: Keep,
    methods: LoginMethods,
    wanted: Wanted,
    /// For messages: `host:port/database`, never the password.
    place: String,
    /// What was not used of what was given.
    warning: Option<String>,
    connect_timeout: Duration,
    /// Gives the password of each connection; empty: none is run.
    password_command: Arc<[String]>,
    silence: Duration,
    /// No answer came for that long; until a connection is made.
    silent: Arc<AtomicBool>,
    transport: Arc<Mutex<Transport>>,
    /// That of the first connection: what the operator was shown, and the gate looks at.
    first: Arc<OnceLock<Transport>>,
}

/// An attempt at one server that failed.
struct Failed {
    error: sqlx::Error,
    place: String,
}

impl Failed {
    fn error(&self) -> Error {
        connect_error(&self.error, &self.place)
    }
}

impl Connection {
    /// From a URL or `key=value` pairs, completed from its service and from `PG*`, as libpq does.
    pub fn new(written: Option<&str>) -> Result<Self> {
        let variables = Variables::own();
        Self::with(Parameters::read(written, &variables)?, &variables)
    }

    /// The same database for another role. The password that was given is not its own: a password file gives one, or the
    /// program that goes with it.
    pub fn logging_in_as(written: Option<&str>, login: &ReaderLogin) -> Result<Self> {
        let variables = Variables::own();
        let parameters = Parameters::read(written, &variables)?.of_role(&login.role);
        Self::with(parameters, &variables)?.asking(&login.password_command)
    }

    fn with(p: Parameters, variables: &Variables) -> Result<Self> {
        let user = match p.get("user") {
            Some(user) => user.to_owned(),
            None => whoami::username().unwrap_or_else(|_| "unknown".into()),
        };
        let database = p.get("dbname").unwrap_or(&user).to_owned();
        let passfile = match p.get("passfile") {
            Some(file) => Some(PathBuf::from(file)),
            None => variables.home()?.map(|home| home.join(".pgpass")),
        };
        let (endpoints, warning) = endpoint::all(&p, &user, &database, passfile.as_deref())?;
        let connect_timeout = match p.number("connect_timeout")? {
            None => CONNECT_TIMEOUT,
            Some(seconds) => match u64::try_from(seconds) {
                Ok(0) | Err(_) => NO_TIMEOUT,
                Ok(seconds) => Duration::from_secs(seconds),
            },
        };
        let options = driver_options(&p, variables)?
            .username(&user)
            .database(&database)
            .application_name("midwatch/reader")
            .ssl_mode(PgSslMode::Disable)
            .disable_statement_logging();
        let place = endpoints.iter().map(|e| e.place.as_str()).collect::<Vec<_>>().join(", ");
        Ok(Self {
            tls: Tls::new(&p, variables, endpoints.iter().any(Endpoint::is_tcp))?,
            keep: Keep::from_parameters(&p)?,
            methods: LoginMethods::from_parameters(&p)?,
            wanted: Wanted::from_parameters(&p)?,
            parameters: p,
            endpoints,
            options,
            user,
            database,
            place,
            warning,
            connect_timeout,
            password_command: Arc::new([]),
            silence: SILENCE,
            silent: Arc::default(),
            transport: Arc::default(),
            first: Arc::default(),
        })
    }

    /// The same, with the password of each connection from this program; empty: from what was given.
    pub fn asking(self, password_command: &[String]) -> Result<Self> {
        if !password_command.is_empty() && self.parameters.get("password").is_some() {
            return Err(self
                .parameters
                .wrong("password", "password_command gives one, too")
                .hint("leave one of them out"));
        }
        Ok(Self { password_command: password_command.into(), ..self })
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
        let silent = self.silent.load(Ordering::Relaxed);
        let longest = self.connect_timeout.min(self.silence);
        if silent { longest.min(SILENT_TIMEOUT) } else { longest }
    }

    /// `host:port/database`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Hosts and database, for guessing the environment.
    pub fn names(&self) -> (String, String) {
        let hosts: Vec<_> = self.endpoints.iter().map(Endpoint::host).collect();
        (hosts.join(","), self.database.clone())
    }

    /// What the latest connection goes over.
    pub(super) fn transport(&self) -> Transport {
        *self.transport.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why something that was given is not used.
    pub(super) fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Each server's password, for a file that libpq's own programs read. Waits for the operator's program, where one gives it.
    pub fn passwords(&self) -> Result<Vec<HostPassword>> {
        let asked = match &*self.password_command {
            [] => None,
            words => Some(password_command::run(words).map_err(Error::unobserved)?),
        };
        Ok(endpoint::passwords(&self.endpoints, asked.as_ref()))
    }

    /// What the operator's program says now.
    async fn asked(&self) -> io::Result<Option<Secret>> {
        if self.password_command.is_empty() {
            return Ok(None);
        }
        let words = Arc::clone(&self.password_command);
        let limit = self.silence;
        let ran = tokio::task::spawn_blocking(move || password_command::run_within(&words, limit)).await;
        let hint = "run it by hand: it prints one line, the password, and ends with 0";
        ran.map_err(io::Error::other)?.map(Some).map_err(|what| io::Error::other(Refused { what, hint }))
    }

    /// The same as libpq's own programs take it from their environment, without the password: others can read that.
    pub fn libpq(&self) -> Vec<(&'static str, String)> {
        let mut out = self.parameters.environment();
        let hosts: Vec<_> = self.endpoints.iter().map(Endpoint::host).collect();
        let ports: Vec<_> = self.endpoints.iter().map(|e| e.port.to_string()).collect();
        let mut set = |name: &'static str, value: String| {
            out.retain(|(n, _)| *n != name);
            out.push((name, value));
        };
        set("PGHOST", hosts.join(","));
        set("PGPORT", ports.join(","));
        set("PGUSER", self.user.clone());
        set("PGDATABASE", self.database.clone());
        // Known to programs from 16 on.
        if self.methods.is_default() && !self.transport().proves_the_server() {
            set("PGREQUIREAUTH", "!password".into());
        }
        // Programs before 16 know no word for the system's roots.
        if let Some(bundle) = self.tls.system_bundle() {
            set("PGSSLMODE", "verify-full".into());
            set("PGSSLROOTCERT", bundle.to_string_lossy().into_owned());
        }
        out
    }

    /// A connection, and whether a pooler refused our session settings.
    pub(super) async fn open(&self) -> Result<(PgConnection, bool)> {
        let direct = |o: PgConnectOptions| o.options(SESSION);
        match self.search(&direct).await {
            Err(e) if unsupported_startup(&e.error) => {
                Ok((self.search(&|o| o).await.map_err(|e| self.explained(&e))?.0, true))
            }
            other => Ok((other.map_err(|e| self.explained(&e))?.0, false)),
        }
    }

    /// A connection with these settings and no others' habits. A pooler refuses the settings: then this does too.
    pub(super) async fn open_direct(
        &self,
        application: &str,
        settings: &[(&str, String)],
    ) -> Result<PgConnection> {
        let shape = |o: PgConnectOptions| {
            o.application_name(application)
                .options(settings.iter().map(|(name, value)| (*name, value.as_str())))
        };
        let (connection, transport) = self.search(&shape).await.map_err(|e| {
            if unsupported_startup(&e.error) {
                Error::new(
                    Class::Refused,
                    format!(
                        "{}: a connection pooler stands between, and changes need a direct connection",
                        e.place
                    ),
                )
                .hint("give the target the server's own address and port")
            } else {
                self.explained(&e)
            }
        })?;
        if transport.exposed() && self.first.get().is_some_and(|first| !first.exposed()) {
            return Err(Error::new(
                Class::Refused,
                format!("{}: changes would go over another way than was looked at: {transport}", self.place),
            )
            .hint("name one server, or have each of them verified (sslmode=verify-full)"));
        }
        Ok(connection)
    }

    /// A failed login, with what was not used of what was given.
    fn explained(&self, failed: &Failed) -> Error {
        let mut error = failed.error();
        if let Some(warning) = &self.warning {
            error.message = format!("{}; {warning}", error.message);
        }
        error
    }

    /// The first server that answers and is the wanted one.
    async fn search(
        &self,
        shape: &(impl Fn(PgConnectOptions) -> PgConnectOptions + Sync),
    ) -> std::result::Result<(PgConnection, Transport), Failed> {
        let failed = |error, place: &str| Failed { error, place: place.to_owned() };
        let asked = self.asked().await.map_err(|e| failed(sqlx::Error::Io(e), &self.place))?;
        let mut last = None;
        for wanted in self.wanted.rounds() {
            for endpoint in &self.endpoints {
                let password = asked.as_ref().or(endpoint.password.as_ref());
                // Never absent: the driver would then take one of its own finding.
                let options = self.options.clone().password(password.map_or("", Secret::expose));
                let ways = self.ways(endpoint).await;
                let ways = ways.unwrap_or_else(|error| {
                    last = Some(failed(error, &endpoint.place));
                    vec![]
                });
                for way in ways {
                    match self.in_time(way, &options, *wanted, shape).await {
                        Ok((connection, transport)) => {
                            self.went_over(transport);
                            return Ok((connection, transport));
                        }
                        Err(error) if stops_the_search(&error) => return Err(failed(error, &endpoint.place)),
                        Err(error) => last = Some(failed(error, &endpoint.place)),
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| failed(sqlx::Error::Io(refused("no server is given")), &self.place)))
    }

    async fn ways<'e>(&self, endpoint: &'e Endpoint) -> std::result::Result<Vec<Way<'e>>, sqlx::Error> {
        let patience = self.patience();
        let found = tokio::time::timeout(patience, endpoint.ways()).await;
        found.unwrap_or_else(|_| Err(no_answer(patience))).map_err(sqlx::Error::Io)
    }

    /// Each address of a name has its own time, as with libpq: one that is silent leaves the others theirs.
    async fn in_time(
        &self,
        way: Way<'_>,
        options: &PgConnectOptions,
        wanted: Wanted,
        shape: &(impl Fn(PgConnectOptions) -> PgConnectOptions + Sync),
    ) -> std::result::Result<(PgConnection, Transport), sqlx::Error> {
        let patience = self.patience();
        let work = async {
            if wanted != Wanted::Any {
                self.check_wanted(way, options, wanted).await?;
            }
            self.reach(way, options, shape).await
        };
        match tokio::time::timeout(patience, work).await {
            Ok(result) => {
                self.silent.store(false, Ordering::Relaxed);
                result
            }
            Err(_) => Err(sqlx::Error::Io(no_answer(patience))),
        }
    }

    /// A session of ours is read-only by its own settings: one without them is asked.
    async fn check_wanted(
        &self,
        way: Way<'_>,
        options: &PgConnectOptions,
        wanted: Wanted,
    ) -> std::result::Result<(), sqlx::Error> {
        let (mut session, _) = self.reach(way, options, &|o| o).await?;
        let standby: bool =
            sqlx::query_scalar("select pg_catalog.pg_is_in_recovery()").fetch_one(&mut session).await?;
        let read_only: String =
            sqlx::query_scalar("show default_transaction_read_only").fetch_one(&mut session).await?;
        session.close().await?;
        if wanted.suits(standby, read_only == "on") {
            return Ok(());
        }
        let is = match (standby, read_only == "on") {
            (true, _) => "a standby",
            (false, true) => "read-only by default",
            (false, false) => "a primary that can be written to",
        };
        Err(sqlx::Error::Io(io::Error::other(Refused {
            what: format!("the server is {is}"),
            hint: "target_session_attrs asks for another one",
        })))
    }

    async fn reach(
        &self,
        way: Way<'_>,
        options: &PgConnectOptions,
        shape: &(impl Fn(PgConnectOptions) -> PgConnectOptions + Sync),
    ) -> std::result::Result<(PgConnection, Transport), sqlx::Error> {
        let (host, address) = match way {
            Way::Socket(dir, port)
                if self.methods.is_default()
                    && self.parameters.get(PEER).is_none()
                    && !disk::is_shared(dir) =>
            {
                let options = shape(options.clone().socket(dir).port(port));
                return Ok((PgConnection::connect_with(&options).await?, Transport::Socket));
            }
            Way::Socket(dir, port) => {
                let line = dial::local(dir, port, self.parameters.get(PEER), &self.methods).await?;
                return through(line, shape(options.clone())).await;
            }
            Way::Tcp { host, address } => (host, address),
        };
        let encrypted: &[bool] = match self.tls.mode {
            Mode::Disable => &[false],
            Mode::Allow => &[false, true],
            Mode::Prefer => &[true, false],
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => &[true],
        };
        let mut failed = None;
        for tls in encrypted {
            let wish = if *tls { Some(self.wish()?) } else { None };
            let attempt = async {
                let line = dial::dial(host, address, &self.keep, wish, &self.methods).await?;
                through(line, shape(options.clone())).await
            };
            match attempt.await {
                Ok(connection) => return Ok(connection),
                Err(e) if refuses_encryption(&e) => failed = Some(e),
                Err(e) => return Err(e),
            }
        }
        Err(failed.unwrap_or_else(|| sqlx::Error::Io(refused("no way was tried"))))
    }

    fn went_over(&self, transport: Transport) {
        self.first.get_or_init(|| transport);
        *self.transport.lock().unwrap_or_else(PoisonError::into_inner) = transport;
    }

    fn wish(&self) -> std::result::Result<Wish, sqlx::Error> {
        let config = self.tls.config().map_err(|why| sqlx::Error::Io(refused(&why)))?;
        let optional = matches!(self.tls.mode, Mode::Allow | Mode::Prefer);
        Ok(Wish { config, verified: self.tls.verified(), optional })
    }
}

async fn through(
    line: Line,
    options: PgConnectOptions,
) -> std::result::Result<(PgConnection, Transport), sqlx::Error> {
    let connected = PgConnection::connect_with(&options.socket(line.dir()).port(1)).await;
    match line.refused() {
        Some(why) => Err(sqlx::Error::Io(why)),
        None => Ok((connected?, line.transport)),
    }
}

fn no_answer(patience: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {} s", patience.as_secs()))
}

/// The driver's, with nothing in them that was not said. It reads `PG*` by itself: what is not overwritten is `PGOPTIONS`, which
/// it would put before the options that are written.
fn driver_options(p: &Parameters, variables: &Variables) -> Result<PgConnectOptions> {
    let written = match p.origin("options") {
        Some(ParameterOrigin::Written | ParameterOrigin::Service) => p.get("options").unwrap_or_default(),
        _ => return Ok(PgConnectOptions::new_without_pgpass()),
    };
    if variables.get("PGOPTIONS")?.is_some() {
        return Err(p.wrong("options", "PGOPTIONS is set, too").hint("leave one of them out"));
    }
    let written = utf8_percent_encode(written, NON_ALPHANUMERIC);
    PgConnectOptions::from_str(&format!("postgres://localhost/?options={written}"))
        .map_err(|_| p.wrong("options", "they cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::super::variables::tests::variables;
    use super::*;

    fn read(written: Option<&str>, variables: &Variables) -> Result<Connection> {
        Connection::with(Parameters::read(written, variables)?, variables)
    }

    fn connection(written: &str) -> Result<Connection> {
        read(Some(written), &variables(&[]))
    }

    #[test]
    fn other_programs_get_no_password_in_their_environment() {
        let c = connection("postgres://u:s%40%C3%BC@h:7/d?sslmode=require").unwrap();
        let env = c.libpq();
        for pair in [("PGHOST", "h"), ("PGPORT", "7"), ("PGUSER", "u"), ("PGDATABASE", "d")] {
            assert!(env.iter().any(|(k, v)| (*k, v.as_str()) == pair), "{pair:?} {}", env.len());
        }
        assert!(env.contains(&("PGSSLMODE", "require".into())));
        assert!(env.iter().all(|(_, v)| !v.contains("s@ü")), "{}", env.len());
    }

    #[test]
    fn a_password_is_for_its_own_server() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passes");
        disk::save(&file, b"a:1:*:*:of a\nlocalhost:3:*:*:of the socket\n").unwrap();
        let written = format!("host=a,b,/var/run/postgresql port=1,2,3 dbname=d passfile={}", file.display());
        let of = |c: Connection| {
            let lines = c.passwords().unwrap().into_iter();
            lines.map(|l| format!("{}:{} {}", l.host, l.port, l.password.expose())).collect::<Vec<_>>()
        };
        let own = ["a:1 of a", "/var/run/postgresql:3 of the socket", "localhost:3 of the socket"];
        assert_eq!(of(connection(&written).unwrap()), own);
        assert_eq!(of(connection("host=a,b password=x").unwrap()), ["a:5432 x", "b:5432 x"]);
        let asking = connection("host=a,b").unwrap().asking(&["echo".into(), "x".into()]).unwrap();
        assert_eq!(of(asking), ["a:5432 x", "b:5432 x"]);
        // Without a host: whichever directory the server was found in.
        disk::save(&file, b"localhost:*:*:*:of the machine\n").unwrap();
        let unnamed = connection(&format!("dbname=d passfile={}", file.display())).unwrap();
        assert!(
            unnamed
                .endpoints
                .iter()
                .all(|e| e.password.as_ref().is_some_and(|p| p.expose() == "of the machine"))
        );
    }

    #[test]
    fn a_broken_url_does_not_show_its_password() {
        let error = connection("postgres://u:s3cret@h:port/d").err().unwrap();
        assert!(!error.to_string().contains("s3cret"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn several_hosts_have_their_own_ports_or_one() {
        let ends = |written: &str| {
            let c = connection(written).map_err(|e| e.message)?;
            Ok::<_, String>(c.endpoints.iter().map(|e| e.place.clone()).collect::<Vec<_>>().join(" "))
        };
        for (written, expected) in [
            ("host=a,b port=1,2 dbname=d", Ok("a:1/d b:2/d")),
            ("host=a,b port=7 dbname=d", Ok("a:7/d b:7/d")),
            ("postgres://a:1,b/d", Ok("a:1/d b:5432/d")),
            ("postgres://a/d?hostaddr=192.0.2.6", Ok("a (192.0.2.6):5432/d")),
            ("hostaddr=192.0.2.6 dbname=d", Ok("192.0.2.6:5432/d")),
            ("postgres://u@/d?host=/sock", Ok("local socket/d")),
            (
                "host=a,b,c port=1,2",
                Err("failed to read the url: port: it has another number of entries than host"),
            ),
            ("host=a hostaddr=x", Err("failed to read the url: hostaddr: it is no address")),
        ] {
            assert_eq!(ends(written), expected.map(str::to_owned).map_err(str::to_owned), "{written}");
        }
    }

    #[test]
    fn a_verification_needs_what_it_verifies_by() {
        for (written, why) in [
            ("host=h sslmode=verify-full", "needs the root certificate"),
            ("host=h sslmode=require sslrootcert=system", "too weak"),
            ("host=h sslmode=on", "it is one of disable"),
            ("host=h sslcert=/c", "sslkey is missing"),
            ("host=h ssl_max_protocol_version=TLSv1.1", "neither is allowed"),
        ] {
            let e = connection(written).err().unwrap();
            assert!(e.message.contains(why) && e.exit_code() == 2, "{written}: {e}");
        }
        assert_eq!(connection("host=h sslrootcert=system").unwrap().tls.mode, Mode::VerifyFull);
    }

    #[test]
    fn options_of_two_origins_are_refused() {
        let with = |url: &str| read(Some(url), &variables(&[("PGOPTIONS", "-c a.b=1")]));
        assert!(with("postgres://h/d").is_ok());
        assert!(with("postgres://h/d?options=-c%20a.b%3D2").is_err());
    }
}
