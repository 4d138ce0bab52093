//! Twins: counts, differences, a strip of partitions; Enter shows the rows that differ.

mod partition_mark;
pub(super) mod partitions;

use crate::engine::model::report::{CheckId, Finding, Sample, Severity};
use crate::features::parity::facts::{KIND, PartitionStatus, SyncTriggerState};
use crate::features::parity::facts::{ParityFacts, Partition, UnmatchedRows};
use crate::features::parity::finding_kind::FindingKind;
use crate::features::parity::pair::SwitchState;
use crate::tui::doc::{asked_check, wrap};
use crate::tui::format::{ago, count, counted};
use crate::tui::keymap::Scene;
use crate::tui::list::{Cell, Col, Detail, Goto, List, ListRow, Spans, cell, plain};
use crate::tui::model::ready::{Readiness, RollbackOutlook};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::pane::parity::partition_mark::mark;
use crate::tui::pane::shared::{self, Pane};
use crate::tui::theme::{Glyphs, Tone};
use chrono::{DateTime, Utc};
use serde_json::Value;

pub(super) struct Parity;

impl Pane for Parity {
    fn title(&self) -> &'static str {
        "Parity"
    }

    fn kind(&self) -> Option<&'static str> {
        Some(KIND)
    }

    fn scene(&self) -> Scene {
        Scene::Twin
    }

    fn picture(&self, model: &Model, width: u16) -> Vec<Spans> {
        let list = self.list(model).arranged(&model.level().state);
        let here = model.check_in(&list).and_then(|id| model.watch(&id));
        let watch = here.or_else(|| model.of_kind(KIND).next());
        watch
            .filter(|_| model.session.is_some())
            .map(|w| asked_check::line(model, w, true, width))
            .into_iter()
            .collect()
    }

    fn list(&self, model: &Model) -> List {
        let mut rows: Vec<ListRow> = Vec::new();
        let is_switched = |f: &ParityFacts| f.standing != SwitchState::Before;
        let switched = model.of_kind(KIND).filter_map(Watch::parity).any(is_switched);
        for watch in model.of_kind(KIND) {
            if let Some(row) = shared::unknown_row(watch, 7, model.theme.glyphs.unknown) {
                rows.push(row);
                // What an earlier look told stays below, as old.
                if watch.failure.is_none() {
                    continue;
                }
            }
            let f = watch.parity();
            let number = |n: Option<u64>| plain(n.map_or_else(String::new, count));
            let differences = f.and_then(ParityFacts::differences);
            let others = watch
                .report
                .iter()
                .flat_map(|r| &r.findings)
                .filter(|x| !is_rows(x) && x.severity > Severity::Info)
                .count();
            let tone = if differences.unwrap_or(0) > 0 { Tone::Bad } else { Tone::Plain };
            let mut cells = vec![
                shared::state_cell(model, watch),
                plain(watch.id.name.clone()),
                number(f.as_ref().and_then(|f| f.legacy_rows)),
                number(f.as_ref().and_then(|f| f.partitioned_rows)),
                cell(differences.map_or_else(String::new, count), tone),
                cell(if others == 0 { String::new() } else { others.to_string() }, Tone::Warn),
                plain(f.as_ref().map(|f| strip(model, &f.partitions)).unwrap_or_default()),
                asked_check::share(model, watch).unwrap_or_else(|| shared::age_cell(model, watch)),
            ];
            if switched {
                cells.insert(
                    2,
                    f.as_ref().map_or_else(|| plain(""), |f| stands(model, &watch.id.name, f.standing)),
                );
            }
            rows.push(ListRow {
                key: watch.id.to_string(),
                cells,
                goto: Goto::Twin(watch.id.clone()),
                check: Some(watch.id.clone()),
            });
        }
        let (empty, empty_tone) =
            shared::empty_text(model, KIND, "declares no twins, and there are no partitioned tables");
        let mut cols = vec![
            Col::left("state"),
            Col::left("table"),
            Col::right("legacy"),
            Col::right("twin"),
            Col::right("rows apart"),
            Col::right("other"),
            Col::grow("partitions"),
            Col::right("seen"),
        ];
        if switched {
            cols.insert(2, Col::left("rollback"));
        }
        List { cols, rows, empty, empty_tone }
    }
}

/// Where a twin stands, once some are switched; what taking that back would lose.
fn stands(model: &Model, name: &str, standing: SwitchState) -> Cell {
    let g = model.theme.glyphs;
    if standing == SwitchState::Before {
        return cell("not switched", Tone::Dim);
    }
    match model.rollback_outlook(name, None) {
        RollbackOutlook::Lossless(_) => cell(format!("{} lossless", g.mark), Tone::Good),
        RollbackOutlook::RetiredTable(_) => cell(format!("{} put away", g.mark), Tone::Bad),
        RollbackOutlook::Lossy(n, _) => cell(format!("{} lossy: {}", g.mark, count(n)), Tone::Bad),
        RollbackOutlook::Leaking(_) => cell(format!("{} leaking", g.mark), Tone::Bad),
        RollbackOutlook::Impossible(_) => cell(format!("{} none", g.mark), Tone::Bad),
        RollbackOutlook::Unknown(_) | RollbackOutlook::Before => {
            cell(format!("{} unknown", g.mark), Tone::Unknown)
        }
    }
}

/// May it be switched over, or could that be taken back?
fn switch_lines(model: &Model, name: &str, standing: SwitchState, width: u16) -> Vec<Spans> {
    if !model.twins().contains(&name) {
        return vec![];
    }
    let g = model.theme.glyphs;
    if standing != SwitchState::Before {
        let word = if standing == SwitchState::Cleaned { "cleaned up" } else { "switched" };
        let (text, tone) = model.outlook_words(&model.rollback_outlook(name, None));
        return labelled(&format!(" {word}  rollback {} ", g.mark), &text, tone, width);
    }
    let (text, tone) = match model.readiness(name) {
        Readiness::Ready(_) => (format!("{} ready", g.ok), Tone::Good),
        Readiness::Not(why) => (format!("{} not ready: {}", g.fail, why.join(", ")), Tone::Bad),
        Readiness::Unknown(why) => (format!("{} unknown: {why}", g.unknown), Tone::Unknown),
    };
    labelled(" switchover  ", &text, tone, width)
}

/// A label and all that there is to say, below itself where it is long.
fn labelled(label: &str, text: &str, tone: Tone, width: u16) -> Vec<Spans> {
    let from = label.chars().count();
    let lines = wrap(text, usize::from(width).saturating_sub(from + 1).max(20)).into_iter().enumerate();
    let before = |i| if i == 0 { label.to_owned() } else { " ".repeat(from) };
    lines.map(|(i, line)| vec![cell(before(i), Tone::Dim), cell(line, tone)]).collect()
}

/// At most this many symbols in a table; a twin's own page has all.
const STRIP: usize = 36;
/// The same where there is little room: else how many of them are what the worst of them is.
const SHORT: usize = 8;
/// Columns of a screen with little room.
const NARROW: u16 = 100;

fn strip(model: &Model, partitions: &[Partition]) -> String {
    let g = model.theme.glyphs;
    let symbols = |n: usize| partitions.iter().take(n).map(|p| mark(p, g).0).collect::<String>();
    let all = partitions.len();
    if model.size.0 < NARROW && all > SHORT {
        let worst = [PartitionStatus::Missing, PartitionStatus::Differs]
            .into_iter()
            .find_map(|w| partitions.iter().find(|p| p.status == w));
        return match worst {
            Some(p) => {
                let such = partitions.iter().filter(|x| x.status == p.status).count();
                format!("{} {such}/{all}", mark(p, g).0)
            }
            None => format!("{} {all}", partitions.first().map_or("", |p| mark(p, g).0)),
        };
    }
    match all.checked_sub(STRIP) {
        Some(more) if more > 0 => format!("{} +{more}", symbols(STRIP)),
        _ => symbols(all),
    }
}

fn is_rows(f: &Finding) -> bool {
    FindingKind::from_finding(f).is_some_and(|k| k.is_about_rows() && k != FindingKind::PartitionsNotRead)
}

/// The twin's page above its rows.
pub fn picture_of(model: &Model, id: &CheckId, width: u16) -> Vec<Spans> {
    let mut out = head_of(model, id, width);
    let Some((watch, f)) = model.watch(id).and_then(|w| Some((w, w.parity()?))) else { return out };
    out.extend(switch_lines(model, &id.name, f.standing, width));
    let oldest = oldest_proof(f).map(|(at, _)| ago(at, model.now));
    out.extend(heat(&f.partitions, width, model.theme.glyphs, oldest.as_deref()));
    out.extend(state_lines(model, watch, f, width));
    out
}

/// Its counts, and when they were made: above its partitions as well.
pub fn head_of(model: &Model, id: &CheckId, width: u16) -> Vec<Spans> {
    let Some(watch) = model.watch(id) else { return vec![] };
    let mut head = vec![cell(format!(" {}  ", id.name), Tone::Strong), shared::state_cell(model, watch)];
    let Some(f) = watch.parity() else { return vec![head, asked_check::line(model, watch, false, width)] };
    let mut fact = |label: &str, value: Cell| {
        head.push(cell(format!("  {label} "), Tone::Dim));
        head.push(value);
    };
    if let Some(rows) = f.legacy_rows {
        fact("legacy", plain(count(rows)));
    }
    fact("twin", plain(f.partitioned_rows.map_or("?".into(), count)));
    let bad =
        |n: Option<u64>| cell(n.map_or("?".into(), count), if n > Some(0) { Tone::Bad } else { Tone::Plain });
    fact("differ", bad(f.different));
    let both = model.theme.glyphs.both;
    fact("missing", bad(f.missing_in_partitioned));
    fact(both, bad(f.missing_in_legacy));
    fact("stale", bad(f.stale));
    if f.duplicate > Some(0) {
        fact("duplicate", bad(f.duplicate));
    }
    let mut out = whole_parts(&head, width);
    out.push(asked_check::line(model, watch, false, width));
    out
}

/// Labels stay with their values: what does not fit stands on a second line.
fn whole_parts(head: &[Cell], width: u16) -> Vec<Spans> {
    let long = |cells: &[Cell]| cells.iter().map(|c| c.text.chars().count()).sum::<usize>();
    let mut out: Vec<Spans> = vec![vec![]];
    for part in head.chunks(2) {
        let line = out.last().map_or(0, |l| long(l));
        if line > 0 && line + long(part) > usize::from(width) {
            out.push(vec![]);
        }
        if let Some(line) = out.last_mut() {
            line.extend(part.iter().cloned());
        }
    }
    out
}

/// Partitions in order, under their common name; what is not equal is named.
fn heat(partitions: &[Partition], width: u16, g: &Glyphs, oldest: Option<&str>) -> Vec<Spans> {
    const LINES: usize = 4;
    let room = usize::from(width).saturating_sub(2);
    let months: Vec<(String, String, &Partition)> =
        partitions.iter().map(|p| label(&p.partition, p)).collect();
    let mut out: Vec<Spans> = Vec::new();
    let mut line: Spans = vec![plain(" ")];
    let mut used = 1;
    let mut group = String::new();
    for (head, tail, p) in months {
        let (symbol, tone) = mark(p, g);
        let new_group = head != group;
        let text = format!("{tail} ");
        let need = if new_group { head.chars().count() + 3 } else { 0 } + text.chars().count() + 2;
        if used + need > room {
            out.push(std::mem::replace(&mut line, vec![plain(" ")]));
            used = 1;
        }
        if new_group {
            line.push(cell(format!("{}{head}  ", if used > 1 { "  " } else { "" }), Tone::Strong));
            used += head.chars().count() + 3;
            group = head;
        }
        line.push(cell(text.clone(), Tone::Dim));
        line.push(cell(format!("{symbol} "), tone));
        used += text.chars().count() + 2;
    }
    out.push(line);
    if out.len() > LINES {
        let bad = partitions.iter().filter(|p| p.status.is_bad()).count();
        out.truncate(LINES - 1);
        out.push(vec![cell(
            format!(" … {} in all, {bad} not equal", counted(partitions.len() as u64, "partition")),
            Tone::Dim,
        )]);
    }
    let sealed = oldest.map_or_else(|| "sealed".to_owned(), |age| format!("sealed, proved {age}"));
    let used_marks = [
        (g.equal, Tone::Good, "equal"),
        (g.sealed, Tone::Good, sealed.as_str()),
        (g.differs, Tone::Bad, "differs"),
        (g.open, Tone::Dim, "not compared"),
        (g.fail, Tone::Bad, "no partition"),
    ];
    let mut legend: Spans = vec![plain(" ")];
    for (symbol, tone, word) in used_marks {
        if partitions.iter().any(|p| mark(p, g).0 == symbol) {
            legend.push(cell(format!("{symbol} "), tone));
            legend.push(cell(format!("{word}   "), Tone::Dim));
        }
    }
    out.push(legend);
    out
}

/// When the oldest of the proofs that seals stand on was made.
fn oldest_proof(f: &ParityFacts) -> Option<(DateTime<Utc>, &Partition)> {
    let sealed = f.partitions.iter().filter(|p| p.sealed);
    let dated = sealed.filter_map(|p| Some((p.proved_at.as_deref()?.parse().ok()?, p)));
    dated.min_by_key(|(at, _)| *at)
}

/// `revenues_2025_04` → `2025`, `04`; `balances_7` → nothing, `7`.
fn label<'p>(name: &str, p: &'p Partition) -> (String, String, &'p Partition) {
    let parts: Vec<&str> = name.rsplitn(3, '_').collect();
    let digits = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
    match parts.as_slice() {
        [month, year, _] if digits(month) && digits(year) && year.len() == 4 => {
            ((*year).into(), (*month).into(), p)
        }
        [number, ..] if digits(number) => (String::new(), (*number).into(), p),
        _ => (String::new(), name.into(), p),
    }
}

/// Sums that differ: so many with their values, the others by name.
const SUMS: usize = 2;
/// From so many lines on there is room for all of a finding's text.
const TALL: u16 = 36;
/// What a self-test did not find: so many are named.
const MISSED: usize = 2;

fn state_lines(model: &Model, watch: &Watch, f: &ParityFacts, width: u16) -> Vec<Spans> {
    let g = model.theme.glyphs;
    let mut out = Vec::new();
    if !f.triggers.is_empty() {
        let mut line = vec![cell(" triggers ", Tone::Dim)];
        for t in &f.triggers {
            let fine = t.state.is_whole();
            let (symbol, tone) = match t.state {
                _ if fine => (g.ok, Tone::Good),
                SyncTriggerState::Conditional => (g.warn, Tone::Warn),
                _ => (g.fail, Tone::Bad),
            };
            let events = if t.events.is_empty() { t.name.clone() } else { t.events.join("/").to_lowercase() };
            line.push(plain(format!(" {events} ")));
            line.push(cell(
                if fine { symbol.to_owned() } else { format!("{symbol} {}", t.state.word()) },
                tone,
            ));
        }
        out.push(line);
    }
    for missed in f.self_test.iter().flat_map(|t| &t.missed).take(MISSED) {
        out.push(vec![cell(format!(" {} {missed}", g.fail), Tone::Bad)]);
    }
    let findings = watch.report.iter().flat_map(|r| &r.findings);
    // What is drawn elsewhere: the self-test, and the triggers above.
    let elsewhere = |x: &Finding| {
        matches!(FindingKind::from_finding(x), Some(FindingKind::SelfTest | FindingKind::Trigger))
    };
    for x in findings.filter(|x| !is_rows(x) && !elsewhere(x)) {
        let (tone, symbol, _) = model.theme.severity(x.severity);
        if model.size.1 < TALL {
            out.push(vec![cell(format!(" {symbol} "), tone), plain(x.message.clone())]);
            continue;
        }
        let lines = wrap(&x.message, usize::from(width).saturating_sub(4).max(20)).into_iter().enumerate();
        let mark = |i| cell(if i == 0 { format!(" {symbol} ") } else { "   ".into() }, tone);
        out.extend(lines.map(|(i, text)| vec![mark(i), plain(text)]));
    }
    let apart: Vec<_> =
        f.sums.iter().filter(|(_, s)| s.legacy.is_some() && s.legacy != s.partitioned).collect();
    for (column, sums) in apart.iter().take(SUMS) {
        let none = || "none".to_owned();
        let text = format!(
            " {} sum of {column}: legacy {}, twin {}",
            g.warn,
            sums.legacy.as_deref().map_or_else(none, grouped),
            sums.partitioned.as_deref().map_or_else(none, grouped)
        );
        out.push(vec![cell(text, Tone::Warn)]);
    }
    if let Some(more) = apart.len().checked_sub(SUMS).filter(|more| *more > 0) {
        let names: Vec<_> = apart.iter().skip(SUMS).map(|(column, _)| column.as_str()).collect();
        let text = format!(" {} {more} more sums differ: {}", g.warn, names.join(", "));
        out.push(vec![cell(text, Tone::Warn)]);
    }
    out.extend(proof_lines(model, watch, f, width));
    out
}

/// What was compared, in which snapshots, and what stands on an earlier proof.
fn proof_lines(model: &Model, watch: &Watch, f: &ParityFacts, width: u16) -> Vec<Spans> {
    let snapshot = match (f.readings.len(), &f.snapshot) {
        (0 | 1, Some(s)) => format!("; snapshot {s}"),
        (0 | 1, None) => String::new(),
        (n, _) => format!("; {n} snapshots, each of its own keys"),
    };
    let mut out = labelled(" ", &format!("{}{snapshot}", f.compared), Tone::Dim, width);
    let age = shared::age_cell(model, watch);
    let used: usize = out.last().map_or(0, |l| l.iter().map(|c| c.text.chars().count()).sum());
    match out.last_mut() {
        Some(line) if used + 3 + age.text.chars().count() <= usize::from(width) => {
            line.extend([plain("   "), age]);
        }
        _ => out.push(vec![plain(" "), age]),
    }
    if f.sealed > 0 {
        let all = f.partitions.len();
        let mut text = format!(
            "{} of {} not read again: not written since they were found equal",
            f.sealed,
            counted(all as u64, "partition")
        );
        if let Some((at, p)) = oldest_proof(f) {
            let snapshot = p.proof_snapshot.as_deref().unwrap_or("unknown");
            text = format!("{text}; oldest proof {}, snapshot {snapshot}", ago(at, model.now));
        }
        out.extend(labelled(" ", &text, Tone::Dim, width));
    } else if let Some(why) = &f.unsealed {
        out.push(vec![cell(format!(" nothing sealed: {why}"), Tone::Dim)]);
    }
    out
}

/// Whole numbers with their thousands marked; anything else as it is.
fn grouped(text: &str) -> String {
    text.parse().map_or_else(|_| text.to_owned(), count)
}

/// The rows that differ, one line per column.
pub fn rows_of(model: &Model, id: &CheckId) -> List {
    let findings =
        model.watch(id).and_then(|w| w.report.as_ref()).map(|r| r.findings.as_slice()).unwrap_or_default();
    let facts = model.watch(id).and_then(Watch::parity);
    let mut rows = Vec::new();
    for f in findings.iter().filter(|f| is_rows(f)) {
        if FindingKind::from_finding(f) == Some(FindingKind::Digests) {
            let apart = facts.iter().filter_map(|x| x.digests_differ.as_ref()).flatten();
            rows.extend(apart.map(|a| unnamed(id, f, a)));
            continue;
        }
        for sample in &f.sample {
            rows.extend(difference(id, f, sample));
        }
        let listed = f.sample.len() as u64;
        if f.rows.is_some_and(|r| r > listed) {
            let text = format!("the first {listed} of {}", count(f.rows.unwrap_or_default()));
            rows.push(ListRow {
                key: format!("{}/more", f.id),
                cells: vec![plain(""), plain(""), cell(text, Tone::Dim)],
                ..ListRow::default()
            });
        }
    }
    let (empty, empty_tone) = match &facts {
        None => ("looking…".to_owned(), Tone::Dim),
        Some(f) if f.differences().is_some() => ("no row differs".into(), Tone::Good),
        Some(f) if f.equal() == Some(true) => ("equal by count and digest".into(), Tone::Good),
        Some(f) => (format!("rows were not compared: {}", f.compared), Tone::Unknown),
    };
    if let Some(f) = facts.as_ref().filter(|f| !f.partitions.is_empty()) {
        let first = if rows.is_empty() { cell(empty.clone(), empty_tone) } else { plain("") };
        rows.push(partitions::below(id, f, first));
    }
    List {
        cols: vec![
            Col::left("key"),
            Col::left("class"),
            Col::left("column"),
            Col::left("legacy"),
            Col::left("twin"),
            Col::grow("partition"),
        ],
        rows,
        empty,
        empty_tone,
    }
}

/// All columns of both sides; where both have the row, one line for each column.
fn whole_row(
    sample: &Sample,
    differing: &[&str],
    text: &dyn Fn(Option<&Value>) -> String,
) -> Vec<(String, Cell)> {
    let whole = sample.get("row").and_then(Value::as_object).unwrap_or(sample);
    let side = |name: &str| whole.get(name).and_then(Value::as_object);
    match (side("legacy"), side("partitioned")) {
        (Some(legacy), Some(twin)) => legacy
            .iter()
            .map(|(name, value)| {
                let (old, new) = (text(Some(value)), text(twin.get(name)));
                if differing.contains(&name.as_str()) {
                    (name.clone(), cell(format!("legacy {old}   twin {new}"), Tone::Bad))
                } else {
                    (name.clone(), plain(old))
                }
            })
            .collect(),
        (one, other) => {
            one.or(other).into_iter().flatten().map(|(n, v)| (n.clone(), plain(text(Some(v))))).collect()
        }
    }
}

/// What differs without a key that names it.
fn unnamed(id: &CheckId, f: &Finding, a: &UnmatchedRows) -> ListRow {
    let keys = a.keys.clone().unwrap_or_else(|| "any".into());
    let partition = a.partition.clone().unwrap_or_else(|| "all".into());
    let rows = [count(a.legacy_rows), count(a.partitioned_rows)];
    let pairs = vec![
        ("keys".to_owned(), plain(keys.clone())),
        ("partition".to_owned(), plain(partition.clone())),
        ("legacy rows".to_owned(), plain(rows[0].clone())),
        ("twin's rows".to_owned(), plain(rows[1].clone())),
        ("why".to_owned(), plain(f.message.clone())),
    ];
    let [legacy, twin] = rows;
    ListRow {
        key: format!("{}/{partition}", f.id),
        cells: vec![
            cell(keys, Tone::Strong),
            cell(FindingKind::Digests.word(), Tone::Bad),
            cell("rows there", Tone::Dim),
            plain(legacy),
            plain(twin),
            cell(partition.clone(), Tone::Dim),
        ],
        goto: Goto::Detail(Detail { title: format!("{} {partition}", id.name), pairs }),
        check: Some(id.clone()),
    }
}

/// One line per differing column; a row that is missing on one side is one line.
fn difference(id: &CheckId, f: &Finding, sample: &Sample) -> Vec<ListRow> {
    let text = |v: Option<&Value>| match v {
        None => String::new(),
        Some(Value::Null) => "NULL".into(),
        Some(Value::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    };
    let names: Vec<&str> = sample
        .get("columns")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let side = |side: &str, column: &str| {
        let value = text(sample.get(side).and_then(Value::as_object).and_then(|c| c.get(column)));
        let tone = if value == "NULL" { Tone::Dim } else { Tone::Plain };
        cell(value, tone)
    };
    let class = f.what().replace('_', " ").replace("partitioned", "twin");
    let mut pairs =
        vec![("key".to_owned(), plain(text(sample.get("key")))), ("class".to_owned(), plain(class.clone()))];
    pairs.extend(whole_row(sample, &names, &text));
    let (key, partition) = (text(sample.get("key")), text(sample.get("partition")));
    let detail = Detail { title: format!("{} {key}", id.name), pairs };
    let columns = if names.is_empty() { vec![""] } else { names };
    columns
        .iter()
        .enumerate()
        .map(|(i, column)| ListRow {
            key: format!("{}/{key}/{partition}/{column}", f.id),
            cells: vec![
                cell(key.clone(), if i == 0 { Tone::Strong } else { Tone::Dim }),
                cell(class.clone(), if i == 0 { Tone::Bad } else { Tone::Dim }),
                plain(*column),
                side("legacy", column),
                side("partitioned", column),
                cell(partition.clone(), Tone::Dim),
            ],
            goto: Goto::Detail(detail.clone()),
            check: Some(id.clone()),
        })
        .collect()
}
