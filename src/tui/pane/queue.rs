//! Causes, not jobs: what fails, since when, and whether trying again can help.

use crate::engine::model::report::CheckId;
use crate::features::queue::facts::{FailureGroup, KIND, QueueFacts};
use crate::features::queue::finding_kind::QueueFinding;
use crate::tui::format::{ago, count, seconds, spark};
use crate::tui::list::{Cell, Col, Goto, List, ListRow, Spans, cell, plain};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::pane::shared::{self, Pane};
use crate::tui::theme::Tone;

pub(super) struct QueuePane;

impl Pane for QueuePane {
    fn title(&self) -> &'static str {
        "Queue"
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn picture(&self, model: &Model, width: u16) -> Vec<Spans> {
        model.of_kind(KIND).flat_map(|w| picture(model, w, width)).collect()
    }

    fn list(&self, model: &Model) -> List {
        let mut rows = Vec::new();
        for watch in model.of_kind(KIND) {
            rows.extend(shared::unknown_row(watch, 7, model.theme.glyphs.unknown));
            let Some(facts) = watch.facts.queue.as_deref() else { continue };
            rows.extend(special(model, &watch.id, facts));
            rows.extend(unnamed(model, watch));
            rows.extend(facts.failed.iter().map(|c| cause(model, &watch.id, c)));
            rows.extend(states(&watch.id, facts));
        }
        let (empty, empty_tone) = shared::empty_text(model, KIND, "declares no queue");
        List {
            cols: vec![
                Col::left("class"),
                Col::right("rows"),
                Col::grow("cause"),
                Col::right("first"),
                Col::right("last"),
                Col::left("last hour"),
                Col::left("verdict"),
            ],
            rows,
            empty,
            empty_tone,
        }
    }
}

fn picture(model: &Model, watch: &Watch, width: u16) -> Vec<Spans> {
    let name = cell(format!(" {} ", watch.id.name), Tone::Strong);
    let Some(f) = watch.facts.queue.as_deref() else {
        return vec![vec![name, shared::state_cell(model, watch)]];
    };
    let mut head = vec![name];
    let mut used = watch.id.name.chars().count() + 2;
    let mut out: Vec<Spans> = Vec::new();
    for (state, rows) in &f.states {
        let (label, number) = (format!("  {state} "), count(*rows));
        let need = label.chars().count() + number.len();
        if used + need > usize::from(width) {
            out.push(std::mem::replace(&mut head, vec![plain(" ")]));
            used = 1;
        }
        used += need;
        head.push(cell(label, Tone::Dim));
        head.push(plain(number));
    }
    let minute = |values: &[u64]| values.iter().rev().skip(1).take(5).sum::<u64>() / 5;
    let glyphs = model.theme.glyphs;
    let points = if width < 100 { 10 } else { 30 };
    let flow = vec![
        cell(" in ", Tone::Dim),
        plain(format!("{}/min ", minute(&f.arrived))),
        cell(spark(&f.arrived, points, glyphs), Tone::Accent),
        cell("  out ", Tone::Dim),
        plain(format!("{}/min ", minute(&f.finished))),
        cell(spark(&f.finished, points, glyphs), Tone::Accent),
        cell("  waiting p50 ", Tone::Dim),
        plain(f.age_p50_s.map_or("none".into(), seconds)),
        cell(" p95 ", Tone::Dim),
        plain(f.age_p95_s.map_or("none".into(), seconds)),
        cell("  ", Tone::Dim),
        shared::age_cell(model, watch),
    ];
    out.extend([head, flow]);
    if let Some(why) = &f.jobs_unknown {
        let text = format!(" {} lost, ghost, duplicate, silent jobs: unknown, {why}", glyphs.unknown);
        out.push(vec![cell(text, Tone::Unknown)]);
    }
    out
}

fn label(kind: QueueFinding) -> &'static str {
    match kind {
        QueueFinding::FlaggedDays => "flagged",
        other => other.word(),
    }
}

/// What the ledger shows beside failures.
fn special(model: &Model, id: &CheckId, f: &QueueFacts) -> Vec<ListRow> {
    let glyphs = model.theme.glyphs;
    let row = |kind: QueueFinding, rows: u64, tone: Tone, symbol: &str, text: String, verdict: &str| {
        (rows > 0).then(|| ListRow {
            key: format!("{id}/{}", kind.word()),
            cells: vec![
                cell(format!("{symbol} {}", label(kind)), tone),
                plain(count(rows)),
                plain(text),
                plain(""),
                plain(""),
                plain(""),
                cell(verdict, Tone::Dim),
            ],
            goto: Goto::Rows { id: id.clone(), finding: kind.word().to_owned() },
            check: Some(id.clone()),
        })
    };
    let oldest = f.oldest_pending_s.map_or_else(String::new, |s| format!(", oldest {}", seconds(s)));
    [
        row(
            QueueFinding::Exhausted,
            f.exhausted,
            Tone::Bad,
            glyphs.fail,
            "all attempts used: nothing tries again".into(),
            "find out why, then requeue",
        ),
        row(
            QueueFinding::Stuck,
            f.stuck,
            Tone::Bad,
            glyphs.fail,
            "in progress for too long: the worker is gone".into(),
            "look at the worker",
        ),
        row(
            QueueFinding::FlaggedDays,
            f.sync_error_days.unwrap_or(0),
            Tone::Dim,
            glyphs.dot,
            "days that carry an error flag".into(),
            "",
        ),
        row(
            QueueFinding::Late,
            f.late,
            Tone::Warn,
            glyphs.warn,
            format!("waiting for too long{oldest}"),
            "is a worker running?",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// States that the profile gives no meaning.
fn unnamed(model: &Model, watch: &Watch) -> Option<ListRow> {
    let finding = watch
        .report
        .as_ref()?
        .findings
        .iter()
        .find(|f| QueueFinding::from_finding(f) == Some(QueueFinding::UnknownStates))?;
    let (tone, symbol, _) = model.theme.severity(finding.severity);
    Some(ListRow {
        key: finding.id.clone(),
        cells: vec![
            cell(format!("{symbol} unnamed"), tone),
            plain(finding.rows.map_or_else(String::new, count)),
            plain(finding.message.clone()),
        ],
        goto: Goto::Rows { id: watch.id.clone(), finding: QueueFinding::UnknownStates.word().into() },
        check: Some(watch.id.clone()),
    })
}

fn cause(model: &Model, id: &CheckId, c: &FailureGroup) -> ListRow {
    let permanent = c.is_permanent();
    let verdict = match (permanent, c.exhausted > 0) {
        (true, _) => "fix the data first".to_owned(),
        (false, true) => format!("{} will not be tried again", count(c.exhausted)),
        (false, false) => "wait, it is tried again".to_owned(),
    };
    let when =
        |t: Option<chrono::DateTime<chrono::Utc>>| plain(t.map(|t| ago(t, model.now)).unwrap_or_default());
    // A quiet hour needs no picture, and leaves its room to the cause.
    let quiet = c.recent.iter().all(|n| *n == 0);
    let recent = if quiet { String::new() } else { spark(&c.recent, 10, model.theme.glyphs) };
    let class: Cell = cell(c.class.clone(), if permanent { Tone::Bad } else { Tone::Warn });
    ListRow {
        key: format!("{id}/{}", QueueFinding::Failed.with(&c.id)),
        cells: vec![
            class,
            plain(count(c.rows)),
            plain(c.fingerprint.clone()),
            when(c.first),
            when(c.last),
            cell(recent, Tone::Accent),
            cell(verdict, Tone::Dim),
        ],
        goto: Goto::Rows { id: id.clone(), finding: QueueFinding::Failed.with(&c.id) },
        check: Some(id.clone()),
    }
}

/// Every state can be looked into as well.
fn states(id: &CheckId, f: &QueueFacts) -> Vec<ListRow> {
    f.states
        .iter()
        .map(|(state, rows)| ListRow {
            key: format!("{id}/{}", QueueFinding::State.with(state)),
            cells: vec![
                cell("state", Tone::Dim),
                plain(count(*rows)),
                cell(format!("all in state {state}"), Tone::Dim),
            ],
            goto: Goto::Rows { id: id.clone(), finding: QueueFinding::State.with(state) },
            check: Some(id.clone()),
        })
        .collect()
}
