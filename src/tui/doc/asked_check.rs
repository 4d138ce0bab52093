//! How a comparison is going, or how the last one went: always one line, so that nothing below it moves.

use crate::engine::check::kind::CheckProgress;
use crate::engine::model::param::Params;
use crate::features::parity::options::AskedComparison;
use crate::tui::doc::live::percent;
use crate::tui::format::{ago, count, seconds, whole};
use crate::tui::list::{Cell, Spans, cell, plain};
use crate::tui::model::asked_check::{InterruptedCheck, look_word};
use crate::tui::model::state::Model;
use crate::tui::model::watch::Watch;
use crate::tui::theme::Tone;
use chrono::{DateTime, TimeDelta, Utc};

/// Between the parts of the line.
const GAP: &str = "  ";

/// Of a twin; `named`: where its name does not stand beside it.
pub fn line(model: &Model, watch: &Watch, named: bool, width: u16) -> Spans {
    let width = usize::from(width);
    let name = cell(format!(" {}", watch.id.name), Tone::Strong);
    let Some(since) = shown(model, watch) else {
        let parts = match &watch.asked_check.asked {
            Some(how) => waiting(model, how),
            None => at_rest(model, watch),
        };
        return fitting(if named { vec![name, plain(GAP)] } else { vec![plain(" ")] }, parts, width);
    };
    let parts = going(model, watch, since);
    // The cursor stands on its row: where there is no room for all, its name goes first.
    let need: usize = parts.iter().map(|p| p.text.chars().count() + GAP.len()).sum();
    let named = named && name.text.chars().count() + need <= width;
    let out = fitting(if named { vec![name, plain(GAP)] } else { vec![plain(" ")] }, parts, width);
    fitting(out, vec![plain(""), cell("ctrl-c cancels", Tone::Dim)], width)
}

/// How far the comparison of a row is; as wide as an age.
pub fn share(model: &Model, watch: &Watch) -> Option<Cell> {
    let since = shown(model, watch)?;
    let done = watch.asked_check.news.as_ref().and_then(|n| percent(n.done, n.pieces));
    let text = done.map_or_else(|| whole(elapsed(since, model.now)), |n| format!("{n} %"));
    Some(cell(format!("{} {text}", model.theme.glyphs.running), Tone::Accent))
}

/// Since when it is under way; a look by itself that is over at once would only flicker.
fn shown(model: &Model, watch: &Watch) -> Option<DateTime<Utc>> {
    let long = |since| watch.asked_check.how != Params::default() || elapsed(since, model.now) > 1;
    watch.running.filter(|since| watch.report.is_none() || long(*since))
}

fn waiting(model: &Model, how: &Params) -> Spans {
    vec![
        cell(format!("{} {}", model.theme.glyphs.running, look_word(how)), Tone::Accent),
        plain("waits for its turn"),
    ]
}

fn elapsed(since: DateTime<Utc>, now: DateTime<Utc>) -> u64 {
    u64::try_from((now - since).num_seconds()).unwrap_or(0)
}

/// The most important first: what does not fit is left out from the end.
fn fitting(mut out: Spans, parts: Spans, width: usize) -> Spans {
    let mut used: usize = out.iter().map(|c| c.text.chars().count()).sum();
    for (i, part) in parts.into_iter().enumerate() {
        let gap = if i == 0 { "" } else { GAP };
        let need = gap.len() + part.text.chars().count();
        if i > 0 && used + need > width {
            break;
        }
        used += need;
        out.push(plain(gap));
        out.push(part);
    }
    out
}

fn going(model: &Model, watch: &Watch, since: DateTime<Utc>) -> Spans {
    let word = match AskedComparison::from_params(&watch.asked_check.how) {
        Some(AskedComparison::SelfTest) => "self-test",
        Some(AskedComparison::Resumed) => "resumed",
        Some(AskedComparison::Full) => "full",
        None => "comparing",
    };
    let mut out = vec![cell(format!("{} {word}", model.theme.glyphs.running), Tone::Accent)];
    let lasting = plain(format!("for {}", whole(elapsed(since, model.now))));
    let Some(news) = &watch.asked_check.news else {
        out.extend([plain("opening its snapshot"), lasting]);
        return out;
    };
    if news.pieces > 0 {
        out.push(plain(format!("chunk {} of {}", news.done, news.pieces)));
    } else {
        out.push(plain(news.doing));
    }
    out.extend(watch.asked_check.rate.map(|n| plain(format!("{} rows/s", rounded(n)))));
    out.push(lasting);
    out.extend(snapshot_age(model, news).map(|s| cell(format!("snapshot {} old", whole(s)), Tone::Dim)));
    out
}

/// By the server's clock.
fn snapshot_age(model: &Model, news: &CheckProgress) -> Option<u64> {
    let taken: DateTime<Utc> = news.snapshot_at.parse().ok()?;
    let skew = model.session.as_ref().map_or(0, |s| s.server.skew_ms);
    Some(elapsed(taken, model.now + TimeDelta::milliseconds(skew)))
}

/// Three digits tell enough of a rate, and do not dance.
fn rounded(n: u64) -> String {
    let step = 10_u64.pow(n.checked_ilog10().unwrap_or(0).saturating_sub(2));
    count(n / step * step)
}

fn at_rest(model: &Model, watch: &Watch) -> Spans {
    let tested = watch.parity().and_then(|f| f.self_test.as_ref());
    let when = watch.asked_check.tested.map_or_else(String::new, |at| format!(" {}", ago(at, model.now)));
    if watch.untrusted().is_some() {
        let (found, planted) = tested.map_or((0, 0), |t| (t.found, t.planted));
        let text = format!("UNTRUSTED: self-test{when}: {found} of {planted} planted differences found");
        return vec![cell(format!("{} {text}", model.theme.glyphs.fail), Tone::Bad)];
    }
    let mut out = Vec::new();
    if let Some(cut) = &watch.asked_check.cut {
        out.push(cell(format!("{} {}", model.theme.glyphs.warn, cut_words(cut, model.now)), Tone::Warn));
    }
    let Some(report) = &watch.report else {
        out.push(cell("not compared yet", Tone::Dim));
        return out;
    };
    out.extend(tested.map(|t| {
        let text = format!("{} self-test{when}: {} of {} found", model.theme.glyphs.ok, t.found, t.planted);
        cell(text, Tone::Good)
    }));
    let took = seconds(f64::from(u32::try_from(report.elapsed_ms).unwrap_or(u32::MAX)) / 1000.0);
    let how = match AskedComparison::from_params(&watch.asked_check.how) {
        Some(AskedComparison::Resumed | AskedComparison::Full) if watch.failure.is_none() => {
            look_word(&watch.asked_check.how)
        }
        _ => "compared",
    };
    out.push(cell(format!("{how} {}, took {took}", ago(report.observed_at, model.now)), Tone::Dim));
    let next = (watch.due - model.now).num_seconds();
    if !model.paused && next > 0 {
        out.push(cell(format!("next in {}", whole(u64::try_from(next).unwrap_or(0))), Tone::Dim));
    }
    out
}

fn cut_words(cut: &InterruptedCheck, now: DateTime<Utc>) -> String {
    let at = cut.at.map_or_else(|| " earlier".to_owned(), |at| format!(" {}", ago(at, now)));
    let done = cut.done.map_or_else(String::new, |(done, all)| format!(" after chunk {done} of {all}"));
    format!("cut off{at}{done}: c goes on with it, r begins anew")
}
