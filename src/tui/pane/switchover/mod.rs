//! The switchover room as lines, and how it is drawn: stages, blockers, what is equal, what a rollback would lose.

pub(in crate::tui) mod draw;
mod facts;
pub mod room_data;
mod stages;

use crate::engine::model::progress::{ControlRequest, Phase};
use crate::engine::model::record::Outcome;
use crate::features::parity::pair::SwitchState;
use crate::features::switchover::status::RoomRun;
use crate::features::switchover::verbs;
use crate::tui::doc::live;
use crate::tui::format::{ago, counted, whole};
use crate::tui::list::{Spans, cell, plain};
use crate::tui::model::ready::Readiness;
use crate::tui::model::state::Model;
use crate::tui::model::switchover::is_swap;
use crate::tui::model::view::View;
use crate::tui::pane::switchover::room_data::{RoomData, RoomPosition};
use crate::tui::pane::switchover::stages::Stages;
use crate::tui::theme::Tone;
use unicode_width::UnicodeWidthStr as _;

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
pub fn room(model: &Model) -> Option<Room> {
    let room_data = RoomData::from_model(model)?;
    let width = usize::from(model.size.0);
    let mut head = match (&model.level().view, room_data.live()) {
        (View::Run(view), false) => live::head(model, view),
        _ => flow(&title(&room_data), width),
    };
    if !room_data.quiet() {
        head.extend(flow(&Stages::from_room(&room_data).parts(&room_data), width));
    }
    let blockers =
        if room_data.swapped() && room_data.live() { vec![] } else { facts::blockers(&room_data, width) };
    let (wanted, rest) = (facts::wanted(&room_data, width), facts::lines(&room_data, width));
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

/// What the room is about and how it stands.
fn title(room_data: &RoomData<'_>) -> Vec<Spans> {
    let tables = counted(room_data.model.twins_of(&room_data.name).len() as u64, "table");
    if !room_data.live() {
        return quiet(room_data, &tables);
    }
    // A run may be about a part of the room.
    let of =
        room_data.ours.and_then(|r| r.plan.as_ref()).map(|p| &p.name).or(room_data.record.map(|r| &r.name));
    let tables = match of.filter(|n| **n != room_data.name).map(|n| room_data.model.twins_of(n)) {
        Some(part) if !part.is_empty() => part.join(", "),
        _ => tables,
    };
    let back = room_data.is_rollback();
    let mut out = if back {
        vec![vec![cell("ROLLBACK  ", Tone::Strong), plain(format!("{tables} → legacy again"))]]
    } else {
        vec![vec![cell("SWITCHOVER  ", Tone::Strong), plain(format!("{tables} → partitioned twins"))]]
    };
    out.extend(Stages::from_room(room_data).place());
    let theirs = room_data.theirs();
    let budget = room_data.swap().map(|s| s.budget_ms).or_else(|| theirs?.asked.budget_ms);
    if let Some(ms) = budget {
        out.push(vec![cell("budget ", Tone::Dim), plain(format!("{ms} ms"))]);
    }
    let ours = room_data.ours.and_then(|r| r.progress.as_ref()?.locks.attempt);
    let ours = ours.map(|(n, of)| (u64::from(n), Some(u64::from(of))));
    // An attempt of others is in the journal once it is over; the one after it is at hand or to come.
    let attempt = ours.or_else(|| {
        let run = theirs?;
        let at_hand = || run.stage.as_deref().is_some_and(is_swap).then_some(run.tried + 1);
        let n = run.attempt.or_else(at_hand)?;
        Some((n, run.asked.attempts))
    });
    if let Some((n, of)) = attempt.or_else(|| Some((room_data.room_run()?.attempt?, None))) {
        let of = of.map_or_else(String::new, |of| format!(" of {of}"));
        out.push(vec![cell("attempt ", Tone::Dim), plain(format!("{n}{of}"))]);
    }
    out.push(phase(room_data));
    out
}

/// What it is doing, and what was asked of it.
fn phase(room_data: &RoomData<'_>) -> Spans {
    let g = room_data.model.theme.glyphs;
    let Some(run) = room_data.going() else {
        let Some(record) = room_data.record else { return vec![] };
        let shown = if matches!(room_data.model.level().view, View::Room(_)) { "   l shows it" } else { "" };
        let text = format!("{} run {} by {}", g.running, record.id, record.by());
        return vec![cell(text, Tone::Accent), plain(shown)];
    };
    let phase = run.progress.as_ref().map_or(Phase::Locking, |p| p.phase);
    match (run.wish, phase) {
        (ControlRequest::Cancel, _) => vec![cell(format!("{} stopping", g.warn), Tone::Warn)],
        (ControlRequest::Pause, Phase::Paused) => {
            vec![cell(format!("{} postponed: p goes on", g.warn), Tone::Warn)]
        }
        (ControlRequest::Pause, _) => vec![cell(format!("{} about to be postponed", g.warn), Tone::Warn)],
        (ControlRequest::Go, Phase::Waiting) => vec![cell(format!("{} waiting", g.running), Tone::Warn)],
        (ControlRequest::Go, _) => {
            let s = u64::try_from((room_data.model.now - run.began).num_seconds()).unwrap_or(0);
            vec![cell(format!("{} {} for {}", g.running, phase.word(), whole(s)), Tone::Accent)]
        }
    }
}

/// No run is shown: ready or not, or since when it is switched.
fn quiet(room_data: &RoomData<'_>, tables: &str) -> Vec<Spans> {
    let g = room_data.model.theme.glyphs;
    let title = |word: &str, what: String| vec![cell(format!("{word}  "), Tone::Strong), plain(what)];
    let Some((facts, _)) = room_data.facts else {
        let out = vec![title("SWITCHOVER", format!("{tables} → partitioned twins"))];
        return out.into_iter().chain([vec![cell("looking…", Tone::Dim)]]).collect();
    };
    let of = |standing| facts.twins.iter().filter(|t| t.standing == standing).count();
    let (switched, cleaned) = (of(SwitchState::Switched), of(SwitchState::Cleaned));
    let mut out = match (switched + cleaned, facts.twins.len()) {
        (0, _) => vec![title("SWITCHOVER", format!("{tables} → partitioned twins"))],
        (n, all) if n == all => vec![title("SWITCHED", format!("{tables} answered by partitioned twins"))],
        (n, all) => vec![title("SWITCHED IN PART", format!("{n} of {all} tables"))],
    };
    if room_data.stale() {
        out.push(vec![cell(format!("{} unknown", g.unknown), Tone::Unknown)]);
    } else if switched + cleaned > 0 {
        if let Some(run) = &facts.switched {
            let when = ago(run.record.last_heard(), room_data.model.server_now());
            out.push(vec![cell(format!("run {}, {when}, by {}", run.record.id, run.record.by()), Tone::Dim)]);
        }
        if let Some(run) = room_data.model.broken_off_here() {
            out.extend(broken_off(room_data, run));
        } else if switched + cleaned < facts.twins.len() {
            out.push(to_come(room_data, "the rest ", "d plans the rest"));
        }
    } else if let Some(run) = room_data.model.broken_off_here() {
        out.extend(broken_off(room_data, run));
    } else {
        out.push(to_come(room_data, "", "d plans it"));
    }
    out
}

/// What stopped half-way comes before anything new.
fn broken_off(room_data: &RoomData<'_>, run: &RoomRun) -> Vec<Spans> {
    let r = &run.record;
    let place = run.stage.as_ref().and_then(|stage| {
        let at = RoomPosition::Step(stage.clone());
        Stages::new(&run.stages, &at, false, false).name().map(|n| format!(" at {}", n.to_uppercase()))
    });
    let how = if r.outcome == Outcome::Running { "broke off" } else { "stopped" };
    let when = ago(r.last_heard(), room_data.model.server_now());
    let g = room_data.model.theme.glyphs;
    let text = format!("{} run {} {how}{}, {when}", g.warn, r.id, place.unwrap_or_default());
    let key = if r.needs_fix_first() {
        "mend what stopped it, then a goes on with it"
    } else {
        "a goes on with it"
    };
    vec![vec![cell(text, Tone::Warn)], vec![plain(key)]]
}

/// May what is not switched yet be switched?
fn to_come(room_data: &RoomData<'_>, what: &str, key: &str) -> Spans {
    let g = room_data.model.theme.glyphs;
    let set = room_data.model.room_set(verbs::SWITCHOVER).unwrap_or_default();
    match room_data.model.readiness_of(&set) {
        Readiness::Ready(_) => {
            vec![cell(format!("{} {what}ready", g.ok), Tone::Good), plain(format!("   {key}"))]
        }
        Readiness::Not(_) => vec![cell(format!("{} {what}not ready", g.fail), Tone::Bad)],
        Readiness::Unknown(_) => vec![cell(format!("{} {what}unknown", g.unknown), Tone::Unknown)],
    }
}
