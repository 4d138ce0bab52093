//! Who may do what, where, when. The only place where an approval is made.

use crate::engine::model::journal_state::JournalState;
use crate::engine::model::phrase::differs;
use crate::engine::model::policy::Policy;
use crate::engine::model::window::Window;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::model::abilities::Ability;
use crate::engine::model::error::{Class, Error};
use crate::engine::model::plan::Plan;
use crate::engine::model::preflight::{Reversible, Risk};
use crate::engine::model::row_store::RowSet;
use crate::engine::model::target::{Environment, ServerInfo};

/// Everything a verdict depends on besides the plan.
pub struct Circumstances<'a> {
    /// How dangerous the target is.
    pub environment: Environment,
    /// Nothing may be changed through it.
    pub read_only: bool,
    /// By the server's clock.
    pub window: Window,
    /// The server.
    pub server: &'a ServerInfo,
    /// By the server's clock.
    pub now: DateTime<Utc>,
    /// The journal.
    pub journal: JournalState,
    /// No console: nobody is known to have read it.
    pub headless: bool,
}

/// The ladder of confirmation, decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// The database's name must be typed as well.
    pub database: Option<String>,
    /// Not before this.
    pub opens_at: Option<DateTime<Utc>>,
}

/// What was typed.
#[derive(Debug, Clone, Copy)]
pub struct TypedPhrase<'a> {
    /// The phrase.
    pub phrase: &'a str,
    /// The database's name.
    pub database: Option<&'a str>,
    /// When, by the server's clock.
    pub at: DateTime<Utc>,
}

/// A plan that may be confirmed.
pub struct Gate {
    plan: Plan,
    rows: Arc<dyn RowSet>,
    ladder: Ladder,
}

/// A confirmation that was not one; the gate is as before.
pub struct Denied {
    /// To try again.
    pub gate: Gate,
    /// Why not.
    pub why: Error,
}

/// A confirmed plan, good for one run. Only a [`Gate`] and the guard's review of a resumption make one:
///
/// ```compile_fail,E0451
/// use midwatch::engine::gate::guard::Approved;
/// let forged = Approved { work: unimplemented!() };
/// ```
///
/// (Each example that must not compile has a twin without the forbidden line, which shows that no path is wrong.)
///
/// ```
/// use midwatch::engine::gate::guard::Approved;
/// let given: Option<Approved> = None;
/// ```
///
/// It cannot be copied, and whoever runs it gives it away:
///
/// ```compile_fail,E0599
/// fn twice(approved: midwatch::engine::gate::guard::Approved) {
///     let _copy = approved.clone();
/// }
/// ```
///
/// ```
/// fn once(approved: midwatch::engine::gate::guard::Approved) {
///     let _plan = approved.plan();
/// }
/// ```
///
/// ```compile_fail,E0382
/// use midwatch::engine::gate::guard::Approved;
/// fn run(_: Approved) {}
/// fn twice(approved: Approved) {
///     run(approved);
///     run(approved);
/// }
/// ```
///
/// ```
/// use midwatch::engine::gate::guard::Approved;
/// fn run(_: Approved) {}
/// fn once(approved: Approved) {
///     run(approved);
/// }
/// ```
pub struct Approved {
    work: Work,
}

/// What was approved.
enum Work {
    Apply { plan: Box<Plan>, rows: Arc<dyn RowSet> },
    Resume { run: String, plan: Box<Plan>, entries: String },
}

impl Approved {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        match &self.work {
            Work::Apply { plan, .. } | Work::Resume { plan, .. } => plan,
        }
    }

    /// Its rows; none when a run is resumed: then they are in the journal.
    pub fn rows(&self) -> Option<&Arc<dyn RowSet>> {
        match &self.work {
            Work::Apply { rows, .. } => Some(rows),
            Work::Resume { .. } => None,
        }
    }

    /// The run to go on with.
    pub fn resumes(&self) -> Option<&str> {
        match &self.work {
            Work::Apply { .. } => None,
            Work::Resume { run, .. } => Some(run),
        }
    }

    /// The sum of the run's entries that were judged ([`Event::sum_of`]): it is gone on with as long as these are all.
    ///
    /// [`Event::sum_of`]: crate::engine::model::event::Event::sum_of
    pub fn entries(&self) -> Option<&str> {
        match &self.work {
            Work::Apply { .. } => None,
            Work::Resume { entries, .. } => Some(entries),
        }
    }
}

/// An unfinished run as its entries in the journal tell it.
pub struct UnfinishedRun {
    /// Its number.
    pub run: String,
    /// Its plan.
    pub plan: Plan,
    /// The sum of its entries that were judged ([`Approved::entries`]).
    pub entries: String,
}

impl UnfinishedRun {
    fn approved(self) -> Approved {
        let Self { run, plan, entries } = self;
        Approved { work: Work::Resume { run, plan: Box::new(plan), entries } }
    }
}

/// An unfinished run whose plan is not ours, and that may be confirmed: as a new plan is, and with its ladder.
pub struct ResumeGate {
    unfinished: UnfinishedRun,
    why: String,
    ladder: Ladder,
}

impl ResumeGate {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.unfinished.plan
    }

    /// What must be typed.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Why it is not gone on with as it is.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The same to who has typed nothing.
    pub fn refusal(&self) -> Error {
        let UnfinishedRun { run, plan, .. } = &self.unfinished;
        let target = self.ladder.database.as_ref().map(|d| format!(" --confirm-target {d}"));
        refused(format!("{}; nothing was done", self.why)).hint(format!(
            "read the plan, then midwatch resume {run} --confirm \"{}\"{}",
            plan.phrase,
            target.unwrap_or_default()
        ))
    }

    /// Byte for byte, or not at all; the gate is as before then.
    pub fn confirm(self, typed: &TypedPhrase<'_>) -> Result<Approved, Box<(Self, Error)>> {
        match self.ladder.accepts(&self.unfinished.plan, typed) {
            Ok(()) => Ok(self.unfinished.approved()),
            Err(e) => {
                let why = e.context(&self.why);
                Err(Box::new((self, why)))
            }
        }
    }
}

impl Ladder {
    /// Is this what must be typed, and when?
    fn accepts(&self, plan: &Plan, typed: &TypedPhrase<'_>) -> Result<(), Error> {
        if typed.phrase != plan.phrase {
            return Err(refused(differs(&plan.phrase, typed.phrase)));
        }
        if let Some(database) = &self.database
            && typed.database != Some(database.as_str())
        {
            return Err(refused(
                "irreversible work on production: the database's name is asked for once more",
            )
            .hint("--confirm-target DATABASE"));
        }
        if let Some(opens_at) = self.opens_at
            && typed.at < opens_at
        {
            let wait = (opens_at - typed.at).num_seconds() + 1;
            return Err(refused(format!("read it first: it can be confirmed in {wait} s")));
        }
        Ok(())
    }
}

impl Gate {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its rows.
    pub fn rows(&self) -> &Arc<dyn RowSet> {
        &self.rows
    }

    /// What must be typed.
    pub fn phrase(&self) -> &str {
        &self.plan.phrase
    }

    /// What else is asked for.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Byte for byte, or not at all.
    pub fn confirm(self, typed: &TypedPhrase<'_>) -> Result<Approved, Box<Denied>> {
        let accepted = self.ladder.accepts(&self.plan, typed);
        let alive =
            || if typed.at < self.plan.expires_at { Ok(()) } else { Err(expired(&self.plan, typed.at)) };
        if let Err(why) = accepted.and_then(|()| alive()) {
            return Err(Box::new(Denied { gate: self, why }));
        }
        Ok(Approved { work: Work::Apply { plan: Box::new(self.plan), rows: self.rows } })
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(Class::Refused, message)
}

/// A plan that is too old.
pub fn expired(plan: &Plan, now: DateTime<Utc>) -> Error {
    let ago = (now - plan.expires_at).num_minutes();
    Error::new(
        Class::Stale,
        format!("the plan has expired {ago} min ago, at {}", plan.expires_at.format("%H:%M:%SZ")),
    )
    .hint("plan again: the rows may have moved meanwhile")
}

/// The policy, applied.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// What is allowed.
    pub policy: Policy,
    /// The operator accepts that others between may read and change what is sent.
    pub insecure: bool,
}

impl Guard {
    /// May this plan be confirmed here and now, and how?
    pub fn review(
        &self,
        plan: Plan,
        rows: Arc<dyn RowSet>,
        risk: Risk,
        bootstraps: bool,
        now: &Circumstances<'_>,
    ) -> Result<Gate, Error> {
        self.circumstances(bootstraps, now)?;
        if now.now >= plan.expires_at {
            return Err(expired(&plan, now.now));
        }
        let ladder = self.ladder(&plan, risk, now)?;
        Ok(Gate { plan, rows, ladder })
    }

    fn ladder(&self, plan: &Plan, risk: Risk, now: &Circumstances<'_>) -> Result<Ladder, Error> {
        if let Some(failed) = plan.preflight.iter().find(|p| p.status.blocks()) {
            return Err(refused(format!("preflight {}: {}", failed.id, failed.message)));
        }
        let irreversible = risk > Risk::Additive && plan.reversible == Reversible::No;
        let strict = now.environment >= Environment::Staging && irreversible;
        let production = now.environment == Environment::Production;
        if production && irreversible && now.headless && !self.policy.headless_irreversible {
            return Err(refused("irreversible work on production is not done without the console")
                .hint("open the console, or set headless_irreversible in [policy]"));
        }
        let delay = TimeDelta::seconds(i64::from(self.policy.reading_delay_s));
        Ok(Ladder {
            database: strict.then(|| now.server.database.clone()),
            opens_at: (strict && production && !now.headless).then(|| now.now + delay),
        })
    }

    /// May this unfinished run go on? The phrase was typed when it began; everything else is asked again.
    pub fn resume(&self, unfinished: UnfinishedRun, now: &Circumstances<'_>) -> Result<Approved, Error> {
        self.circumstances(false, now)?;
        Ok(unfinished.approved())
    }

    /// May an unfinished run go on whose plan this installation has not signed? It is confirmed as a new plan is, at any
    /// time: a plan expires before its run begins, since rows move meanwhile, and what is left of a run is compared with
    /// its planned rows batch by batch. A half-done change is not left so for its age.
    pub fn resume_foreign(
        &self,
        unfinished: UnfinishedRun,
        why: String,
        risk: Risk,
        now: &Circumstances<'_>,
    ) -> Result<ResumeGate, Error> {
        self.circumstances(false, now)?;
        if unfinished.plan.phrase != unfinished.plan.computed_phrase() {
            return Err(refused(format!("{why}; its phrase is not that of its content")));
        }
        let ladder = self.ladder(&unfinished.plan, risk, now).map_err(|e| e.context(&why))?;
        Ok(ResumeGate { unfinished, why, ladder })
    }

    /// What holds for every change.
    pub fn circumstances(&self, bootstraps: bool, now: &Circumstances<'_>) -> Result<(), Error> {
        if now.read_only {
            return Err(refused("this target is read-only for midwatch")
                .hint("read_only = true in midwatch.toml, or --read-only"));
        }
        if now.server.in_recovery {
            return Err(refused("this server is a standby: nothing can be changed here"));
        }
        if let Ability::No { why, hint } = &now.server.abilities.session_lock {
            let lacking = refused(why);
            return Err(if hint.is_empty() { lacking } else { lacking.hint(hint) });
        }
        if now.environment == Environment::Production && now.server.transport.exposed() && !self.insecure {
            let transport = now.server.transport;
            let what = format!("production needs a server that is verified: the connection is {transport}");
            let remedy = transport.remedy().unwrap_or_default();
            return Err(
                refused(what).hint(format!("{remedy}; or insecure = true for the target in midwatch.toml"))
            );
        }
        if let Window::Closed(minutes) = now.window {
            return Err(refused(format!(
                "outside the maintenance window: it opens in {} h {:02} min",
                minutes / 60,
                minutes % 60
            ))
            .hint("window in midwatch.toml"));
        }
        match &now.journal {
            JournalState::Missing { .. } | JournalState::Older { .. } if bootstraps => Ok(()),
            state => state.refusal().map_or(Ok(()), Err),
        }
    }
}

#[cfg(test)]
mod transport_tests {
    use super::*;
    use crate::engine::model::transport::{CertificateCheck, Transport};

    /// At 4eabe32 nothing knew what a connection goes over.
    #[test]
    fn production_is_not_changed_over_what_others_may_alter() {
        let tls = |verified, loopback| Transport::Tls { version: "1.3", verified, loopback };
        for (transport, exposed) in [
            (Transport::Socket, false),
            (Transport::SharedSocket, true),
            (Transport::Plain { loopback: true }, false),
            (Transport::Plain { loopback: false }, true),
            (tls(CertificateCheck::Full, false), false),
            (tls(CertificateCheck::Ca, false), true),
            (tls(CertificateCheck::No, false), true),
            (tls(CertificateCheck::No, true), false),
        ] {
            let mut server = ServerInfo { transport, ..ServerInfo::default() };
            server.abilities.session_lock = Ability::Yes;
            for (environment, insecure, refuses) in [
                (Environment::Production, false, exposed),
                (Environment::Production, true, false),
                (Environment::Staging, false, false),
            ] {
                let now = Circumstances {
                    environment,
                    read_only: false,
                    window: Window::Always,
                    server: &server,
                    now: Utc::now(),
                    journal: JournalState::Missing { pending: vec![] },
                    headless: true,
                };
                let guard = Guard { policy: Policy::default(), insecure };
                let answer = guard.circumstances(true, &now);
                assert_eq!(answer.is_err(), refuses, "{transport:?} {environment} {insecure}");
                answer.err().into_iter().for_each(|e| assert_eq!(e.exit_code(), 3, "{e}"));
            }
        }
    }
}
