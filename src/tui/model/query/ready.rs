//! Readiness for a switchover and what a rollback would lose, from reports and the room.

use crate::engine::model::preflight::Ready;
use crate::engine::model::record::RunRecord;
use crate::engine::model::report::{CheckId, Report};
use crate::features::parity::facts::KIND as PARITY;
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::pair::SwitchState;
use crate::features::parity::pair::retired::RetiredTable;
use crate::features::parity::verdicts::severity;
use crate::features::switchover::preflight::finding_effect::FindingEffect;
use crate::features::switchover::status::{Reverse, SwitchoverStatus};
use crate::features::switchover::verbs;
use crate::tui::format::{ago, counted, differ};
use crate::tui::model::ready::{Readiness, RollbackOutlook};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::theme::Tone;
use chrono::{DateTime, Utc};

/// What is left of a table that was dropped.
const GONE: &str = "the legacy table is gone: only its backup brings it back";

impl Model {
    fn parity_watch(&self, twin: &str) -> Option<&Watch> {
        self.watch(&CheckId { kind: PARITY, name: twin.to_owned() })
    }

    /// What is known of a twin, while that is fresh; or why nothing is.
    pub(in crate::tui) fn fresh(&self, twin: &str) -> Result<(&Report, &ParityFacts), String> {
        let Some(watch) = self.parity_watch(twin) else { return Err("no check compares it".into()) };
        let Some(report) = &watch.report else { return Err("not compared yet".into()) };
        if let Some(why) = watch.why() {
            return Err(why.lines().next().unwrap_or_default().to_owned());
        }
        if self.is_stale(watch) {
            let age = crate::tui::format::ago(report.observed_at, self.now);
            return Err(format!("last compared {age}"));
        }
        let facts = watch.parity().ok_or("its report cannot be read")?;
        Ok((report, facts))
    }

    /// May this twin be switched over?
    pub fn readiness(&self, twin: &str) -> Readiness {
        match self.fresh(twin) {
            Ok((report, facts)) => match (readiness_in(report, facts), report.unobserved()) {
                (Readiness::Not(why), _) => Readiness::Not(why),
                (_, Some(why)) => Readiness::Unknown(why.to_owned()),
                (ready, None) => ready,
            },
            Err(why) => Readiness::Unknown(why),
        }
    }

    /// All twins of a set: what stops it, else what is not known, else since when they are ready.
    pub fn readiness_of(&self, name: &str) -> Readiness {
        let (mut not, mut unknown, mut since) = (Vec::new(), None, None);
        let twins = self.twins_of(name);
        for twin in &twins {
            let said = |why: &str| if twins.len() > 1 { format!("{twin}: {why}") } else { why.to_owned() };
            match self.readiness(twin) {
                Readiness::Not(why) => not.push(said(&why.join(", "))),
                Readiness::Unknown(why) => unknown = unknown.or_else(|| Some(said(&why))),
                Readiness::Ready(at) => since = Some(since.map_or(at, |s: DateTime<Utc>| s.min(at))),
            }
        }
        match (not.is_empty(), unknown, since) {
            (false, ..) => Readiness::Not(not),
            (true, Some(why), _) => Readiness::Unknown(why),
            (true, None, Some(at)) => Readiness::Ready(at),
            (true, None, None) => Readiness::Unknown("there is no twin here".into()),
        }
    }

    /// Why the switchover of the room shown is not planned: what is unknown its plan looks at itself.
    pub(in crate::tui) fn why_not_ready(&self) -> Option<String> {
        match self.readiness_of(&self.room_set(verbs::SWITCHOVER)?) {
            Readiness::Not(why) => Some(format!("not ready: {}", why.join("; "))),
            Readiness::Ready(_) | Readiness::Unknown(_) => None,
        }
    }

    /// Why an operation has nothing to do with twins that stand as these did when they were last looked at.
    pub(in crate::tui) fn why_not_stands(&self, verb: &str, name: &str) -> Option<String> {
        let standing = |t: &str| self.parity_watch(t).and_then(Watch::parity).map(|f| f.standing);
        let twins: Vec<(&str, SwitchState)> =
            self.twins_of(name).into_iter().filter_map(|t| Some((t, standing(t)?))).collect();
        let find = |wanted: &[SwitchState]| twins.iter().find(|(_, s)| wanted.contains(s)).map(|(t, _)| *t);
        match verb {
            // After a switch it makes the reverse ones complete.
            verbs::REPAIR_TRIGGERS => find(&[SwitchState::Cleaned])
                .map(|twin| format!("{twin} is cleaned up: nothing is mirrored any more")),
            verbs::SWITCHOVER | verbs::REHEARSE => {
                if let Some(twin) = find(&[SwitchState::Switched, SwitchState::Cleaned]) {
                    return Some(format!("{twin} is switched over already"));
                }
                match self.readiness_of(name) {
                    Readiness::Not(why) if verb == verbs::SWITCHOVER => {
                        Some(format!("not ready: {}", why.join("; ")))
                    }
                    _ => None,
                }
            }
            verbs::ROLLBACK if find(&[SwitchState::Cleaned]).is_some() => find(&[SwitchState::Cleaned])
                .map(|twin| self.away_of(twin, None).map_or(GONE.into(), |away| retired_text(&away))),
            verbs::ROLLBACK | verbs::CLEANUP
                if !twins.is_empty() && find(&[SwitchState::Switched, SwitchState::Cleaned]).is_none() =>
            {
                Some(format!("{} is not switched over", twins.first().map_or(name, |(t, _)| *t)))
            }
            verbs::ROLLBACK => {
                let switched = twins.iter().filter(|(_, s)| *s == SwitchState::Switched);
                self.together(&switched.map(|(t, _)| *t).collect::<Vec<_>>())
            }
            _ => None,
        }
    }

    /// Twins that were switched in one run with others go back with them only.
    fn together(&self, wanted: &[&str]) -> Option<String> {
        let standing = |r: &&RunRecord| {
            let names = self.twins_of(&r.name);
            r.operation == verbs::SWITCHOVER
                && r.rows_applied > 0
                && r.undone_by.is_none()
                && names.iter().any(|t| wanted.contains(t))
        };
        let run = self.journal.runs().iter().find(standing)?;
        let set = self.twins_of(&run.name);
        (set != wanted)
            .then(|| format!("run {} switched {} together: they go back together", run.id, set.join(", ")))
    }

    /// Where the retired table of a twin is that was cleaned up, while it is still there.
    fn away_of(&self, twin: &str, seen: Option<&SwitchoverStatus>) -> Option<RetiredTable> {
        match seen.and_then(|f| f.twins.iter().find(|t| t.name == twin)) {
            Some(now) => now.away.clone(),
            None => self.parity_watch(twin)?.parity()?.away.clone(),
        }
    }

    /// Would taking this twin's switch back lose anything? `seen`: the room, where it was looked at.
    pub fn rollback_outlook(&self, twin: &str, seen: Option<&SwitchoverStatus>) -> RollbackOutlook {
        let now = seen.and_then(|f| f.twins.iter().find(|t| t.name == twin));
        let reported = self.parity_watch(twin).and_then(Watch::parity);
        let standing = now.map(|t| t.standing).or_else(|| reported.map(|f| f.standing));
        match standing {
            None => return RollbackOutlook::Unknown("not looked at yet".into()),
            Some(SwitchState::Before) => return RollbackOutlook::Before,
            Some(SwitchState::Cleaned) => {
                return self
                    .away_of(twin, seen)
                    .map_or(RollbackOutlook::Impossible(GONE.into()), RollbackOutlook::RetiredTable);
            }
            Some(SwitchState::Switched) => {}
        }
        if let Some(facts) = seen
            && facts.switched.is_none()
        {
            return match &facts.journal {
                Some(why) => RollbackOutlook::Unknown(format!("the journal cannot be read: {why}")),
                None => RollbackOutlook::Impossible(
                    "the journal has no switchover of it: it was not done from here".into(),
                ),
            };
        }
        let (report, facts) = match self.fresh(twin) {
            Ok(known) => known,
            Err(why) => return RollbackOutlook::Unknown(why),
        };
        if facts.standing != SwitchState::Switched {
            return RollbackOutlook::Unknown("not compared since the switch".into());
        }
        if report.findings.iter().any(|f| FindingKind::from_finding(f) == Some(FindingKind::SelfTest)) {
            return RollbackOutlook::Unknown("UNTRUSTED: planted differences were not found".into());
        }
        match facts.differences() {
            None => return RollbackOutlook::Unknown(format!("no row was told apart: {}", facts.compared)),
            Some(n @ 1..) => return RollbackOutlook::Lossy(n, report.observed_at),
            Some(0) => {}
        }
        let deaf = facts.triggers.iter().any(|t| !t.state.is_whole());
        if deaf || now.is_some_and(|t| t.reverse != Reverse::On) {
            return RollbackOutlook::Leaking("reverse sync does not see every write".into());
        }
        match report.unobserved() {
            Some(why) => RollbackOutlook::Unknown(why.to_owned()),
            None => RollbackOutlook::Lossless(report.observed_at),
        }
    }

    /// The same of a set: its worst; what differs is summed up.
    pub fn rollback_outlook_of(&self, name: &str, seen: Option<&SwitchoverStatus>) -> RollbackOutlook {
        let outlooks: Vec<RollbackOutlook> =
            self.twins_of(name).into_iter().map(|t| self.rollback_outlook(t, seen)).collect();
        let lossy = outlooks
            .iter()
            .filter_map(|l| if let RollbackOutlook::Lossy(n, at) = l { Some((*n, *at)) } else { None });
        let (rows, oldest) = lossy.fold((0, None), |(sum, old): (u64, Option<DateTime<Utc>>), (n, at)| {
            (sum + n, Some(old.map_or(at, |o| o.min(at))))
        });
        let seen_at = outlooks
            .iter()
            .filter_map(|l| if let RollbackOutlook::Lossless(at) = l { Some(*at) } else { None })
            .min();
        let worst = outlooks.into_iter().min_by_key(RollbackOutlook::rank);
        match (worst, oldest) {
            (None, _) => RollbackOutlook::Unknown("there is no twin here".into()),
            (Some(RollbackOutlook::Lossy(..)), Some(at)) => RollbackOutlook::Lossy(rows, at),
            (Some(RollbackOutlook::Lossless(at)), _) => RollbackOutlook::Lossless(seen_at.unwrap_or(at)),
            (Some(worst), _) => worst,
        }
    }

    /// The light in words.
    pub fn outlook_words(&self, rollback_outlook: &RollbackOutlook) -> (String, Tone) {
        let now = self.now;
        match rollback_outlook {
            RollbackOutlook::Before => ("nothing to take back: nothing is switched".into(), Tone::Dim),
            RollbackOutlook::Lossless(at) => {
                (format!("lossless: yes, 0 rows at risk, equal {}", ago(*at, now)), Tone::Good)
            }
            RollbackOutlook::Lossy(n, at) => {
                (format!("lossy: {}, compared {}", differ(*n, &counted(*n, "row")), ago(*at, now)), Tone::Bad)
            }
            RollbackOutlook::RetiredTable(away) => {
                let since =
                    away.since.map(|at| format!(", {}", ago(at, self.server_now()))).unwrap_or_default();
                (format!("put away as {}{since}; {}", away.table, away.way_back()), Tone::Bad)
            }
            RollbackOutlook::Leaking(why) => (format!("lossy from the next write on: {why}"), Tone::Bad),
            RollbackOutlook::Impossible(why) => (format!("not possible: {why}"), Tone::Bad),
            RollbackOutlook::Unknown(why) => (format!("unknown: {why}"), Tone::Unknown),
        }
    }
}

/// What a comparison says of a switch of its pair. What stops it here blocks its plan: both ask [`FindingEffect`]. What only
/// a copy tells is unknown, so that it can be planned, which tries it.
fn readiness_in(report: &Report, facts: &ParityFacts) -> Readiness {
    let (mut why, mut unknown) = (Vec::new(), Vec::new());
    let findings = report.findings.iter().map(|f| {
        let (kind, severity) = (FindingKind::from_finding(f), severity(f));
        (f, kind, severity, FindingEffect::new(kind, severity, facts.standing))
    });
    let stopping = |wanted: &[FindingKind]| {
        let stops = |kind: Option<FindingKind>| kind.is_some_and(|k| wanted.contains(&k));
        findings
            .clone()
            .filter(|(_, kind, _, effect)| stops(*kind) && *effect == FindingEffect::Stops)
            .count()
    };
    if stopping(&[FindingKind::SelfTest]) > 0 {
        why.push("UNTRUSTED".into());
    }
    let unnamed = match (facts.differences(), facts.equal()) {
        (Some(0), _) | (None, Some(true)) => false,
        (Some(n), _) => {
            let rows = if n == 1 { "row differs" } else { "rows differ" };
            why.push(format!("{} {rows}", crate::tui::format::count(n)));
            false
        }
        (None, Some(false)) => true,
        (None, None) => {
            unknown.push(format!("rows were not compared: {}", facts.compared));
            false
        }
    };
    if unnamed || stopping(&[FindingKind::Key, FindingKind::NoKey]) > 0 {
        why.push("no unique key names its rows".into());
    }
    // Facts count them; their findings stop by the same rule.
    let before = facts.standing == SwitchState::Before;
    let off = facts.triggers.iter().filter(|t| before && !t.state.fires_at_all()).count();
    if off > 0 {
        let what = if off == 1 { "trigger does" } else { "triggers do" };
        why.push(format!("{off} {what} not mirror all"));
    }
    for (finding, kind, severity, effect) in findings {
        let told = |k| {
            matches!(k, FindingKind::SelfTest | FindingKind::Key | FindingKind::NoKey | FindingKind::Trigger)
        };
        match effect {
            // Said already: of the facts, or in fewer words.
            _ if kind.is_some_and(FindingKind::is_about_rows) => {}
            FindingEffect::Stops if kind.is_some_and(told) => {}
            FindingEffect::Stops => why.push(finding.message.clone()),
            // One that is off explains what no trigger copies.
            FindingEffect::TriedInCopy if severity == Ready::Fail && off == 0 => {
                unknown.push(finding.message.clone());
            }
            FindingEffect::TriedInCopy | FindingEffect::Settled | FindingEffect::Warns => {}
        }
    }
    match (why.is_empty(), unknown.is_empty()) {
        (false, _) => Readiness::Not(why),
        (true, false) => Readiness::Unknown(unknown.join(", ")),
        (true, true) => Readiness::Ready(report.observed_at),
    }
}

fn retired_text(away: &RetiredTable) -> String {
    format!("put away as {}; {}", away.table, away.way_back())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::check::verdict::CheckVerdict;
    use crate::engine::model::preflight::Preflight;
    use crate::engine::model::report::{Finding, Severity};
    use crate::features::parity::facts::{SyncTrigger, SyncTriggerState, UnmatchedRows};
    use crate::features::parity::verdicts::VERDICTS;
    use crate::features::switchover::preflight::parity::{QUESTIONS, lines};

    /// Facts in which this kind of finding is found, and nothing else is wrong.
    fn facts(kind: Option<FindingKind>, severity: Severity, standing: SwitchState) -> ParityFacts {
        let copies = SyncTrigger {
            name: "copy".into(),
            state: SyncTriggerState::Enabled,
            events: ["INSERT", "UPDATE", "DELETE"].map(str::to_owned).to_vec(),
            ..SyncTrigger::default()
        };
        let equal = ParityFacts {
            legacy_rows: Some(7),
            partitioned_rows: Some(7),
            missing_in_partitioned: Some(0),
            missing_in_legacy: Some(0),
            different: Some(0),
            stale: Some(0),
            duplicate: Some(0),
            compared: "all rows".into(),
            triggers: vec![copies.clone()],
            standing,
            ..ParityFacts::default()
        };
        match kind {
            Some(FindingKind::Rows(_)) => ParityFacts { different: Some(1), ..equal },
            Some(FindingKind::NotClassified) => ParityFacts { not_classified: 1, ..equal },
            Some(FindingKind::PartitionsNotRead) => ParityFacts { partitions_not_read: 1, ..equal },
            Some(FindingKind::Digests) => {
                let apart = Some(vec![UnmatchedRows::default()]);
                ParityFacts { different: None, digests_differ: apart, ..equal }
            }
            Some(FindingKind::Key | FindingKind::NoKey) => {
                ParityFacts { different: None, digests_differ: Some(vec![]), ..equal }
            }
            Some(FindingKind::Counts | FindingKind::NotCompared) => ParityFacts { different: None, ..equal },
            Some(FindingKind::Trigger) => {
                // As the check finds them: only one that is off is critical.
                let state = match severity {
                    Severity::Critical => SyncTriggerState::Disabled,
                    _ => SyncTriggerState::Conditional,
                };
                let off = SyncTrigger { state, ..copies };
                ParityFacts { triggers: vec![off], ..equal }
            }
            Some(FindingKind::TriggerColumns) => {
                let odd = SyncTrigger { unknown_columns: vec!["x".into()], ..copies };
                ParityFacts { triggers: vec![odd], ..equal }
            }
            Some(FindingKind::Unmirrored) => ParityFacts { triggers: vec![], ..equal },
            _ => equal,
        }
    }

    fn report(kind: Option<FindingKind>, severity: Severity, facts: &ParityFacts) -> Report {
        let id = CheckId { kind: PARITY, name: "orders".into() };
        let what = kind.map_or("a_word_of_another_version", FindingKind::word);
        let finding = Finding {
            id: format!("{id}/{what}"),
            severity,
            message: format!("found {what}"),
            title: None,
            rows: None,
            sample: vec![],
        };
        Report::observed(id, facts, vec![finding], "ok")
    }

    /// What a plan's preflight has of the report.
    fn planned(report: &Report, state: SwitchState) -> Vec<Preflight> {
        let answers: Vec<(&str, CheckVerdict)> = QUESTIONS
            .iter()
            .flat_map(|question| {
                let spec = VERDICTS.iter().find(|v| v.id() == *question).unwrap();
                (spec.of)(report).into_iter().map(move |answer| (*question, answer))
            })
            .collect();
        lines("orders", state, &answers)
    }

    #[test]
    fn a_room_and_a_plan_agree_on_every_kind_of_finding() {
        let kinds: Vec<_> = FindingKind::ALL.iter().map(|k| Some(*k)).chain([None]).collect();
        let states = [SwitchState::Before, SwitchState::Switched, SwitchState::Cleaned];
        let (mut stopped, mut tried) = (0, 0);
        for (kind, state) in kinds.iter().flat_map(|k| states.map(|s| (*k, s))) {
            for severity in [Severity::Info, Severity::Warning, Severity::Critical] {
                let facts = facts(kind, severity, state);
                let report = report(kind, severity, &facts);
                let (room, plan) = (readiness_in(&report, &facts), planned(&report, state));
                let case = format!("{kind:?} {state:?} {severity:?}: {room:?}, {plan:#?}");
                let has = |status| plan.iter().any(|p| p.status == status);
                assert_eq!(matches!(room, Readiness::Not(_)), has(Ready::Fail), "{case}");
                let before = state == SwitchState::Before;
                if before && kind.is_some_and(FindingKind::is_about_sync) && !has(Ready::Fail) {
                    // The copy says what becomes of writes; the plan has no line of this.
                    assert!(plan.iter().all(|p| p.status == Ready::Ok), "{case}");
                    let critical = severity == Severity::Critical;
                    assert_eq!(matches!(room, Readiness::Unknown(_)), critical, "{case}");
                    tried += 1;
                } else if !has(Ready::Fail) {
                    assert_eq!(matches!(room, Readiness::Unknown(_)), has(Ready::Unknown), "{case}");
                }
                stopped += u32::from(has(Ready::Fail));
            }
        }
        assert!(stopped > 30 && tried == 8, "{stopped} {tried}");
    }

    #[test]
    fn what_stops_a_switch_is_named() {
        let said = |kind, severity| {
            let facts = facts(Some(kind), severity, SwitchState::Before);
            readiness_in(&report(Some(kind), severity, &facts), &facts)
        };
        let not = |text: &str| Readiness::Not(vec![text.to_owned()]);
        let unknown = |text: &str| Readiness::Unknown(text.to_owned());
        assert_eq!(said(FindingKind::SelfTest, Severity::Critical), not("UNTRUSTED"));
        assert_eq!(said(FindingKind::Trigger, Severity::Critical), not("1 trigger does not mirror all"));
        // One that fires for some writes is off for none: the copy decides.
        assert!(matches!(said(FindingKind::Trigger, Severity::Warning), Readiness::Ready(_)));
        assert_eq!(said(FindingKind::Coverage, Severity::Warning), not("found coverage"));
        assert_eq!(said(FindingKind::Digests, Severity::Critical), not("no unique key names its rows"));
        assert_eq!(said(FindingKind::NoKey, Severity::Warning), not("no unique key names its rows"));
        assert_eq!(said(FindingKind::Unmirrored, Severity::Critical), unknown("found unmirrored"));
        let quick = "rows were not compared: all rows";
        assert_eq!(said(FindingKind::NotCompared, Severity::Warning), unknown(quick));
        assert_eq!(said(FindingKind::Counts, Severity::Critical), not("found counts"));
    }
}
