//! The last two lines: what is going on, and what can be done here.

use crate::tui::doc::live::percent;
use crate::tui::format::{ago, count, whole};
use crate::tui::keymap::{self, Binding, KeyAction, Scene, key_label};
use crate::tui::list::List;
use crate::tui::model::plan::PlanView;
use crate::tui::model::state::{Link, Model};
use crate::tui::model::view::View;
use crate::tui::screen;
use crate::tui::theme::Tone;
use crate::tui::widget::paint::{fit, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

/// Between what has happened and what goes on.
const GAP: usize = 2;

pub(super) fn status(model: &Model, buffer: &mut Buffer, area: Rect, list: &List) {
    let (text, tone) = left_text(model);
    let mut right = format!("{} ", right_text(model, list, true));
    // What is looked at by itself is worth less than what just happened.
    if text.width() + GAP + right.width() > usize::from(area.width) {
        right = format!("{} ", right_text(model, list, false));
    }
    let right_x = area.right().saturating_sub(u16::try_from(right.width()).unwrap_or(0));
    put(buffer, right_x, area.y, area.right(), &right, model.theme.tone(Tone::Dim));
    let text = fit(&text, usize::from(right_x.saturating_sub(area.x)).saturating_sub(GAP));
    let x = put(buffer, area.x, area.y, right_x, &text, model.theme.tone(tone));
    if model.filter_input.is_some() {
        put(buffer, x, area.y, right_x, " ", model.theme.tone(Tone::Plain).add_modifier(Modifier::REVERSED));
    }
}

fn left_text(model: &Model) -> (String, Tone) {
    if let Some(input) = &model.filter_input {
        return (format!(" /{}", input.value()), Tone::Accent);
    }
    if let Link::Down { since, failure, attempts, retry_at } = &model.link {
        let wait = (*retry_at - model.now).num_seconds().max(0);
        let retry = match (failure.fatal, *attempts) {
            (true, _) => "it will not be tried again".to_owned(),
            (false, n) if wait > 15 => format!("trying again (attempt {n})"),
            (false, n) => format!("attempt {n}, again in {wait} s"),
        };
        let text = format!(
            " {} no connection since {} ({}), {retry}: {}",
            model.theme.glyphs.fail,
            since.format("%H:%M:%S"),
            ago(*since, model.now),
            failure.message,
        );
        return (text, Tone::Bad);
    }
    match &model.notice {
        Some(n) => (format!(" {}", n.text), if n.bad { Tone::Warn } else { Tone::Plain }),
        None => (String::new(), Tone::Plain),
    }
}

fn right_text(model: &Model, list: &List, looking: bool) -> String {
    let mut parts: Vec<String> = run_elsewhere(model).into_iter().collect();
    let running: Vec<&str> =
        model.watches.iter().filter(|w| looking && w.running.is_some()).map(|w| w.id.name.as_str()).collect();
    match running.as_slice() {
        [] => {}
        [one] => parts.push(format!("looking: {one}")),
        several => parts.push(format!("looking at {} checks", several.len())),
    }
    let level = model.level();
    if model.filter_input.is_none() && !level.state.filter.is_empty() {
        parts.push(format!("/{}", level.state.filter));
    }
    if level.state.anchor.is_some() {
        parts.push("range".into());
    }
    if !level.state.marks.is_empty() {
        parts.push(format!("{} marked", level.state.marks.len()));
    }
    match &level.view {
        View::Rows(rows) if !rows.rows.is_empty() => {
            let loading = if rows.loading { "… " } else { "" };
            let total = rows.total.map_or("?".into(), count);
            parts.push(format!("{loading}{} of {total}", count(rows.number(level.state.cursor))));
        }
        View::Plan(slot) => {
            parts.extend(model.plans.get(slot).map(|v| rows_of_plan(model, v)).filter(|t| !t.is_empty()));
            parts.extend(line_of_text(model, model.plans.get(slot).map_or(0, PlanView::total), AROUND.0));
        }
        View::Run(view) if !model.is_switch(view) || view.log => {
            parts.extend(line_of_text(model, 0, AROUND.1));
        }
        View::Rows(_) | View::Detail { .. } | View::Run(_) | View::Room(_) => {}
        View::Pane | View::Twin(_) | View::Partitions(_) => {
            let rows = list.rows.len();
            if rows > 0 {
                parts.push(format!("{} of {rows}", level.state.cursor.min(rows - 1) + 1));
            }
        }
    }
    parts.join("   ")
}

/// The keys that are no text while the phrase is typed.
fn typing(model: &Model, buffer: &mut Buffer, area: Rect) {
    let mut x = area.x;
    for (key, what) in
        [("enter", "apply, if it is the phrase"), ("esc", "close the line"), ("ctrl-u", "empty it")]
    {
        let key = format!(" {} ", key_label(key, model.theme.glyphs.enter));
        x = put(buffer, x, area.y, area.right(), &key, model.theme.tone(Tone::Accent));
        x = put(buffer, x, area.y, area.right(), &format!("{what} "), model.theme.tone(Tone::Plain));
    }
}

/// Lines of the screen that are not the text of a plan, and of a run.
const AROUND: (u16, u16) = (13, 9);

/// Where in a text one is that goes on below; rows of a plan have their own number.
fn line_of_text(model: &Model, rows: u64, around: u16) -> Option<String> {
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let lines = screen::text_lines(model)?.checked_sub(rows + usize::from(rows > 0))?;
    let here = model.level().state.cursor + 1;
    let fits = lines <= usize::from(model.size.1.saturating_sub(around));
    (here <= lines && !fits).then(|| format!("line {here} of {lines}"))
}

/// Where in a plan's rows one is.
fn rows_of_plan(model: &Model, view: &PlanView) -> String {
    let total = count(view.total());
    match screen::plan_row_here(model) {
        Some(number) => format!("row {} of {total}", count(number + 1)),
        None if view.plan().is_none() && view.total() > 0 => format!("the first {total} rows"),
        None if view.total() > 0 => format!("{total} rows below"),
        None => String::new(),
    }
}

/// Our run, where it is not what is shown.
fn run_elsewhere(model: &Model) -> Option<String> {
    let run = model.run_going()?;
    if model.run_here().is_some_and(|v| model.ours(v).is_some()) {
        return None;
    }
    let p = run.progress.as_ref();
    let percent = p.and_then(|p| percent(p.done, p.total)).map_or_else(String::new, |n| format!(" {n} %"));
    let eta = p.and_then(|p| p.eta_s).map_or_else(String::new, |s| format!(", {} left", whole(s)));
    let phase = p.map_or("beginning", |p| p.phase.word());
    Some(format!("{} run {}: {phase}{percent}{eta}", model.theme.glyphs.running, run.number().unwrap_or("")))
}

/// The keys that matter here; one that cannot be used now is dim, and says why when it is pressed. Where there is
/// no room for all, help stays, which has the rest.
pub(super) fn footer(model: &Model, buffer: &mut Buffer, area: Rect, list: &List) {
    if model.typing_phrase() {
        return typing(model, buffer, area);
    }
    let scene = screen::scene_of(model);
    let keys: Vec<(&Binding, bool)> = keymap::bindings_in(scene)
        .filter(|b| !b.short.is_empty())
        .map(|b| (b, screen::why_not_in(model, b.action, list).is_some()))
        // On a plan or a run, keys of tables are no more than noise; help has them, with their reason.
        .filter(|(b, disabled)| {
            !disabled || matches!(scene, Scene::Any | Scene::Twin) || b.scene != Scene::Any
        })
        .collect();
    let need = |b: &Binding| key(model, b).width() + b.short.width() + 3;
    let is_help = |b: &Binding| b.action == KeyAction::Help;
    let mut room = usize::from(area.width);
    room = room.saturating_sub(keys.iter().filter(|(b, _)| is_help(b)).map(|(b, _)| need(b)).sum());
    let mut x = area.x;
    for (b, disabled) in keys {
        match room.checked_sub(need(b)) {
            _ if is_help(b) => {}
            Some(rest) => room = rest,
            None => continue,
        }
        let (key_tone, word_tone) =
            if disabled { (Tone::Dim, Tone::Dim) } else { (Tone::Accent, Tone::Plain) };
        x = put(buffer, x, area.y, area.right(), &format!(" {}", key(model, b)), model.theme.tone(key_tone));
        let mut style = model.theme.tone(word_tone);
        if disabled {
            style = style.add_modifier(Modifier::CROSSED_OUT);
        }
        x = put(buffer, x, area.y, area.right(), " ", model.theme.tone(Tone::Plain));
        x = put(buffer, x, area.y, area.right(), b.short, style);
        x = put(buffer, x, area.y, area.right(), " ", model.theme.tone(Tone::Plain));
    }
}

fn key(model: &Model, b: &Binding) -> String {
    key_label(b.keys.first().copied().unwrap_or_default(), model.theme.glyphs.enter)
}
