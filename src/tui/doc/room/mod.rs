//! The switchover room as lines: what is going on, who is in the way, what a rollback would lose.

mod facts;
mod stages;

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr as _;

use super::wrap;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::{Phase, Wish};
use crate::engine::model::record::{Outcome, RunRecord};
use crate::features::parity::pair::Standing;
use crate::features::switchover::progress::SwitchoverProgress;
use crate::features::switchover::status::{RoomFacts, RoomRun};
use crate::features::switchover::task::SwapSummary;
use crate::tui::app::{App, Link, OurRun, Readiness, View, is_swap, swap_of};
use crate::tui::format::{ago, counted, whole};
use crate::tui::list::{cell, plain};
use crate::tui::pane::Spans;
use crate::tui::theme::Tone;
pub use facts::light_words;
use stages::{At, Stages};

/// Columns of the labels, the first one free.
const LABEL: usize = 15;

/// Everything that the room is drawn from.
pub(super) struct Sight<'a> {
    app: &'a App,
    name: String,
    /// What was last seen of it, and when.
    facts: Option<(&'a RoomFacts, DateTime<Utc>)>,
    /// Our run, going on or over.
    ours: Option<&'a OurRun>,
    /// What the journal says of the run shown.
    record: Option<&'a RunRecord>,
    plan: Option<&'a Plan>,
    /// The run shown as its entries have it, where the room's look does not tell of it.
    read: Option<RoomRun>,
}

impl<'a> Sight<'a> {
    fn of(app: &'a App) -> Option<Self> {
        let name = app.room_name()?;
        let facts = app.room_facts();
        let ours = app.run_in_room();
        let (record, plan) = match &app.level().view {
            View::Run(view) => (app.record(view), app.run_plan(view)),
            // A run of others at these twins is the room, as one of ours is.
            _ => match (ours, app.run_elsewhere()) {
                (None, Some(run)) if app.link == Link::Up && app.room.failure.is_none() => {
                    (Some(&run.record), None)
                }
                _ => (None, ours.and_then(|r| r.plan.as_ref())),
            },
        };
        let mut sight = Self { app, name, facts, ours, record, plan, read: None };
        if let (View::Run(view), Some(record), Some(plan), None) =
            (&app.level().view, record, plan, sight.told())
            && let Some(Ok(detail)) = &view.detail
            && let Some(at) = detail.at
        {
            sight.read = Some(RoomRun::of_plan(record.clone(), plan, at, &detail.events));
        }
        Some(sight)
    }

    fn going(&self) -> Option<&'a OurRun> {
        self.ours.filter(|r| r.done.is_none())
    }

    /// What the room's look says of the run shown, or else its own entries.
    fn told(&self) -> Option<&RoomRun> {
        let id = self.ours.and_then(OurRun::number).or_else(|| self.record.map(|r| r.id.as_str()))?;
        let seen = self.facts.into_iter().flat_map(|(f, _)| [&f.last, &f.switched]);
        seen.flatten().find(|r| r.record.id == id).or(self.read.as_ref())
    }

    /// Others are at it right now: what is known of it is what the journal says.
    fn theirs(&self) -> Option<&RoomRun> {
        (self.ours.is_none() && self.live()).then(|| self.told()).flatten()
    }

    /// Somebody is at it right now.
    fn live(&self) -> bool {
        self.going().is_some() || self.ours.is_none() && self.record.is_some_and(|r| r.live)
    }

    /// No run is shown.
    fn quiet(&self) -> bool {
        self.record.is_none() && self.ours.is_none()
    }

    fn swap(&self) -> Option<SwapSummary> {
        self.plan.and_then(swap_of)
    }

    /// The steps of the run shown, and the one it is at.
    fn steps(&self) -> (Vec<String>, At) {
        let progress = self.ours.and_then(|r| r.progress.as_ref()).filter(|p| !p.stages.is_empty());
        let planned =
            || self.plan.map(|p| p.steps.iter().map(|s| s.id.clone()).collect()).unwrap_or_default();
        match (progress, self.told()) {
            (Some(p), _) => (p.stages.clone(), At::Step(p.stage.clone())),
            (None, Some(run)) => (run.stages.clone(), run.stage.clone().map_or(At::End, At::Step)),
            (None, None) => (planned(), At::Unknown),
        }
    }

    /// The tables have changed places in the run shown.
    fn swapped(&self) -> bool {
        let (ids, at) = self.steps();
        let by_run = self.ours.is_some_and(OurRun::has_swapped);
        by_run || self.told().is_some_and(|r| r.held_ms.is_some()) || stages::past_swap(&ids, &at)
    }

    /// When both sides were last found equal by the run.
    fn equal(&self) -> Option<String> {
        if let Some(run) = self.theirs() {
            return Some(ago(run.equal_at?, self.app.server_now()));
        }
        let at = SwitchoverProgress::of(self.ours?.progress.as_ref()?).equal_at?;
        Some(ago(DateTime::from_timestamp_millis(at)?, self.app.now))
    }

    /// It is the way back.
    fn back(&self) -> bool {
        let of_plan = self.plan.is_some_and(|p| p.steps.iter().any(|s| s.id == "swap-back"));
        let told = self.told().filter(|r| !r.stages.is_empty());
        match told {
            Some(run) => run.stages.iter().any(|s| s == "swap-back"),
            None => of_plan || self.record.is_some_and(|r| r.operation != "switchover"),
        }
    }

    fn stages(&self) -> Stages {
        let (ids, at) = self.steps();
        let outcome = self.ours.and_then(|r| r.done.as_ref()).map(|d| d.outcome);
        let outcome = outcome.or_else(|| self.record.filter(|r| !r.live).map(|r| r.outcome));
        let over = outcome.is_some() && !self.live();
        let failed = over && outcome != Some(Outcome::Applied);
        Stages::of(&ids, &at, over, failed)
    }

    /// What is shown is no longer looked at.
    fn stale(&self) -> bool {
        self.app.link != Link::Up || self.app.room.failure.is_some()
    }
}

/// The lines of the room shown: those that always stand, and those of the blockers, which take what is left.
pub struct Room {
    /// Above everything.
    pub head: Vec<Spans>,
    /// What the locks are wanted on.
    pub wanted: Vec<Spans>,
    /// Who is in the way: each with its lines.
    pub blockers: Vec<Vec<Spans>>,
    /// What else there is to know.
    pub rest: Vec<Spans>,
}

/// The room shown; `None`: what is shown is none.
pub fn room(app: &App) -> Option<Room> {
    let sight = Sight::of(app)?;
    let width = usize::from(app.size.0);
    let mut head = match (&app.level().view, sight.live()) {
        (View::Run(view), false) => super::live::head(app, view),
        _ => flow(&title(&sight), width),
    };
    if !sight.quiet() {
        head.extend(flow(&sight.stages().parts(&sight), width));
    }
    let blockers = if sight.swapped() && sight.live() { vec![] } else { facts::blockers(&sight, width) };
    let (wanted, rest) = (facts::wanted(&sight, width), facts::lines(&sight, width));
    Some(Room { head, wanted, blockers, rest })
}

/// Parts that stay whole, as many to a line as fit.
fn flow(parts: &[Spans], width: usize) -> Vec<Spans> {
    let mut out: Vec<Spans> = Vec::new();
    let mut line: Spans = vec![plain(" ")];
    let mut used = 1;
    for part in parts {
        let wide: usize = part.iter().map(|c| c.text.width()).sum();
        if used > 1 && used + 3 + wide > width {
            out.push(std::mem::replace(&mut line, vec![plain(" ")]));
            used = 1;
        }
        if used > 1 {
            line.push(plain("   "));
            used += 3;
        }
        used += wide;
        line.extend(part.iter().cloned());
    }
    out.push(line);
    out
}

/// A label and its text, wrapped below it.
fn labelled(out: &mut Vec<Spans>, width: usize, label: &str, text: &str, tone: Tone) {
    for (i, line) in wrap(text, width.saturating_sub(LABEL + 3).max(20)).into_iter().enumerate() {
        let label = if i == 0 { label } else { "" };
        out.push(vec![cell(format!(" {label:<LABEL$} "), Tone::Dim), cell(line, tone)]);
    }
}

/// What the room is about and how it stands.
fn title(sight: &Sight<'_>) -> Vec<Spans> {
    let tables = counted(sight.app.twins_of(&sight.name).len() as u64, "table");
    if !sight.live() {
        return quiet(sight, &tables);
    }
    // A run may be about a part of the room.
    let of = sight.ours.and_then(|r| r.plan.as_ref()).map(|p| &p.name).or(sight.record.map(|r| &r.name));
    let tables = match of.filter(|n| **n != sight.name).map(|n| sight.app.twins_of(n)) {
        Some(part) if !part.is_empty() => part.join(", "),
        _ => tables,
    };
    let back = sight.back();
    let mut out = if back {
        vec![vec![cell("ROLLBACK  ", Tone::Strong), plain(format!("{tables} → legacy again"))]]
    } else {
        vec![vec![cell("SWITCHOVER  ", Tone::Strong), plain(format!("{tables} → partitioned twins"))]]
    };
    out.extend(sight.stages().place());
    let theirs = sight.theirs();
    let budget = sight.swap().map(|s| s.budget_ms).or_else(|| theirs?.asked.budget_ms);
    if let Some(ms) = budget {
        out.push(vec![cell("budget ", Tone::Dim), plain(format!("{ms} ms"))]);
    }
    let ours = sight.ours.and_then(|r| r.progress.as_ref()?.locks.attempt);
    let ours = ours.map(|(n, of)| (u64::from(n), Some(u64::from(of))));
    // An attempt of others is in the journal once it is over; the one after it is at hand or to come.
    let attempt = ours.or_else(|| {
        let run = theirs?;
        let at_hand = || run.stage.as_deref().is_some_and(is_swap).then_some(run.tried + 1);
        let n = run.attempt.or_else(at_hand)?;
        Some((n, run.asked.attempts))
    });
    if let Some((n, of)) = attempt.or_else(|| Some((sight.told()?.attempt?, None))) {
        let of = of.map_or_else(String::new, |of| format!(" of {of}"));
        out.push(vec![cell("attempt ", Tone::Dim), plain(format!("{n}{of}"))]);
    }
    out.push(phase(sight));
    out
}

/// What it is doing, and what was asked of it.
fn phase(sight: &Sight<'_>) -> Spans {
    let g = sight.app.theme.glyphs;
    let Some(run) = sight.going() else {
        let Some(record) = sight.record else { return vec![] };
        let shown = if matches!(sight.app.level().view, View::Room(_)) { "   l shows it" } else { "" };
        let text = format!("{} run {} by {}", g.running, record.id, record.by());
        return vec![cell(text, Tone::Accent), plain(shown)];
    };
    let phase = run.progress.as_ref().map_or(Phase::Locking, |p| p.phase);
    match (run.wish, phase) {
        (Wish::Cancel, _) => vec![cell(format!("{} stopping", g.warn), Tone::Warn)],
        (Wish::Pause, Phase::Paused) => vec![cell(format!("{} postponed: p goes on", g.warn), Tone::Warn)],
        (Wish::Pause, _) => vec![cell(format!("{} about to be postponed", g.warn), Tone::Warn)],
        (Wish::Go, Phase::Waiting) => vec![cell(format!("{} waiting", g.running), Tone::Warn)],
        (Wish::Go, _) => {
            let s = u64::try_from((sight.app.now - run.began).num_seconds()).unwrap_or(0);
            vec![cell(format!("{} {} for {}", g.running, phase.word(), whole(s)), Tone::Accent)]
        }
    }
}

/// No run is shown: ready or not, or since when it is switched.
fn quiet(sight: &Sight<'_>, tables: &str) -> Vec<Spans> {
    let g = sight.app.theme.glyphs;
    let title = |word: &str, what: String| vec![cell(format!("{word}  "), Tone::Strong), plain(what)];
    let Some((facts, _)) = sight.facts else {
        let out = vec![title("SWITCHOVER", format!("{tables} → partitioned twins"))];
        return out.into_iter().chain([vec![cell("looking…", Tone::Dim)]]).collect();
    };
    let of = |standing| facts.twins.iter().filter(|t| t.standing == standing).count();
    let (switched, cleaned) = (of(Standing::Switched), of(Standing::Cleaned));
    let mut out = match (switched + cleaned, facts.twins.len()) {
        (0, _) => vec![title("SWITCHOVER", format!("{tables} → partitioned twins"))],
        (n, all) if n == all => vec![title("SWITCHED", format!("{tables} answered by partitioned twins"))],
        (n, all) => vec![title("SWITCHED IN PART", format!("{n} of {all} tables"))],
    };
    if sight.stale() {
        out.push(vec![cell(format!("{} unknown", g.unknown), Tone::Unknown)]);
    } else if switched + cleaned > 0 {
        if let Some(run) = &facts.switched {
            let when = ago(run.record.last_heard(), sight.app.server_now());
            out.push(vec![cell(format!("run {}, {when}, by {}", run.record.id, run.record.by()), Tone::Dim)]);
        }
        if let Some(run) = sight.app.broken_off_here() {
            out.extend(broken_off(sight, run));
        } else if switched + cleaned < facts.twins.len() {
            out.push(to_come(sight, "the rest ", "d plans the rest"));
        }
    } else if let Some(run) = sight.app.broken_off_here() {
        out.extend(broken_off(sight, run));
    } else {
        out.push(to_come(sight, "", "d plans it"));
    }
    out
}

/// What stopped half-way comes before anything new.
fn broken_off(sight: &Sight<'_>, run: &RoomRun) -> Vec<Spans> {
    let r = &run.record;
    let place = run.stage.as_ref().and_then(|stage| {
        let at = At::Step(stage.clone());
        Stages::of(&run.stages, &at, false, false).name().map(|n| format!(" at {}", n.to_uppercase()))
    });
    let how = if r.outcome == Outcome::Running { "broke off" } else { "stopped" };
    let when = ago(r.last_heard(), sight.app.server_now());
    let g = sight.app.theme.glyphs;
    let text = format!("{} run {} {how}{}, {when}", g.warn, r.id, place.unwrap_or_default());
    let key =
        if r.mend_first() { "mend what stopped it, then a goes on with it" } else { "a goes on with it" };
    vec![vec![cell(text, Tone::Warn)], vec![plain(key)]]
}

/// May what is not switched yet be switched?
fn to_come(sight: &Sight<'_>, what: &str, key: &str) -> Spans {
    let g = sight.app.theme.glyphs;
    let set = sight.app.room_set("switchover").unwrap_or_default();
    match sight.app.readiness_of(&set) {
        Readiness::Ready(_) => {
            vec![cell(format!("{} {what}ready", g.ok), Tone::Good), plain(format!("   {key}"))]
        }
        Readiness::Not(_) => vec![cell(format!("{} {what}not ready", g.fail), Tone::Bad)],
        Readiness::Unknown(_) => vec![cell(format!("{} {what}unknown", g.unknown), Tone::Unknown)],
    }
}
