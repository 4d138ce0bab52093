//! A private server for definitions and rows of others. All of theirs runs in sessions that logged in as the `tenant`, a
//! role without a privilege of the server: SET ROLE would be no barrier, since their functions could take it back.
//!
//! The superuser's session stays in database `postgres`: planning a query on a table of others runs their functions. It
//! is in the tenant's database once, while that is empty, to make the extensions; then the server's own rules keep it out.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;

use crate::dialect::postgres::Connection;
use crate::dialect::postgres::owner::{Login, Owner};
use crate::disk;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::name::{Ident, literal};
use crate::engine::model::secret::Secret;
use crate::sandbox::postgres::binaries::{Binaries, Version};
use crate::sandbox::postgres::extensions::{self, Extension};
use crate::sandbox::postgres::roles::{EXCESS, Made, TargetRoles};
use crate::sandbox::postgres::server::{Access, Options, PASSWORD, Server};
use crate::sandbox::postgres::start::HandedFile;
use crate::sandbox::secrets::random;

/// The tenant's database.
pub(super) const DATABASE: &str = "rehearsal";

/// What is wanted of the server.
pub(super) struct TenantOptions<'a> {
    pub(super) binaries: Binaries,
    /// In memory where there is room.
    pub(super) memory: bool,
    pub(super) roles: &'a TargetRoles,
    pub(super) extensions: &'a [Extension],
    /// Extensions that the operator allows.
    pub(super) named: &'a [String],
    /// To read every row of a restored backup.
    pub(super) bypass_rls: bool,
}

/// The server; it stops and its directory goes when this is dropped.
#[derive(Debug)]
pub(super) struct TenantServer {
    server: Server,
    tenant: Login,
    makers: String,
    /// Extensions that were not made, each with its reason.
    pub(super) left_out: Vec<String>,
}

impl TenantServer {
    /// A server with the target's roles, its extensions as far as they are allowed, and nothing else in it.
    pub(super) async fn start(options: TenantOptions<'_>) -> Result<Self> {
        // There are few rows: compiling a statement over thousands of partitions takes longer than running it. What
        // autovacuum does it does as a superuser that becomes the table's owner: nothing here needs it.
        let settings = [
            ("max_locks_per_transaction", "1024"),
            ("jit", "off"),
            ("autovacuum", "off"),
            ("max_logical_replication_workers", "0"),
            ("max_wal_senders", "0"),
            ("temp_file_limit", "8GB"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        let server = Server::start(Options {
            dir: None,
            memory: options.memory,
            binaries: Some(options.binaries.clone()),
            access: Access::Foreign,
            settings,
        })
        .await?;
        let tenant = Login {
            role: format!("tenant_{}", random::<8>()?),
            password: Some(Secret::new(random::<PASSWORD>()?)),
            unprivileged: true,
        };
        let makers = format!("makers_{}", random::<8>()?);
        let mut made = Self { server, tenant, makers, left_out: vec![] };
        made.prepare(&options).await?;
        made.seal().await?;
        Ok(made)
    }

    /// Roles and the database from outside, extensions from inside. A rehearsal's run looks at the server's load.
    async fn prepare(&mut self, options: &TenantOptions<'_>) -> Result<()> {
        let (tenant, makers) = (Ident(&self.tenant.role), Ident(&self.makers));
        let password = self.tenant.password.as_ref().map_or("", Secret::expose);
        let rls = if options.bypass_rls { " bypassrls" } else { "" };
        let mut script = format!(
            "create role {tenant} login password {}{rls}; create role {makers}; grant pg_read_all_stats to {tenant}; \
             revoke all on database postgres, template1 from public; ",
            literal(password)
        );
        // It silences triggers and foreign keys of the copy, and nothing else.
        if self.version().major >= 15 {
            let _ = write!(script, "grant set on parameter session_replication_role to {tenant}; ");
        }
        let made = Made { tenant: &self.tenant.role, makers: &self.makers, bypass_rls: options.bypass_rls };
        script.push_str(&options.roles.script(&made));
        let mut owner = self.server.owner("postgres").await?;
        owner.execute_script(&script).await?;
        if let Some(excess) = owner.fetch_value(EXCESS, &[&self.tenant.role]).await? {
            let text =
                format!("failed to prepare a private server: what runs there would be a member of {excess}");
            return Err(Error::unobserved(text));
        }
        let of = options.roles.owner().unwrap_or(&self.tenant.role);
        owner
            .execute_script(&format!("create database {DATABASE} owner {} template template0", Ident(of)))
            .await?;
        owner.execute_script(&format!("grant create on database {DATABASE} to {makers}")).await?;
        owner.close().await;
        if !options.extensions.is_empty() {
            let mut inside = self.server.owner(DATABASE).await?;
            self.left_out = extensions::make(&mut inside, options.extensions, options.named).await?;
            inside.close().await;
        }
        Ok(())
    }

    /// From here on the server itself refuses the superuser in the tenant's database, and the tenant elsewhere.
    async fn seal(&self) -> Result<()> {
        let file = self.server.access_file();
        let rules = format!(
            "local {DATABASE} \"{}\" scram-sha-256\nlocal postgres \"{}\" scram-sha-256\n",
            self.tenant.role,
            self.server.user()
        );
        disk::rewrite(&file, rules.as_bytes())
            .map_err(|e| Error::unobserved(format!("failed to write {}: {e}", file.display())))?;
        let mut owner = self.server.owner("postgres").await?;
        owner.fetch_value("select pg_reload_conf()::text", &[]).await?;
        owner.close().await;
        Ok(())
    }

    /// A session of the tenant.
    pub(super) async fn session(&self) -> Result<Owner> {
        Owner::log_in(&self.server.socket_dir(), &self.tenant, DATABASE).await
    }

    /// The tenant's way in, with its password.
    pub(super) fn url(&self) -> Secret {
        self.server.url_of(&self.tenant, DATABASE)
    }

    /// One of the server's own programs, on the tenant's database. Its environment has the password of the tenant, who is
    /// nobody anywhere else and is gone with the server.
    pub(super) fn program(&self, name: &str) -> Result<Command> {
        let mut command = self.server.binaries().command(name);
        command.envs(Connection::new(Some(self.url().expose()))?.libpq());
        command.envs(self.tenant.password.as_ref().map(|p| ("PGPASSWORD", p.expose())));
        command.env("PGOPTIONS", "-c client_min_messages=error");
        Ok(command)
    }

    /// Owners of things may make them in every schema there is: see [`Made`].
    pub(super) async fn open_schemas(&self) -> Result<()> {
        let block = format!(
            "declare s name; begin for s in select nspname from pg_catalog.pg_namespace \
             where nspname !~ '^pg_' and nspname <> 'information_schema' loop begin \
             execute pg_catalog.format('grant create on schema %I to %I', s, {}); \
             exception when insufficient_privilege then null; end; end loop; end",
            literal(&self.makers)
        );
        let mut session = self.session().await?;
        session.execute_script(&format!("do {}", literal(&block))).await?;
        session.close().await;
        Ok(())
    }

    /// A directory for files that hold what is the target's: ours alone.
    pub(super) fn files(&self) -> PathBuf {
        self.server.files()
    }

    /// A file for a program that is [shut in](Self::shut_in).
    pub(super) fn hand_over(&self, name: &str, text: &str) -> Result<HandedFile> {
        self.server.hand_over(name, text)
    }

    /// See [`Server::shut_in`].
    pub(super) fn shut_in(&self, command: &Command) -> Command {
        self.server.shut_in(command)
    }

    pub(super) fn binaries(&self) -> &Binaries {
        self.server.binaries()
    }

    pub(super) fn version(&self) -> Version {
        self.server.version()
    }
}
