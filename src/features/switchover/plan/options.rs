//! The options of a switchover, its rollback and its cleanup: `--set` keys and their values.

use crate::engine::model::error::{Error, Result};
use crate::engine::model::param::{DefaultValue, ParamSpec, Params, Takes};
use crate::engine::model::secret::without_passwords;

/// How long the result is watched.
pub(crate) const MONITOR: ParamSpec = ParamSpec {
    name: "monitor",
    about: "how long to compare and watch after the swap",
    takes: Takes::duration(),
    default: DefaultValue::Number(10),
};
/// The backup of the legacy tables.
pub(crate) const BACKUP: ParamSpec = ParamSpec {
    name: "backup",
    about: "verified: dump the legacy tables, restore the dump and compare; unverified: dump only; skip: no backup",
    takes: Takes::Choice(&["verified", "unverified", "skip"]),
    default: DefaultValue::Word("verified"),
};
/// What is compared inside the locks.
pub(crate) const MARKER: ParamSpec = ParamSpec {
    name: "marker",
    about: "no: without change capture, compare all rows inside the locks while writers wait",
    takes: Takes::Flag,
    default: DefaultValue::Word("yes"),
};
/// How long one attempt waits for a lock.
pub(crate) const LOCK_TIMEOUT: ParamSpec = ParamSpec {
    name: "lock_timeout",
    about: "how long one attempt waits for each lock",
    takes: Takes::Number { unit: "milliseconds", from: 1, to: 10_000 },
    default: DefaultValue::Number(60),
};
/// How long the locks may be held.
pub(crate) const BUDGET: ParamSpec = ParamSpec {
    name: "budget",
    about: "how long one attempt may hold the locks",
    takes: Takes::Number { unit: "milliseconds", from: 1, to: 3_600_000 },
    default: DefaultValue::Number(250),
};
/// How often.
pub(crate) const ATTEMPTS: ParamSpec = ParamSpec {
    name: "attempts",
    about: "attempts before it is postponed",
    takes: Takes::Number { unit: "attempts", from: 1, to: 1_000 },
    default: DefaultValue::Number(12),
};
/// How long a blocker is waited for.
pub(crate) const PATIENCE: ParamSpec = ParamSpec {
    name: "patience",
    about: "how long to wait for a session that holds its lock for long",
    takes: Takes::duration(),
    default: DefaultValue::Number(600),
};
/// What an operator accepts.
pub(crate) const ACCEPT: ParamSpec = ParamSpec {
    name: "accept",
    about: "findings of the preflight to accept, by the ids shown there",
    takes: Takes::List("ID"),
    default: DefaultValue::Nothing,
};
/// A command right before the swap.
pub(crate) const BEFORE: ParamSpec = ParamSpec {
    name: "before",
    about: "command to run right before the swap",
    takes: Takes::Text("COMMAND"),
    default: DefaultValue::Nothing,
};
/// A command right after it.
pub(crate) const AFTER: ParamSpec = ParamSpec {
    name: "after",
    about: "command to run right after the swap",
    takes: Takes::Text("COMMAND"),
    default: DefaultValue::Nothing,
};
/// A command where the first has run in vain.
pub(crate) const FAILED: ParamSpec = ParamSpec {
    name: "failed",
    about: "command to run when before= has run and nothing was swapped",
    takes: Takes::Text("COMMAND"),
    default: DefaultValue::Nothing,
};
/// How long each may take.
pub(crate) const HOOK_TIMEOUT: ParamSpec = ParamSpec {
    name: "hook_timeout",
    about: "how long each of these commands may take",
    takes: Takes::duration(),
    default: DefaultValue::Number(60),
};

/// The options as they were given.
#[derive(Debug, Clone)]
pub(crate) struct SwitchOptions {
    pub(super) monitor_s: u64,
    pub(super) backup: Backup,
    pub(super) marker: bool,
    pub(crate) lock_timeout_ms: u64,
    pub(super) budget_ms: u64,
    pub(super) attempts: u32,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) failed: Option<String>,
    pub(super) hook_timeout_s: u64,
    pub(super) patience_s: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backup {
    Verified,
    Unverified,
    Skip,
}

/// A command that may be read by everybody who reads the plan or the journal.
fn refuse_password(command: &str) -> Result<String> {
    if without_passwords(command) == command {
        return Ok(command.to_owned());
    }
    let what = "the command holds a password, which plan and journal would keep";
    Err(Error::usage(what)
        .hint("put it into a file (~/.pgpass) or the environment: \"$NAME\" is looked up there"))
}

impl SwitchOptions {
    pub(crate) fn from_params(params: &Params) -> Result<Self> {
        let backup = match params.word_of(&BACKUP)? {
            Some("unverified") => Backup::Unverified,
            Some("skip") => Backup::Skip,
            _ => Backup::Verified,
        };
        let command = |spec: &ParamSpec| {
            let given = params.get(spec.name).filter(|c| !c.trim().is_empty());
            let taken = given.map(refuse_password).transpose();
            taken.map_err(|e| e.context(format!("failed to take {}", spec.name)))
        };
        Ok(Self {
            monitor_s: params.seconds_of(&MONITOR)?,
            backup,
            marker: params.flag_of(&MARKER)?,
            lock_timeout_ms: params.number_of(&LOCK_TIMEOUT)?,
            budget_ms: params.number_of(&BUDGET)?,
            attempts: u32::try_from(params.number_of(&ATTEMPTS)?).unwrap_or(u32::MAX),
            before: command(&BEFORE)?,
            after: command(&AFTER)?,
            failed: command(&FAILED)?,
            hook_timeout_s: params.seconds_of(&HOOK_TIMEOUT)?,
            patience_s: params.seconds_of(&PATIENCE)?,
        })
    }

    pub(crate) fn look_on(&mut self, seconds: u64) {
        self.monitor_s = seconds;
    }
}
