//! Rules of the profile whose every row is something wrong: exact totals, rows paged by key.

use std::time::Duration;

use crate::engine::check::kind::{Check, CheckCx, CheckSpec};
use crate::engine::check::paging::{self, Page, PageRequest, RowSource};
use crate::engine::check::samples::{SAMPLE, samples};
use crate::engine::model::error::{Error, Result};
use crate::engine::model::param::Params;
use crate::engine::model::profile::{AnomalyRule, Profile};
use crate::engine::model::report::{CheckId, Finding, Report};
use crate::engine::port::dialect::Dialect;
use crate::engine::port::reader::{Fut, ReadOptions, Snapshot};
use crate::features::anomalies::facts::{AnomalyFacts, KIND};
use crate::features::anomalies::texts;

pub(crate) struct AnomaliesCheck;

/// The one finding of a rule: its rows.
pub const ROWS: &str = "rows";

static SPEC: CheckSpec = CheckSpec {
    kind: KIND,
    title: "Anomalies",
    about: "rows that break a rule of the profile",
    every: Duration::from_secs(30),
    params: &[],
};

/// A rule may read a whole ledger.
const TIMEOUT: Duration = Duration::from_mins(5);

impl Check for AnomaliesCheck {
    fn spec(&self) -> &'static CheckSpec {
        &SPEC
    }

    fn names(&self, profile: &Profile) -> Vec<String> {
        profile.anomalies.iter().map(|a| a.name.clone()).collect()
    }

    fn observe<'a>(
        &'a self,
        cx: &'a CheckCx<'a>,
        id: &'a CheckId,
        _params: &'a Params,
    ) -> Fut<'a, Result<Report>> {
        Box::pin(async move {
            let rule = rule(cx.profile, &id.name)
                .ok_or_else(|| Error::usage(format!("no anomaly rule {}", id.name)))?;
            let source = source(cx.dialect(), cx.profile, rule);
            let sql = source.sql.clone();
            let options = ReadOptions {
                snapshot: Snapshot::Transaction,
                timeout: Some(TIMEOUT),
                of_profile: true,
                ..ReadOptions::default()
            };
            let mut tx = cx.read_with(options).await?;
            let request = PageRequest { count: true, ..PageRequest::first(source, SAMPLE) };
            let (rows, page) = paging::counted(&mut *tx, cx.dialect(), &request).await?;
            // What is counted is proved, whatever else cannot be read of it; without rows a key names each once.
            let mut unseen = None;
            let page = page.unwrap_or_else(|e| {
                unseen = Some(texts::sample_unread(rule, &e));
                Page::default()
            });
            if unseen.is_none() {
                unseen = match paging::key_is_unique(&mut *tx, cx.dialect(), &request.source).await {
                    Ok(unique) => (!unique).then(|| texts::key_not_unique(rule)),
                    Err(e) => Some(texts::key_unread(rule, &e)),
                };
            }
            let findings = if rows == 0 { vec![] } else { vec![finding(id, rule, rows, &page)] };
            Ok(Report::observed(id.clone(), &AnomalyFacts { rows }, findings, "no rows")
                .evidence(&rule.title, sql)
                .partly_unknown(unseen))
        })
    }

    fn rows(
        &self,
        dialect: &dyn Dialect,
        profile: &Profile,
        name: &str,
        _finding: &str,
    ) -> Option<RowSource> {
        Some(source(dialect, profile, rule(profile, name)?))
    }
}

fn rule<'p>(profile: &'p Profile, name: &str) -> Option<&'p AnomalyRule> {
    profile.anomalies.iter().find(|a| a.name == name)
}

fn finding(id: &CheckId, rule: &AnomalyRule, rows: u64, page: &Page) -> Finding {
    Finding {
        id: format!("{id}/{ROWS}"),
        severity: rule.severity,
        message: texts::finding(rule, rows),
        title: Some(rule.title.clone()),
        rows: Some(rows),
        sample: samples(page),
    }
}

fn source(dialect: &dyn Dialect, profile: &Profile, rule: &AnomalyRule) -> RowSource {
    RowSource {
        id: format!("{KIND}/{}", rule.name),
        title: rule.title.clone(),
        sql: dialect.with_sources(&profile.sources, &rule.sql),
        params: vec![],
        key: rule.key.clone(),
        labels: rule.labels.clone(),
        context: rule.context.as_ref().map(|c| (c.title.clone(), c.sql.clone())),
    }
}
