//! The last two lines: what is going on, and what can be done here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

use super::{fit, put};
use crate::tui::app::{App, Link, PlanView, View};
use crate::tui::doc::live::percent;
use crate::tui::format::{ago, count, whole};
use crate::tui::keymap::{self, Action, Binding, Scene, shown};
use crate::tui::list::List;
use crate::tui::theme::Tone;

/// Between what has happened and what goes on.
const GAP: usize = 2;

pub(super) fn status(app: &App, buffer: &mut Buffer, area: Rect, list: &List) {
    let (text, tone) = left_text(app);
    let mut right = format!("{} ", right_text(app, list, true));
    // What is looked at by itself is worth less than what just happened.
    if text.width() + GAP + right.width() > usize::from(area.width) {
        right = format!("{} ", right_text(app, list, false));
    }
    let right_x = area.right().saturating_sub(u16::try_from(right.width()).unwrap_or(0));
    put(buffer, right_x, area.y, area.right(), &right, app.theme.tone(Tone::Dim));
    let text = fit(&text, usize::from(right_x.saturating_sub(area.x)).saturating_sub(GAP));
    let x = put(buffer, area.x, area.y, right_x, &text, app.theme.tone(tone));
    if app.filter_input.is_some() {
        put(buffer, x, area.y, right_x, " ", app.theme.tone(Tone::Plain).add_modifier(Modifier::REVERSED));
    }
}

fn left_text(app: &App) -> (String, Tone) {
    if let Some(input) = &app.filter_input {
        return (format!(" /{}", input.value()), Tone::Accent);
    }
    if let Link::Down { since, failure, attempts, retry_at } = &app.link {
        let wait = (*retry_at - app.now).num_seconds().max(0);
        let retry = match (failure.fatal, *attempts) {
            (true, _) => "it will not be tried again".to_owned(),
            (false, n) if wait > 15 => format!("trying again (attempt {n})"),
            (false, n) => format!("attempt {n}, again in {wait} s"),
        };
        let text = format!(
            " {} no connection since {} ({}), {retry}: {}",
            app.theme.glyphs.fail,
            since.format("%H:%M:%S"),
            ago(*since, app.now),
            failure.message,
        );
        return (text, Tone::Bad);
    }
    match &app.notice {
        Some(n) => (format!(" {}", n.text), if n.bad { Tone::Warn } else { Tone::Plain }),
        None => (String::new(), Tone::Plain),
    }
}

fn right_text(app: &App, list: &List, looking: bool) -> String {
    let mut parts: Vec<String> = run_elsewhere(app).into_iter().collect();
    let running: Vec<&str> =
        app.watches.iter().filter(|w| looking && w.running.is_some()).map(|w| w.id.name.as_str()).collect();
    match running.as_slice() {
        [] => {}
        [one] => parts.push(format!("looking: {one}")),
        several => parts.push(format!("looking at {} checks", several.len())),
    }
    let level = app.level();
    if app.filter_input.is_none() && !level.state.filter.is_empty() {
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
            parts.extend(app.plans.get(slot).map(|v| rows_of_plan(app, v)).filter(|t| !t.is_empty()));
            parts.extend(line_of_text(app, app.plans.get(slot).map_or(0, PlanView::total), AROUND.0));
        }
        View::Run(view) if !app.is_switch(view) || view.log => parts.extend(line_of_text(app, 0, AROUND.1)),
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
fn typing(app: &App, buffer: &mut Buffer, area: Rect) {
    let mut x = area.x;
    for (key, what) in
        [("enter", "apply, if it is the phrase"), ("esc", "close the line"), ("ctrl-u", "empty it")]
    {
        let key = format!(" {} ", shown(key, app.theme.glyphs.enter));
        x = put(buffer, x, area.y, area.right(), &key, app.theme.tone(Tone::Accent));
        x = put(buffer, x, area.y, area.right(), &format!("{what} "), app.theme.tone(Tone::Plain));
    }
}

/// Lines of the screen that are not the text of a plan, and of a run.
const AROUND: (u16, u16) = (13, 9);

/// Where in a text one is that goes on below; rows of a plan have their own number.
fn line_of_text(app: &App, rows: u64, around: u16) -> Option<String> {
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    let lines = app.text_lines()?.checked_sub(rows + usize::from(rows > 0))?;
    let here = app.level().state.cursor + 1;
    let fits = lines <= usize::from(app.size.1.saturating_sub(around));
    (here <= lines && !fits).then(|| format!("line {here} of {lines}"))
}

/// Where in a plan's rows one is.
fn rows_of_plan(app: &App, view: &PlanView) -> String {
    let total = count(view.total());
    match app.plan_row_here() {
        Some(number) => format!("row {} of {total}", count(number + 1)),
        None if view.plan().is_none() && view.total() > 0 => format!("the first {total} rows"),
        None if view.total() > 0 => format!("{total} rows below"),
        None => String::new(),
    }
}

/// Our run, where it is not what is shown.
fn run_elsewhere(app: &App) -> Option<String> {
    let run = app.run_going()?;
    if app.run_here().is_some_and(|v| app.ours(v).is_some()) {
        return None;
    }
    let p = run.progress.as_ref();
    let percent = p.and_then(|p| percent(p.done, p.total)).map_or_else(String::new, |n| format!(" {n} %"));
    let eta = p.and_then(|p| p.eta_s).map_or_else(String::new, |s| format!(", {} left", whole(s)));
    let phase = p.map_or("beginning", |p| p.phase.word());
    Some(format!("{} run {}: {phase}{percent}{eta}", app.theme.glyphs.running, run.number().unwrap_or("")))
}

/// The keys that matter here; one that cannot be used now is dim, and says why when it is pressed. Where there is
/// no room for all, help stays, which has the rest.
pub(super) fn footer(app: &App, buffer: &mut Buffer, area: Rect, list: &List) {
    if app.typing_phrase() {
        return typing(app, buffer, area);
    }
    let scene = app.scene();
    let keys: Vec<(&Binding, bool)> = keymap::here(scene)
        .filter(|b| !b.short.is_empty())
        .map(|b| (b, app.why_not_in(b.action, list).is_some()))
        // On a plan or a run, keys of tables are no more than noise; help has them, with their reason.
        .filter(|(b, disabled)| {
            !disabled || matches!(scene, Scene::Any | Scene::Twin) || b.scene != Scene::Any
        })
        .collect();
    let need = |b: &Binding| key(app, b).width() + b.short.width() + 3;
    let is_help = |b: &Binding| b.action == Action::Help;
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
        x = put(buffer, x, area.y, area.right(), &format!(" {}", key(app, b)), app.theme.tone(key_tone));
        let mut style = app.theme.tone(word_tone);
        if disabled {
            style = style.add_modifier(Modifier::CROSSED_OUT);
        }
        x = put(buffer, x, area.y, area.right(), " ", app.theme.tone(Tone::Plain));
        x = put(buffer, x, area.y, area.right(), b.short, style);
        x = put(buffer, x, area.y, area.right(), " ", app.theme.tone(Tone::Plain));
    }
}

fn key(app: &App, b: &Binding) -> String {
    shown(b.keys.first().copied().unwrap_or_default(), app.theme.glyphs.enter)
}
