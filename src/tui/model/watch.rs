//! A check as the console follows it: its latest report, when it runs again, what is asked of it.

use crate::engine::model::param::Params;
use crate::engine::model::report::{CheckId, Finding, Report, Status};
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::facts::SELF_TEST;
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::options::AskedComparison;
use crate::tui::model::asked_check::{AskedCheck, InterruptedCheck};
use crate::tui::model::facts::ReportFacts;
use crate::tui::msg::Effect;
use chrono::{DateTime, Utc};

/// What stands in the key of a row that says why a check told nothing, after the check's id.
pub(in crate::tui) const UNKNOWN_ROW: &str = "unknown";

impl Watch {
    /// The key of the row that says why nothing is known.
    pub(in crate::tui) fn unknown_key(&self) -> String {
        format!("{}/{UNKNOWN_ROW}", self.id)
    }

    /// One that is not looked at yet.
    pub(in crate::tui) fn new(id: CheckId, every: std::time::Duration, due: DateTime<Utc>) -> Self {
        Self {
            id,
            every,
            report: None,
            facts: ReportFacts::default(),
            running: None,
            due,
            failure: None,
            trend: Vec::new(),
            asked_check: AskedCheck::default(),
        }
    }

    /// A self-test that did not find what was planted: what is compared tells nothing.
    pub fn untrusted(&self) -> Option<&Finding> {
        self.report
            .as_ref()?
            .findings
            .iter()
            .find(|f| FindingKind::from_finding(f) == Some(FindingKind::SelfTest))
    }

    pub(in crate::tui) fn begin(&mut self, now: DateTime<Utc>) -> Effect {
        self.running = Some(now);
        self.asked_check.how = self.asked_check.asked.take().unwrap_or_default();
        (self.asked_check.news, self.asked_check.rate) = (None, None);
        Effect::Observe(self.id.clone(), self.asked_check.how.clone())
    }

    pub(in crate::tui) fn is_asked(&self) -> bool {
        self.running.is_some() && self.asked_check.how != Params::default()
    }

    /// One that its own key ends: others are over soon, or end with all that runs on the server.
    pub(in crate::tui) fn is_worth_ending(&self) -> bool {
        let in_pieces = self.asked_check.news.as_ref().is_some_and(|n| n.pieces > 1);
        self.is_asked() || self.running.is_some() && in_pieces
    }

    /// Is it looked at now, by itself unless `paused`?
    pub(in crate::tui) fn is_due(&self, now: DateTime<Utc>, paused: bool) -> bool {
        let held = self.asked_check.cut.as_ref().is_some_and(|c| c.held);
        self.running.is_none() && (self.asked_check.asked.is_some() || self.due <= now && !paused && !held)
    }

    /// It ended before its report: pieces that were read are kept.
    pub(in crate::tui) fn cut_off(&mut self, now: DateTime<Utc>, held: bool) {
        self.running = None;
        let news = self.asked_check.news.take();
        if let Some(done) = news.map(|n| (n.done, n.pieces)).filter(|(done, all)| *done > 0 && done < all) {
            self.asked_check.cut = Some(InterruptedCheck { at: Some(now), done: Some(done), held });
        }
    }

    /// It told something: nothing is left to go on with.
    pub(in crate::tui) fn looked(&mut self, now: DateTime<Utc>) {
        self.running = None;
        (self.asked_check.news, self.asked_check.cut) = (None, None);
        if AskedComparison::from_params(&self.asked_check.how) == Some(AskedComparison::SelfTest) {
            self.asked_check.tested = Some(now);
        }
    }

    /// Takes a report as the latest, and reads its facts.
    pub(in crate::tui) fn take(&mut self, report: Report) {
        self.facts = ReportFacts::from_report(&report);
        self.report = Some(report);
    }

    /// The facts of a comparison.
    pub fn parity(&self) -> Option<&ParityFacts> {
        self.facts.parity.as_deref()
    }

    /// A comparison that was found blind stays untrusted until a self-test finds everything.
    pub(in crate::tui) fn keep_self_test(&self, new: &mut Report) {
        let test = |r: &Report| r.facts.get(SELF_TEST).filter(|t| t.is_object()).cloned();
        let (Some(old), None) = (self.report.as_ref(), test(new)) else { return };
        if let (Some(test), Some(facts)) = (test(old), new.facts.as_object_mut()) {
            facts.insert(SELF_TEST.into(), test);
        }
        if let Some(finding) = self.untrusted().filter(|_| new.status.why().is_none()) {
            new.summary.clone_from(&finding.message);
            new.status = Status::Fail;
            new.findings.insert(0, finding.clone());
        }
    }
}

/// What is known of one check.
#[derive(Debug, Clone, PartialEq)]
pub struct Watch {
    /// The check.
    pub id: CheckId,
    /// How often it is run.
    pub every: std::time::Duration,
    /// The latest report.
    pub report: Option<Report>,
    /// Its facts.
    pub facts: ReportFacts,
    /// Running since.
    pub running: Option<DateTime<Utc>>,
    /// Run again then.
    pub due: DateTime<Utc>,
    /// Why the last run told nothing, where an earlier one did; its report is kept, as old.
    pub failure: Option<String>,
    /// Wrong rows at each of the last runs, oldest first.
    pub trend: Vec<u64>,
    /// Looks asked for, and how far the one under way is.
    pub asked_check: AskedCheck,
}

impl Watch {
    /// Why nothing is known now, or only something old.
    pub fn why(&self) -> Option<&str> {
        self.failure.as_deref().or_else(|| self.report.as_ref()?.status.why())
    }

    /// The same, and why a part of what failed could not be looked at.
    pub fn unobserved(&self) -> Option<&str> {
        self.failure.as_deref().or_else(|| self.report.as_ref()?.unobserved())
    }
}
