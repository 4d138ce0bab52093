//! The plan screen: a text to read, the rows below it, and the line for the phrase, which is always there.

use crate::engine::gate::guard::Ladder;
use crate::engine::model::phrase::differs;
use crate::engine::model::plan::Plan;
use crate::tui::format::{ago, clock, count};
use crate::tui::list::{Cell, ListState, Spans, cell, plain};
use crate::tui::model::confirm::Confirm;
use crate::tui::model::plan::{PlanView, Stage, expired, wait};
use crate::tui::model::state::Model;
use crate::tui::model::typed_line::TypedLine;
use crate::tui::msg::Slot;
use crate::tui::theme::Tone;
use crate::tui::widget::paint::{first_line, fit, lossless, put, rule, spans, text_line};
use crate::tui::widget::table;
use crate::tui::{doc, screen};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use tui_input::Input;
use unicode_width::UnicodeWidthStr as _;

/// Lines of the confirmation.
const CONFIRM: u16 = 3;
/// Below this height rules give way to lines that say something.
const LOW: u16 = 9;
/// Minutes that are left when the countdown begins to warn.
const SOON: i64 = 2;

pub(super) fn draw(model: &Model, buffer: &mut Buffer, area: Rect, slot: Slot) {
    let Some(view) = model.plans.get(&slot) else { return };
    let rules = u16::from(area.height >= LOW);
    header(model, buffer, Rect { height: 1, ..area }, view);
    let below = area.height.saturating_sub(1 + rules);
    let foot = CONFIRM.min(below);
    let height = below.saturating_sub(foot + rules);
    if rules > 0 {
        rule(model, buffer, Rect { y: area.y + 1, height: 1, ..area });
        rule(model, buffer, Rect { y: area.bottom() - foot - 1, height: 1, ..area });
    }
    body(model, buffer, Rect { y: area.y + 1 + rules, height, ..area }, view);
    let lines = confirm_lines(model, view);
    for (i, line) in lines.iter().enumerate().take(usize::from(foot)) {
        let y = area.bottom() - foot + lossless(i);
        spans(model, buffer, Rect { y, height: 1, ..area }, line);
    }
    if let (Some(confirm), true) = (&view.confirm, foot > 1) {
        input(model, buffer, Rect { y: area.bottom() - foot + 1, height: 1, ..area }, confirm);
    }
}

/// What, on which server, and how long the plan holds.
fn header(model: &Model, buffer: &mut Buffer, area: Rect, view: &PlanView) {
    let (right, tone) = match view.plan() {
        Some(plan) => match &view.resumes {
            Some(run) => (format!("run {run}, interrupted"), Tone::Warn),
            None => countdown(model, plan),
        },
        None => (format!("asked {}", ago(view.began, model.now)), Tone::Dim),
    };
    let right = format!("{right} ");
    let right_x = area.right().saturating_sub(lossless(right.width()));
    let mut line = vec![cell(" PLAN ", Tone::Strong), cell(format!(" {}", view.title), Tone::Strong)];
    if let Some(session) = &model.session {
        let (target, address) = (&session.target, &session.server.address);
        let place = address.split('/').next().unwrap_or_default();
        line.push(plain(format!("   on {} @ {place}", target.name)));
        if target.database != target.name {
            line.push(plain(format!("/{}", target.database)));
        }
    }
    let room = Rect { width: right_x.saturating_sub(area.x + 1), ..area };
    if let Some(system) = view.plan().and_then(|p| p.identity.system_identifier.as_deref()) {
        let text = format!("  (system {})", short(system));
        // In part it would tell nothing; the text has it in full.
        let used: usize = line.iter().map(|c| c.text.width()).sum();
        if used + text.width() <= usize::from(room.width) {
            line.push(cell(text, Tone::Dim));
        }
    }
    spans(model, buffer, room, &line);
    put(buffer, right_x, area.y, area.right(), &right, model.theme.tone(tone));
}

fn countdown(model: &Model, plan: &Plan) -> (String, Tone) {
    let left = (plan.expires_at - model.server_now()).num_seconds();
    if expired(plan.expires_at, model.server_now()) {
        return (format!("{} EXPIRED", model.theme.glyphs.fail), Tone::Bad);
    }
    (format!("expires in {}", clock(left)), if left < SOON * 60 { Tone::Warn } else { Tone::Plain })
}

/// `7301234567894410` → `7301…4410`.
fn short(system: &str) -> String {
    match (system.get(..4), system.len().checked_sub(4).and_then(|at| system.get(at..))) {
        (Some(first), Some(last)) if system.len() > 9 => format!("{first}…{last}"),
        _ => system.to_owned(),
    }
}

/// The text, then the rows, as one page that scrolls; the rows' heading stays in sight.
fn body(model: &Model, buffer: &mut Buffer, area: Rect, view: &PlanView) {
    let lines = doc::plan::lines(model, view).lines;
    let state = &model.level().state;
    let all = screen::text_lines(model).unwrap_or(lines.len());
    let top = first_line(state.cursor, all, area.height);
    let mut y = area.y;
    for (i, line) in lines.iter().enumerate().skip(top) {
        if y >= area.bottom() {
            return;
        }
        text_line(model, buffer, Rect { y, height: 1, ..area }, line, i == state.cursor);
        y += 1;
    }
    let rest = Rect { y, height: area.bottom() - y, ..area };
    if view.total() == 0 || rest.height == 0 {
        return;
    }
    rows(model, buffer, rest, view, (lines.len(), top));
}

fn rows(model: &Model, buffer: &mut Buffer, area: Rect, view: &PlanView, (above, top): (usize, usize)) {
    let state = &model.level().state;
    // The heading is a line of the page, and stays when it has scrolled off.
    let from = top.saturating_sub(above);
    let height = usize::from(area.height).saturating_sub(1);
    let list = doc::plan::table(view, from as u64, height);
    let at = state.cursor.checked_sub(above + 1).and_then(|row| row.checked_sub(from));
    let shown = ListState { cursor: at.unwrap_or(0), column: state.column, ..ListState::default() };
    match at.filter(|at| *at < list.rows.len()) {
        Some(_) => table::draw(model, buffer, area, &list, &shown),
        None => table::draw_still(model, buffer, area, &list, &shown),
    }
    if state.cursor == above {
        buffer.set_style(Rect { height: 1, ..area }, model.theme.cursor());
    }
}

/// What can be done with the plan now.
fn confirm_lines(model: &Model, view: &PlanView) -> Vec<Spans> {
    const LEAVE: &str = " Esc leaves, nothing happens";
    let g = model.theme.glyphs;
    let bad = |text: String| vec![cell(format!(" {} {text}", g.fail), Tone::Bad)];
    let note = |text: &str| vec![cell(text, Tone::Dim)];
    let reviewed = match &view.stage {
        Stage::Planning => {
            let rows = if view.counted > 0 {
                format!("   {} rows so far", count(view.counted))
            } else {
                String::new()
            };
            return vec![
                vec![cell(format!(" {} reading…{rows}", g.running), Tone::Accent)],
                note(" the phrase is asked for when the plan is whole"),
                note(" Esc or ctrl-c cancels; planning changes nothing"),
            ];
        }
        Stage::Failed(failure) => {
            let text = if failure.cancelled { "cancelled: there is no plan" } else { "there is no plan" };
            return vec![bad(text.into()), note(" r plans again"), note(LEAVE)];
        }
        Stage::Ready(reviewed) => reviewed,
    };
    let plan = &reviewed.plan;
    let ladder = match &reviewed.gate {
        Ok(ladder) => ladder,
        Err(why) => {
            let first = bad(format!("it cannot be confirmed: {}", why.message));
            return vec![first, note(&format!(" {}", why.hint.as_deref().unwrap_or(""))), note(LEAVE)];
        }
    };
    if view.has_expired(model.server_now()) {
        let text = format!(
            "it has expired {}: the rows may have moved meanwhile",
            ago(plan.expires_at, model.server_now())
        );
        return vec![bad(text), note(" r plans again"), note(LEAVE)];
    }
    if let Some(why) = model.why_not_confirm(view) {
        return vec![bad(why), vec![], note(LEAVE)];
    }
    match &view.confirm {
        None => vec![
            closed(plan, ladder),
            early(model, ladder).unwrap_or_else(|| note(" c opens the line to type it in")),
            note(LEAVE),
        ],
        Some(line) => vec![open(plan, ladder, line), vec![], confirm_hint(model, plan, ladder, line)],
    }
}

fn closed(plan: &Plan, ladder: &Ladder) -> Spans {
    let mut line = vec![cell(" to apply, type   ", Tone::Plain), cell(plan.phrase.clone(), Tone::Accent)];
    if let Some(name) = &ladder.database {
        line.push(plain("   and then   "));
        line.push(cell(name.clone(), Tone::Accent));
    }
    line
}

fn early(model: &Model, ladder: &Ladder) -> Option<Spans> {
    let wait = wait(ladder, model.server_now())?;
    let text = format!(" read it first: it cannot be taken back; it can be confirmed in {wait} s");
    Some(vec![cell(text, Tone::Warn)])
}

/// What is to be typed: what is right so far, and from where on it is not.
fn open(plan: &Plan, ladder: &Ladder, line: &Confirm) -> Spans {
    let mut out = vec![plain(" type   ")];
    out.extend(compared(&plan.phrase, line.phrase.value()));
    if let Some(name) = &ladder.database {
        out.push(plain("   and then   "));
        out.extend(compared(name, line.database.value()));
    }
    out
}

fn compared(wanted: &str, typed: &str) -> Vec<Cell> {
    let same = wanted.chars().zip(typed.chars()).take_while(|(a, b)| a == b).count();
    let part = |from: usize, to: usize| wanted.chars().skip(from).take(to - from).collect::<String>();
    let all = wanted.chars().count();
    let wrong = if typed.chars().count() > same { (same + 1).min(all) } else { same };
    [(part(0, same), Tone::Good), (part(same, wrong), Tone::Bad), (part(wrong, all), Tone::Accent)]
        .into_iter()
        .filter(|(text, _)| !text.is_empty())
        .map(|(text, tone)| cell(text, tone))
        .collect()
}

/// Why Enter did nothing, where the text differs while it is typed, or how to leave.
fn confirm_hint(model: &Model, plan: &Plan, ladder: &Ladder, line: &Confirm) -> Spans {
    if let Some(said) = &line.said {
        return vec![cell(format!(" {} {said}", model.theme.glyphs.warn), Tone::Warn)];
    }
    let (wanted, typed) = match (&ladder.database, line.at_database) {
        (Some(name), true) => (name.as_str(), line.database.value()),
        _ => (plan.phrase.as_str(), line.phrase.value()),
    };
    if !wanted.starts_with(typed) {
        let text = differs(wanted, typed);
        return vec![cell(format!(" {} {text}", model.theme.glyphs.fail), Tone::Bad)];
    }
    if let Some(early) = early(model, ladder) {
        return early;
    }
    let text = match (typed == wanted, ladder.database.is_some() && !line.at_database) {
        (true, true) => " Enter, then the database's name once more; Esc leaves, nothing happens",
        (true, false) => " Enter applies it; Esc leaves, nothing happens",
        (false, _) => " Esc leaves, nothing happens",
    };
    vec![cell(text, if typed == wanted { Tone::Strong } else { Tone::Dim })]
}

fn input(model: &Model, buffer: &mut Buffer, area: Rect, line: &Confirm) {
    let dim = model.theme.tone(Tone::Dim);
    let mut x = put(buffer, area.x, area.y, area.right(), "      › ", dim);
    if line.at_database {
        x = put(buffer, x, area.y, area.right(), line.phrase.value(), model.theme.tone(Tone::Good));
        x = put(buffer, x, area.y, area.right(), "   › ", dim);
        return typed_line(
            model,
            buffer,
            Rect { x, width: area.right().saturating_sub(x), ..area },
            &line.database,
        );
    }
    typed_line(model, buffer, Rect { x, width: area.right().saturating_sub(x), ..area }, &line.phrase);
}

/// A line that confirms; where its last word is asked for once more, that behind it.
fn typed_line(model: &Model, buffer: &mut Buffer, area: Rect, line: &TypedLine) {
    let Some(word) = line.repeated() else { return field(model, buffer, area, line.input()) };
    let x = put(buffer, area.x, area.y, area.right(), line.value(), model.theme.tone(Tone::Good));
    let x = put(buffer, x, area.y, area.right(), "   › ", model.theme.tone(Tone::Dim));
    field(model, buffer, Rect { x, width: area.right().saturating_sub(x), ..area }, word);
}

/// A text being typed, with its cursor.
fn field(model: &Model, buffer: &mut Buffer, area: Rect, input: &Input) {
    let room = usize::from(area.width.saturating_sub(1));
    put(buffer, area.x, area.y, area.right(), &fit(input.value(), room), model.theme.tone(Tone::Strong));
    let at = area.x.saturating_add(lossless(input.visual_cursor()));
    if at < area.right() {
        let here = Rect { x: at, width: 1, ..area };
        buffer.set_style(here, model.theme.tone(Tone::Plain).add_modifier(Modifier::REVERSED));
    }
}
