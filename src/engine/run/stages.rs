//! Stages of a switchover that change no table: counts for the record, a backup, commands, looking on.

use crate::engine::model::query::Sql;
use futures_util::future::{Either, select};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::engine::model::error::{Class, Error};
use crate::engine::model::progress::{Done, Phase, Wish};
use crate::engine::model::record::Outcome;
use crate::engine::model::secret::without_passwords;
use crate::engine::model::step::Action;
use crate::engine::model::task::{Dump, Hook, Measure, Monitor, Play};
use crate::engine::port::hooks::Ran;
use crate::engine::port::reader::{ReadOptions, Snapshot};
use crate::engine::run::executor::{Run, Stopped};
use crate::engine::run::limits::LOOK_AGAIN;

/// Counting whole tables may take this long.
const PATIENCE: std::time::Duration = std::time::Duration::from_hours(1);
/// Between two looks at what is monitored.
const LOOK_EVERY_MS: i64 = 1_000;

#[derive(Deserialize)]
struct Counted {
    table: String,
    rows: u64,
    sums: Value,
    /// Plans of earlier versions do not ask for it.
    #[serde(default)]
    checksum: Option<String>,
}

impl Run<'_> {
    /// An entry of the run, or the reason to stop: what is not written down has not happened.
    pub(crate) async fn record(&mut self, kind: &str, body: &Value) -> Result<(), Stopped> {
        match self.writer.note(&self.begun, kind, body).await {
            Ok(event) => {
                self.mirror(&event);
                Ok(())
            }
            Err(e) => Err(self.recovered(e).await),
        }
    }

    /// Sessions that the operator has asked by their phrase to be ended: said first, then done, then what came of it.
    pub(crate) async fn endings(&mut self) -> Result<(), Stopped> {
        for session in self.control.endings() {
            let b = session.blocker().clone();
            let body = json!({
                "by": self.engine.operator.to_string(), "pid": b.pid, "role": b.role, "application": b.application,
                "session_since": b.since, "query_at": b.query_at, "query": b.query, "state": b.state, "wrote": b.wrote,
                "holds": b.table,
            });
            self.record("ended", &body).await?;
            let said = match self.writer.end_session(&self.begun, &session).await {
                Ok((ended, event)) => {
                    self.mirror(&event);
                    if ended { "was ended".to_owned() } else { "was gone already".into() }
                }
                Err(e) if crate::engine::run::finish::is_lost(&e) => return Err(self.recovered(e).await),
                Err(e) => format!("was not ended: {}", e.message),
            };
            self.progress.room.ended = Some(format!("pid {} {} {said}", b.pid, b.role));
        }
        Ok(())
    }

    pub(crate) async fn measure(&mut self, measure: &Measure) -> Result<(), Stopped> {
        self.tell(Phase::Working);
        let options = ReadOptions {
            snapshot: Snapshot::Transaction,
            timeout: Some(PATIENCE),
            ..ReadOptions::default()
        };
        let counted: Result<Vec<Counted>, Error> = async {
            let mut tx = self.engine.facts.begin(options).await?;
            tx.fetch(&Sql::new(&measure.sql)).await
        }
        .await;
        let counted = counted.map_err(Stopped::known)?;
        let counts: Vec<_> = counted
            .into_iter()
            .map(|c| json!({ "table": c.table, "rows": c.rows, "sums": c.sums, "checksum": c.checksum }))
            .collect();
        self.record("stage", &json!({ "stage": measure.stage, "counts": counts })).await
    }

    pub(crate) async fn dump(&mut self, dump: &Dump) -> Result<(), Stopped> {
        self.tell(Phase::Working);
        let run = self.begun.run.clone();
        let made = self.engine.means.backups.dump(dump, &run).await.map_err(Stopped::known)?;
        if dump.verify && made.verified.is_none() {
            let e = Error::new(Class::Failed, format!("the backup {} could not be proved", made.file));
            return Err(Stopped::known(e.hint("--set backup=unverified goes on with it as it is")));
        }
        let body = serde_json::to_value(&made).unwrap_or_default();
        self.record("backup", &body).await
    }

    /// Nothing of the target is touched: what came of it goes into its journal.
    pub(crate) async fn rehearse(&mut self, play: &Play) -> Result<(), Stopped> {
        self.tell(Phase::Working);
        let played = self.engine.means.stage.rehearse(play).await.map_err(Stopped::known)?;
        self.record("rehearsal", &serde_json::to_value(&played).unwrap_or_default()).await?;
        self.said.extend(played.told());
        match played.failures.first() {
            None => Ok(()),
            Some(first) => {
                let more = played.failures.len() - 1;
                let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
                let e = Error::new(Class::Failed, format!("the rehearsal failed: {first}{more}"));
                let failed = e.hint("nothing of the target was touched; the run's entries tell all of it");
                Err(Stopped { resumable: false, ..Stopped::known(failed) })
            }
        }
    }

    pub(crate) async fn hook(&mut self, hook: &Hook) -> Result<(), Stopped> {
        self.tell(Phase::Working);
        self.hooked = true;
        let Some(ran) = self.command(hook).await? else { return Err(self.cancelled_in(hook)) };
        let output = without_passwords(&ran.output);
        let body = json!({ "command": without_passwords(&hook.command), "code": ran.code, "output": output });
        self.record("hook", &body).await?;
        let how = match ran.code {
            Some(0) => return Ok(()),
            Some(code) => format!("ended with {code}"),
            None => format!("was ended after {} s", hook.timeout_s),
        };
        let said =
            output.lines().last().filter(|l| !l.is_empty()).map(|l| format!(": {l}")).unwrap_or_default();
        let command = without_passwords(&hook.command);
        Err(Stopped::known(Error::new(Class::Failed, format!("the command {command:?} {how}{said}"))))
    }

    /// Runs it, unless the operator ends it: nobody waits for a command that hangs.
    async fn command(&mut self, hook: &Hook) -> Result<Option<Ran>, Stopped> {
        let hooks = self.engine.means.hooks.clone();
        let mut running = hooks.run(hook);
        loop {
            match select(running, (self.engine.means.sleep)(LOOK_AGAIN)).await {
                Either::Left((ran, _)) => return ran.map(Some).map_err(Stopped::known),
                Either::Right(((), still)) => running = still,
            }
            if self.control.wish() == Wish::Cancel {
                return Ok(None);
            }
        }
    }

    /// The command before the switch has run, and nothing is switched: what it did is taken back, or said. A resumption
    /// then begins with it again.
    pub(crate) async fn in_vain(&mut self, done: &mut Done) {
        let stands = done.outcome != Outcome::Ambiguous && self.begun.applied == 0;
        let Some(failure) = done.failure.as_mut().filter(|_| stands) else { return };
        let before = self.plan.steps.iter().enumerate().find_map(|(at, s)| match &s.action {
            Action::Hook(hook) if at < self.begun.step || at == self.begun.step && self.hooked => {
                Some((at, hook))
            }
            _ => None,
        });
        let Some((at, hook)) = before else { return };
        let said = match &hook.failed {
            None => "nobody has taken back what it did (--set failed=COMMAND does)".to_owned(),
            Some(command) => self.take_back(command, hook.timeout_s).await,
        };
        if self.begun.step > at {
            match self.writer.next_step(&self.begun, at).await {
                Ok(()) => self.begun.step = at,
                Err(e) => tracing::warn!("the run will not begin with its command again: {e}"),
            }
        }
        let hint = failure.hint.take().map_or_else(String::new, |h| format!("; {h}"));
        failure.hint =
            Some(format!("the command {:?} has run before the switch: {said}{hint}", hook.command));
    }

    async fn take_back(&mut self, command: &str, timeout_s: u64) -> String {
        let hook = Hook { command: command.to_owned(), timeout_s, failed: None };
        let ran = match self.engine.means.hooks.run(&hook).await {
            Ok(ran) => ran,
            Err(e) => return without_passwords(&e.message),
        };
        let output = without_passwords(&ran.output);
        let body = json!({ "command": command, "code": ran.code, "output": output });
        let unwritten = self.record("hook", &body).await.err();
        let unwritten = unwritten.map_or("", |_| ", which is not in the journal");
        match ran.code {
            Some(0) => format!("{command:?} took it back{unwritten}"),
            code => {
                let code = code.map_or_else(|| "was ended".to_owned(), |c| format!("ended with {c}"));
                format!("{command:?}, which should take it back, {code}{unwritten}: {}", output.trim_end())
            }
        }
    }

    fn cancelled_in(&self, hook: &Hook) -> Stopped {
        let command = without_passwords(&hook.command);
        let by = self.control.stopped_by();
        let message = format!("stopped by {by} while the command {command:?} ran; it was ended");
        Stopped::known(Error::new(Class::Cancelled, message))
    }

    /// What was equal at the switch must stay equal: rows written since are compared every second; where nothing marks
    /// them, everything is compared at the end.
    pub(crate) async fn monitor(&mut self, monitor: &Monitor) -> Result<(), Stopped> {
        self.tell(Phase::Working);
        let marked = monitor.is_marked();
        if marked && self.proved.is_none() {
            self.compare_all(&monitor.proofs).await?;
        }
        let until = self.millis() + i64::try_from(monitor.seconds).unwrap_or(0) * 1_000;
        let mut next = self.millis();
        loop {
            self.wishes().await?;
            if marked && self.millis() >= next {
                next = self.millis() + LOOK_EVERY_MS;
                self.catch_up(&monitor.proofs).await?;
            }
            let left = (until - self.millis()).max(0);
            self.progress.eta_s = Some(u64::try_from(left).unwrap_or(0) / 1_000);
            self.tell(Phase::Working);
            if left == 0 {
                break;
            }
            (self.engine.means.sleep)(LOOK_AGAIN).await;
            self.still_locked().await?;
        }
        self.progress.eta_s = None;
        if !marked {
            self.compare_all(&monitor.proofs).await?;
        }
        let how = if marked { "rows written since, every second" } else { "all rows, once at the end" };
        let room = &self.progress.room;
        let body = json!({ "stage": "MONITOR", "seconds": monitor.seconds, "how": how, "compared": room.compared, "differ": room.differing });
        self.record("stage", &body).await
    }
}
