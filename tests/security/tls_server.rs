//! A server that is reached over TCP, with TLS under certificates that are made for it.

use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use midwatch::sandbox::{Options, Server};
use tempfile::TempDir;

/// The server, its address, and its certificates.
pub(crate) struct TlsServer {
    pub(crate) server: Server,
    pub(crate) address: String,
    /// `ca.crt`; `other.crt`, which has issued nothing; `revoked.crl`, `empty.crl`, `expired.crl`; `client.crt`, `client.key`.
    pub(crate) files: TempDir,
}

/// Of this process alone: the whole of 127/8 is loopback.
fn address(number: u8) -> Ipv4Addr {
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 77 + number, high, low.clamp(1, 254))
}

/// In it, so that no file needs a path.
pub(crate) fn openssl(dir: &Path, args: &str) {
    let output = Command::new("openssl").current_dir(dir).args(args.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).unwrap();
}

/// A certificate of `ca`, named `name`, for `subject` and these further names.
pub(crate) fn issue(dir: &Path, name: &str, subject: &str, names: &str, dates: &str) {
    write(dir, "ext", &format!("subjectAltName={names}\n"));
    openssl(
        dir,
        &format!("req -new -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj {subject}"),
    );
    openssl(
        dir,
        &format!("ca -batch -config ca.cnf -in {name}.csr -out {name}.crt -extfile ext -notext {dates}"),
    );
}

fn authority(dir: &Path) {
    for name in ["ca", "other"] {
        openssl(
            dir,
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -days 30 -subj /O=midwatch/CN={name}"
            ),
        );
    }
    write(dir, "index", "");
    write(dir, "serial", "01\n");
    write(dir, "number", "01\n");
    write(
        dir,
        "ca.cnf",
        "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\ncrlnumber=number\nnew_certs_dir=.\ncertificate=ca.crt\n\
         private_key=ca.key\ndefault_md=sha256\ndefault_days=30\ndefault_crl_days=30\npolicy=p\nunique_subject=no\n\
         [p]\ncommonName=supplied\n",
    );
}

impl TlsServer {
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<TlsServer> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(0, "server"))
    }

    /// On an address of its own; it shows this certificate.
    pub(crate) fn start(number: u8, shows: &'static str) -> Self {
        // Not within the runtime of a test.
        std::thread::spawn(move || Self::made(number, shows)).join().unwrap()
    }

    fn made(number: u8, shows: &str) -> Self {
        let files = tempfile::tempdir().unwrap();
        let (dir, address) = (files.path(), address(number).to_string());
        authority(dir);
        issue(dir, "server", "/CN=db.example", &format!("DNS:db.example,IP:{address}"), "");
        issue(
            dir,
            "expired",
            "/CN=db.example",
            "DNS:db.example",
            "-startdate 20200101000000Z -enddate 20200201000000Z",
        );
        issue(dir, "client", "/CN=certified", "DNS:certified", "");
        openssl(dir, "ca -config ca.cnf -gencrl -out empty.crl");
        openssl(
            dir,
            "ca -config ca.cnf -gencrl -out expired.crl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z",
        );
        openssl(dir, "ca -config ca.cnf -revoke server.crt");
        openssl(dir, "ca -config ca.cnf -gencrl -out revoked.crl");
        let settings = vec![("listen_addresses".into(), address.clone())];
        let options = Options { memory: true, settings, ..Options::default() };
        let server = Server::start_blocking(options).unwrap();
        let this = Self { server, address, files };
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            this.server.create_database("d", None).await.unwrap();
            this.present(shows).await;
            let mut owner = this.server.owner("postgres").await.unwrap();
            owner
                .execute_script(
                    "create role passworded login password 's3cr3t'; create role clear_text login password 's3cr3t'; create role certified login; create role clear login;
                     create role encrypted login",
                )
                .await
                .unwrap();
        });
        this
    }

    /// The server shows this certificate from now on.
    async fn present(&self, name: &str) {
        let dir = self.data();
        for kind in ["crt", "key"] {
            self.hand_over(
                &self.files.path().join(format!("{name}.{kind}")),
                &dir.join(format!("{name}.{kind}")),
            );
        }
        self.hand_over(&self.files.path().join("ca.crt"), &dir.join("ca.crt"));
        std::fs::write(
            dir.join("pg_hba.conf"),
            "local all clear_text password\nlocal all all trust\nhostssl all certified all cert\nhostssl all encrypted all trust\nhostnossl all clear all trust\n\
             host all passworded all scram-sha-256\nhost all clear_text all password\nhost all keeper all trust\n",
        )
        .unwrap();
        let mut owner = self.server.owner("postgres").await.unwrap();
        for (setting, value) in [
            ("ssl", "on"),
            ("ssl_cert_file", &format!("{name}.crt")),
            ("ssl_key_file", &format!("{name}.key")),
            ("ssl_ca_file", "ca.crt"),
        ] {
            owner.execute_script(&format!("alter system set {setting} = '{value}'")).await.unwrap();
        }
        owner.execute_script("select pg_reload_conf()").await.unwrap();
        let shown = || self.psql("user=keeper dbname=postgres sslmode=require", &[]);
        crate::common::eventually("TLS", std::time::Duration::from_secs(10), || shown().is_ok());
    }

    fn data(&self) -> PathBuf {
        self.server.socket_dir().parent().unwrap().join("data")
    }

    /// A copy that the server's account alone may read.
    fn hand_over(&self, from: &Path, to: &Path) {
        std::fs::copy(from, to).unwrap();
        std::fs::set_permissions(to, std::fs::Permissions::from_mode(0o600)).unwrap();
        let owner = std::fs::metadata(self.data()).unwrap();
        chown(to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    /// What `psql` connects to and over what, or what it says; `hostaddr` is the server's unless given.
    pub(crate) fn psql(&self, parameters: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        Self::said_by_psql(&mut self.psql_command(parameters, environment))
    }

    pub(crate) fn psql_command(&self, parameters: &str, environment: &[(&str, &str)]) -> Command {
        let sql = "select current_user || ' ' || current_database() || ' ' || \
                   case when ssl then version else 'plain' end from pg_stat_ssl where pid = pg_backend_pid()";
        let mut command = Command::new("psql");
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.files.path());
        command.envs(self.placed(environment));
        command.args(["-XAtw", "-c", sql, "-d", &self.full(parameters)]);
        command
    }

    pub(crate) fn said_by_psql(command: &mut Command) -> Result<String, String> {
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The same of the program.
    pub(crate) fn midwatch(&self, parameters: &str, environment: &[(&str, &str)]) -> Result<String, String> {
        Self::said_by_midwatch(&mut self.midwatch_command(parameters, environment))
    }

    pub(crate) fn midwatch_command(&self, parameters: &str, environment: &[(&str, &str)]) -> Command {
        let mut command = crate::common::midwatch(self.files.path());
        command.envs(self.placed(environment)).env("DATABASE_URL", self.full(parameters));
        command.args(["doctor", "--json"]);
        command
    }

    pub(crate) fn said_by_midwatch(command: &mut Command) -> Result<String, String> {
        let run = crate::common::run(command);
        assert!(!format!("{run:?}").contains("s3cr3t"), "{run:?}");
        let json = run.json().to_string();
        let after = |mark: &str| {
            let rest = json.split_once(mark)?.1;
            Some(rest.split([',', '"']).next().unwrap_or_default().trim().to_owned())
        };
        let Some(transport) = after("connection: ") else {
            let json = run.json();
            let about_target =
                |c: &&serde_json::Value| c["name"].as_str().is_some_and(|n| n.starts_with("target"));
            let why = json["doctor"].as_array().and_then(|checks| checks.iter().find(about_target));
            return Err(
                why.map_or_else(|| format!("{run:?}"), |c| format!("{}: {}", c["message"], c["hint"]))
            );
        };
        let transport = match transport.strip_prefix("TLS ") {
            Some(version) => format!("TLSv{version}"),
            None => "plain".to_owned(),
        };
        let database = after(" at ").unwrap().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(format!("{} {database} {transport}", after(", role ").unwrap()))
    }

    /// The same command where this text stands in a file of the machine, and without `HOME` if asked; `None` where this
    /// account may not mount.
    pub(crate) fn with_file(&self, command: &Command, over: &str, text: &str, home: bool) -> Option<Command> {
        let file = self.files.path().join(over.replace('/', "_"));
        std::fs::write(&file, text).unwrap();
        let mounted = format!("mount --bind {} {over}", file.display());
        let mut probe = Command::new("unshare");
        if !probe.args(["-m", "sh", "-c", &mounted]).output().is_ok_and(|o| o.status.success()) {
            eprintln!("skipped: this account cannot mount a file over {over}");
            return None;
        }
        let unset = if home { "" } else { "unset HOME; " };
        let mut out = Command::new("unshare");
        out.args(["-m", "sh", "-c", &format!("{mounted} && {unset}exec \"$@\""), "sh"]);
        out.arg(command.get_program()).args(command.get_args()).env_clear();
        out.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        out.current_dir(self.files.path()).stdin(std::process::Stdio::null());
        Some(out)
    }

    fn replaced(&self, text: &str) -> String {
        let dir = self.files.path().to_string_lossy();
        let sock = self.server.socket_dir().to_string_lossy().into_owned();
        text.replace("$A", &self.address).replace("$D", &dir).replace("$S", &sock)
    }

    fn placed<'e>(&self, environment: &[(&'e str, &str)]) -> Vec<(&'e str, String)> {
        environment.iter().map(|(name, value)| (*name, self.replaced(value))).collect()
    }

    /// `hostaddr` where nothing says where the server is; `$A` is its address, `$D` the directory of files.
    pub(crate) fn full(&self, parameters: &str) -> String {
        let text = self.replaced(parameters);
        let placed =
            text.contains("://") || ["host=", "hostaddr=", "service="].iter().any(|p| text.contains(p));
        if placed { text } else { format!("hostaddr={} {text}", self.address) }
    }
}
