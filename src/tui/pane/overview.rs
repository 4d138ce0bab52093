//! Is anything wrong, and what do I do next? All findings of all kinds, worst first.

use crate::engine::model::report::{Report, Severity, Status};
use crate::features::anomalies::facts::KIND as ANOMALIES;
use crate::features::queue::facts::KIND as QUEUE;
use crate::tui::data::Journal;
use crate::tui::doc::live;
use crate::tui::format::{ago, count, counted, seconds, spark};
use crate::tui::list::{Cell, Col, Goto, List, ListRow, Spans, cell, plain};
use crate::tui::model::run::title_of;
use crate::tui::model::state::{Link, Model};
use crate::tui::model::watch::Watch;
use crate::tui::pane::features;
use crate::tui::pane::shared::{self, Pane};
use crate::tui::theme::Tone;

pub(super) struct Overview;

impl Pane for Overview {
    fn title(&self) -> &'static str {
        "Overview"
    }

    fn kind(&self) -> Option<&'static str> {
        None
    }

    fn picture(&self, model: &Model, width: u16) -> Vec<Spans> {
        let mut out: Vec<Spans> = features::FEATURES
            .iter()
            .filter_map(|p| Some(kind_line(model, p.title(), p.kind()?, width)))
            .collect();
        out.push(server_line(model));
        out.extend(last_run(model));
        out
    }

    fn list(&self, model: &Model) -> List {
        let mut rows: Vec<(u8, ListRow)> = model.watches.iter().flat_map(|w| rows_of(model, w)).collect();
        rows.sort_by_key(|(rank, _)| *rank);
        let looking = model.watches.iter().any(|w| w.report.is_none());
        let (empty, empty_tone) = match (&model.link, model.session.is_some()) {
            (Link::Down { failure, .. }, false) => (
                format!(
                    "{}{}",
                    failure.message,
                    failure.hint.as_ref().map(|h| format!("\n{h}")).unwrap_or_default()
                ),
                Tone::Bad,
            ),
            (_, false) => ("opening the target…".into(), Tone::Dim),
            _ if looking => ("looking…".into(), Tone::Dim),
            _ => ("nothing is wrong, as far as was looked".into(), Tone::Good),
        };
        List {
            cols: vec![
                Col::left(""),
                Col::left("where"),
                Col::grow("what"),
                Col::right("new"),
                Col::right("seen"),
            ],
            rows: rows.into_iter().map(|(_, r)| r).collect(),
            empty,
            empty_tone,
        }
    }
}

fn rows_of(model: &Model, watch: &Watch) -> Vec<(u8, ListRow)> {
    let Some(report) = &watch.report else { return vec![] };
    let seen = shared::age_cell(model, watch);
    let mut out = Vec::new();
    if let Some(why) = watch.unobserved() {
        let first = why.lines().next().unwrap_or_default();
        let cells = vec![
            cell(model.theme.glyphs.unknown, Tone::Unknown),
            plain(watch.id.to_string()),
            cell(format!("unknown: {first}"), Tone::Unknown),
            plain(""),
            seen.clone(),
        ];
        let goto = Goto::Pane { id: watch.id.clone(), row: Some(watch.unknown_key()) };
        out.push((1, ListRow { key: watch.unknown_key(), cells, goto, check: Some(watch.id.clone()) }));
    }
    for f in &report.findings {
        let stale = model.is_stale(watch);
        let (tone, symbol, _) = model.theme.severity(f.severity);
        let new = model.growth(&f.id, f.rows).map_or_else(String::new, |(n, _)| format!("+{}", count(n)));
        let cells = vec![
            cell(symbol, if stale { Tone::Unknown } else { tone }),
            plain(watch.id.to_string()),
            cell(
                f.message.clone(),
                if stale || f.severity == Severity::Info { Tone::Dim } else { Tone::Plain },
            ),
            cell(new, Tone::Warn),
            seen.clone(),
        ];
        let rank = match f.severity {
            Severity::Critical => 0,
            Severity::Warning => 2,
            Severity::Info => 3,
        };
        // A finding about files leads to the first of them.
        let file = f.sample.first().and_then(|s| s.get("file")?.as_str());
        let row = file.map_or_else(|| f.id.clone(), |file| format!("{}/{file}", watch.id));
        let goto = Goto::Pane { id: watch.id.clone(), row: Some(row) };
        out.push((rank, ListRow { key: f.id.clone(), cells, goto, check: Some(watch.id.clone()) }));
    }
    out
}

/// One kind: symbol, name, its worst summary, its age.
fn kind_line(model: &Model, title: &str, kind: &str, width: u16) -> Spans {
    let mut watches: Vec<&Watch> = model.of_kind(kind).collect();
    watches.sort_by_key(|w| w.report.as_ref().map_or(9, |r| r.status.rank()));
    let name = format!(" {title:<13}");
    let Some(worst) = watches.first() else {
        if model.session.is_none() {
            return vec![plain("   "), cell(name, Tone::Dim), cell("not looked at yet", Tone::Dim)];
        }
        return vec![plain("   "), cell(name, Tone::Dim), cell("none in this profile", Tone::Dim)];
    };
    let Some(report) = &worst.report else {
        return vec![plain("   "), cell(name, Tone::Dim), cell("looking…", Tone::Dim)];
    };
    let stale = model.is_stale(worst);
    let (tone, symbol, _) = if stale {
        (Tone::Unknown, model.theme.glyphs.unknown, "")
    } else {
        model.theme.status(&report.status)
    };
    let mut line = vec![cell(format!(" {symbol} "), tone), cell(name, Tone::Strong)];
    line.extend(summary(model, kind, &watches, width));
    line.push(cell(
        format!("   {}{}", if stale { "stale, " } else { "" }, ago(report.observed_at, model.now)),
        Tone::Dim,
    ));
    line
}

fn summary(model: &Model, kind: &str, watches: &[&Watch], width: u16) -> Vec<Cell> {
    let reports = || watches.iter().filter_map(|w| w.report.as_ref());
    let wrong: Vec<_> = reports().filter(|r| r.status != Status::Ok).collect();
    let rows: u64 = wrong.iter().map(|r| r.rows()).sum();
    match (kind, wrong.as_slice()) {
        (QUEUE, _) => queue(model, watches),
        (_, []) => {
            let first = reports().next().map(Report::one_line).unwrap_or_default();
            let more = watches.len().saturating_sub(1);
            vec![plain(if more == 0 {
                first
            } else {
                format!("{} fine", counted(watches.len() as u64, "check"))
            })]
        }
        (ANOMALIES, several) => {
            vec![plain(format!(
                "{} in {} of {}",
                counted(rows, "row"),
                several.len(),
                counted(watches.len() as u64, "rule")
            ))]
        }
        (_, several) => {
            let first = several.first().map_or(String::new(), |r| format!("{}: {}", r.id.name, r.one_line()));
            let room = usize::from(width).saturating_sub(40);
            let text: String = if first.chars().count() > room {
                first.chars().take(room.saturating_sub(1)).chain(['…']).collect()
            } else {
                first
            };
            vec![plain(text)]
        }
    }
}

fn queue(model: &Model, watches: &[&Watch]) -> Vec<Cell> {
    let facts = watches.iter().find_map(|w| w.facts.queue.as_deref());
    let Some(f) = facts else {
        return vec![plain(
            watches.iter().find_map(|w| w.report.as_ref()).map_or(String::new(), Report::one_line),
        )];
    };
    let failed: u64 = f.failed.iter().map(|c| c.rows).sum();
    let oldest = f.oldest_pending_s.map_or("none".into(), seconds);
    vec![
        plain(format!("{} failed {} oldest waiting {oldest}  ", count(failed), model.theme.glyphs.dot)),
        cell(spark(&f.finished, 12, model.theme.glyphs), Tone::Accent),
    ]
}

/// What was last done here; `z` takes it back.
fn last_run(model: &Model) -> Option<Spans> {
    let label = cell("   last run ", Tone::Dim);
    let run = match &model.journal.seen {
        None => {
            let failure = model.journal.failure.as_ref()?;
            return Some(vec![label, cell(format!("unknown: {}", failure.message), Tone::Unknown)]);
        }
        Some(Journal::Missing) => return Some(vec![label, cell("no journal here yet", Tone::Dim)]),
        Some(Journal::Runs(listed)) => match listed.runs.first() {
            None => return Some(vec![label, cell("none", Tone::Dim)]),
            Some(run) => run,
        },
    };
    let dot = model.theme.glyphs.dot;
    let mut line = vec![label, plain(format!("{} {dot} ", title_of(run))), live::stand(&model.theme, run)];
    line.push(plain(format!(" {}", count(run.rows_applied))));
    if run.rows_drifted > 0 {
        line.push(cell(format!(", left alone {}", count(run.rows_drifted)), Tone::Warn));
    }
    line.push(match run.verified {
        Some(true) => plain(format!(" {dot} verified")),
        Some(false) => cell(format!(" {dot} the proof FAILED"), Tone::Bad),
        None => cell(format!(" {dot} not verified"), Tone::Warn),
    });
    // The key first: what is cut at the right is who and when.
    if model.why_not_undo(Some(run)).is_none() {
        line.push(cell("   z undo", Tone::Accent));
    }
    let who = run.operator.split('@').next().unwrap_or_default();
    let when = if run.live { run.started_at } else { run.last_heard() };
    line.push(cell(format!("   {} by {who}", ago(when, model.server_now())), Tone::Dim));
    Some(line)
}

fn server_line(model: &Model) -> Spans {
    let Some((v, seen)) = &model.vitals else {
        return vec![cell("   the server has not been looked at yet", Tone::Dim)];
    };
    let label = |t: &str| cell(format!("  {t} "), Tone::Dim);
    let lag = match (&v.lag_unknown, v.replica_lag_ms) {
        (Some(why), _) => cell(format!("unknown ({why})"), Tone::Unknown),
        (None, None) => plain("no replica"),
        (None, Some(ms)) => cell(seconds(ms / 1000.0), if ms > 1000.0 { Tone::Warn } else { Tone::Plain }),
    };
    let blocked =
        if v.blocked == 0 { plain("none") } else { cell(format!("{} wait (L)", v.blocked), Tone::Bad) };
    let long = v.longest_tx_s.unwrap_or(0.0);
    let mut line = vec![
        plain(" "),
        label("blocked"),
        blocked,
        label("oldest tx"),
        cell(
            v.longest_tx_s.map_or("none".into(), seconds),
            if long > 60.0 { Tone::Warn } else { Tone::Plain },
        ),
        label("replica lag"),
        lag,
        label("sessions"),
        plain(format!("{} ({} ours)", v.sessions, v.own_sessions)),
    ];
    if (model.now - *seen).num_seconds() > 10 {
        line.push(cell(format!("   stale, {}", ago(*seen, model.now)), Tone::Unknown));
    }
    line
}
