//! A plan as a text: what, why it is allowed, how, how it is proved and undone, and what changes.

use crate::engine::model::diff::{PlannedRow, Values, text_of};
use crate::engine::model::plan::{Plan, Unit};
use crate::engine::model::preflight::{Preflight, Ready, Reversible};
use crate::engine::model::row_store::CUT;
use crate::engine::model::step::{Lock, Step};
use crate::tui::doc::Lines;
use crate::tui::format::counted;
use crate::tui::list::{Cell, Col, List, ListRow, Spans, cell, plain, value};
use crate::tui::model::plan::{PlanView, Stage};
use crate::tui::model::state::Model;
use crate::tui::msg::PlanColumns;
use crate::tui::theme::Tone;
use serde_json::Value;

/// Kinds of change that are listed at first, and on a small screen.
const TOTALS: (usize, usize) = (8, 3);
/// Lines of a screen that is not small.
const LARGE: u16 = 40;

/// The text above a plan's rows.
pub struct PlanText {
    /// Its lines.
    pub lines: Vec<Spans>,
    /// The line on which Enter lists all kinds of change.
    pub more_totals: Option<usize>,
}

/// The text of a plan, for the width of the screen.
pub fn lines(model: &Model, view: &PlanView) -> PlanText {
    let mut out = Lines::new(model.size.0);
    let mut more_totals = None;
    match &view.stage {
        Stage::Planning => {
            out.text("asked", &view.title, Tone::Plain);
            let doing = view.doing.as_deref().unwrap_or("reading the rows and what stands in their way");
            out.text("now", &format!("{doing}; nothing is written"), Tone::Dim);
        }
        Stage::Failed(failure) => {
            out.text("asked", &view.title, Tone::Plain);
            out.text("no plan", &failure.message, if failure.cancelled { Tone::Warn } else { Tone::Bad });
            out.text("", failure.hint.as_deref().unwrap_or_default(), Tone::Plain);
        }
        Stage::Ready(reviewed) => {
            if let Err(why) = &reviewed.gate {
                out.text("REFUSED", &why.message, Tone::Bad);
                out.text("", why.hint.as_deref().unwrap_or_default(), Tone::Plain);
            }
            let plan = &reviewed.plan;
            change(plan, &mut out);
            let first = if model.size.1 < LARGE { TOTALS.1 } else { TOTALS.0 };
            more_totals = totals(plan, if view.all_totals { usize::MAX } else { first }, &mut out);
            how(model, plan, &mut out);
            out.heading("");
        }
    }
    if let Some(failure) = &view.failure {
        out.text("rows", &format!("failed to read them: {}", failure.message), Tone::Bad);
    }
    PlanText { lines: out.out, more_totals }
}

/// What it does and whether there is a way back: on a small screen that and the diff are seen before the phrase is
/// typed, the rest is a key away.
fn change(plan: &Plan, out: &mut Lines) {
    out.text("why", &plan.why, Tone::Strong);
    // Each of several tables that change places is a sentence of its own.
    let lines = plan.change_lines();
    let lines = if plan.unit != Unit::ROWS && plan.unit != Unit::STATEMENTS {
        lines
    } else {
        vec![lines.join(" · ")]
    };
    for (i, line) in lines.iter().enumerate() {
        out.text(if i == 0 { "changes" } else { "" }, line, Tone::Plain);
    }
    let (word, tone) = match plan.reversible {
        Reversible::Full => ("full", Tone::Good),
        Reversible::Lossy => ("LOSSY", Tone::Warn),
        Reversible::No => ("IMPOSSIBLE", Tone::Bad),
    };
    out.text("undo", &named(word, &plan.undo), tone);
}

/// What is in its way, how it is done and proved, and where.
fn how(model: &Model, plan: &Plan, out: &mut Lines) {
    if let Some(obstacle) = &plan.obstacle {
        out.text("guard", obstacle, Tone::Warn);
    }
    for (i, kind) in locks(plan).iter().enumerate() {
        out.text(if i == 0 { "locks" } else { "" }, kind, Tone::Plain);
    }
    out.flow("preflight", &plan.preflight.iter().map(|p| verdict(model, p)).collect::<Vec<_>>());
    let questions: Vec<&str> = plan.verify.iter().map(|v| v.title.as_str()).collect();
    match questions.as_slice() {
        [] => out.text("verify", "nothing is asked afterwards", Tone::Warn),
        several => out.text("verify", &several.join(" · "), Tone::Plain),
    }
    for (i, step) in plan.steps.iter().enumerate() {
        out.text(if i == 0 { "steps" } else { "" }, &step_text(i, step), Tone::Plain);
    }
    if plan.frozen {
        let text = "exactly these rows: what comes to match later is not part of it";
        out.text("selection", text, Tone::Plain);
    }
    let params: Vec<String> = plan.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
    out.text("asked with", &params.join("  "), Tone::Plain);
    out.text("server", &server(plan), Tone::Dim);
}

/// `word: text`, or the text alone where it begins with the word.
pub(super) fn named(word: &str, text: &str) -> String {
    let begins = text.get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word));
    if begins { text.to_owned() } else { format!("{word}: {text}") }
}

/// Which server, in full.
fn server(plan: &Plan) -> String {
    let id = &plan.identity;
    let system = id.system_identifier.as_deref().unwrap_or("unknown");
    let timeline = id.timeline.map_or_else(|| "unknown".into(), |t| t.to_string());
    let oid = id.database_oid.map_or_else(String::new, |oid| format!(" (oid {oid})"));
    format!(
        "{}, database {}{oid}, system {system}, timeline {timeline}, {}",
        id.address,
        id.database,
        plan.environment.word()
    )
}

/// Every lock once, those of a kind in one line, with how long they are held where that was measured.
fn locks(plan: &Plan) -> Vec<String> {
    let kind = |l: &Lock| match (l.held_ms, &l.measured_on) {
        (Some(ms), Some(place)) => format!("{} for {ms} ms (measured on {place})", l.mode),
        (Some(ms), None) => format!("{} for {ms} ms", l.mode),
        (None, _) => l.mode.clone(),
    };
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for lock in plan.steps.iter().flat_map(|s| &s.locks) {
        let kind = kind(lock);
        match kinds.iter_mut().find(|(k, _)| *k == kind) {
            Some((_, objects)) if objects.contains(&lock.object.as_str()) => {}
            Some((_, objects)) => objects.push(&lock.object),
            None => kinds.push((kind, vec![&lock.object])),
        }
    }
    if kinds.is_empty() {
        return vec!["none is named".into()];
    }
    kinds.into_iter().map(|(kind, objects)| format!("{kind}: {}", objects.join(", "))).collect()
}

fn step_text(number: usize, step: &Step) -> String {
    let how = match (&step.action, step.in_transaction) {
        (crate::engine::model::step::Action::Rows(_), _) => "a transaction a batch",
        (_, true) => "one transaction",
        (_, false) => "no transaction",
    };
    if step.statements.is_empty() {
        return format!("{}. {}", number + 1, step.title);
    }
    let statements = counted(step.statements.len() as u64, "statement");
    format!("{}. {} · {how} · {statements} (x)", number + 1, step.title)
}

fn verdict(model: &Model, preflight: &Preflight) -> Spans {
    let g = model.theme.glyphs;
    let (tone, symbol, word) = match preflight.status {
        Ready::Ok => (Tone::Good, g.ok, ""),
        Ready::Warn => (Tone::Warn, g.warn, "warn: "),
        Ready::Fail => (Tone::Bad, g.fail, "FAIL: "),
        Ready::Unknown => (Tone::Unknown, g.unknown, "unknown: "),
    };
    let tone_of_text = if preflight.status == Ready::Ok { Tone::Plain } else { tone };
    vec![cell(format!("{symbol} "), tone), cell(format!("{word}{}", preflight.message), tone_of_text)]
}

/// Kinds of change and their rows; returns the line that lists the others on Enter.
fn totals(plan: &Plan, first: usize, out: &mut Lines) -> Option<usize> {
    if plan.diff_total == 0 {
        out.text("diff", "no rows: statements only", Tone::Dim);
        return None;
    }
    // A line that says "one more" would take the place of that one.
    let (shown, hidden) = match plan.totals.split_at_checked(first) {
        Some((shown, hidden)) if hidden.len() > 1 => (shown, hidden),
        _ => (&plan.totals[..], &[][..]),
    };
    for (i, total) in shown.iter().enumerate() {
        let text = format!("{}: {}", total.change, counted(total.rows, "row"));
        out.text(if i == 0 { "diff" } else { "" }, &text, Tone::Accent);
    }
    let mut more = None;
    if !hidden.is_empty() {
        let rows: u64 = hidden.iter().map(|t| t.rows).sum();
        let kinds = counted(hidden.len() as u64, "kind");
        more = Some(out.out.len());
        out.text(
            "",
            &format!("{kinds} of change more, {} (Enter lists them)", counted(rows, "row")),
            Tone::Dim,
        );
    }
    if shown.iter().any(|t| t.change.ends_with(CUT)) {
        out.text(
            "",
            "rows whose change is cut are counted by its beginning; the rows below are whole",
            Tone::Dim,
        );
    }
    if let Some((kinds, rows)) = plan.other_totals {
        let text =
            format!("and {} of at least {} more of change", counted(rows, "row"), counted(kinds, "kind"));
        out.text("", &text, Tone::Dim);
    }
    more
}

/// Columns of the table of rows.
pub fn columns(view: &PlanView) -> usize {
    let (c, (before, after)) = (view.columns(), view.sides());
    c.key.len() + c.show.len() + (usize::from(before) + usize::from(after)) * c.changed.len()
}

/// Rows of a plan as a table; what is not held yet says so.
pub fn table(view: &PlanView, from: u64, rows: usize) -> List {
    let columns = view.columns();
    // What changes stands before what helps to recognise: where room is short that is what stays.
    let mut cols: Vec<Col> = columns.key.iter().map(|n| Col::left(n)).collect();
    let sides = view.sides();
    for name in &columns.changed {
        cols.push(Col::left(name));
        // Old and new value stand under one heading.
        cols.extend((sides == (true, true)).then(|| Col::left("")));
    }
    cols.extend(columns.show.iter().map(|n| Col::left(n)));
    let until = (from + rows as u64).min(view.total());
    let rows = (from..until).map(|number| ListRow {
        key: number.to_string(),
        cells: view
            .row(number)
            .map_or_else(|| vec![cell("reading…", Tone::Dim)], |r| cells(r, &columns, sides)),
        ..ListRow::default()
    });
    List { rows: rows.collect(), cols, ..List::default() }
}

fn cells(row: &PlannedRow, columns: &PlanColumns, sides: (bool, bool)) -> Vec<Cell> {
    let mut out: Vec<Cell> = columns.key.iter().map(|n| shown(&row.key, n, Tone::Strong)).collect();
    for name in &columns.changed {
        let of = |values: &Option<Values>| values.as_ref().and_then(|v| v.get(name)).cloned();
        let (before, after) = (of(&row.before), of(&row.after));
        // What stays as it is is no change.
        if before == after {
            out.extend((0..usize::from(sides.0) + usize::from(sides.1)).map(|_| plain("")));
            continue;
        }
        let side = |sign: &str, v: Option<Value>, tone| {
            v.map_or_else(|| plain(""), |v| cell(format!("{sign} {}", text_of(&v)), tone))
        };
        out.extend(sides.0.then(|| side("-", before, Tone::Bad)));
        out.extend(sides.1.then(|| side("+", after, Tone::Good)));
    }
    out.extend(columns.show.iter().map(|n| shown(&row.show, n, Tone::Plain)));
    out
}

fn shown(values: &Values, name: &str, tone: Tone) -> Cell {
    match values.get(name) {
        None => plain(""),
        Some(Value::Null) => value(None, tone),
        Some(v) => cell(text_of(v), tone),
    }
}

/// The statements of a plan, with the step that sends them.
pub fn statements(plan: &Plan) -> Vec<(String, String)> {
    let of = |(i, step): (usize, &Step)| {
        let title = format!("{}. {}", i + 1, step.title);
        step.statements.iter().map(move |sql| (title.clone(), sql.clone())).collect::<Vec<_>>()
    };
    let verify = plan.verify.iter().map(|v| (format!("verify: {}", v.title), v.sql.clone()));
    plan.steps.iter().enumerate().flat_map(of).chain(verify).collect()
}
