//! A command of the operator's, and another that undoes it where nothing was swapped in the end.

use futures_util::future::{Either, select};
use serde_json::json;

use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::progress::{ControlRequest, Done, Phase};
use crate::engine::model::record::Outcome;
use crate::engine::model::secret::without_passwords;
use crate::engine::model::step::{Step, Task};
use crate::engine::port::hooks::{Hook, HookResult};
use crate::engine::port::reader::Fut;
use crate::engine::port::runner::{RunCx, RunStop, Runner, Running};
use crate::engine::run::limits::LOOK_AGAIN;
use crate::features::switchover::run::arguments;
use crate::features::switchover::task::HOOK_TASK;

/// Runs a command.
pub(crate) struct RunHook;

struct Hooked(Hook);

impl Runner for RunHook {
    fn task(&self) -> &'static str {
        HOOK_TASK
    }
    fn runs_commands(&self) -> bool {
        true
    }
    fn start(&self, task: &Task) -> Result<Box<dyn Running>> {
        Ok(Box::new(Hooked(arguments(task)?)))
    }
}

impl Running for Hooked {
    fn step<'a>(&'a mut self, run: &'a mut RunCx<'_>, _step: &'a Step) -> Fut<'a, Result<(), RunStop>> {
        Box::pin(hook(run, &self.0))
    }
    fn ended<'a>(&'a mut self, run: &'a mut RunCx<'_>, at: usize, done: &'a mut Done) -> Fut<'a, ()> {
        Box::pin(run_failure_hook(run, &self.0, at, done))
    }
}

async fn hook(run: &mut RunCx<'_>, hook: &Hook) -> Result<(), RunStop> {
    run.publish(Phase::Working);
    let Some(ran) = command(run, hook).await? else { return Err(cancelled_in(run, hook)) };
    let output = without_passwords(&ran.output);
    let body = json!({ "command": without_passwords(&hook.command), "code": ran.code, "output": output });
    run.record("hook", &body).await?;
    let how = match ran.code {
        Some(0) => return Ok(()),
        Some(code) => format!("ended with {code}"),
        None => format!("was ended after {} s", hook.timeout_s),
    };
    let said = output.lines().last().filter(|l| !l.is_empty()).map(|l| format!(": {l}")).unwrap_or_default();
    let command = without_passwords(&hook.command);
    Err(RunStop::known(Error::new(Class::Failed, format!("the command {command:?} {how}{said}"))))
}

/// Runs it, unless the operator ends it: nobody waits for a command that hangs.
async fn command(run: &mut RunCx<'_>, hook: &Hook) -> Result<Option<HookResult>, RunStop> {
    let hooks = run.adapters.hooks.clone();
    let mut running = hooks.run(hook);
    loop {
        match select(running, (run.adapters.sleep)(LOOK_AGAIN)).await {
            Either::Left((ran, _)) => return ran.map(Some).map_err(RunStop::known),
            Either::Right(((), still)) => running = still,
        }
        if run.control.wish() == ControlRequest::Cancel {
            return Ok(None);
        }
    }
}

/// The command before the swap has run, and nothing is swapped: what it did is rolled back, or said. A resumed run then
/// begins with it again.
async fn run_failure_hook(run: &mut RunCx<'_>, hook: &Hook, at: usize, done: &mut Done) {
    let stands = done.outcome != Outcome::Ambiguous && run.begun.applied == 0;
    let Some(failure) = done.failure.as_mut().filter(|_| stands) else { return };
    let said = match &hook.failed {
        None => "nobody has taken back what it did (--set failed=COMMAND does)".to_owned(),
        Some(command) => take_back(run, command, hook.timeout_s).await,
    };
    if run.begun.step > at {
        match run.writer.next_step(&run.begun, at).await {
            Ok(()) => run.begun.step = at,
            Err(e) => tracing::warn!("the run will not begin with its command again: {e}"),
        }
    }
    let hint = failure.hint.take().map_or_else(String::new, |h| format!("; {h}"));
    let command = without_passwords(&hook.command);
    failure.hint = Some(format!("the command {command:?} has run before the switch: {said}{hint}"));
}

async fn take_back(run: &mut RunCx<'_>, command: &str, timeout_s: u64) -> String {
    let hook = Hook { command: command.to_owned(), timeout_s, failed: None };
    let ran = match run.adapters.hooks.run(&hook).await {
        Ok(ran) => ran,
        Err(e) => return without_passwords(&e.message),
    };
    let (command, output) = (without_passwords(command), without_passwords(&ran.output));
    let body = json!({ "command": command, "code": ran.code, "output": output });
    let unwritten = run.record("hook", &body).await.err();
    let unwritten = unwritten.map_or("", |_| ", which is not in the journal");
    match ran.code {
        Some(0) => format!("{command:?} took it back{unwritten}"),
        code => {
            let code = code.map_or_else(|| "was ended".to_owned(), |c| format!("ended with {c}"));
            format!("{command:?}, which should take it back, {code}{unwritten}: {}", output.trim_end())
        }
    }
}

fn cancelled_in(run: &RunCx<'_>, hook: &Hook) -> RunStop {
    let command = without_passwords(&hook.command);
    let by = run.control.stopped_by();
    let message = format!("stopped by {by} while the command {command:?} ran; it was ended");
    RunStop::known(Error::new(Class::Cancelled, message))
}
