//! May twins be switched over, and could that be taken back without losing anything? As far as was looked at.

use chrono::{DateTime, Utc};

use super::{App, Watch};
use crate::engine::model::record::RunRecord;
use crate::engine::model::report::{CheckId, Report, Severity};
use crate::features::parity::facts::ParityFacts;
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::pair::SwitchState;
use crate::features::parity::pair::retired::RetiredTable;
use crate::features::switchover::status::{Reverse, RoomFacts};

/// One twin, or all of a set at its worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Equal when looked at.
    Ready(DateTime<Utc>),
    /// What must be mended first.
    Not(Vec<String>),
    /// What is not known.
    Unknown(String),
}

/// Would a rollback lose anything?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Light {
    /// There is nothing to take back.
    Before,
    /// Nothing: all rows were equal then.
    Lossless(DateTime<Utc>),
    /// So many rows were not equal then.
    Lossy(u64, DateTime<Utc>),
    /// What is written now is not kept on the other side.
    Leaking(String),
    /// The retired table is put away: only undoing that brings it back.
    Away(RetiredTable),
    /// It cannot be taken back at all.
    Impossible(String),
    /// Not known.
    Unknown(String),
}

impl Light {
    /// The worst first.
    fn rank(&self) -> u8 {
        match self {
            Self::Impossible(_) => 0,
            Self::Away(_) => 1,
            Self::Lossy(..) => 2,
            Self::Leaking(_) => 3,
            Self::Unknown(_) => 4,
            Self::Lossless(_) => 5,
            Self::Before => 6,
        }
    }
}

/// What is left of a table that was dropped.
const GONE: &str = "the legacy table is gone: only its backup brings it back";

fn said_of(away: &RetiredTable) -> String {
    format!("put away as {}; {}", away.table, away.way_back())
}

/// The facts of a parity report.
pub fn parity_facts(report: &Report) -> Option<ParityFacts> {
    ParityFacts::of(report)
}

impl App {
    fn parity_watch(&self, twin: &str) -> Option<&Watch> {
        self.watch(&CheckId { kind: "parity", name: twin.to_owned() })
    }

    /// What is known of a twin, while that is fresh; or why nothing is.
    fn fresh(&self, twin: &str) -> Result<(&Report, ParityFacts), String> {
        let Some(watch) = self.parity_watch(twin) else { return Err("no check compares it".into()) };
        let Some(report) = &watch.report else { return Err("not compared yet".into()) };
        if let Some(why) = watch.why() {
            return Err(why.lines().next().unwrap_or_default().to_owned());
        }
        if self.is_stale(watch) {
            let age = crate::tui::format::ago(report.observed_at, self.now);
            return Err(format!("last compared {age}"));
        }
        let facts = parity_facts(report).ok_or("its report cannot be read")?;
        Ok((report, facts))
    }

    /// May this twin be switched over?
    pub fn readiness(&self, twin: &str) -> Readiness {
        let (report, facts) = match self.fresh(twin) {
            Ok(known) => known,
            Err(why) => return Readiness::Unknown(why),
        };
        let mut why = Vec::new();
        if report.findings.iter().any(|f| f.what() == "self_test") {
            why.push("UNTRUSTED".into());
        }
        match facts.differences() {
            Some(0) => {}
            Some(1) => why.push("1 row differs".into()),
            Some(n) => why.push(format!("{} rows differ", crate::tui::format::count(n))),
            None if facts.digests_differ.is_some() => why.push("no unique key names its rows".into()),
            None => return Readiness::Unknown(format!("rows were not compared: {}", facts.compared)),
        }
        let deaf =
            facts.triggers.iter().filter(|t| !matches!(t.state.as_str(), "enabled" | "always")).count();
        if deaf > 0 {
            let what = if deaf == 1 { "trigger does" } else { "triggers do" };
            why.push(format!("{deaf} {what} not mirror all"));
        }
        for finding in
            report.findings.iter().filter(|f| !FindingKind::of(f).is_some_and(FindingKind::is_about_rows))
        {
            let what = finding.what().split('/').next().unwrap_or_default();
            let stops = match what {
                // What the switch itself hands over, what its plan tries in a copy, what is said already.
                "sequence" | "trigger" | "trigger_columns" | "self_test" => false,

                "coverage" | "columns_missing" | "sums" => true,
                _ => finding.severity == Severity::Critical,
            };
            if stops {
                why.push(finding.message.clone());
            }
        }
        if why.is_empty() { Readiness::Ready(report.observed_at) } else { Readiness::Not(why) }
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
    pub(super) fn why_not_ready(&self) -> Option<String> {
        match self.readiness_of(&self.room_set("switchover")?) {
            Readiness::Not(why) => Some(format!("not ready: {}", why.join("; "))),
            Readiness::Ready(_) | Readiness::Unknown(_) => None,
        }
    }

    /// Why an operation has nothing to do with twins that stand as these did when they were last looked at.
    pub(super) fn why_not_stands(&self, verb: &str, name: &str) -> Option<String> {
        let standing =
            |t: &str| self.parity_watch(t).and_then(|w| parity_facts(w.report.as_ref()?)).map(|f| f.standing);
        let twins: Vec<(&str, SwitchState)> =
            self.twins_of(name).into_iter().filter_map(|t| Some((t, standing(t)?))).collect();
        let find = |wanted: &[SwitchState]| twins.iter().find(|(_, s)| wanted.contains(s)).map(|(t, _)| *t);
        match verb {
            // After a switch it makes the reverse ones complete.
            "repair-triggers" => find(&[SwitchState::Cleaned])
                .map(|twin| format!("{twin} is cleaned up: nothing is mirrored any more")),
            "switchover" | "rehearse" => {
                if let Some(twin) = find(&[SwitchState::Switched, SwitchState::Cleaned]) {
                    return Some(format!("{twin} is switched over already"));
                }
                match self.readiness_of(name) {
                    Readiness::Not(why) if verb == "switchover" => {
                        Some(format!("not ready: {}", why.join("; ")))
                    }
                    _ => None,
                }
            }
            "rollback" if find(&[SwitchState::Cleaned]).is_some() => find(&[SwitchState::Cleaned])
                .map(|twin| self.away_of(twin, None).map_or(GONE.into(), |away| said_of(&away))),
            "rollback" | "cleanup"
                if !twins.is_empty() && find(&[SwitchState::Switched, SwitchState::Cleaned]).is_none() =>
            {
                Some(format!("{} is not switched over", twins.first().map_or(name, |(t, _)| *t)))
            }
            "rollback" => {
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
            r.operation == "switchover"
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
    fn away_of(&self, twin: &str, seen: Option<&RoomFacts>) -> Option<RetiredTable> {
        match seen.and_then(|f| f.twins.iter().find(|t| t.name == twin)) {
            Some(now) => now.away.clone(),
            None => self.parity_watch(twin).and_then(|w| parity_facts(w.report.as_ref()?))?.away,
        }
    }

    /// Would taking this twin's switch back lose anything? `seen`: the room, where it was looked at.
    pub fn light(&self, twin: &str, seen: Option<&RoomFacts>) -> Light {
        let now = seen.and_then(|f| f.twins.iter().find(|t| t.name == twin));
        let reported = self.parity_watch(twin).and_then(|w| parity_facts(w.report.as_ref()?));
        let standing = now.map(|t| t.standing).or_else(|| reported.as_ref().map(|f| f.standing));
        match standing {
            None => return Light::Unknown("not looked at yet".into()),
            Some(SwitchState::Before) => return Light::Before,
            Some(SwitchState::Cleaned) => {
                return self.away_of(twin, seen).map_or(Light::Impossible(GONE.into()), Light::Away);
            }
            Some(SwitchState::Switched) => {}
        }
        if let Some(facts) = seen
            && facts.switched.is_none()
        {
            return match &facts.journal {
                Some(why) => Light::Unknown(format!("the journal cannot be read: {why}")),
                None => {
                    Light::Impossible("the journal has no switchover of it: it was not done from here".into())
                }
            };
        }
        let (report, facts) = match self.fresh(twin) {
            Ok(known) => known,
            Err(why) => return Light::Unknown(why),
        };
        if facts.standing != SwitchState::Switched {
            return Light::Unknown("not compared since the switch".into());
        }
        if report.findings.iter().any(|f| f.what() == "self_test") {
            return Light::Unknown("UNTRUSTED: planted differences were not found".into());
        }
        match facts.differences() {
            None => return Light::Unknown(format!("no row was told apart: {}", facts.compared)),
            Some(n @ 1..) => return Light::Lossy(n, report.observed_at),
            Some(0) => {}
        }
        let deaf = facts.triggers.iter().any(|t| !matches!(t.state.as_str(), "enabled" | "always"));
        if deaf || now.is_some_and(|t| t.reverse != Reverse::On) {
            return Light::Leaking("reverse sync does not see every write".into());
        }
        Light::Lossless(report.observed_at)
    }

    /// The same of a set: its worst; what differs is summed up.
    pub fn light_of(&self, name: &str, seen: Option<&RoomFacts>) -> Light {
        let lights: Vec<Light> = self.twins_of(name).into_iter().map(|t| self.light(t, seen)).collect();
        let lossy =
            lights.iter().filter_map(|l| if let Light::Lossy(n, at) = l { Some((*n, *at)) } else { None });
        let (rows, oldest) = lossy.fold((0, None), |(sum, old): (u64, Option<DateTime<Utc>>), (n, at)| {
            (sum + n, Some(old.map_or(at, |o| o.min(at))))
        });
        let seen_at =
            lights.iter().filter_map(|l| if let Light::Lossless(at) = l { Some(*at) } else { None }).min();
        let worst = lights.into_iter().min_by_key(Light::rank);
        match (worst, oldest) {
            (None, _) => Light::Unknown("there is no twin here".into()),
            (Some(Light::Lossy(..)), Some(at)) => Light::Lossy(rows, at),
            (Some(Light::Lossless(at)), _) => Light::Lossless(seen_at.unwrap_or(at)),
            (Some(worst), _) => worst,
        }
    }
}
