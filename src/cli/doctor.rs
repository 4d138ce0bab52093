//! `midwatch doctor`: what works here and what does not, with what to do about it.

use super::args::Cli;
use super::output::Output;
use super::parts::{Parts, overrides};
use crate::engine::Engine;
use crate::engine::journal::signatures::{self, KnownInstallation};
use crate::engine::model::cause::Cause;
use crate::engine::model::error::Result;
use crate::engine::model::installation::Standing;
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::Profile;
use crate::engine::port::reader::ReadOptions;
use crate::profile::{Config, Found};
use crate::report::answer::{Answer, DoctorLine};
use crate::sandbox::{Binaries, confinement};
use std::collections::BTreeSet;

/// Clocks further apart than this make ages wrong.
const SKEW_MS: i64 = 2_000;

/// A target that says nothing for so long is reported, and the next is looked at.
const SILENCE_S: u32 = 10;

#[derive(Default)]
struct DoctorReport(Vec<DoctorLine>);

impl DoctorReport {
    fn add(
        &mut self,
        name: impl Into<String>,
        status: &'static str,
        message: impl Into<String>,
        hint: Option<&str>,
    ) {
        self.0.push(DoctorLine {
            name: name.into(),
            status,
            message: message.into(),
            hint: hint.map(str::to_owned),
        });
    }
}

pub(super) async fn run(cli: &Cli, parts: &Parts, out: &Output) -> Result<u8> {
    let mut sheet = DoctorReport::default();
    terminal(&mut sheet);
    postgres(&mut sheet);
    private_servers(&mut sheet);
    match Config::find(cli.global.config.as_deref()) {
        Err(e) => sheet.add("config", "fail", e.message.clone(), e.hint.as_deref()),
        Ok(Found { config, untrusted }) => {
            if let Some(file) = untrusted {
                let e = file.error();
                sheet.add("config", "warn", e.message.clone(), e.hint.as_deref());
            }
            let file = config
                .path
                .as_ref()
                .map_or("none, the environment counts".into(), |p| p.display().to_string());
            sheet.add("config", "ok", file, None);
            targets(cli, parts, &config, &mut sheet).await;
        }
    }
    out.answer(&Answer::Doctor(&sheet.0))?;
    let worst = |status| sheet.0.iter().any(|l| l.status == status);
    Ok(if worst("fail") { 5 } else { u8::from(worst("warn")) })
}

fn terminal(sheet: &mut DoctorReport) {
    let term = std::env::var("TERM").unwrap_or_default();
    match term.as_str() {
        "" | "dumb" => {
            sheet.add(
                "terminal",
                "warn",
                format!("TERM is {term:?}: the console cannot draw"),
                Some("run it in a real terminal; midwatch check works anywhere"),
            );
        }
        // These do not mark what is pasted: only its speed tells it from typed keys.
        "linux" | "vt100" | "vt102" | "vt220" | "ansi" | "cons25" => {
            sheet.add(
                "terminal",
                "warn",
                format!("{term} does not mark pasted text (bracketed paste)"),
                Some("pasted text is recognised by the speed of its keys only: xterm and tmux mark it"),
            );
        }
        _ => sheet.add("terminal", "ok", term, None),
    }
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|v| std::env::var(v).ok().filter(|v| !v.is_empty()));
    let utf8 = locale.as_deref().is_some_and(|l| l.to_lowercase().replace('-', "").contains("utf8"));
    if utf8 {
        sheet.add("locale", "ok", locale.unwrap_or_default(), None);
    } else {
        let message =
            format!("{} is not UTF-8: the console draws with ASCII", locale.as_deref().unwrap_or("unset"));
        sheet.add("locale", "ok", message, Some("LANG=C.UTF-8 shows symbols"));
    }
}

fn postgres(sheet: &mut DoctorReport) {
    match Binaries::find() {
        Ok(found) => sheet.add(
            "postgresql",
            "ok",
            format!("{} in {} (demo, rehearsals)", found.version, found.dir.display()),
            None,
        ),
        Err(e) => sheet.add("postgresql", "warn", e.message.clone(), e.hint.as_deref()),
    }
}

/// Definitions of a target are executed on private servers: how far those are shut in.
fn private_servers(sheet: &mut DoctorReport) {
    let found = match confinement() {
        Ok(found) => found,
        Err(e) => return sheet.add("sandbox", "warn", e.message.clone(), e.hint.as_deref()),
    };
    let own = found.hint;
    let account = found.account.map_or_else(|| "your own account".to_owned(), |a| format!("account {a}"));
    let mut message = format!("private servers run under {account}, on a socket only");
    for done in &found.done {
        message.push_str(", with ");
        message.push_str(done);
    }
    if found.not_possible.is_empty() {
        return sheet.add("sandbox", "ok", message, own.as_deref());
    }
    message.push_str("; not possible here: ");
    message.push_str(&found.not_possible.join(", "));
    sheet.add("sandbox", "ok", message, Some("util-linux 2.38 and user namespaces make all of it possible"));
}

async fn targets(cli: &Cli, parts: &Parts, config: &Config, sheet: &mut DoctorReport) {
    let names: Vec<Option<String>> = match (&cli.global.target, config.names()) {
        (Some(one), _) => vec![Some(one.clone())],
        (None, names) => {
            let environment = (names.is_empty() || config.environment_first()).then_some(None);
            environment.into_iter().chain(names.into_iter().map(Some)).collect()
        }
    };
    for name in names {
        let label = format!("target {}", name.as_deref().unwrap_or("(environment)"));
        let opened = match config.select(name.as_deref()) {
            Ok(mut selected) => {
                selected.policy.silence_s = selected.policy.silence_s.min(SILENCE_S);
                (parts.connect)(overrides(cli).apply(selected)).await
            }
            Err(e) => Err(e),
        };
        match opened {
            Ok(engine) => target(sheet, &label, &engine).await,
            Err(e) => sheet.add(label, "fail", e.message.clone(), e.hint.as_deref()),
        }
    }
}

async fn target(sheet: &mut DoctorReport, label: &str, engine: &Engine) {
    let s = engine.server();
    let standby = if s.in_recovery { ", a standby" } else { "" };
    let reader = s.reader.as_ref().map_or_else(String::new, |r| format!(", read by role {r}"));
    let summary = format!(
        "{} {}{standby} at {}, role {}{reader}, profile {}, {}",
        engine.facts().dialect().shown_name(),
        s.version,
        s.address,
        s.role,
        engine.profile().name,
        engine.environment()
    );
    sheet.add(label, "ok", summary, None);
    transport(sheet, label, engine);
    if let Some(note) = engine.environment_note() {
        sheet.add(
            label,
            "warn",
            note.to_owned(),
            Some("set environment in midwatch.toml, or ALTER DATABASE … SET midwatch.environment = '…'"),
        );
    }
    for note in &s.notes {
        sheet.add(label, "warn", note.text.clone(), note.hint);
    }
    if s.skew_ms.abs() > SKEW_MS {
        sheet.add(
            label,
            "warn",
            format!("the server's clock is {} ms from ours: ages are by the server's", s.skew_ms),
            Some("synchronise the clocks"),
        );
    }
    journal(sheet, label, engine).await;
    keys(sheet, label, engine).await;
    match unreadable(engine).await {
        Ok(tables) if tables.is_empty() => {}
        Ok(tables) => {
            let message =
                format!("role {} cannot read {}", s.reader.as_ref().unwrap_or(&s.role), tables.join(", "));
            sheet.add(label, "warn", message, Some(engine.facts().dialect().reader_hint()));
        }
        Err(e) => sheet.add(label, "fail", e.message.clone(), e.hint.as_deref()),
    }
}

/// What the connection goes over, and whether changes are refused for it.
fn transport(sheet: &mut DoctorReport, label: &str, engine: &Engine) {
    let transport = engine.server().transport;
    let accepted = engine.insecure();
    let then =
        if accepted { "insecure = true accepts it as it is" } else { "until then production is not changed" };
    let hint = transport.remedy().map(|remedy| format!("{remedy}; {then}"));
    let status = if hint.is_some() { "warn" } else { "ok" };
    sheet.add(label, status, format!("connection: {transport}"), hint.as_deref());
}

async fn journal(sheet: &mut DoctorReport, label: &str, engine: &Engine) {
    let state = engine.journal_now().await;
    match (&state, state.refusal()) {
        (_, None) => sheet.add(label, "ok", "the journal is there", None),
        (JournalState::Missing { pending }, _) => {
            let message =
                format!("no journal yet ({} to come): nothing can be changed here", pending.join(", "));
            sheet.add(label, "ok", message, Some("midwatch plan init makes it"));
        }
        (
            JournalState::Damaged { .. } | JournalState::Altered { .. } | JournalState::Foreign { .. },
            Some(e),
        ) => {
            sheet.add(label, "fail", e.message.clone(), e.hint.as_deref());
        }
        (_, Some(e)) => sheet.add(label, "warn", e.message.clone(), e.hint.as_deref()),
    }
}

/// Who has written into the journal, and whether what this installation writes can be told from it.
async fn keys(sheet: &mut DoctorReport, label: &str, engine: &Engine) {
    let adapters = engine.adapters();
    match adapters.signer.own() {
        Ok(Some(own)) => sheet.add(label, "ok", format!("this installation is {}", own.shown()), None),
        Ok(None) => sheet.add(
            label,
            "warn",
            "there is no lasting state directory: no key, no copy of the journal, and nothing can be changed",
            Some("set HOME, state_dir in midwatch.toml, or MIDWATCH_KEY_FILE with a state_dir that stays"),
        ),
        Err(e) => sheet.add(label, "fail", e.message.clone(), e.hint.as_deref()),
    }
    if engine.journal_now().await.unread().is_some() {
        return;
    }
    match signatures::installations(engine.facts(), &*adapters.signer).await {
        Ok(known) => known.iter().for_each(|k| key(sheet, label, k)),
        Err(e) if e.cause == Cause::NoSuchObject => {}
        Err(e) => sheet.add(label, "warn", e.message.clone(), e.hint.as_deref()),
    }
}

fn key(sheet: &mut DoctorReport, label: &str, known: &KnownInstallation) {
    let KnownInstallation { installation: i, standing, runs } = known;
    let runs = if *runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    let text = |how: &str| format!("key {} is {how}: {runs} since {}", i.shown(), i.first_seen);
    match standing {
        Standing::Own => sheet.add(label, "ok", text("our own"), None),
        Standing::Trusted => sheet.add(label, "ok", text("trusted"), None),
        Standing::Unconfirmed => {
            let hint = format!(
                "compare it with midwatch key export there, then midwatch key trust {}",
                i.fingerprint
            );
            sheet.add(label, "warn", text("not confirmed"), Some(&hint));
        }
    }
}

/// Tables that the profile names, that are there, and that the role may not read.
async fn unreadable(engine: &Engine) -> Result<Vec<String>> {
    let mut tx = engine.facts().begin(ReadOptions::default()).await?;
    engine.facts().dialect().unreadable(&mut *tx, &tables(engine.profile())).await
}

fn tables(profile: &Profile) -> Vec<Relation> {
    let twins = profile.twins.iter().flat_map(|t| [&t.legacy, &t.partitioned]);
    let queues = profile.queues.iter().map(|q| &q.table);
    let names = twins.chain(queues).chain(&profile.partitioned).chain(&profile.detect);
    let written: BTreeSet<&String> = names.collect();
    written.into_iter().map(|n| Relation::parse(n)).collect()
}
