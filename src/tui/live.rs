//! The backend of the program: the engine of the open target, and the plans that were made.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{TimeDelta, Utc};

use crate::engine::changes::Resumption;
use crate::engine::check::kind::{CheckProgressSink, CheckSpec};
use crate::engine::check::paging::{Page, PageRequest, RowSource};
use crate::engine::gate::guard::{Approved, Gate, ResumeGate, TypedPhrase};
use crate::engine::model::blocker::Blocker;
use crate::engine::model::diff::PlannedRow;
use crate::engine::model::error::{Class, Error, Result};
use crate::engine::model::journal_state::JournalState;
use crate::engine::model::param::Params;
use crate::engine::model::progress::{Control, ControlRequest, Done, ProgressSink};
use crate::engine::model::query::Column;
use crate::engine::model::report::{CheckId, Report};
use crate::engine::model::row_store::RowSet;
use crate::engine::model::vitals::Vitals;
use crate::engine::plan::request::{PlanNews, Planned, Request};
use crate::engine::port::reader::Fut;
use crate::engine::{Engine, journal};
use crate::features::switchover::status::SwitchoverStatus;
use crate::launch::{Connect, Overrides};
use crate::profile::{Config, Selected};
use crate::report::table::RowCell;
use crate::tui::backend::Backend;
use crate::tui::data::{
    DRIFTED, Journal, RUNS, Resumed, ReviewedPlan, RunDetail, Session, TypedConfirmation,
};

/// A plan's rows, the engine that made it, and the gate while nobody has passed it.
struct Held {
    engine: Arc<Engine>,
    /// None: they are in the journal.
    rows: Option<Arc<dyn RowSet>>,
    gate: Option<HeldGate>,
}

/// Of a new plan, or of a run that another installation began.
enum HeldGate {
    Plan(Box<Gate>),
    Run(Box<ResumeGate>),
}

impl HeldGate {
    fn confirm(self, typed: &TypedPhrase<'_>) -> std::result::Result<Approved, Box<(Self, Error)>> {
        match self {
            Self::Plan(gate) => gate
                .confirm(typed)
                .map_err(|denied| Box::new((Self::Plan(Box::new(denied.gate)), denied.why))),
            Self::Run(gate) => gate.confirm(typed).map_err(|denied| {
                let (gate, why) = *denied;
                Box::new((Self::Run(Box::new(gate)), why))
            }),
        }
    }
}

/// The real one.
pub(super) struct Live {
    connect: Connect,
    config: Config,
    overrides: Overrides,
    selected: Mutex<Selected>,
    engine: Mutex<Option<Arc<Engine>>>,
    plans: Mutex<HashMap<String, Held>>,
    /// Of the run under way, or of the one to come: what is asked early is not lost.
    control: Mutex<Arc<Control>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Does not connect yet.
    pub(super) fn new(connect: Connect, config: Config, overrides: Overrides, selected: Selected) -> Self {
        Self {
            connect,
            config,
            overrides,
            selected: Mutex::new(selected),
            engine: Mutex::new(None),
            plans: Mutex::new(HashMap::new()),
            control: Mutex::new(Arc::default()),
        }
    }

    fn engine(&self) -> Result<Arc<Engine>> {
        let engine = lock(&self.engine).clone();
        engine.ok_or_else(|| Error::new(Class::Unobserved, "failed to look: no target is open yet"))
    }

    fn session(engine: &Engine, selected: &Selected) -> Session {
        let every = |id: &CheckId| {
            let spec = engine.checks().iter().map(|c| c.spec()).find(|s: &&CheckSpec| s.kind == id.kind);
            spec.map_or(Duration::from_mins(1), |s| s.every)
        };
        let ids = engine.ids();
        let unfinished = |id: &&CheckId| engine.is_unfinished(id);
        Session {
            unfinished: ids.iter().filter(unfinished).cloned().collect(),
            target: engine.target(),
            server: engine.server().clone(),
            environment_note: engine.environment_note().map(str::to_owned),
            read_only: engine.is_read_only(),
            window: selected.config.window.clone(),
            profile: engine.profile().name.clone(),
            checks: ids.iter().map(|id| (id.clone(), every(id))).collect(),
            operations: engine.offers(),
        }
    }

    /// Takes the gate out, and puts it back when the words do not open it.
    fn confirm(&self, plan: &str, typed: &TypedConfirmation) -> Result<(Arc<Engine>, Approved)> {
        let mut plans = lock(&self.plans);
        let gone = || Error::new(Class::Refused, "this plan is no longer there").hint("plan again");
        let held = plans.get_mut(plan).ok_or_else(gone)?;
        let gate = held.gate.take().ok_or_else(gone)?;
        let at = Utc::now() + TimeDelta::milliseconds(held.engine.server().skew_ms);
        let words = TypedPhrase { phrase: &typed.phrase, database: typed.database.as_deref(), at };
        match gate.confirm(&words) {
            Ok(approved) => Ok((Arc::clone(&held.engine), approved)),
            Err(denied) => {
                let (gate, why) = *denied;
                held.gate = Some(gate);
                Err(why)
            }
        }
    }

    /// Keeps the gate of an unfinished run until its phrase is typed.
    fn asks(&self, engine: Arc<Engine>, gate: Box<ResumeGate>) -> Resumed {
        let (plan, why) = (gate.plan().clone(), gate.why().to_owned());
        let reviewed = Box::new(ReviewedPlan { plan, gate: Ok(gate.ladder().clone()) });
        let held = Held { engine, rows: None, gate: Some(HeldGate::Run(gate)) };
        lock(&self.plans).insert(reviewed.plan.id.clone(), held);
        Resumed::Asks { reviewed, why }
    }

    async fn run(&self, engine: &Engine, approved: Approved, watcher: ProgressSink<'_>) -> Done {
        let control = Arc::clone(&lock(&self.control));
        let done = engine.run(approved, &control, watcher).await;
        *lock(&self.control) = Arc::default();
        done
    }
}

impl Backend for Live {
    fn connect(&self, target: Option<String>) -> Fut<'_, Result<Session>> {
        Box::pin(async move {
            let selected = match &target {
                Some(name) => self.overrides.apply(self.config.select(Some(name))?),
                None => lock(&self.selected).clone(),
            };
            let engine = Arc::new((self.connect)(selected.clone()).await?);
            let session = Self::session(&engine, &selected);
            *lock(&self.engine) = Some(engine);
            *lock(&self.selected) = selected;
            Ok(session)
        })
    }

    fn observe<'a>(&'a self, id: CheckId, asked: Params, tell: CheckProgressSink<'a>) -> Fut<'a, Report> {
        Box::pin(async move {
            match self.engine() {
                Ok(engine) => engine.observe_with(&id, &asked, tell).await,
                Err(e) => Report::unknown(id, e.message),
            }
        })
    }

    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        Box::pin(async move { self.engine()?.facts().vitals().await })
    }

    fn rows(&self, id: &CheckId, finding: &str) -> Option<RowSource> {
        self.engine().ok()?.rows(id, finding)
    }

    fn page(&self, request: PageRequest) -> Fut<'_, Result<Page>> {
        Box::pin(async move { self.engine()?.page(&request).await })
    }

    fn pages<'a>(
        &'a self,
        request: PageRequest,
        each: &'a mut (dyn FnMut(Page) -> Result<()> + Send),
    ) -> Fut<'a, Result<()>> {
        Box::pin(async move { self.engine()?.pages(request, each).await })
    }

    fn context(&self, sql: String, columns: Vec<Column>, cells: Vec<RowCell>) -> Fut<'_, Result<Page>> {
        Box::pin(async move { self.engine()?.context(&sql, &columns, &cells).await })
    }

    fn cancel(&self) -> Fut<'_, ()> {
        Box::pin(async move {
            if let Ok(engine) = self.engine() {
                engine.facts().cancel_all().await;
            }
        })
    }

    fn plan<'a>(
        &'a self,
        request: Request,
        news: &'a (dyn Fn(PlanNews) + Send + Sync),
    ) -> Fut<'a, Result<ReviewedPlan>> {
        Box::pin(async move {
            let engine = self.engine()?;
            let Planned { plan, rows } = engine.plan(&request, news).await?;
            let review = Planned { plan: plan.clone(), rows: Arc::clone(&rows) };
            let (gate, ladder) = match engine.review(review, false).await {
                Ok(gate) => {
                    let ladder = gate.ladder().clone();
                    (Some(HeldGate::Plan(Box::new(gate))), Ok(ladder))
                }
                Err(why) => (None, Err(why.into())),
            };
            lock(&self.plans).insert(plan.id.clone(), Held { engine, rows: Some(rows), gate });
            Ok(ReviewedPlan { plan, gate: ladder })
        })
    }

    fn planned_rows(&self, plan: String, from: u64, limit: usize) -> Fut<'_, Result<Vec<PlannedRow>>> {
        Box::pin(async move {
            let rows = lock(&self.plans).get(&plan).and_then(|h| h.rows.clone());
            let rows = rows
                .ok_or_else(|| Error::unobserved("the plan's rows are no longer kept").hint("plan again"))?;
            // Unpacked from a file of ours: not on a thread that others wait for.
            tokio::task::spawn_blocking(move || rows.page(from, limit))
                .await
                .unwrap_or_else(|e| Err(Error::unobserved(format!("failed to read the plan's rows: {e}"))))
        })
    }

    fn discard(&self, plan: &str) {
        lock(&self.plans).remove(plan);
    }

    fn apply<'a>(
        &'a self,
        plan: String,
        typed: TypedConfirmation,
        watcher: ProgressSink<'a>,
    ) -> Fut<'a, Result<Done>> {
        Box::pin(async move {
            let (engine, approved) = self.confirm(&plan, &typed)?;
            Ok(self.run(&engine, approved, watcher).await)
        })
    }

    fn resume<'a>(&'a self, run: String, watcher: ProgressSink<'a>) -> Fut<'a, Result<Resumed>> {
        Box::pin(async move {
            let engine = self.engine()?;
            match engine.review_resumption(&run, false).await? {
                None => Ok(Resumed::Nothing),
                Some(Resumption::Approved(approved)) => {
                    Ok(Resumed::Ended(Box::new(self.run(&engine, *approved, watcher).await)))
                }
                Some(Resumption::Refused { why, .. }) => Err(why),
                Some(Resumption::Foreign(gate)) => Ok(self.asks(engine, gate)),
            }
        })
    }

    fn control(&self, wish: ControlRequest) {
        lock(&self.control).ask(wish);
    }

    fn stop(&self, by: &'static str) {
        lock(&self.control).stop(by);
    }

    fn note(&self, text: String) {
        lock(&self.control).note(text);
    }

    fn room(&self, name: String) -> Fut<'_, Result<SwitchoverStatus>> {
        Box::pin(async move { SwitchoverStatus::read(&*self.engine()?, &name).await })
    }

    fn end_session(&self, blocker: Blocker, typed: &str) {
        match blocker.confirm(typed) {
            Ok(session) => lock(&self.control).end_session(session),
            Err(why) => tracing::warn!("no session is ended: {why}"),
        }
    }

    fn runs(&self) -> Fut<'_, Result<Journal>> {
        Box::pin(async move {
            let engine = self.engine()?;
            match engine.runs(RUNS, None).await {
                Ok(mut listed) => {
                    // What broke off long ago still waits for somebody.
                    for run in engine.interrupted_runs().await? {
                        if listed.older > 0 && listed.runs.iter().all(|r| r.id != run.id) {
                            listed.runs.push(run);
                            listed.older -= 1;
                        }
                    }
                    Ok(Journal::Runs(listed))
                }
                Err(e) => match engine.journal_now().await {
                    JournalState::Missing { .. } => Ok(Journal::Missing),
                    state => Err(state.refusal().map_or(e, |why| Error { class: Class::Unobserved, ..why })),
                },
            }
        })
    }

    fn run_detail(&self, run: String) -> Fut<'_, Result<RunDetail>> {
        Box::pin(async move {
            let engine = self.engine()?;
            let facts = engine.facts();
            Ok(RunDetail {
                record: engine.run_record(&run).await?,
                plan: journal::runs::plan_of(facts, &run).await.ok(),
                at: journal::runs::step_of(facts, &run).await?,
                events: journal::runs::events(facts, &run).await?,
                drifted: journal::runs::drifted(facts, &run, DRIFTED).await?,
            })
        })
    }
}
