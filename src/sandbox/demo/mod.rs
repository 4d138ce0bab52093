//! The demo: private servers with copies of the systems, data, planted problems and traffic.

mod system;
mod traffic;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::future::try_join_all;
use serde::Serialize;

pub use system::{ALL, LEAST_ROWS, Manifest, System, load_system};
pub use traffic::Traffic;

use crate::disk;
use crate::engine::model::error::{Class, Error, Result};
use crate::sandbox::{Binaries, Options, Server};

/// What to start.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Holds everything; emptied on leaving. `None`: a temporary one.
    pub dir: Option<PathBuf>,
    /// In each system's largest tables.
    pub rows: u64,
    /// Do the applications go on working?
    pub traffic: bool,
    /// `None`: found on this machine.
    pub binaries: Option<Binaries>,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self { dir: None, rows: 50_000, traffic: true, binaries: None }
    }
}

/// Told what is being done, in a few words.
pub type DemoProgress = Arc<dyn Fn(&str) + Send + Sync>;

/// A running demo; dropping it ends it and clears its directory.
#[derive(Debug)]
pub struct Demo {
    // Before the server: traffic ends first.
    traffic: Traffic,
    server: Server,
    manifest: Manifest,
}

impl Demo {
    /// Starts the server, loads every system, writes the configuration and the manifest.
    pub async fn start(options: DemoOptions, progress: DemoProgress) -> Result<Self> {
        if options.rows < LEAST_ROWS {
            return Err(Error::usage(format!(
                "failed to start a demo of {} rows: it needs at least {LEAST_ROWS}",
                options.rows
            )));
        }
        progress("starting a private PostgreSQL server");
        let server = Server::start(Options {
            dir: options.dir,
            binaries: options.binaries,
            settings: settings(),
            ..Options::default()
        })
        .await?;
        let manifest = load_all(&server, options.rows, &progress).await?;
        write_files(&server, &manifest)?;
        let mut traffic = Traffic::default();
        if options.traffic {
            for system in ALL {
                (system.traffic)(&mut traffic, &server);
            }
        }
        progress("ready");
        Ok(Self { traffic, server, manifest })
    }

    /// For `--config`.
    pub fn config_file(&self) -> PathBuf {
        self.server.dir().join("midwatch.toml")
    }

    /// Holds everything of the demo.
    pub fn dir(&self) -> &Path {
        self.server.dir()
    }

    /// Its PostgreSQL server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What was planted, by system, check and finding.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Ends everything and clears the directory.
    pub async fn stop(mut self) -> Result<()> {
        self.traffic.stop().await;
        self.server.stop().await
    }
}

/// A bulk load should not wait for checkpoints.
fn settings() -> Vec<(String, String)> {
    [("shared_buffers", "256MB"), ("max_wal_size", "4GB"), ("checkpoint_timeout", "30min")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

async fn load_all(server: &Server, rows: u64, progress: &DemoProgress) -> Result<Manifest> {
    for system in ALL {
        server.create_database(system.name, None).await?;
    }
    let parts = try_join_all(ALL.iter().map(|system| async move {
        progress(&format!("loading {}: {rows} rows", system.name));
        let part = load_system(server, system.name, system, rows).await?;
        progress(&format!("loaded {}", system.name));
        Ok::<_, Error>((system.name.to_owned(), part))
    }))
    .await?;
    Ok(Manifest::Object(parts.into_iter().collect()))
}

#[derive(Serialize)]
struct Config {
    default_target: &'static str,
    state_dir: &'static str,
    targets: toml::map::Map<String, toml::Value>,
}

#[derive(Serialize)]
struct Target {
    url: String,
    profile: &'static str,
    environment: &'static str,
    migrations: String,
}

fn write_files(server: &Server, manifest: &Manifest) -> Result<()> {
    let root = server.dir();
    let mut targets = toml::map::Map::new();
    for system in ALL {
        let folder = root.join("migrations").join(system.name);
        disk::directory(&folder).map_err(|e| failed(&folder, &e))?;
        for (name, text) in system.migrations() {
            write(&folder.join(name), text)?;
        }
        let target = Target {
            url: server.url(system.name),
            profile: system.name,
            environment: "demo",
            migrations: folder.to_string_lossy().into_owned(),
        };
        let value = toml::Value::try_from(target).map_err(|e| failed(&folder, &e))?;
        targets.insert(system.name.to_owned(), value);
    }
    let default_target = ALL.first().map_or("", |system| system.name);
    let config = Config { default_target, state_dir: "state", targets };
    let config = toml::to_string(&config).map_err(|e| failed(root, &e))?;
    let manifest = serde_json::to_string_pretty(manifest).map_err(|e| failed(root, &e))?;
    write(&root.join("manifest.json"), &manifest)?;
    write(&root.join("midwatch.toml"), &config)
}

fn write(path: &Path, text: &str) -> Result<()> {
    disk::save(path, text.as_bytes()).map_err(|e| failed(path, &e))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(Class::Unobserved, format!("failed to write {}: {error}", path.display()))
}
