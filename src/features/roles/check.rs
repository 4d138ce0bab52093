//! With which rights the target is looked at. What a role that only reads would do without is a finding: critical on
//! production, a warning on staging, information elsewhere.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::engine::check::kind::{Check, CheckCx, CheckSpec};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::param::Params;
use crate::engine::model::profile::Profile;
use crate::engine::model::report::{CheckId, Finding, Note, Report, Sample, Severity};
use crate::engine::model::target::Environment;
use crate::engine::port::reader::Fut;
use crate::features::roles::facts::{
    CreateRight, KIND, PathFacts, PathRoles, ReaderFacts, SchemaCreator, TransportFacts,
};
use crate::features::roles::finding_kind::RoleFinding;
use crate::features::roles::{dialects, texts};

pub(crate) struct RolesCheck;

/// Who reads.
pub const READER: &str = "reader";
/// Who can create where the profile's names are searched.
pub const SEARCH_PATH: &str = "search-path";
/// What the connection goes over.
pub const TRANSPORT: &str = "transport";

static SPEC: CheckSpec = CheckSpec {
    kind: KIND,
    title: "Roles",
    about: "rights of the role that reads, who can create in the search path, what the connection goes over",
    every: Duration::from_mins(5),
    params: &[],
};

impl Check for RolesCheck {
    fn spec(&self) -> &'static CheckSpec {
        &SPEC
    }

    // A profile that watches nothing is refused as such: these alone would read as if it had been looked at.
    fn names(&self, profile: &Profile) -> Vec<String> {
        if !watches(profile) {
            return vec![];
        }
        [READER, SEARCH_PATH, TRANSPORT].map(str::to_owned).into()
    }

    fn observe<'a>(
        &'a self,
        cx: &'a CheckCx<'a>,
        id: &'a CheckId,
        _params: &'a Params,
    ) -> Fut<'a, Result<Report>> {
        Box::pin(async move {
            match id.name.as_str() {
                READER => reader(cx, id).await,
                SEARCH_PATH => search_path(cx, id).await,
                TRANSPORT => Ok(transport(cx, id)),
                other => Err(Error::usage(format!("no check {KIND}/{other}"))),
            }
        })
    }

    fn notes(&self, report: &Report) -> Vec<Note> {
        let kinds: Vec<_> = report.findings.iter().filter_map(RoleFinding::from_finding).collect();
        let mut notes = Vec::new();
        if kinds.iter().any(|k| matches!(k, RoleFinding::Superuser | RoleFinding::Powers)) {
            notes.push(Note::new(texts::GRANTS));
        }
        if kinds.contains(&RoleFinding::Creators) {
            let creators = PathFacts::from_report(report).map(|f| f.creators).unwrap_or_default();
            notes.extend(creators.iter().map(|c| Note::new(texts::revoke(c))));
        }
        if kinds.contains(&RoleFinding::Exposed) {
            let remedy = report.facts.get("remedy").and_then(Value::as_str);
            notes.extend(remedy.map(|remedy| Note::new(texts::verify(remedy))));
        }
        notes
    }
}

/// Does the profile have anything to watch?
fn watches(profile: &Profile) -> bool {
    let Profile { migrations, twins, partitioned, queues, anomalies, .. } = profile;
    !(migrations.is_empty()
        && twins.is_empty()
        && partitioned.is_empty()
        && queues.is_empty()
        && anomalies.is_empty())
}

/// How bad it is to look with more rights than reading needs.
fn severity(environment: Environment) -> Severity {
    match environment {
        Environment::Production => Severity::Critical,
        Environment::Staging => Severity::Warning,
        Environment::Testing | Environment::Development | Environment::Demo => Severity::Info,
    }
}

/// A schema whose owner alone can create in it is as applications have them: milder, unless its names are found with rights
/// that reach beyond rows.
fn severity_of_creators(
    environment: Environment,
    creators: &[&SchemaCreator],
    might: &PathRoles,
) -> Severity {
    let severity = severity(environment);
    let of_its_owner = creators.iter().all(|c| c.right == CreateRight::Owner) && might.powerful.is_empty();
    match severity {
        Severity::Critical if of_its_owner => Severity::Warning,
        Severity::Warning if of_its_owner => Severity::Info,
        severity => severity,
    }
}

fn finding(severity: Severity, id: &CheckId, what: &str, message: String, sample: Vec<Sample>) -> Finding {
    Finding { id: format!("{id}/{what}"), severity, message, title: None, rows: None, sample }
}

async fn reader(cx: &CheckCx<'_>, id: &CheckId) -> Result<Report> {
    let sql = dialects::sql(cx.dialect())?.reader();
    let facts: ReaderFacts = cx.read().await?.one(&sql).await?;
    let mut findings = Vec::new();
    if facts.superuser || !facts.as_superuser.is_empty() {
        findings.push((RoleFinding::Superuser, texts::superuser(&facts)));
    } else if !facts.powers.is_empty() {
        findings.push((RoleFinding::Powers, texts::powers(&facts)));
    }
    let severity = severity(cx.environment);
    let findings = findings.into_iter().map(|(k, text)| finding(severity, id, k.word(), text, vec![]));
    Ok(report(id, &facts, findings.collect(), texts::reader_ok(&facts))
        .evidence("the role's rights", sql.text()))
}

/// Its summary is its finding's also where that is for information only.
fn report(id: &CheckId, facts: &impl Serialize, findings: Vec<Finding>, ok: String) -> Report {
    let summary = findings.first().map_or(ok, |f| f.message.clone());
    Report::observed(id.clone(), facts, findings, &summary)
}

async fn search_path(cx: &CheckCx<'_>, id: &CheckId) -> Result<Report> {
    let dialect = dialects::sql(cx.dialect())?;
    let sql = dialect.creators(&cx.profile.search_path, &cx.server.role);
    let mut tx = cx.read().await?;
    let mut creators: Vec<SchemaCreator> = tx.fetch(&sql).await?;
    let might: PathRoles = tx.one(&dialect.might(&cx.server.role)).await?;
    for creator in &mut creators {
        creator.revocation = dialect.revocation(creator, &cx.server.database);
    }
    let facts = PathFacts { search_path: cx.profile.search_path.clone(), creators };
    let mut findings = Vec::new();
    for schema in &facts.search_path {
        let creators: Vec<_> = facts.creators.iter().filter(|c| c.schema == *schema).collect();
        if !creators.is_empty() {
            let what = format!("{}/{schema}", RoleFinding::Creators.word());
            let rows = creators.iter().map(|c| sample(c)).collect();
            let message = texts::creators(schema, &creators, &might.powerful);
            let severity = severity_of_creators(cx.environment, &creators, &might);
            findings.push(finding(severity, id, &what, message, rows));
        }
    }
    Ok(report(id, &facts, findings, texts::path_ok(&facts))
        .evidence("who can create in the search path", sql.text()))
}

/// As a row of the finding: what can be copied from it is the statement.
fn sample(creator: &SchemaCreator) -> Sample {
    match serde_json::to_value(creator) {
        Ok(Value::Object(fields)) => fields,
        _ => Sample::new(),
    }
}

fn transport(cx: &CheckCx<'_>, id: &CheckId) -> Report {
    let transport = cx.server.transport;
    let facts = TransportFacts {
        transport,
        exposed: transport.exposed(),
        accepted: cx.insecure,
        remedy: transport.remedy().map(str::to_owned),
    };
    let severity = if facts.accepted { Severity::Info } else { severity(cx.environment) };
    let message = texts::exposed(transport, facts.accepted);
    let findings = facts.exposed.then(|| finding(severity, id, RoleFinding::Exposed.word(), message, vec![]));
    report(id, &facts, findings.into_iter().collect(), texts::transport_ok(transport))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_production_fails() {
        let of = |e| severity(e);
        assert_eq!(of(Environment::Production), Severity::Critical);
        assert_eq!(of(Environment::Staging), Severity::Warning);
        assert!(Environment::ALL.into_iter().filter(|e| of(*e) == Severity::Info).count() == 3);
    }
}
