//! Joins the parts: from a selected target to an engine that can look at it.

use crate::engine::port::reader::Fut;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use crate::dialect;
use crate::engine::gate::guard::Guard;
use crate::engine::journal::state;
use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::{EnvironmentMarker, Profile};
use crate::engine::model::query::AnySql;
use crate::engine::model::record::Operator;
use crate::engine::model::secret::Secret;
use crate::engine::model::target::{Environment, ServerInfo};
use crate::engine::plan::question::check_questions;
use crate::engine::port::adapters::{Adapters, FeatureAdapters};
use crate::engine::port::driver::Target;
use crate::engine::port::reader::{ReadOptions, Reader};
use crate::engine::{Engine, EngineParts};
use crate::features;
use crate::features::switchover::task::Rehearser;
use crate::profile::{Disk, Library, Selected, detect, generic};
use crate::rehearse::SwitchoverRehearsal;
use crate::sandbox::{self, CommandRunner, CopiedTarget, SandboxCopies};
use crate::store::{JournalCopyFiles, Keyring, SpoolFiles, StateFiles, state_dir};

/// The same as a boxed future: a rehearsal opens its copy through it.
fn connected(selected: Selected) -> Fut<'static, Result<Engine>> {
    Box::pin(connect(selected))
}

/// Connects, and finds out what the target is.
pub async fn connect(selected: Selected) -> Result<Engine> {
    check_questions(features::OPERATIONS, features::VERDICTS)?;
    let url = selected.url.as_ref().map(Secret::expose);
    let dialect = dialect::by_url(url)?;
    let Target { reader, writers, host, database } = dialect.connect(
        url,
        Duration::from_secs(selected.policy.silence_s.max(1).into()),
        &selected.config.password_command,
        selected.config.reader_login().as_ref(),
    )?;
    let server = reader.server().await?;
    let profile = profile(&*reader, &selected).await?;
    reader.set_search_path(&profile.search_path);
    let names = [host.as_str(), database.as_str(), selected.name.as_str()];
    let environment = match marker(&*reader, &profile).await {
        Ok(marker) => Environment::raised(
            Environment::resolve(selected.config.environment, server.marker, &names),
            marker,
        ),
        // A marker that cannot be understood is a doubt.
        Err(why) => (Environment::Production, Some(format!("{why}: treated as production"))),
    };
    let sandbox = sandbox::for_dialect(dialect.id(), copied(&selected, &server, &profile))?;
    let of_features = of_features(sandbox.switchovers, &selected, &profile);
    let journal = state::state(&*reader).await;
    Ok(Engine::new(EngineParts {
        journal,
        name: if selected.name.is_empty() { server.database.clone() } else { selected.name.clone() },
        environment,
        read_only: selected.config.read_only,
        files: Arc::new(Disk { base: selected.base.clone() }),
        facts: reader,
        copies: sandbox.copies,
        state: Arc::new(StateFiles::new(selected.state_dir.clone().or_else(state_dir))),
        profile,
        server,
        checks: features::CHECKS,
        verdicts: features::VERDICTS,
        operations: features::OPERATIONS,
        runners: features::RUNNERS,
        guard: Guard { policy: selected.policy.clone(), insecure: selected.config.insecure },
        window: selected.config.window.as_ref().map(|w| (w.start, w.end)),
        operator: operator(),
        adapters: Adapters {
            writers,
            spools: Arc::new(SpoolFiles),
            journal_copy: Arc::new(
                JournalCopyFiles::new(selected.state_dir.clone().or_else(state_dir))
                    .passing(key_file().is_some()),
            ),
            signer: Arc::new(keyring(selected.state_dir.clone())),
            backups: sandbox.backups,
            hooks: Arc::new(CommandRunner),
            sleep: |time| Box::pin(tokio::time::sleep(time)),
            of_features,
        },
        clock: Utc::now,
    }))
}

/// What its copies are made of.
fn copied(selected: &Selected, server: &ServerInfo, profile: &Profile) -> CopiedTarget {
    CopiedTarget {
        url: selected.url.clone(),
        password_command: selected.config.password_command.clone(),
        reader: selected.config.reader_login(),
        version: server.version.clone(),
        database: server.database.clone(),
        search_path: profile.search_path.clone(),
        backups: backup_dir(selected),
        extensions: selected.config.sandbox_extensions.clone(),
    }
}

/// What single features need: a copy on which a switchover is played through, where the dialect has one.
fn of_features(
    switchovers: Option<SandboxCopies>,
    selected: &Selected,
    profile: &Profile,
) -> FeatureAdapters {
    let Some(copies) = switchovers else { return FeatureAdapters::default() };
    let name = selected.config.profile.clone().unwrap_or_else(|| profile.name.clone());
    let stage = SwitchoverRehearsal::new(copies, selected.clone(), name, connected);
    FeatureAdapters::default().with::<Rehearser>(Arc::new(stage))
}

/// Where backups are written: the place that the environment names, else beside the state.
fn backup_dir(selected: &Selected) -> Option<PathBuf> {
    let named = std::env::var_os("BACKUP_DIR").filter(|d| !d.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(selected.state_dir.clone().or_else(state_dir)?.join("backups")))
}

/// The keys of this machine, in the state directory that is configured, else in the user's.
pub fn keyring(configured: Option<PathBuf>) -> Keyring {
    Keyring::new(configured.or_else(state_dir), key_file(), operator().to_string())
}

/// The file that the environment names for this installation's key.
fn key_file() -> Option<PathBuf> {
    std::env::var_os("MIDWATCH_KEY_FILE").filter(|f| !f.is_empty()).map(PathBuf::from)
}

/// Who is at the keys, as far as the machine knows; a name for the journal, not a proof.
fn operator() -> Operator {
    let user = ["USER", "LOGNAME"].iter().find_map(|v| std::env::var(v).ok().filter(|v| !v.is_empty()));
    let user = user.or_else(|| whoami::username().ok()).filter(|u| !u.is_empty());
    let user = user.unwrap_or_else(|| format!("uid {}", rustix::process::geteuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Operator { user, host }
}

/// What the profile's own marker says.
async fn marker(facts: &dyn Reader, profile: &Profile) -> std::result::Result<Option<Environment>, String> {
    let Some(EnvironmentMarker { setting, sql }) = &profile.environment else { return Ok(None) };
    let dialect = facts.dialect();
    let setting = setting.as_deref().map(|s| dialect.setting(s));
    let query = sql.as_deref().map(|s| dialect.words(s, 2));
    let mut found = None;
    for sql in setting.iter().map(AnySql::from).chain(query.iter().map(AnySql::from)) {
        let words = match facts.begin(ReadOptions::default()).await {
            Ok(mut tx) => tx.texts(sql).await,
            Err(e) => Err(e),
        };
        let words = words.map_err(|e| format!("the profile's environment marker: {}", e.message))?;
        if words.len() > 1 {
            return Err("the profile's environment marker: its query gives several rows".into());
        }
        let Some(word) = words.into_iter().flatten().find(|w| !w.is_empty()) else { continue };
        let environment = Environment::parse(&word).ok_or_else(|| {
            format!("the profile's environment marker says {word:?}, which is no environment")
        })?;
        found = found.max(Some(environment));
    }
    Ok(found)
}

async fn profile(facts: &dyn Reader, selected: &Selected) -> Result<Profile> {
    let config = &selected.config;
    let by_flag = config.profile.as_deref().filter(|_| config.profile_by_flag);
    let library = Library::new(&selected.base, features::VERDICTS).using(&config.profiles, by_flag);
    let mut profile = match &selected.config.profile {
        Some(name) => library.load(name)?,
        None => match detect(facts, &library).await? {
            Some(found) => found,
            None => generic(facts).await?,
        },
    };
    if let (Some(path), Some(first)) = (&selected.config.migrations, profile.migrations.first_mut()) {
        first.folder = Some(path.clone());
    }
    settle_sources(facts, &mut profile).await?;
    Ok(profile)
}

/// Chooses each source's form by what is in this database.
async fn settle_sources(facts: &dyn Reader, profile: &mut Profile) -> Result<()> {
    for source in profile.sources.values_mut() {
        let (Some(relation), Some(sql)) = (&source.when_exists, &source.sql_when_exists) else { continue };
        let mut tx = facts.begin(ReadOptions::default()).await?;
        if facts.dialect().exists(&mut *tx, &Relation::parse(relation)).await? {
            source.sql.clone_from(sql);
        }
    }
    Ok(())
}
