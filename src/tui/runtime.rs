//! The loop: takes messages, updates the state, carries out effects, draws. It alone holds handles.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use ratatui::Terminal;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;

use super::app::App;
use super::backend::Backend;
use super::export::export;
use super::view;
use crate::engine::check::paging::PageRequest;
use crate::engine::model::clean;
use crate::log::LogRing;
use crate::tui::data::Resumed;
use crate::tui::failure::Failure;
use crate::tui::msg::{Effect, Key, Msg};

/// Messages taken at most before the picture is drawn again.
const BATCH: usize = 256;

/// What arrives at the loop.
pub enum RuntimeEvent {
    /// A message for the state.
    Msg(Msg),
    /// The answer to an effect, of the target that was in use when it was asked for.
    Answer(u64, Msg),
    /// An effect has ended.
    Done(Key, u64),
}

/// The loop's own state.
pub struct Runtime {
    app: App,
    backend: Arc<dyn Backend>,
    copy: Box<dyn FnMut(&str) + Send>,
    sender: UnboundedSender<RuntimeEvent>,
    receiver: UnboundedReceiver<RuntimeEvent>,
    running: HashMap<Key, (u64, AbortHandle)>,
    waiting: HashMap<Key, Effect>,
    next: u64,
    begun: bool,
    /// Counts switches of the target: answers about the one before are not shown under the new one's name.
    generation: u64,
}

impl Runtime {
    /// A loop over a state.
    pub fn new(app: App, backend: Arc<dyn Backend>, copy: Box<dyn FnMut(&str) + Send>) -> Self {
        let (sender, receiver) = unbounded_channel();
        Self {
            app,
            backend,
            copy,
            sender,
            receiver,
            running: HashMap::new(),
            waiting: HashMap::new(),
            next: 0,
            begun: false,
            generation: 0,
        }
    }

    /// Where messages are put in.
    pub fn sender(&self) -> UnboundedSender<RuntimeEvent> {
        self.sender.clone()
    }

    /// The state, for tests.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Draws the state.
    pub fn draw<B: ratatui::backend::Backend>(&self, terminal: &mut Terminal<B>) -> Result<(), B::Error> {
        terminal.draw(|frame| view::draw(&self.app, frame)).map(|_| ())
    }

    /// Asks for what comes first. [`Runtime::run`] does it by itself.
    pub fn begin(&mut self) {
        self.begun = true;
        let first = self.app.start();
        self.carry_out(first);
    }

    /// Runs until the state asks to quit.
    pub async fn run<B: ratatui::backend::Backend>(
        &mut self,
        terminal: &mut Terminal<B>,
    ) -> Result<(), B::Error> {
        if !self.begun {
            self.begin();
        }
        while self.step(terminal).await? {}
        for (_, (_, task)) in self.running.drain() {
            task.abort();
        }
        Ok(())
    }

    /// Waits for something to happen, takes it and what came with it, draws. False: leave.
    pub async fn step<B: ratatui::backend::Backend>(
        &mut self,
        terminal: &mut Terminal<B>,
    ) -> Result<bool, B::Error> {
        let Some(event) = self.receiver.recv().await else { return Ok(false) };
        if self.take(event) {
            return Ok(false);
        }
        for _ in 0..BATCH {
            let Ok(event) = self.receiver.try_recv() else { break };
            if self.take(event) {
                return Ok(false);
            }
        }
        if let Err(e) = self.draw(terminal) {
            // A terminal that is gone does not end a run of ours in the middle of a batch.
            if self.app.run_going().is_none() {
                return Err(e);
            }
            let effects = self.app.update(Msg::HungUp);
            return Ok(!self.carry_out(effects));
        }
        Ok(true)
    }

    fn take(&mut self, event: RuntimeEvent) -> bool {
        match event {
            RuntimeEvent::Answer(generation, _) if generation != self.generation => false,
            RuntimeEvent::Msg(msg) | RuntimeEvent::Answer(_, msg) => {
                let effects = self.app.update(msg);
                self.carry_out(effects)
            }
            RuntimeEvent::Done(key, number) => {
                if self.running.get(&key).is_some_and(|(n, _)| *n == number) {
                    self.running.remove(&key);
                    if let Some(next) = self.waiting.remove(&key) {
                        self.spawn(next);
                    }
                }
                false
            }
        }
    }

    /// True: leave.
    fn carry_out(&mut self, effects: Vec<Effect>) -> bool {
        for effect in effects {
            match effect {
                Effect::Quit => return true,
                // A clipboard is pasted into shells.
                Effect::Copy(text) => (self.copy)(&clean::escaped(&text)),
                Effect::Connect(Some(_)) if self.app.session.is_none() => {
                    self.leave_target();
                    self.schedule(effect);
                }
                Effect::Cancel => {
                    self.cancel_export();
                    self.schedule(effect);
                }
                Effect::CancelPlan(slot) => self.end(&Key::Plan(slot)),
                Effect::CancelLook(id) => self.end(&Key::Check(id)),
                Effect::Log => {
                    let _ = self.sender.send(RuntimeEvent::Msg(Msg::Log(LogRing::global().lines())));
                }
                other => self.schedule(other),
            }
        }
        false
    }

    /// Nothing asked of the old target may answer any more; what runs there is cancelled. A run of ours is not:
    /// the state does not ask for this while there is one.
    fn leave_target(&mut self) {
        self.generation += 1;
        self.waiting.clear();
        self.running.retain(|key, (_, task)| {
            let ours = *key == Key::Run;
            if !ours {
                task.abort();
            }
            ours
        });
    }

    /// What was being read for a plan or a check is cancelled on the server.
    fn end(&mut self, key: &Key) {
        self.waiting.remove(key);
        if let Some((_, task)) = self.running.remove(key) {
            task.abort();
        }
    }

    fn cancel_export(&mut self) {
        if let Some((_, task)) = self.running.remove(&Key::Export) {
            task.abort();
            let cancelled = Failure {
                message: "export cancelled: no file was written".into(),
                hint: None,
                cancelled: true,
                fatal: false,
            };
            let _ = self.sender.send(RuntimeEvent::Msg(Msg::Exported(Err(Box::new(cancelled)))));
        }
    }

    /// A view's rows: the newest request replaces the one under way, which is cancelled on the server.
    /// Everything else waits for its predecessor; of those waiting only the newest is kept.
    fn schedule(&mut self, effect: Effect) {
        let key = effect.key();
        match (&key, self.running.get(&key)) {
            (Key::Once, _) | (_, None) => self.spawn(effect),
            (Key::Rows(_) | Key::Plan(_) | Key::Room, Some((_, task))) => {
                task.abort();
                self.spawn(effect);
            }
            // One run at a time: a second one is not begun, not even later.
            (Key::Run, Some(_)) => {}
            _ => {
                self.waiting.insert(key, effect);
            }
        }
    }

    fn spawn(&mut self, effect: Effect) {
        let key = effect.key();
        self.next += 1;
        let number = self.next;
        let (backend, sender, done) = (Arc::clone(&self.backend), self.sender.clone(), key.clone());
        let (generation, panicked) = (self.generation, key.clone());
        let task = tokio::spawn(async move {
            let tell = |msg| {
                let _ = sender.send(RuntimeEvent::Answer(generation, msg));
            };
            let work = async {
                match maintain(&*backend, effect, &tell).await {
                    Ok(msg) => msg,
                    Err(effect) => perform(&*backend, effect, &tell).await,
                }
            };
            let outcome = AssertUnwindSafe(work).catch_unwind().await;
            let msg =
                outcome.unwrap_or_else(|panic| Some(Msg::Panic { text: text_of(&*panic), key: panicked }));
            if let Some(msg) = msg {
                let _ = sender.send(RuntimeEvent::Answer(generation, msg));
            }
            let _ = sender.send(RuntimeEvent::Done(done, number));
        });
        if key != Key::Once {
            self.running.insert(key, (number, task.abort_handle()));
        }
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".into())
}

async fn perform(backend: &dyn Backend, effect: Effect, tell: &(dyn Fn(Msg) + Send + Sync)) -> Option<Msg> {
    let failure = |e: crate::engine::model::error::Error| Box::new(Failure::from(e));
    Some(match effect {
        Effect::Connect(target) => match backend.connect(target).await {
            Ok(session) => Msg::Connected(Box::new(session)),
            Err(e) => Msg::Refused(failure(e)),
        },
        Effect::Observe(id, asked) => {
            let news = |news| tell(Msg::CheckNews { id: id.clone(), news });
            Msg::Observed(Box::new(backend.observe(id.clone(), asked, &news).await))
        }
        Effect::Vitals => Msg::Vitals(backend.vitals().await.map(Box::new).map_err(failure)),
        Effect::Open { slot, id, finding, limit } => {
            let Some(source) = backend.rows(&id, &finding) else {
                let message = format!("the rows of {id} {finding} cannot be listed");
                let failure = Failure { message, hint: None, cancelled: false, fatal: false };
                return Some(Msg::Page { slot, request: Box::new(None), result: Err(Box::new(failure)) });
            };
            let request = PageRequest { count: true, ..PageRequest::first(source, limit) };
            let result = backend.page(request.clone()).await.map(Box::new).map_err(failure);
            Msg::Page { slot, request: Box::new(Some(request)), result }
        }
        Effect::Page { slot, request } => {
            let result = backend.page((*request).clone()).await.map(Box::new).map_err(failure);
            Msg::Page { slot, request: Box::new(Some(*request)), result }
        }
        Effect::Context { slot, sql, columns, cells } => Msg::Context {
            slot,
            result: backend.context(sql, columns, cells).await.map(Box::new).map_err(failure),
        },
        Effect::Export(what) => {
            Msg::Exported(export(backend, *what, &|rows| tell(Msg::Exporting(rows))).await.map_err(failure))
        }
        Effect::Cancel => {
            backend.cancel().await;
            return None;
        }
        _ => return None,
    })
}

/// Carries out what plans and runs ask for; gives back what is not about them.
async fn maintain(
    backend: &dyn Backend,
    effect: Effect,
    tell: &(dyn Fn(Msg) + Send + Sync),
) -> Result<Option<Msg>, Effect> {
    let failure = |e: crate::engine::model::error::Error| Box::new(Failure::from(e));
    let watcher = |progress| tell(Msg::Progress(Box::new(progress)));
    Ok(Some(match effect {
        Effect::Plan { slot, request } => {
            let news = |news| tell(Msg::PlanNews { slot, news });
            let result = backend.plan(*request, &news).await.map(Box::new).map_err(failure);
            Msg::Planned { slot, result }
        }
        Effect::PlannedRows { slot, plan, from, limit } => {
            let result = backend.planned_rows(plan, from, limit).await.map_err(failure);
            Msg::PlannedRows { slot, from, result }
        }
        Effect::Apply { plan, typed } => {
            let done = backend.apply(plan, typed, &watcher).await;
            Msg::RunDone(done.map(|d| Some(Box::new(d))).map_err(failure))
        }
        Effect::Resume(run) => match backend.resume(run, &watcher).await {
            Ok(Resumed::Ended(done)) => Msg::RunDone(Ok(Some(done))),
            Ok(Resumed::Nothing) => Msg::RunDone(Ok(None)),
            Ok(Resumed::Asks { reviewed, why }) => Msg::AsksForPhrase { reviewed, why },
            Err(e) => Msg::RunDone(Err(failure(e))),
        },
        Effect::Room(name) => {
            let result = backend.room(name.clone()).await.map(Box::new).map_err(failure);
            Msg::Room { name, result }
        }
        Effect::EndSession { blocker, typed } => {
            backend.end_session(*blocker, &typed);
            return Ok(None);
        }
        Effect::Runs => Msg::Runs(backend.runs().await.map(Box::new).map_err(failure)),
        Effect::RunDetail { slot, run } => {
            let result = backend.run_detail(run).await.map(Box::new).map_err(failure);
            Msg::RunDetail { slot, result }
        }
        Effect::Discard(plan) => {
            backend.discard(&plan);
            return Ok(None);
        }
        Effect::Wish(wish) => {
            backend.control(wish);
            return Ok(None);
        }
        Effect::Stop(by) => {
            backend.stop(by);
            return Ok(None);
        }
        Effect::Note(text) => {
            backend.note(text);
            return Ok(None);
        }
        other => return Err(other),
    }))
}
