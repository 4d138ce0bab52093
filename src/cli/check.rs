//! `midwatch check`.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt as _};

use super::args::CheckArgs;
use super::change::params;
use super::output::{Output, save};
use crate::engine::Engine;
use crate::engine::check::kind::CheckProgress;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::param::Params;
use crate::engine::model::report::{CheckId, Report, Status};
use crate::report::answer::Answer;
use crate::report::json::Json;
use crate::report::renderer::Renderer as _;
use crate::report::style::Style;
use crate::stop::Stop;

/// As many as the reader has sessions.
const AT_ONCE: usize = 3;

pub(super) async fn run(engine: &Engine, args: &CheckArgs, out: &Output) -> Result<u8> {
    let ids = engine.select(&args.checks)?;
    let asked = asked(engine, &ids, args)?;
    if let Some(note) = engine.environment_note() {
        tracing::info!("{note}");
    }
    let total = ids.len();
    let mut reports: Vec<Report> = Vec::with_capacity(total);
    let done = AtomicUsize::new(0);
    let tell = |id: &CheckId, news: &CheckProgress| {
        Output::progress(&format!(
            "checked {} of {total}; {}",
            done.load(Ordering::Relaxed),
            how_far(id, news)
        ));
    };
    let asked = &asked;
    let look = |id| async move { engine.observe_with(id, asked, &|news| tell(id, &news)).await };
    let mut running = stream::iter(ids.iter().map(look)).buffered(AT_ONCE);
    Output::progress(&format!("checking 1 of {total}"));
    let mut stop = Stop::new()?;
    loop {
        let next = tokio::select! {
            next = running.next() => next,
            told = stop.wait() => {
                // What is let go is cancelled on the server.
                drop(running);
                return Err(cancelled(engine, (&ids, &reports), told.by(), args));
            }
        };
        let Some(report) = next else { break };
        reports.push(report);
        done.store(reports.len(), Ordering::Relaxed);
        Output::progress(&format!("checked {} of {total}", reports.len()));
    }
    drop(running);
    Output::end_progress();
    let target = engine.target();
    let answer = Answer::Checks { target: &target, reports: &reports };
    if let Some(path) = &args.out {
        save(path, &Json.render(&answer, Style { colour: false }))?;
    }
    out.answer(&answer)?;
    Ok(exit_code(&reports))
}

/// The keys that were given, and those that flags stand for: a flag reaches the checks that have its key.
fn asked(engine: &Engine, ids: &[CheckId], args: &CheckArgs) -> Result<Params> {
    let given = params(&args.set)?;
    let owner = [&["check".to_owned()], args.checks.as_slice()].concat().join(" ");
    given.accept(&engine.check_params(ids), &owner, "check")?;
    let flags =
        [(args.quick, "quick"), (args.full, "full"), (args.resume, "resume"), (args.self_test, "self_test")];
    let mut asked = given;
    for (_, key) in flags.into_iter().filter(|(is_given, _)| *is_given) {
        if let Some(value) = asked.0.insert(key.to_owned(), "yes".to_owned()) {
            let flag = key.replace('_', "-");
            return Err(Error::usage(format!("--{flag} and --set {key}={value}: give one of them")));
        }
    }
    engine.accept_params(ids, &asked)?;
    Ok(asked)
}

/// Cut off: what was found so far is not the whole of it and is not given out as such.
fn cancelled(engine: &Engine, (ids, done): (&[CheckId], &[Report]), by: &str, args: &CheckArgs) -> Error {
    let open = ids.iter().filter(|id| !done.iter().any(|r| r.id == **id));
    let kept: Vec<String> = open.filter(|id| engine.is_unfinished(id)).map(ToString::to_string).collect();
    let file = args.out.as_ref().map_or_else(String::new, |p| format!("; {} was not written", p.display()));
    let (done, all) = (done.len(), ids.len());
    let message = format!("cancelled by {by}: {done} of {all} checks were done, nothing was changed{file}");
    let error = Error::new(Class::Cancelled, message);
    if kept.is_empty() {
        return error.hint("no comparison was kept half-way: the next check begins anew");
    }
    error.hint(format!("what was compared is kept: midwatch check {} --resume goes on", kept.join(" ")))
}

fn how_far(id: &CheckId, news: &CheckProgress) -> String {
    let CheckProgress { doing, done, pieces, rows, .. } = news;
    if *pieces > 1 {
        format!("{id}: {doing} {done} of {pieces}, {rows} rows")
    } else {
        format!("{id}: {doing}")
    }
}

fn exit_code(reports: &[Report]) -> u8 {
    if reports.iter().any(|r| r.unobserved().is_some()) {
        5
    } else {
        u8::from(reports.iter().any(|r| matches!(r.status, Status::Fail | Status::Warn)))
    }
}
