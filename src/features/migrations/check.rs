//! What each migration file's state is, from the history its tool keeps and from the catalog.
//!
//! What a history cannot tell is said to be unknown, never guessed.

use std::time::Duration;

use crate::engine::check::kind::{Check, CheckCx, CheckSpec};
use crate::engine::journal::overtaken::{self, ChangedNames};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::param::Params;
use crate::engine::model::profile::{HistoryKind, MigrationFolder, Profile};
use crate::engine::model::report::{CheckId, Report};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadOptions, ReadTx, Snapshot};
use crate::features::migrations::facts::MigrationFacts;
use crate::features::migrations::history::AppliedWhen;
use crate::features::migrations::presence::CreatedObjects;
use crate::features::migrations::sql::MigrationSql;
use crate::features::migrations::{dialects, files, history, indexes, judge, presence, texts};

pub(crate) struct MigrationsCheck;

static SPEC: CheckSpec = CheckSpec {
    kind: crate::features::migrations::facts::KIND,
    title: "Migrations",
    about: "migration files against their history and the catalog; invalid indexes",
    every: Duration::from_secs(30),
    params: &[],
};

impl Check for MigrationsCheck {
    fn spec(&self) -> &'static CheckSpec {
        &SPEC
    }

    fn names(&self, profile: &Profile) -> Vec<String> {
        profile.migrations.iter().map(|m| m.name.clone()).collect()
    }

    // A history has its tool's usual name where the profile gives none.
    fn reads(&self, dialect: &dyn Dialect, profile: &Profile) -> Vec<String> {
        let Ok(sql) = dialects::sql(dialect) else { return vec![] };
        profile.migrations.iter().map(|m| sql.default_table(m.history).to_owned()).collect()
    }

    fn observe<'a>(
        &'a self,
        cx: &'a CheckCx<'a>,
        id: &'a CheckId,
        _params: &'a Params,
    ) -> Fut<'a, Result<Report>> {
        Box::pin(async move {
            let position = cx.profile.migrations.iter().position(|m| m.name == id.name);
            let Some((position, folder)) = position.zip(position.and_then(|p| cx.profile.migrations.get(p)))
            else {
                return Err(Error::usage(format!("no migration folder {}", id.name)));
            };
            observe(cx, id, folder, position == 0).await
        })
    }
}

/// What the journal adds to the catalog's own answer; nothing where there is none. One that cannot be read is an error.
async fn changed_names(cx: &CheckCx<'_>, tx: &mut dyn ReadTx) -> Result<ChangedNames> {
    let state = cx.dialect().state(tx).await?;
    match (&state, state.unread()) {
        (_, Some(why)) => Err(Error::unobserved(why)),
        (JournalState::Missing { .. }, _) => Ok(ChangedNames::default()),
        _ => overtaken::changed_names(cx.dialect(), tx, cx.names).await,
    }
}

/// Looks for what is absent under the names that runs have given its tables; gives the reason where that is not known.
async fn explain(
    cx: &CheckCx<'_>,
    sql: &dyn MigrationSql,
    objects: &mut CreatedObjects,
    ran: &[AppliedWhen],
) -> Result<Option<String>> {
    let mut tx = cx.read().await?;
    let changed = match changed_names(cx, &mut *tx).await {
        Ok(changed) => changed,
        Err(e) => return Ok(Some(texts::changed_names(&e.message))),
    };
    objects.explain(&mut *tx, sql, &changed.names, ran).await?;
    let known = changed.unclear.is_empty() || !objects.lacks_something();
    Ok((!known).then(|| texts::unread_plans(&changed.unclear)))
}

async fn observe(
    cx: &CheckCx<'_>,
    id: &CheckId,
    folder: &MigrationFolder,
    with_indexes: bool,
) -> Result<Report> {
    let sql = dialects::sql(cx.facts.dialect())?;
    let (files, unread) = match files::read(cx.facts.dialect(), cx.files, folder) {
        Ok(files) => (files, None),
        Err(e) => (Vec::new(), Some(e.to_string())),
    };
    let options = ReadOptions { snapshot: Snapshot::Transaction, timeout: None, ..ReadOptions::default() };
    let mut tx = cx.read_with(options).await?;
    let mut findings = if with_indexes { indexes::findings(&mut *tx, sql, id).await? } else { vec![] };
    if folder.history == HistoryKind::Midwatch && folder.table.is_none() {
        cx.dialect().readable(&mut *tx).await?;
    }
    let history = history::read(&mut *tx, cx.dialect(), sql, folder, cx.files).await?;
    let renamed = cx.renamed(&mut *tx).await?;
    let mut objects = presence::observe(&mut *tx, sql, &files, folder, &renamed).await?;
    drop(tx);
    let mut unasked = None;
    if objects.lacks_something() {
        let ran: Vec<AppliedWhen> = files.iter().map(|f| history.ran(folder.history, f)).collect();
        unasked = explain(cx, sql, &mut objects, &ran).await?;
    }
    let presence = objects.per_file(&files);
    let mut judged = judge::judge(id, folder, &files, &history, &presence);
    if let Some(why) = &unread
        && folder.folder.is_some()
    {
        // Without the files nothing can be said to be missing.
        judged.findings.clear();
        judged.facts.cannot_tell.push(why.lines().next().unwrap_or_default().to_owned());
    }
    findings.append(&mut judged.findings);
    let facts = MigrationFacts { history: history::recorded_by(sql, folder.history).into(), ..judged.facts };
    let ok = texts::summary(folder.history, !files.is_empty(), facts.applied);
    let why =
        unread.filter(|_| folder.folder.is_some()).or(judged.unknown).or(history.unknown.clone()).or(unasked);
    let mut report = Report::observed(id.clone(), &facts, findings, &ok).partly_unknown(why);
    if let Some(read) = history.sql {
        report = report.evidence("history", read.text());
    }
    Ok(report.evidence("invalid indexes", sql.invalid_indexes().text()))
}
