//! Checks and reports by kind, their age, their worst status.

use crate::engine::model::report::{CheckId, Report, Severity, Status};
use crate::tui::model::state::{Link, Model};
use crate::tui::model::view::Level;
use crate::tui::model::watch::Watch;
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

impl Model {
    /// The view on top of the pane shown.
    pub fn level(&self) -> &Level {
        static NONE: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        let top = self.stacks.get(self.pane).and_then(|s| s.last());
        top.unwrap_or_else(|| NONE.get_or_init(Level::pane))
    }

    /// What is known of a check.
    pub fn watch(&self, id: &CheckId) -> Option<&Watch> {
        self.watches.iter().find(|w| &w.id == id)
    }

    /// The checks of a kind.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Watch> {
        self.watches.iter().filter(move |w| w.id.kind == kind)
    }

    /// Worst status and number of findings of a kind, for its tab; `None`: nothing known yet.
    pub fn tally(&self, kind: &str) -> Option<(Status, usize)> {
        let reports: Vec<&Report> = self.of_kind(kind).filter_map(|w| w.report.as_ref()).collect();
        let mut worst = reports.iter().map(|r| &r.status).min_by_key(|s| s.rank())?.clone();
        if self.of_kind(kind).any(|w| w.failure.is_some()) {
            worst = Status::Unknown { why: String::new() };
        }
        let count = reports.iter().flat_map(|r| &r.findings).filter(|f| f.severity > Severity::Info).count();
        let unknown = reports.iter().filter(|r| r.status.why().is_some() && r.findings.is_empty()).count();
        Some((worst, count + unknown))
    }

    /// Is a report too old to be drawn as fresh? A lost connection makes everything old.
    pub fn is_stale(&self, watch: &Watch) -> bool {
        let Some(report) = &watch.report else { return false };
        if matches!(self.link, Link::Down { .. }) || watch.failure.is_some() {
            return true;
        }
        let age = (self.now - report.observed_at).num_milliseconds().max(0);
        let patience = watch.every.as_millis().saturating_mul(3) + u128::from(report.elapsed_ms) * 40;
        u128::try_from(age).is_ok_and(|a| a > patience)
    }

    /// How many rows a finding has gained since this console first saw it, and since when.
    pub fn growth(&self, finding: &str, rows: Option<u64>) -> Option<(u64, DateTime<Utc>)> {
        let (before, since) = self.baseline.get(finding)?;
        let gained = rows?.checked_sub(*before)?;
        (gained > 0).then_some((gained, *since))
    }

    /// Reports by check, for panes.
    pub fn reports(&self) -> BTreeMap<&CheckId, &Report> {
        self.watches.iter().filter_map(|w| Some((&w.id, w.report.as_ref()?))).collect()
    }
}
