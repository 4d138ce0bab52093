//! What is known of a switch: who is in the way, what waits, what is equal, what could be taken back.

use crate::engine::model::blocker::Blocker;
use crate::engine::model::progress::{Phase, Progress};
use crate::engine::model::record::Outcome;
use crate::features::parity::pair::SwitchState;
use crate::features::switchover::progress::SwitchoverProgress;
use crate::features::switchover::status::{HeldBack, Reverse, SwitchoverStatus, TwinStatus};
use crate::tui::doc::{live, wrap};
use crate::tui::format::{ago, count, counted, differ};
use crate::tui::list::{Spans, cell, plain};
use crate::tui::model::ready::Readiness;
use crate::tui::model::switchover::is_swap;
use crate::tui::model::view::View;
use crate::tui::pane::switchover::room_data::{LABEL, RoomData, labelled};
use crate::tui::theme::Tone;

/// From here on a blocker needs two lines, below it three.
const WIDE: usize = 100;
/// What every name begins with unless it is said.
const PUBLIC: &str = "public.";

/// Of a swap that waits for those who hold its tables.
const NOT_TRIED: &str = "not tried while they are there: others would wait with it";

/// An age in milliseconds as one says it.
fn long(ms: i64) -> String {
    let s = ms.max(0) / 1_000;
    match s {
        0..=9 => format!("{}.{} s", s, ms.max(0) % 1_000 / 100),
        10..=119 => format!("{s} s"),
        120..=3_599 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3_600, s / 60 % 60),
    }
}

fn label(text: &str) -> crate::tui::list::Cell {
    cell(format!(" {text:<LABEL$} "), Tone::Dim)
}

/// Who is in the way: a line for who, one for what it ran.
pub(super) fn blockers(room_data: &RoomData<'_>, width: usize) -> Vec<Vec<Spans>> {
    let (all, at) = room_data.model.blockers();
    let passed = at.map_or(0, |at| (room_data.model.now - at).num_milliseconds().max(0));
    let chosen = room_data.model.level().state.cursor.min(all.len().saturating_sub(1));
    // Only where there is something to choose does one of them stand out.
    let choose = room_data.going().is_some()
        && all.len() > 1
        && !matches!(&room_data.model.level().view, View::Run(v) if v.log);
    all.iter().enumerate().map(|(i, b)| blocker(room_data, b, passed, choose && i == chosen, width)).collect()
}

fn blocker(room_data: &RoomData<'_>, b: &Blocker, passed: i64, here: bool, width: usize) -> Vec<Spans> {
    let g = room_data.model.theme.glyphs;
    let mark = if here { g.cursor } else { " " };
    let who =
        if b.application.is_empty() { b.role.clone() } else { format!("{} ({})", b.role, b.application) };
    let mut first = vec![
        cell(format!("{mark}  "), Tone::Accent),
        cell(format!("{} pid {}", g.warn, b.pid), Tone::Warn),
        cell(format!("  {who}"), Tone::Strong),
        plain(format!("  {} for {}", b.state, long(b.age_ms + passed))),
    ];
    let holds = b.table.replace('"', "");
    let loses = vec![
        cell("   would lose ", Tone::Dim),
        cell(b.loses(), if b.wrote { Tone::Bad } else { Tone::Plain }),
    ];
    let query: String = b.query.split_whitespace().collect::<Vec<_>>().join(" ");
    let ran = if b.is_active() { "runs" } else { "ran" };
    let since = long(b.statement_ms + passed);
    let when = if b.is_active() { format!("for {since}") } else { format!("{since} ago") };
    let held = cell(format!("     holds {}", holds.trim_start_matches(PUBLIC)), Tone::Dim);
    let said = |before: &str| vec![cell(format!("{before}{ran} {when}: "), Tone::Dim), plain(query.clone())];
    if width < WIDE {
        let second = std::iter::once(held).chain(loses).collect();
        return vec![first, second, said("     ")];
    }
    first.extend(loses);
    let before = format!("{}   ", held.text);
    vec![first, said(&before)]
}

/// The lines below the blockers.
pub(super) fn lines(room_data: &RoomData<'_>, width: usize) -> Vec<Spans> {
    let mut out = Vec::new();
    if let Some(failure) =
        room_data.model.room.failure.as_ref().filter(|_| room_data.model.room.name == room_data.name)
    {
        let text = format!(
            "{} the room cannot be looked at: {}",
            room_data.model.theme.glyphs.unknown, failure.message
        );
        labelled(&mut out, width, "unknown", &text, Tone::Unknown);
    }
    if room_data.live() {
        attempt(room_data, &mut out, width);
        waiting_sessions(room_data, &mut out, width);
        equal(room_data, &mut out, width);
    } else {
        if room_data.quiet() {
            twins(room_data, &mut out, width);
        }
        waiting_sessions(room_data, &mut out, width);
    }
    reverse(room_data, &mut out, width);
    rollback_outlook(room_data, &mut out, width);
    if room_data.going().is_some() {
        labelled(&mut out, width, "abort", abort(room_data), Tone::Plain);
    }
    history(room_data, &mut out, width);
    out
}

/// What abort leaves behind, at this stage.
pub(super) fn abort(room_data: &RoomData<'_>) -> &'static str {
    match (room_data.swapped(), room_data.is_rollback()) {
        (false, false) => "nothing to undo yet: applications stay on the legacy tables",
        (false, true) => "nothing to undo yet: applications stay on the partitioned tables",
        (true, false) => "ends looking on only: the switch stands, z plans the way back",
        (true, true) => "leaves the tables swapped back; what is left of it can be gone on with",
    }
}

/// The locks wanted, and how the last attempt ended.
fn attempt(room_data: &RoomData<'_>, out: &mut Vec<Spans>, width: usize) {
    let Some(told) = room_data.ours.and_then(|r| r.progress.as_ref()) else {
        return attempt_of_others(room_data, out, width);
    };
    let at_swap = is_swap(&told.stage);
    let blocked = !room_data.model.blockers().0.is_empty();
    if at_swap && told.phase == Phase::Waiting && blocked {
        labelled(out, width, "", NOT_TRIED, Tone::Dim);
    } else if let Some(why) = told.waiting.as_ref().filter(|_| !at_swap || told.not_tried) {
        labelled(out, width, "held back", why, Tone::Warn);
    }
    if let Some(ended) = &told.locks.ended {
        labelled(out, width, "ended", ended, Tone::Warn);
    }
    if let Some(last) = &told.locks.last {
        let tone = if told.locks.held_ms.is_some() { Tone::Good } else { Tone::Warn };
        let name = if told.locks.held_ms.is_some() { "swapped" } else { "last attempt" };
        labelled(out, width, name, last, tone);
    }
    if !told.step.is_empty() && !at_swap {
        labelled(out, width, "step", &told.step, Tone::Plain);
    }
}

/// The same as far as its journal has it.
fn attempt_of_others(room_data: &RoomData<'_>, out: &mut Vec<Spans>, width: usize) {
    let told = room_data.room_run();
    let at_swap = told.and_then(|r| r.stage.as_deref()).is_some_and(is_swap);
    // Beside its entries, which say what the message speaks of.
    let record = told.map(|r| &r.record).or(room_data.record);
    let message = record.and_then(|r| r.message.as_deref()).filter(|_| !room_data.swapped());
    let held = told.and_then(|r| r.held);
    let blocked = !room_data.model.blockers().0.is_empty();
    match (message, held) {
        // Who they are stands above, as they are now.
        (Some(_), Some(HeldBack::NotTried)) if at_swap && blocked => {
            labelled(out, width, "", NOT_TRIED, Tone::Dim);
        }
        // The attempt's own entry says it below, and who they are stands above.
        (Some(_), Some(HeldBack::Attempt)) if at_swap || blocked => {}
        (Some(why), _) => labelled(out, width, "says", why, Tone::Warn),
        (None, _) => {}
    }
    let Some(run) = told else { return };
    if let Some(held) = run.held_ms {
        labelled(out, width, "swapped", &format!("locks held {held} ms"), Tone::Good);
    } else if let Some(last) = &run.last {
        labelled(out, width, "last attempt", last, Tone::Warn);
    }
}

/// What the locks are wanted on, in their order.
pub(super) fn wanted(room_data: &RoomData<'_>, width: usize) -> Vec<Spans> {
    if room_data.going().is_none() && !room_data.model.blockers().0.is_empty() {
        return vec![vec![
            plain(" in the way of "),
            cell("ACCESS EXCLUSIVE", Tone::Strong),
            plain(" on these tables"),
        ]];
    }
    let told = room_data.going().and_then(|r| r.progress.as_ref());
    let waits = |p: &&Progress| is_swap(&p.stage) && p.locks.held_ms.is_none();
    let (Some(_), Some(swap)) = (told.filter(waits), room_data.swap()) else { return vec![] };
    let twins = usize::try_from(swap.twins).unwrap_or(usize::MAX).min(swap.tables.len());
    let then = match (room_data.is_rollback(), swap.tables.len() > twins, twins) {
        (_, false, _) => "",
        (false, true, 1) => ", then its twin",
        (false, true, _) => ", then their twins",
        (true, true, 1) => ", then the legacy one",
        (true, true, _) => ", then the legacy ones",
    };
    // Views of them come first, their twins last.
    let first = swap.tables.len().saturating_sub(2 * twins);
    let legacy = swap.tables.iter().skip(first).take(twins);
    let names: Vec<&str> = legacy.map(|t| t.trim_start_matches(PUBLIC)).collect();
    let doing = match told.map(|p| p.phase) {
        Some(Phase::Paused) => "postponed, nothing is tried; it will want",
        _ => "waiting for",
    };
    let text = format!("{doing} ACCESS EXCLUSIVE on {}{then}", names.join(", "));
    let lines = wrap(&text, width.saturating_sub(3)).into_iter().enumerate();
    lines.map(|(i, l)| vec![plain(if i == 0 { " " } else { "   " }), cell(l, Tone::Strong)]).collect()
}

/// How many wait because of us or of others, and what is open for long.
fn waiting_sessions(room_data: &RoomData<'_>, out: &mut Vec<Spans>, width: usize) {
    let Some((f, at)) = room_data.facts else {
        out.push(vec![label("writers stalled"), cell("not looked at yet", Tone::Unknown)]);
        return;
    };
    let age = ago(at, room_data.model.now);
    let stale = room_data.stale() || (room_data.model.now - at).num_seconds() > 5;
    let tone = |bad: bool| {
        if stale {
            Tone::Unknown
        } else if bad {
            Tone::Warn
        } else {
            Tone::Plain
        }
    };
    let mut line = vec![label("writers stalled"), cell(count(f.stalled), tone(f.stalled > 0))];
    if let Some(ms) = f.longest_ms {
        line.push(cell("   longest transaction ", Tone::Dim));
        line.push(cell(long(ms), tone(ms > 60_000)));
    }
    let seen = if stale { format!("   stale, seen {age}") } else { format!("   {age}") };
    line.push(cell(seen, if stale { Tone::Unknown } else { Tone::Dim }));
    out.push(line);
    if room_data.quiet() && f.blockers.is_empty() {
        out.push(vec![label("in the way"), cell("nobody for longer than 0.5 s", tone(false))]);
    }
    if f.hidden > 0 {
        let text =
            format!("{} there whose doings this role may not see (pg_monitor)", counted(f.hidden, "session"));
        labelled(out, width, "", &text, Tone::Unknown);
    }
    if f.prepared > 0 {
        let text = format!(
            "{}: no session to end, COMMIT or ROLLBACK PREPARED",
            counted(f.prepared, "prepared transaction")
        );
        labelled(out, width, "", &text, Tone::Warn);
    }
}

/// When both sides were last found equal, and how much of that is new.
fn equal(room_data: &RoomData<'_>, out: &mut Vec<Spans>, width: usize) {
    let Some(progress) = room_data.ours.and_then(|r| r.progress.as_ref()) else { return };
    let Some(age) = room_data.equal() else {
        labelled(out, width, "equal", "not compared by this run yet", Tone::Dim);
        return;
    };
    let SwitchoverProgress { compared, differing, .. } = SwitchoverProgress::from_run(progress);
    let mut line = vec![label("equal"), plain(format!("{age}   "))];
    // No attempt has come so far: of what is written meanwhile nothing is known.
    if compared == 0 && differing == 0 && progress.locks.held_ms.is_none() {
        line.push(cell("nothing written since was compared yet", Tone::Dim));
    } else {
        let tone = if differing > 0 { Tone::Bad } else { Tone::Plain };
        line.push(cell(format!("{} written since and compared, ", counted(compared, "row")), Tone::Dim));
        line.push(cell(differ(differing, &count(differing)), tone));
    }
    out.push(line);
}

/// Each twin: where it stands, whether it is equal.
fn twins(room_data: &RoomData<'_>, out: &mut Vec<Spans>, width: usize) {
    let g = room_data.model.theme.glyphs;
    let names = room_data.model.twins_of(&room_data.name);
    let wide = names.iter().map(|n| n.chars().count()).max().unwrap_or(0).min(width / 3);
    for name in names {
        let now = room_data.facts.and_then(|(f, _)| f.twins.iter().find(|t| t.name == name));
        let standing = match now.map(|t| t.standing) {
            None => cell("not seen yet", Tone::Dim),
            Some(SwitchState::Before) => cell("legacy", Tone::Plain),
            Some(SwitchState::Switched) => cell("switched", Tone::Accent),
            Some(SwitchState::Cleaned) if now.is_some_and(|t| t.away.is_some()) => {
                cell("put away", Tone::Accent)
            }
            Some(SwitchState::Cleaned) => cell("cleaned up", Tone::Accent),
        };
        let (symbol, text, tone) = match room_data.model.readiness(name) {
            Readiness::Ready(at) => (g.ok, format!("equal {}", ago(at, room_data.model.now)), Tone::Good),
            Readiness::Not(why) => (g.fail, why.join(", "), Tone::Bad),
            Readiness::Unknown(why) => (g.unknown, why, Tone::Unknown),
        };
        let short: String = name.chars().take(wide).collect();
        let gap = " ".repeat(14_usize.saturating_sub(standing.text.chars().count()));
        // All of what must be mended is said, below itself where it is long.
        let from = wide + 4 + standing.text.chars().count() + gap.chars().count();
        let mut lines = wrap(&text, width.saturating_sub(from + 3).max(20)).into_iter();
        out.push(vec![
            plain(format!(" {short:<wide$}   ")),
            standing,
            plain(gap),
            cell(format!("{symbol} {}", lines.next().unwrap_or_default()), tone),
        ]);
        out.extend(lines.map(|l| vec![plain(" ".repeat(from + 2)), cell(l, tone)]));
    }
    out.push(vec![]);
}

/// The triggers that keep the other side complete, and the marks of writes.
fn reverse(room_data: &RoomData<'_>, out: &mut Vec<Spans>, width: usize) {
    let Some((f, _)) = room_data.facts else { return };
    let known = |tone| if room_data.stale() { Tone::Unknown } else { tone };
    // Nothing of before the swap is said after it.
    let before = room_data.swapped()
        && !room_data.is_rollback()
        && f.twins.iter().all(|t| t.standing == SwitchState::Before);
    let (text, tone) = if before {
        ("just switched: looked at again in a moment".to_owned(), Tone::Dim)
    } else {
        reversing(f)
    };
    labelled(out, width, "reverse sync", &text, known(tone));
    let pairs: Vec<&TwinStatus> = f.twins.iter().filter(|t| t.standing != SwitchState::Cleaned).collect();
    if !room_data.quiet() || pairs.is_empty() {
        return;
    }
    let marked = pairs.iter().filter(|t| t.marked).count();
    let (text, tone) = match marked {
        0 => ("not there: the switchover installs it".to_owned(), Tone::Dim),
        n if n == pairs.len() => ("every write on both sides is marked".into(), Tone::Plain),
        n => (format!("on {n} of {} twins", pairs.len()), Tone::Warn),
    };
    labelled(out, width, "write marker", &text, known(tone));
}

/// Only of a twin that is switched is it expected to be at work.
fn reversing(f: &SwitchoverStatus) -> (String, Tone) {
    let of = |standing: SwitchState| f.twins.iter().filter(move |t| t.standing == standing);
    let names =
        |twins: Vec<&TwinStatus>| twins.iter().map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
    let pairs = || of(SwitchState::Before).chain(of(SwitchState::Switched));
    let off: Vec<_> = pairs().filter(|t| t.reverse == Reverse::Off).collect();
    let silent: Vec<_> = of(SwitchState::Switched).filter(|t| t.reverse != Reverse::On).collect();
    let switched: Vec<_> = of(SwitchState::Switched).collect();
    if !off.is_empty() {
        (format!("not all of its triggers fire: {}", names(off)), Tone::Bad)
    } else if !silent.is_empty() {
        (format!("missing: {}", names(silent)), Tone::Bad)
    } else if !switched.is_empty() && switched.len() == f.twins.len() {
        ("on: the retired tables are kept complete".into(), Tone::Plain)
    } else if !switched.is_empty() {
        (format!("on for {}: the retired side is kept complete", names(switched)), Tone::Plain)
    } else if pairs().next().is_none() {
        ("ended by the cleanup".into(), Tone::Dim)
    } else if of(SwitchState::Before).all(|t| t.reverse != Reverse::Missing) {
        ("ready, idle until the switch".into(), Tone::Plain)
    } else {
        ("not made yet: the switchover makes it".into(), Tone::Dim)
    }
}

/// The light: what a rollback would lose.
fn rollback_outlook(room_data: &RoomData<'_>, out: &mut Vec<Spans>, width: usize) {
    let g = room_data.model.theme.glyphs;
    let (text, tone) = match run_light(room_data) {
        _ if room_data.stale() => ("unknown: what is shown is old".into(), Tone::Unknown),
        Some(said) => said,
        None => room_data.model.outlook_words(
            &room_data.model.rollback_outlook_of(&room_data.name, room_data.facts.map(|(f, _)| f)),
        ),
    };
    let wrapped = wrap(&text, width.saturating_sub(LABEL + 5).max(20));
    for (i, line) in wrapped.into_iter().enumerate() {
        let first = i == 0;
        let symbol = if first { format!("{} ", g.mark) } else { "  ".into() };
        let name = label(if first { "rollback" } else { "" });
        out.push(vec![
            name,
            cell(symbol, tone),
            cell(line, if tone == Tone::Dim { Tone::Dim } else { tone }),
        ]);
    }
}

/// While it goes on, what the run itself has compared a moment ago counts for more than an older report.
fn run_light(room_data: &RoomData<'_>) -> Option<(String, Tone)> {
    let told = room_data.going()?.progress.as_ref()?;
    let age = room_data.equal()?;
    if room_data.is_rollback() {
        return room_data.swapped().then(|| ("done: the legacy tables answer again".into(), Tone::Good));
    }
    let differing = SwitchoverProgress::from_run(told).differing;
    if differing > 0 {
        return Some((format!("lossy: {} found different", counted(differing, "comparison")), Tone::Bad));
    }
    let reversing =
        room_data.facts.is_some_and(|(f, _)| f.twins.iter().all(|t| t.reverse != Reverse::Missing));
    match (room_data.swapped(), reversing) {
        (true, _) => Some((format!("lossless: yes, 0 rows at risk, equal {age}"), Tone::Good)),
        (false, true) => Some(("lossless: yes, 0 rows at risk once it is switched".into(), Tone::Good)),
        (false, false) => None,
    }
}

/// The backup, and the run before.
fn history(room_data: &RoomData<'_>, out: &mut Vec<Spans>, width: usize) {
    let Some((f, _)) = room_data.facts else { return };
    let run = room_data.room_run().or(f.switched.as_ref()).or(f.last.as_ref());
    if let Some(made) = run.and_then(|r| r.backup.as_ref()) {
        let (proof, tone) = match &made.verified {
            Some(_) => ("restored and compared", Tone::Plain),
            None => ("NOT verified", Tone::Warn),
        };
        let size = size(made.bytes);
        let text = format!("{size}, {proof}: ");
        let room = width.saturating_sub(LABEL + 3 + text.chars().count());
        let long = made.file.chars().count();
        // Beside a run's own lines there is no room for a second one.
        if long > room && room_data.quiet() {
            out.push(vec![label("backup"), cell(text, tone)]);
            out.push(vec![label(""), cell(tail(&made.file, width.saturating_sub(LABEL + 3)), Tone::Plain)]);
        } else {
            out.push(vec![label("backup"), cell(text, tone), plain(tail(&made.file, room))]);
        }
    }
    if let Some(why) = &f.journal {
        labelled(out, width, "journal", &format!("unknown: {why}"), Tone::Unknown);
    }
    if !room_data.quiet() {
        return;
    }
    let Some(last) = &f.last else {
        labelled(out, width, "last run", "none yet", Tone::Dim);
        return;
    };
    let r = &last.record;
    let mut line =
        vec![label("last run"), plain(format!("{} {}  ", r.id, crate::tui::model::run::title_of(r)))];
    line.push(live::stand(&room_data.model.theme, r));
    if r.outcome == Outcome::Running && r.live {
        line.push(cell(format!("   by {} (l shows it)", r.by()), Tone::Accent));
    } else {
        let when = r.last_heard();
        if let (Some(held), Some(n)) = (last.held_ms, last.attempt) {
            line.push(plain(format!("   held {held} ms, attempt {n}")));
        }
        let who = r.by().split('@').next().unwrap_or_default();
        let age = cell(format!("   {} by {who}", ago(when, room_data.model.server_now())), Tone::Dim);
        let used: usize = line.iter().chain([&age]).map(|c| c.text.chars().count()).sum();
        if used > width {
            out.push(std::mem::replace(&mut line, vec![cell(" ".repeat(LABEL - 1), Tone::Dim)]));
        }
        line.push(age);
    }
    out.push(line);
}

/// `312 kB`, `1.9 MB`, `48 MB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..=999_999 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..=9_999_999 => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
        _ => format!("{} MB", count(bytes / 1_000_000)),
    }
}

/// The end of a name, which tells it from others.
fn tail(name: &str, room: usize) -> String {
    match name.chars().count().checked_sub(room) {
        Some(cut @ 1..) => format!("…{}", name.chars().skip(cut + 1).collect::<String>()),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_keeps_what_tells() {
        assert_eq!([1, 1_915_270, 48_211_007].map(size), ["1 kB", "1.9 MB", "48 MB"]);
    }
}
