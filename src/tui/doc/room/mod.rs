//! The switchover room as lines: what is going on, who is in the way, what a rollback would lose.

mod facts;
mod stages;

use chrono::{DateTime, Utc};
use unicode_width::UnicodeWidthStr as _;

use super::wrap;
use crate::engine::journal::{Outcome, RunRecord};
use crate::engine::plan::Plan;
use crate::engine::progress::{Phase, Wish};
use crate::engine::room::{RoomFacts, RoomRun};
use crate::engine::switch::Swap;
use crate::engine::twin::Standing;
use crate::tui::app::{App, Link, OurRun, Readiness, View, swap_of, title_of};
use crate::tui::format::{ago, counted, whole};
use crate::tui::list::{cell, plain};
use crate::tui::pane::Spans;
use crate::tui::theme::Tone;
pub use facts::light_words;
use stages::Stages;

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
}

impl<'a> Sight<'a> {
    fn of(app: &'a App) -> Option<Self> {
        let name = app.room_name()?;
        let facts = app.room_facts();
        let ours = app.run_in_room();
        let (record, plan) = match &app.level().view {
            View::Run(view) => (app.record(view), app.run_plan(view)),
            _ => (None, ours.and_then(|r| r.plan.as_ref())),
        };
        Some(Self { app, name, facts, ours, record, plan })
    }

    fn going(&self) -> Option<&'a OurRun> {
        self.ours.filter(|r| r.done.is_none())
    }

    /// What the room's look says of the run shown.
    fn told(&self) -> Option<&'a RoomRun> {
        let (facts, _) = self.facts?;
        let id = self.ours.and_then(OurRun::number).or_else(|| self.record.map(|r| r.id.as_str()))?;
        [&facts.last, &facts.switched].into_iter().flatten().find(|r| r.record.id == id)
    }

    /// Somebody is at it right now.
    fn live(&self) -> bool {
        self.going().is_some() || self.ours.is_none() && self.record.is_some_and(|r| r.live)
    }

    /// No run is shown.
    fn quiet(&self) -> bool {
        self.record.is_none() && self.ours.is_none()
    }

    fn swap(&self) -> Option<&'a Swap> {
        self.plan.and_then(swap_of)
    }

    /// The steps of the run shown, and the one it is at.
    fn steps(&self) -> (Vec<String>, Option<String>) {
        let progress = self.ours.and_then(|r| r.progress.as_ref()).filter(|p| !p.stages.is_empty());
        let planned =
            || self.plan.map(|p| p.steps.iter().map(|s| s.id.clone()).collect()).unwrap_or_default();
        match (progress, self.told()) {
            (Some(p), _) => (p.stages.clone(), Some(p.stage.clone())),
            (None, Some(run)) => (run.stages.clone(), run.stage.clone()),
            (None, None) => (planned(), None),
        }
    }

    /// The tables have changed places in the run shown.
    fn swapped(&self) -> bool {
        let (ids, stage) = self.steps();
        let by_run = self.ours.is_some_and(OurRun::has_swapped);
        by_run || self.told().is_some_and(|r| r.held_ms.is_some()) || {
            let begun = self.ours.is_none() || stage.is_some();
            begun && !ids.is_empty() && stages::past_swap(&ids, stage.as_deref())
        }
    }

    /// When both sides were last found equal by the run.
    fn equal(&self) -> Option<String> {
        let at = self.ours?.progress.as_ref()?.room.equal_at?;
        Some(ago(DateTime::from_timestamp_millis(at)?, self.app.now))
    }

    /// It is the way back.
    fn back(&self) -> bool {
        let of_plan = self.plan.is_some_and(|p| p.steps.iter().any(|s| s.id == "swap-back"));
        of_plan || self.record.is_some_and(|r| r.operation != "switchover")
    }

    fn stages(&self) -> Stages {
        let (ids, stage) = self.steps();
        let outcome = self.ours.and_then(|r| r.done.as_ref()).map(|d| d.outcome);
        let outcome = outcome.or_else(|| self.record.filter(|r| !r.live).map(|r| r.outcome));
        let over = outcome.is_some() && !self.live();
        let failed = over && outcome != Some(Outcome::Applied);
        Stages::of(&ids, stage.as_deref(), over, failed)
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
    let back = sight.back();
    let mut out = if back {
        vec![vec![cell("ROLLBACK  ", Tone::Strong), plain(format!("{tables} → legacy again"))]]
    } else {
        vec![vec![cell("SWITCHOVER  ", Tone::Strong), plain(format!("{tables} → partitioned twins"))]]
    };
    out.extend(sight.stages().place());
    if let Some(swap) = sight.swap() {
        out.push(vec![cell("budget ", Tone::Dim), plain(format!("{} ms", swap.budget_ms))]);
    }
    match (sight.ours.and_then(|r| r.progress.as_ref()?.room.attempt), sight.told().and_then(|r| r.attempt)) {
        (Some((n, of)), _) => out.push(vec![cell("attempt ", Tone::Dim), plain(format!("{n} of {of}"))]),
        (None, Some(n)) => out.push(vec![cell("attempt ", Tone::Dim), plain(n.to_string())]),
        (None, None) => {}
    }
    out.push(phase(sight));
    out
}

/// What it is doing, and what was asked of it.
fn phase(sight: &Sight<'_>) -> Spans {
    let g = sight.app.theme.glyphs;
    let Some(run) = sight.going() else {
        let by = sight.record.map_or("", RunRecord::by);
        return vec![cell(format!("{} run by {by}", g.running), Tone::Accent)];
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
    } else if let Some(run) = sight.app.run_elsewhere() {
        out.extend(elsewhere(sight, run));
    } else if switched + cleaned > 0 {
        if let Some(run) = &facts.switched {
            let when = ago(run.record.ended_at.unwrap_or(run.record.started_at), sight.app.server_now());
            out.push(vec![cell(format!("run {}, {when}, by {}", run.record.id, run.record.by()), Tone::Dim)]);
        }
        if switched + cleaned < facts.twins.len() {
            out.push(to_come(sight, "the rest ", "d plans the rest"));
        }
    } else {
        out.push(to_come(sight, "", "d plans it"));
    }
    out
}

/// Somebody else is at these twins: what it is, by whom, how far.
fn elsewhere(sight: &Sight<'_>, run: &RoomRun) -> Vec<Spans> {
    let r = &run.record;
    let what = format!("{} run {} {}", sight.app.theme.glyphs.running, r.id, title_of(r));
    let mut out = vec![vec![cell(what, Tone::Accent), plain(format!("   by {}   l shows it", r.by()))]];
    out.extend(Stages::of(&run.stages, run.stage.as_deref(), false, false).place());
    out
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
