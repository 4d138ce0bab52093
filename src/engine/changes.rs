//! What console and command line ask of the engine to change something: the one door.

use crate::engine::plan::request::{PlanNews, Planned, Request};
use crate::engine::port::signer::Signer;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Timelike as _};

use crate::engine::Engine;
use crate::engine::gate::guard::{Approved, Circumstances, Gate};
use crate::engine::journal::{self, state};
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::plan::Plan;
use crate::engine::model::preflight::Risk;
use crate::engine::model::progress::{Control, Done, Watcher};
use crate::engine::model::record::{JournalState, Listed};
use crate::engine::model::row_store::RowSet;
use crate::engine::model::target::Server;
use crate::engine::model::window::Window;
use crate::engine::plan::operation::Offer;
use crate::engine::plan::planner;
use crate::engine::plan::planning::Planning;
use crate::engine::port::backups::Backups;
use crate::engine::port::hooks::Hooks;
use crate::engine::port::journal_copy::Mirror;
use crate::engine::port::reader::Fut;
use crate::engine::port::spools::Spools;
use crate::engine::port::stage::Stage;
use crate::engine::port::writer::Writers;
use crate::engine::run::executor;

/// What changing needs from the outside.
pub struct Means {
    /// The writing side; only an approval opens it.
    pub writers: Arc<dyn Writers>,
    /// Where planned rows are kept.
    pub spools: Arc<dyn Spools>,
    /// The journal's copy.
    pub mirror: Arc<dyn Mirror>,
    /// Signs plans.
    pub signer: Arc<dyn Signer>,
    /// Makes backups.
    pub backups: Arc<dyn Backups>,
    /// Runs the operator's commands.
    pub hooks: Arc<dyn Hooks>,
    /// Plays switchovers through.
    pub stage: Arc<dyn Stage>,
    /// Lets time pass.
    pub sleep: fn(Duration) -> Fut<'static, ()>,
}

/// Signed, but with another installation's key: the first part of a signature names the key.
fn made_elsewhere(plan: &Plan, own: Option<&str>) -> bool {
    let key = |signature: Option<&str>| signature.and_then(|s| s.split(':').next().map(str::to_owned));
    key(plan.signature.as_deref()) != key(own)
}

impl Engine {
    /// What could be done here, and why not.
    pub fn offers(&self) -> Vec<Offer> {
        let mut out: Vec<Offer> = self.operations.iter().flat_map(|o| o.offers(&self.profile)).collect();
        if self.journal == JournalState::Ready {
            let bootstraps =
                |verb: &str| self.operations.iter().any(|o| o.spec().verb == verb && o.spec().bootstraps);
            for offer in out.iter_mut().filter(|o| bootstraps(o.verb)) {
                let why = "the journal is there already (init --set operators=ROLE, headless, lets another role use it)";
                offer.disabled.get_or_insert_with(|| why.into());
            }
        }
        // Where it is missing, init is what mends that; otherwise nothing here does.
        if !matches!(self.journal, JournalState::Missing { .. })
            && let Some(e) = self.journal.refusal()
        {
            for offer in &mut out {
                offer.disabled.get_or_insert_with(|| e.told());
            }
        }
        if self.read_only {
            for offer in &mut out {
                offer.disabled.get_or_insert_with(|| "this target is read-only".into());
            }
        }
        out
    }

    /// The target as planning sees it.
    pub(in crate::engine) fn planning(&self) -> Planning<'_> {
        Planning {
            name: &self.name,
            environment: self.environment.0,
            facts: &*self.facts,
            files: &*self.files,
            profile: &self.profile,
            policy: &self.guard.policy,
            checks: self.checks,
            operations: self.operations,
            proofs: &*self.proofs,
            rehearsals: &*self.rehearsals,
            backups: &*self.means.backups,
            spools: &*self.means.spools,
            signer: &*self.means.signer,
            clock: self.clock,
        }
    }

    /// Plans; nothing is written anywhere but into a file of ours.
    pub async fn plan(&self, request: &Request, news: &(dyn Fn(PlanNews) + Send + Sync)) -> Result<Planned> {
        planner::plan(&self.planning(), request, None, news).await
    }

    /// A plan that was written to a file, and its rows; refused when either was edited.
    pub fn open_plan(&self, plan: Plan, rows: Arc<dyn RowSet>) -> Result<Planned> {
        let edited = |what: &str| {
            Err(Error::new(Class::Stale, format!("the plan was edited: {what}"))
                .hint("plan again; a plan is applied as it was made"))
        };
        if plan.digest != plan.computed_digest() {
            return edited("its digest is not that of its content");
        }
        if plan.phrase != plan.computed_phrase() {
            return edited("its phrase is not that of its content");
        }
        if plan.rows_sha256 != rows.sha256() || plan.diff_total != rows.len() {
            return edited("its rows are not those it was made with");
        }
        let signature = self.means.signer.sign(&plan.digest)?;
        if signature != plan.signature
            && !(self.guard.policy.accept_foreign_plans && made_elsewhere(&plan, signature.as_deref()))
        {
            return edited(
                "it is not signed as plans made here are (one made elsewhere needs accept_foreign_plans in [policy])",
            );
        }
        let ttl = TimeDelta::minutes(i64::from(self.guard.policy.plan_ttl_min));
        if plan.expires_at > plan.created_at + ttl {
            return edited("it expires later than the policy allows");
        }
        if plan.target != self.name {
            return Err(Error::new(
                Class::Stale,
                format!("the plan is for target {}, this is {}", plan.target, self.name),
            )
            .hint("--target NAME"));
        }
        Ok(Planned { plan, rows })
    }

    /// May it be confirmed, and how?
    pub async fn review(&self, planned: Planned, headless: bool) -> Result<Gate> {
        let (risk, bootstraps) =
            match self.operations.iter().find(|o| o.spec().verb == planned.plan.operation) {
                Some(operation) => (operation.spec().risk, operation.spec().bootstraps),
                // An inverse is at its worst what its plan says.
                None => (Risk::Irreversible, false),
            };
        let server = self.facts.server().await?;
        let now = self.circumstances(&server, headless).await?;
        if now.now + TimeDelta::seconds(60) < planned.plan.created_at {
            return Err(Error::new(
                Class::Stale,
                "the plan was made in this server's future: it was edited, or made elsewhere",
            ));
        }
        self.guard.review(planned.plan, planned.rows, risk, bootstraps, &now)
    }

    /// Is maintenance allowed by the server's clock?
    pub(in crate::engine) async fn window_now(&self) -> Result<Window> {
        match self.window {
            None => Ok(Window::Always),
            Some(_) => Ok(self.window_at(planner::server_time(&*self.facts).await?)),
        }
    }

    fn window_at(&self, now: chrono::DateTime<chrono::Utc>) -> Window {
        Window::at(self.window, now.time().num_seconds_from_midnight() / 60)
    }

    async fn circumstances<'s>(&self, server: &'s Server, headless: bool) -> Result<Circumstances<'s>> {
        let now = planner::server_time(&*self.facts).await?;
        Ok(Circumstances {
            environment: self.environment.0,
            read_only: self.read_only,
            window: self.window_at(now),
            server,
            now,
            journal: state::state(&*self.facts).await,
            headless,
        })
    }

    /// May this unfinished run go on? `None`: there is nothing left to do.
    pub async fn review_resume(&self, run: &str) -> Result<Option<Approved>> {
        let server = self.facts.server().await?;
        let now = self.circumstances(&server, false).await?;
        self.guard.circumstances(false, &now)?;
        let record = journal::record::run(&*self.facts, run).await?;
        if record.live {
            return Err(Error::new(
                Class::Refused,
                format!(
                    "run {run} is going on: {}, since {}",
                    record.by(),
                    record.started_at.format("%Y-%m-%d %H:%M:%SZ")
                ),
            )
            .hint("one operator at a time; midwatch runs shows how far it is"));
        }
        if let Some(by) = record.undone_by {
            return Err(Error::new(Class::Refused, format!("run {run} was taken back by run {by}"))
                .hint("plan it again"));
        }
        if let Some(by) = record.overtaken_by {
            let other = journal::record::run(&*self.facts, &by).await?;
            let what = format!(
                "run {run} broke off, and run {by} ({} {}) has switched its tables since: what is left of it is not what it was",
                other.operation, other.name
            );
            return Err(Error::new(Class::Stale, what).hint(format!(
                "nothing was done; midwatch plan {} plans anew what is still wanted",
                record.operation
            )));
        }
        if !record.resumable {
            return Ok(None);
        }
        let plan = journal::record::plan_of(&*self.facts, run).await?;
        self.guard.resume(run, plan, &now).map(Some)
    }

    /// Does what was approved: once, as planned, or says how far it came.
    pub async fn run(&self, approved: Approved, control: &Control, watcher: Watcher<'_>) -> Done {
        executor::run(self, approved, control, watcher).await
    }

    /// The latest runs, newest first, or the latest of those before a run.
    pub async fn runs(&self, limit: u32, before: Option<&str>) -> Result<Listed> {
        journal::record::runs(&*self.facts, limit, before).await
    }

    /// The server's time: the only one that counts for what expires.
    pub async fn server_time(&self) -> Result<chrono::DateTime<chrono::Utc>> {
        planner::server_time(&*self.facts).await
    }

    /// Refuses where there is no journal to read.
    pub async fn needs_journal(&self) -> Result<()> {
        let state = self.journal_now().await;
        match (&state, state.refusal()) {
            (JournalState::Denied { readable: true, .. }, _) | (_, None) => Ok(()),
            (JournalState::Missing { .. }, _) => {
                Err(Error::unobserved("there is no journal on this target")
                    .hint("midwatch plan init makes one"))
            }
            (JournalState::Unknown { why }, _) => Err(Error::unobserved(why)),
            (_, Some(e)) => Err(Error { class: Class::Unobserved, ..e }),
        }
    }

    /// How the journal stands now.
    pub async fn journal_now(&self) -> JournalState {
        state::state(&*self.facts).await
    }

    /// Looks whether anybody has altered the journal.
    pub async fn verify_journal(&self) -> Result<journal::record::Verified> {
        let server = self.facts.server().await?;
        journal::record::verify(&*self.facts, &*self.means.mirror, &Identity::of(&server)).await
    }
}
