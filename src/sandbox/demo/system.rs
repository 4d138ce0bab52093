//! One demo system: its migrations, its data, its planted problems.

use std::fmt::Write;

use include_dir::{Dir, include_dir};

use crate::sandbox::demo::traffic::Traffic;

use crate::dialect::postgres::journal::install;
use crate::dialect::postgres::owner::Owner;
use crate::engine::model::error::{Error, Result};
use crate::sandbox::Server;

static MIGRATIONS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations");

/// Fewer rows than this leave no room for every kind of plant.
pub const LEAST_ROWS: u64 = 1_000;

/// What was planted: `{check id: {finding: {"rows": n, "keys": […]}}}`.
pub type Manifest = serde_json::Value;

/// A system of the demo; a new one is an entry in [`ALL`].
#[derive(Debug)]
pub struct System {
    /// Its target, database, profile and folder of migrations.
    pub name: &'static str,
    /// Files from this name on are left pending.
    pending_from: Option<&'static str>,
    /// Does it record what was applied?
    history: bool,
    /// Roles its migrations need.
    roles: &'static [&'static str],
    /// Run in one transaction; the last leaves `demo_load.manifest`.
    load: &'static [&'static str],
    /// Its applications at work.
    pub(super) traffic: fn(&mut Traffic, &Server),
}

/// Every system of the demo.
pub const ALL: &[System] = &[
    System {
        name: "hithonix",
        pending_from: Some("018"),
        history: false,
        roles: &["hithonix_worker"],
        load: &[
            include_str!("hithonix/plan.sql"),
            include_str!("hithonix/events.sql"),
            include_str!("hithonix/status.sql"),
            include_str!("hithonix/manifest.sql"),
        ],
        traffic: Traffic::hithonix,
    },
    System {
        name: "hospitality",
        pending_from: None,
        history: true,
        roles: &[],
        load: &[include_str!("hospitality/load.sql"), include_str!("hospitality/plants.sql")],
        traffic: Traffic::hospitality,
    },
];

impl System {
    /// By name.
    pub fn named(name: &str) -> Result<&'static Self> {
        let known = || ALL.iter().map(|system| system.name).collect::<Vec<_>>().join(", ");
        ALL.iter().find(|system| system.name == name).ok_or_else(|| {
            Error::usage(format!("failed to find the demo system `{name}`"))
                .hint(format!("known: {}", known()))
        })
    }

    /// Its migration files in order: name and text.
    pub fn migrations(&self) -> Vec<(&'static str, &'static str)> {
        let files = MIGRATIONS.get_dir(self.name).into_iter().flat_map(Dir::files);
        let named = files.filter_map(|file| {
            let name = file.path().file_name()?.to_str()?;
            let is_sql = file.path().extension().is_some_and(|extension| extension == "sql");
            is_sql.then_some((name, file.contents_utf8()?))
        });
        let mut files: Vec<_> = named.collect();
        files.sort_unstable();
        files
    }

    fn split(&self) -> (Vec<(&'static str, &'static str)>, Vec<&'static str>) {
        let runs = |(name, _): &(&str, &str)| self.pending_from.is_none_or(|from| *name < from);
        let (run, pending): (Vec<_>, Vec<_>) = self.migrations().into_iter().partition(runs);
        (run, pending.into_iter().map(|(name, _)| name).collect())
    }
}

/// Builds the system in an empty database: migrations, exactly `rows` rows in its largest tables, plants.
pub async fn load_system(server: &Server, database: &str, system: &System, rows: u64) -> Result<Manifest> {
    if rows < LEAST_ROWS {
        return Err(Error::usage(format!(
            "failed to load {rows} rows: the demo needs at least {LEAST_ROWS}"
        )));
    }
    let mut owner = server.owner(database).await?;
    let outcome = load(&mut owner, database, system, rows).await;
    owner.close().await;
    outcome.map_err(|e| e.context(format!("failed to load the demo system {}", system.name)))
}

async fn load(owner: &mut Owner, database: &str, system: &System, rows: u64) -> Result<Manifest> {
    for role in system.roles {
        ensure_role(owner, role).await?;
    }
    let (applied, pending) = system.split();
    for (name, sql) in &applied {
        owner.execute_script(sql).await.map_err(|e| e.context(name))?;
    }
    if system.history {
        record_history(owner, &applied).await?;
    }
    let mut script =
        format!("SET LOCAL demo.rows = '{rows}'; SET LOCAL demo.pending = '{}';\n", pending.join(","));
    for part in system.load {
        script.push_str(part);
    }
    owner.execute_script(&script).await?;
    for sql in journal()? {
        owner.execute_script(&sql).await?;
    }
    let text = owner.fetch_value("SELECT body::text FROM demo_load.manifest", &[]).await?.unwrap_or_default();
    let quoted = crate::dialect::postgres::owner::quote(database);
    owner
        .execute_script(&format!(
            "DROP SCHEMA demo_load CASCADE; ALTER DATABASE {quoted} SET midwatch.environment = 'demo';"
        ))
        .await?;
    serde_json::from_str(&text).map_err(|e| Error::unobserved(format!("failed to read the manifest: {e}")))
}

/// The statements of `init`: a demo's operator would have run it.
fn journal() -> Result<Vec<String>> {
    install::statements()
}

/// Roles belong to the whole server: the same system may be loaded twice on it, even at once.
async fn ensure_role(owner: &mut Owner, role: &str) -> Result<()> {
    let quoted = crate::dialect::postgres::owner::quote(role);
    owner
        .execute_script(&format!(
            "DO $$ BEGIN CREATE ROLE {quoted} LOGIN; \
             EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        ))
        .await
}

async fn record_history(owner: &mut Owner, applied: &[(&str, &str)]) -> Result<()> {
    let mut sql = String::from(
        "CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());\n",
    );
    for (i, (name, _)) in applied.iter().enumerate() {
        let version = name.trim_end_matches(".sql");
        let _ = writeln!(
            sql,
            "INSERT INTO schema_migrations VALUES ('{version}', now() - interval '{} days');",
            90 - 30 * i.min(2)
        );
    }
    owner.execute_script(&sql).await
}
