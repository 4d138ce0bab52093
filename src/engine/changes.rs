//! What console and command line ask of the engine to change something: the one door.

mod resume;

pub use resume::Resumption;

use crate::engine::model::record::Outcome;
use crate::engine::plan::request::{self, PlanNews, Planned, Request};
use crate::engine::plan::staleness;
use std::sync::Arc;

use chrono::{TimeDelta, Timelike as _};

use crate::engine::Engine;
use crate::engine::gate::guard::{Approved, Circumstances, Gate};
use crate::engine::journal::origin::{self, PlanOrigin};
use crate::engine::journal::{self, state};
use crate::engine::model::change::RowChange;
use crate::engine::model::drift::PlanDrift;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::identity::Identity;
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::plan::Plan;
use crate::engine::model::preflight::Risk;
use crate::engine::model::progress::{Control, Done, ProgressSink};
use crate::engine::model::record::{Listed, RunRecord};
use crate::engine::model::row_store::RowSet;
use crate::engine::model::stored::StoredPlan;
use crate::engine::model::target::ServerInfo;
use crate::engine::model::window::Window;
use crate::engine::plan::grants;
use crate::engine::plan::operation::Offer;
use crate::engine::plan::planner;
use crate::engine::plan::setup::PlanSetup;
use crate::engine::plan::tables;
use crate::engine::port::reader::{Fut, ReadOptions};
use crate::engine::run::executor;
use crate::engine::run::setup::{Setup, Staleness};

impl Engine {
    /// What could be done here, and why not.
    pub fn offers(&self) -> Vec<Offer> {
        let dialect = self.parts.facts.dialect();
        let mut out: Vec<Offer> =
            self.parts.operations.iter().flat_map(|o| o.offers(&self.parts.profile, dialect)).collect();
        if self.parts.journal == JournalState::Ready {
            let bootstraps = |verb: &str| {
                self.parts.operations.iter().any(|o| o.spec().verb == verb && o.spec().bootstraps)
            };
            for offer in out.iter_mut().filter(|o| bootstraps(o.verb)) {
                let why = "the journal is there already (init --set operators=ROLE, headless, lets another role use it)";
                offer.disabled.get_or_insert_with(|| why.into());
            }
        }
        // Where it is missing, init is what mends that; otherwise nothing here does.
        if !matches!(self.parts.journal, JournalState::Missing { .. } | JournalState::Older { .. })
            && let Some(e) = self.parts.journal.refusal()
        {
            for offer in &mut out {
                offer.disabled.get_or_insert_with(|| e.one_line());
            }
        }
        if self.parts.read_only {
            for offer in &mut out {
                offer.disabled.get_or_insert_with(|| "this target is read-only".into());
            }
        }
        out
    }

    /// A script that gives a reader and an operator of this profile the rights that they need.
    pub async fn grants(&self, reader: &str, operator: &str) -> Result<String> {
        let dialect = self.parts.facts.dialect();
        let (checks, operations) = (self.parts.checks, self.parts.operations);
        let request = grants::request(&self.parts.profile, dialect, checks, operations, (reader, operator));
        let mut tx = self.parts.facts.begin(ReadOptions::default()).await?;
        dialect.grants(&mut *tx, &request).await
    }

    /// The target as planning sees it.
    pub(in crate::engine) fn planning(&self) -> PlanSetup<'_> {
        PlanSetup {
            name: &self.parts.name,
            environment: self.parts.environment.0,
            facts: &*self.parts.facts,
            files: &*self.parts.files,
            profile: &self.parts.profile,
            policy: &self.parts.guard.policy,
            insecure: self.parts.guard.insecure,
            checks: self.parts.checks,
            verdicts: self.parts.verdicts,
            operations: self.parts.operations,
            names: &self.parts.operations,
            state: &*self.parts.state,
            copies: &*self.parts.copies,
            backups: &*self.parts.adapters.backups,
            spools: &*self.parts.adapters.spools,
            signer: &*self.parts.adapters.signer,
            journal_copy: &*self.parts.adapters.journal_copy,
            clock: self.parts.clock,
        }
    }

    /// Plans; nothing is written anywhere but into a file of ours.
    pub async fn plan(&self, request: &Request, news: &(dyn Fn(PlanNews) + Send + Sync)) -> Result<Planned> {
        planner::plan(&self.planning(), request, None, news).await
    }

    /// A plan that was written to a file, and its rows; refused when either was edited.
    pub fn open_plan(&self, stored: StoredPlan, rows: Arc<dyn RowSet>) -> Result<Planned> {
        let edited = |what: &str| {
            Err(Error::new(Class::Stale, format!("the plan was edited: {what}"))
                .hint("plan again; a plan is applied as it was made"))
        };
        if !stored.is_unaltered() {
            return edited("its digest is not that of its content");
        }
        let plan = stored.into_known_plan()?;
        executor::check_steps(self.parts.runners, &plan)?;
        if plan.phrase != plan.computed_phrase() {
            return edited("its phrase is not that of its content");
        }
        if plan.rows_sha256 != rows.sha256() || plan.diff_total != rows.len() {
            return edited("its rows are not those it was made with");
        }
        if let Some(why) = self.not_ours(&plan)? {
            return edited(&why);
        }
        let ttl = TimeDelta::minutes(i64::from(self.parts.guard.policy.plan_ttl_min));
        if plan.expires_at > plan.created_at + ttl {
            return edited("it expires later than the policy allows");
        }
        if plan.target != self.parts.name {
            return Err(Error::new(
                Class::Stale,
                format!("the plan is for target {}, this is {}", plan.target, self.parts.name),
            )
            .hint("--target NAME"));
        }
        Ok(Planned { plan, rows })
    }

    /// Why a plan's file is refused for what signed it.
    fn not_ours(&self, plan: &Plan) -> Result<Option<String>> {
        let signer = &*self.parts.adapters.signer;
        if origin::is_of_replaced_key(signer, plan)? {
            return Ok(Some("it is signed with a key of this installation that was replaced since".into()));
        }
        let (who, elsewhere) = match origin::of_file(signer, plan)? {
            PlanOrigin::Own => return Ok(None),
            PlanOrigin::Trusted { who } => (format!("installation {who} has made it"), true),
            PlanOrigin::Stranger { why }
            | PlanOrigin::Unconfirmed { why, .. }
            | PlanOrigin::Altered { why } => {
                let by = plan.signature.as_ref().and_then(|s| s.split(':').next());
                (why, by != signer.own()?.as_ref().map(|own| own.fingerprint.as_str()))
            }
        };
        if !elsewhere || !self.parts.guard.policy.accept_foreign_plans {
            return Ok(Some(format!(
                "it is not signed as plans made here are: {who} (one made elsewhere needs accept_foreign_plans in [policy])"
            )));
        }
        let commands = executor::runs_commands(self.parts.runners, plan);
        Ok(commands.then(|| "it runs a command, and commands come from plans made here only".into()))
    }

    /// May it be confirmed, and how?
    pub async fn review(&self, planned: Planned, headless: bool) -> Result<Gate> {
        let (risk, bootstraps) = self.risk_of(&planned.plan);
        let server = self.parts.facts.server().await?;
        let now = self.circumstances(&server, headless).await?;
        if now.now + TimeDelta::seconds(60) < planned.plan.created_at {
            return Err(Error::new(
                Class::Stale,
                "the plan was made in this server's future: it was edited, or made elsewhere",
            ));
        }
        executor::check_steps(self.parts.runners, &planned.plan)?;
        self.parts.guard.review(planned.plan, planned.rows, risk, bootstraps, &now)
    }

    /// How dangerous a plan is, and whether it makes the journal.
    fn risk_of(&self, plan: &Plan) -> (Risk, bool) {
        match self.parts.operations.iter().find(|o| o.spec().verb == plan.operation) {
            Some(operation) => (operation.spec().risk, operation.spec().bootstraps),
            // An inverse is at its worst what its plan says.
            None => (Risk::Irreversible, false),
        }
    }

    fn window_at(&self, now: chrono::DateTime<chrono::Utc>) -> Window {
        Window::at(self.parts.window, now.time().num_seconds_from_midnight() / 60)
    }

    async fn circumstances<'s>(&self, server: &'s ServerInfo, headless: bool) -> Result<Circumstances<'s>> {
        let now = planner::server_time(&*self.parts.facts).await?;
        Ok(Circumstances {
            environment: self.parts.environment.0,
            read_only: self.parts.read_only,
            window: self.window_at(now),
            server,
            now,
            journal: state::state(&*self.parts.facts).await,
            headless,
        })
    }

    /// Does what was approved: once, as planned, or says how far it came.
    pub async fn run(&self, approved: Approved, control: &Control, watcher: ProgressSink<'_>) -> Done {
        let setup = Setup {
            facts: &*self.parts.facts,
            adapters: &self.parts.adapters,
            policy: &self.parts.guard.policy,
            operator: &self.parts.operator,
            window: self.parts.window,
            clock: self.parts.clock,
            search_path: &self.parts.profile.search_path,
            runners: self.parts.runners,
            staleness: self,
        };
        executor::run(&setup, approved, control, watcher).await
    }

    /// The latest runs, newest first, or the latest of those before a run.
    pub async fn runs(&self, limit: u32, before: Option<&str>) -> Result<Listed> {
        journal::runs::runs(&*self.parts.facts, &self.parts.operations, limit, before).await
    }

    /// One run.
    pub async fn run_record(&self, id: &str) -> Result<RunRecord> {
        journal::runs::run(&*self.parts.facts, &self.parts.operations, id).await
    }

    /// Runs that were interrupted and can be resumed.
    pub async fn interrupted_runs(&self) -> Result<Vec<RunRecord>> {
        journal::runs::interrupted(&*self.parts.facts, &self.parts.operations).await
    }

    /// The server's time: the only one that counts for what expires.
    pub async fn server_time(&self) -> Result<chrono::DateTime<chrono::Utc>> {
        planner::server_time(&*self.parts.facts).await
    }

    /// Refuses where there is no journal to read.
    pub async fn needs_journal(&self) -> Result<()> {
        let state = self.journal_now().await;
        match (&state, state.refusal()) {
            (
                JournalState::Denied { readable: true, .. }
                | JournalState::Older { .. }
                | JournalState::Altered { .. },
                _,
            )
            | (_, None) => Ok(()),
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
        state::state(&*self.parts.facts).await
    }

    /// Looks whether anybody has altered the journal.
    pub async fn verify_journal(&self) -> Result<journal::verify::Verified> {
        let server = self.parts.facts.server().await?;
        let state = self.journal_now().await;
        let target = Identity::from_server(&server);
        let journal = journal::verify::JournalView {
            facts: &*self.parts.facts,
            copy: &*self.parts.adapters.journal_copy,
            signer: &*self.parts.adapters.signer,
            target: &target,
            state: &state,
            standby: server.in_recovery,
        };
        Ok(journal::verify::verify(&journal).await)
    }
}

impl Staleness for Engine {
    fn check<'a>(&'a self, approved: &'a Approved) -> Fut<'a, Result<(), Box<Done>>> {
        Box::pin(self.check_not_stale(approved))
    }
}

impl Engine {
    /// Plans the same thing again and compares.
    async fn check_not_stale(&self, approved: &Approved) -> Result<(), Box<Done>> {
        let refuse = |e: Error| Box::new(Done::refused(e));
        let plan = approved.plan();
        let Some(rows) = approved.rows() else { return Ok(()) };
        match journal::runs::run_of_plan(&*self.parts.facts, &plan.id).await {
            Ok(None) => {}
            Ok(Some(run)) => {
                let again = Error::new(Class::Stale, format!("this plan was applied before: run {run}"));
                return Err(refuse(again.hint("a plan is good for one run; plan again, or resume that run")));
            }
            // Without a journal nothing was applied.
            Err(_) if matches!(self.journal_now().await, JournalState::Missing { .. }) => {}
            Err(e) => {
                let unread = e.context("not checked whether this plan was applied before");
                return Err(refuse(
                    unread.hint("nothing was done; apply it again when the journal can be read"),
                ));
            }
        }
        // An inverse goes to the tables that its run has changed, whatever their names lead to.
        if plan.undoes.is_none() {
            self.check_names(plan).await?;
        }
        let fresh = planner::plan(&self.planning(), &request::request_of(plan), Some(rows), &|_| ())
            .await
            .map_err(|e| {
                // What could be planned and cannot any more has moved.
                refuse(if e.class == Class::Usage { Error { class: Class::Stale, ..e } } else { e })
            })?;
        if let Some(bad) = fresh.plan.preflight.iter().find(|p| p.status.blocks()) {
            return Err(refuse(Error::new(Class::Refused, format!("preflight {}: {}", bad.id, bad.message))));
        }
        if plan.undoes.is_some() && plan.row_changes().any(RowChange::is_left_to_search_path) {
            self.check_names(&fresh.plan).await?;
        }
        let dialect = self.parts.facts.dialect();
        let moved =
            staleness::compare((plan, &**rows), (&fresh.plan, &*fresh.rows), dialect).map_err(refuse)?;
        if moved.is_empty() && plan.rows == 0 {
            // Nothing to do leaves nothing behind.
            return Err(Box::new(Done { outcome: Outcome::Applied, ..Done::default() }));
        }
        if !moved.is_empty() {
            return Err(stale(moved));
        }
        if plan.names_with_schema != fresh.plan.names_with_schema {
            let earlier = "stale plan: an earlier version made it and left its names to the search path";
            return Err(refuse(Error::new(Class::Stale, earlier).hint("plan it again")));
        }
        Ok(())
    }

    /// The names of a plan lead to the tables that it names.
    async fn check_names(&self, plan: &Plan) -> Result<(), Box<Done>> {
        let moved = tables::moved_names(&*self.parts.facts, plan).await;
        let parts = moved.map_err(|e| Box::new(Done::refused(e)))?;
        if parts.is_empty() { Ok(()) } else { Err(stale(PlanDrift { parts, ..PlanDrift::default() })) }
    }
}

/// What has moved, and that nothing was done.
fn stale(moved: PlanDrift) -> Box<Done> {
    let refused = Done::refused(Error::stale(&moved));
    Box::new(Done { moved: Some(moved), ..refused })
}
