//! PostgreSQL's servers, and what prepares them for the suite.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use midwatch::dialect::postgres::owner::Owner;
use midwatch::dialect::postgres::{Connection, PgReader};
use midwatch::engine::Engine;
use midwatch::sandbox::{Options, Server};
use serde_json::Value;

use crate::common::{binaries_18, engine, shared_server};

static EIGHTEEN: OnceLock<Server> = OnceLock::new();

/// An empty database on a server.
#[derive(Clone)]
pub(crate) struct Side {
    server: &'static Server,
    database: String,
}

/// A run as a test wants it in the journal.
pub(crate) struct Planted<'a> {
    pub(crate) operation: &'a str,
    pub(crate) plan: &'a Value,
    pub(crate) outcome: &'a str,
    pub(crate) resumable: bool,
    pub(crate) applied: i64,
    pub(crate) undoes: Option<&'a str>,
}

impl Side {
    pub(crate) async fn fifteen() -> Self {
        let server = shared_server();
        assert_eq!(
            server.binaries().version.major,
            15,
            "MIDWATCH_PG_BIN must name the programs of PostgreSQL 15"
        );
        Self::on(server).await
    }

    pub(crate) async fn eighteen() -> Self {
        let start = || {
            let binaries = Some(binaries_18());
            Server::start_blocking(Options { memory: true, binaries, ..Options::default() })
        };
        let server = EIGHTEEN.get_or_init(|| start().expect("a private PostgreSQL 18"));
        let version = server.owner("postgres").await.unwrap().fetch_value("show server_version", &[]).await;
        assert!(version.unwrap().unwrap().starts_with("18."));
        Self::on(server).await
    }

    async fn on(server: &'static Server) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let database = format!("d{}", NEXT.fetch_add(1, Ordering::Relaxed));
        server.create_database(&database, None).await.unwrap();
        Self { server, database }
    }

    /// Another empty database on the same server.
    pub(crate) async fn beside(&self) -> Self {
        Self::on(self.server).await
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(&self.database)
    }

    pub(crate) fn reader(&self) -> PgReader {
        PgReader::new(Connection::new(Some(&self.url())).unwrap())
    }

    /// As a role that has been granted nothing, made for it.
    pub(crate) async fn stranger(&self) -> (String, PgReader) {
        let role = format!("stranger_{}", self.database);
        self.run(&[format!("create role {role} login")]).await;
        let url = self.server.url(&self.database);
        let (_, rest) = url.split_once('@').unwrap();
        (role.clone(), PgReader::new(Connection::new(Some(&format!("postgres://{role}@{rest}"))).unwrap()))
    }

    /// Of a database that is not there.
    pub(crate) fn nowhere(&self) -> PgReader {
        PgReader::new(Connection::new(Some(&self.server.url("nowhere"))).unwrap())
    }

    pub(crate) async fn engine(&self) -> Engine {
        self.engine_with("name = \"p\"\n").await
    }

    /// With this profile.
    pub(crate) async fn engine_with(&self, profile: &str) -> Engine {
        engine(&self.url(), profile).await
    }

    pub(crate) async fn owner(&self) -> Owner {
        self.server.owner(&self.database).await.unwrap()
    }

    pub(crate) async fn run(&self, statements: &[String]) {
        let mut owner = self.owner().await;
        owner.execute_script(&statements.join(";\n")).await.unwrap();
    }

    /// Puts a run into the journal, without entries; its number.
    pub(crate) async fn plant(&self, run: &Planted<'_>) -> String {
        let insert = "insert into midwatch.runs (operation, name, target, plan, plan_text, digest, operator, fence, planned, \
                      outcome, resumable, applied, undoes) values ($1, 'x', 'test', $2::jsonb, $2, 'd', 'kim', 0, 1, $3, $4::bool, \
                      $5::bigint, nullif($6, '')::bigint) returning id::text";
        let (plan, applied) = (run.plan.to_string(), run.applied.to_string());
        let resumable = run.resumable.to_string();
        let params =
            [run.operation, &plan, run.outcome, &resumable, &applied, run.undoes.unwrap_or_default()];
        let mut owner = self.owner().await;
        owner.fetch_value(insert, &params).await.unwrap().unwrap()
    }

    /// What somebody did to the journal.
    pub(crate) async fn alter(&self, what: Alteration) {
        let sql = match what {
            Alteration::NewerFile => {
                "insert into midwatch.migrations (folder, file, checksum, normalised) values ('midwatch', '099_later.sql', '', '')"
            }
            Alteration::TableDropped => "drop table midwatch.marks cascade",
            Alteration::RowOfRun => "update midwatch.runs set applied = applied + 5",
            Alteration::PlanOfRun => {
                "update midwatch.runs set plan_text = replace(plan_text, '\"frozen\":false', '\"frozen\":true')"
            }
        };
        self.run(&[sql.to_owned()]).await;
    }
}

/// How a journal is altered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Alteration {
    /// A later version has added a file.
    NewerFile,
    /// A table is gone.
    TableDropped,
    /// The row of every run says that it changed more.
    RowOfRun,
    /// The plan of every run is another.
    PlanOfRun,
}
