//! The real loop on a fake backend: driven by messages, ended by one, no sleeping.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use midwatch::engine::check::kind::CheckProgressSink;
use midwatch::engine::check::paging::{Page, PageRequest, RowSource};
use midwatch::engine::model::blocker::Blocker;
use midwatch::engine::model::diff::PlannedRow;
use midwatch::engine::model::error::{Error, Result};
use midwatch::engine::model::param::Params;
use midwatch::engine::model::progress::{ControlRequest, Done, Phase, ProgressSink};
use midwatch::engine::model::query::Column;
use midwatch::engine::model::record::{Listed, Outcome};
use midwatch::engine::model::report::{CheckId, Report};
use midwatch::engine::model::vitals::Vitals;
use midwatch::engine::plan::request::{PlanNews, Request};
use midwatch::engine::port::reader::Fut;
use midwatch::features::switchover::status::SwitchoverStatus;
use midwatch::report::table::RowCell;
use midwatch::tui::backend::Backend;
use midwatch::tui::data::{Journal, Resumed, ReviewedPlan, RunDetail, Session, TypedConfirmation};
use midwatch::tui::msg::Msg;
use midwatch::tui::runtime::{Runtime, RuntimeEvent};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use tokio::sync::Notify;

use crate::fake::{app, later, page, report, session, source, stroke, vitals};
use crate::handmade::{detail, done, planned, progress, reviewed, run};

/// What does not answer.
#[derive(Clone, Copy, PartialEq)]
enum Hold {
    Plan,
    Apply,
}

/// Answers at once, but for what it is told to hold.
#[derive(Default)]
struct Fake {
    holds: Option<Hold>,
    discarded: Mutex<Vec<String>>,
    wishes: Mutex<Vec<ControlRequest>>,
    applied: AtomicUsize,
    let_go: Notify,
    observed: Mutex<Vec<CheckId>>,
    asked: AtomicUsize,
    dropped: Arc<AtomicUsize>,
    hold: bool,
    panics: bool,
    asked_for_page: Notify,
}

impl Fake {
    async fn held(&self, what: Hold) {
        if self.holds == Some(what) {
            self.let_go.notified().await;
        }
    }
}

struct CountDrop(Arc<AtomicUsize>);

impl Drop for CountDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Backend for Fake {
    fn connect(&self, target: Option<String>) -> Fut<'_, Result<Session>> {
        Box::pin(async move {
            let mut session = session();
            if let Some(name) = target {
                session.target.name = name;
            }
            Ok(session)
        })
    }
    fn observe<'a>(&'a self, id: CheckId, _: Params, _: CheckProgressSink<'a>) -> Fut<'a, Report> {
        Box::pin(async move {
            assert!(!self.panics, "a check that panics");
            self.observed.lock().unwrap().push(id.clone());
            report(&id, vec![])
        })
    }
    fn vitals(&self) -> Fut<'_, Result<Vitals>> {
        Box::pin(async { Ok(vitals()) })
    }
    fn rows(&self, _: &CheckId, _: &str) -> Option<RowSource> {
        Some(source())
    }
    fn page(&self, _: PageRequest) -> Fut<'_, Result<Page>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let _counted = CountDrop(Arc::clone(&self.dropped));
            self.asked_for_page.notify_one();
            if self.hold {
                std::future::pending::<()>().await;
            }
            Ok(page(0, 12, Some(12), true))
        })
    }
    fn pages<'a>(
        &'a self,
        request: PageRequest,
        each: &'a mut (dyn FnMut(Page) -> Result<()> + Send),
    ) -> Fut<'a, Result<()>> {
        Box::pin(async move { each(self.page(request).await?) })
    }
    fn context(&self, _: String, _: Vec<Column>, _: Vec<RowCell>) -> Fut<'_, Result<Page>> {
        Box::pin(async { Err(Error::unobserved("no context")) })
    }
    fn cancel(&self) -> Fut<'_, ()> {
        Box::pin(async {})
    }
    fn plan<'a>(
        &'a self,
        _: Request,
        news: &'a (dyn Fn(PlanNews) + Send + Sync),
    ) -> Fut<'a, Result<ReviewedPlan>> {
        Box::pin(async move {
            let _counted = CountDrop(Arc::clone(&self.dropped));
            news(PlanNews::First(planned(0, 3)));
            news(PlanNews::Counted(3));
            self.held(Hold::Plan).await;
            Ok(reviewed())
        })
    }
    fn planned_rows(&self, _: String, from: u64, limit: usize) -> Fut<'_, Result<Vec<PlannedRow>>> {
        Box::pin(async move { Ok(planned(from, 812_u64.saturating_sub(from).min(limit as u64))) })
    }
    fn discard(&self, plan: &str) {
        self.discarded.lock().unwrap().push(plan.to_owned());
    }
    fn apply<'a>(
        &'a self,
        _: String,
        typed: TypedConfirmation,
        watcher: ProgressSink<'a>,
    ) -> Fut<'a, Result<Done>> {
        Box::pin(async move {
            if typed.phrase != reviewed().plan.phrase {
                return Err(Error::new(midwatch::engine::model::error::Class::Refused, "the phrase differs"));
            }
            self.applied.fetch_add(1, Ordering::SeqCst);
            watcher(progress(Phase::Working, 400));
            self.held(Hold::Apply).await;
            Ok(done(Outcome::Applied))
        })
    }
    fn resume<'a>(&'a self, _: String, watcher: ProgressSink<'a>) -> Fut<'a, Result<Resumed>> {
        Box::pin(async move {
            watcher(progress(Phase::Working, 400));
            Ok(Resumed::Ended(Box::new(done(Outcome::Applied))))
        })
    }
    fn control(&self, wish: ControlRequest) {
        self.wishes.lock().unwrap().push(wish);
        // The batch under way ends, and with it the run.
        self.let_go.notify_waiters();
    }
    fn stop(&self, _: &'static str) {
        self.control(ControlRequest::Cancel);
    }
    fn note(&self, _: String) {}
    fn room(&self, _: String) -> Fut<'_, Result<SwitchoverStatus>> {
        Box::pin(async { Ok(crate::room::facts()) })
    }
    fn end_session(&self, _: Blocker, _: &str) {}
    fn runs(&self) -> Fut<'_, Result<Journal>> {
        Box::pin(async { Ok(Journal::Runs(Listed::default())) })
    }
    fn run_detail(&self, _: String) -> Fut<'_, Result<RunDetail>> {
        Box::pin(async { Ok(detail(run("17", Outcome::Applied))) })
    }
}

fn words(text: &str) -> Vec<RuntimeEvent> {
    text.chars().map(press).collect()
}

/// A loop that has looked at everything and stands on a rule that can be mended.
async fn on_a_rule(fake: &Arc<Fake>) -> (Runtime, Terminal<TestBackend>) {
    let mut runtime = Runtime::new(app((100, 30)), Arc::clone(fake) as Arc<dyn Backend>, Box::new(|_| {}));
    let mut terminal = Terminal::new(TestBackend::new(100, 30)).unwrap();
    runtime.begin();
    until(&mut runtime, &mut terminal, |r| {
        !r.app().watches.is_empty() && r.app().watches.iter().all(|w| w.report.is_some())
    })
    .await;
    for event in [press('5'), press('d')] {
        runtime.sender().send(event).ok();
    }
    until(&mut runtime, &mut terminal, |r| r.app().plan_here().is_some_and(|v| v.counted > 0)).await;
    (runtime, terminal)
}

/// The same, with the plan made and its phrase typed.
async fn with_a_run(fake: &Arc<Fake>) -> (Runtime, Terminal<TestBackend>) {
    let (mut runtime, mut terminal) = on_a_rule(fake).await;
    until(&mut runtime, &mut terminal, |r| r.app().plan_here().is_some_and(|v| v.plan().is_some())).await;
    runtime.sender().send(press('c')).ok();
    for event in words(&reviewed().plan.phrase).into_iter().chain([enter()]) {
        runtime.sender().send(event).ok();
    }
    until(&mut runtime, &mut terminal, |r| r.app().run.as_ref().is_some_and(|r| r.progress.is_some())).await;
    (runtime, terminal)
}

#[tokio::test]
async fn leaving_a_plan_that_is_being_made_cancels_its_reading() {
    let fake = Arc::new(Fake { holds: Some(Hold::Plan), ..Fake::default() });
    let (mut runtime, mut terminal) = on_a_rule(&fake).await;
    assert!(text(&terminal).contains("reading…"), "{}", text(&terminal));
    assert_eq!(fake.dropped.load(Ordering::SeqCst), 0);
    runtime
        .sender()
        .send(RuntimeEvent::Msg(Msg::Key(stroke(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)))))
        .ok();
    until(&mut runtime, &mut terminal, |r| r.app().plans.is_empty()).await;
    while fake.dropped.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_typed_phrase_applies_once_and_its_end_is_shown() {
    let fake = Arc::new(Fake::default());
    let (mut runtime, mut terminal) = with_a_run(&fake).await;
    until(&mut runtime, &mut terminal, |r| r.app().run_going().is_none()).await;
    until(&mut runtime, &mut terminal, |r| r.app().run_here().is_some_and(|v| v.detail.is_some())).await;
    assert!(text(&terminal).contains("applied"), "{}", text(&terminal));
    while fake.discarded.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.applied.load(Ordering::SeqCst), 1);
    assert_eq!(*fake.discarded.lock().unwrap(), ["p1"]);
}

#[tokio::test]
async fn a_run_goes_on_while_one_moves_about_and_ends_when_asked_to() {
    let fake = Arc::new(Fake { holds: Some(Hold::Apply), ..Fake::default() });
    let (mut runtime, mut terminal) = with_a_run(&fake).await;
    // Everything that ends other work: another pane, another plan, a try at another target, ctrl-c twice.
    let ctrl_c =
        || RuntimeEvent::Msg(Msg::Key(stroke(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL))));
    let esc = || RuntimeEvent::Msg(Msg::Key(stroke(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE))));
    for event in [press('1'), press('t'), press('5'), press('q'), press('d'), ctrl_c(), ctrl_c(), esc()] {
        runtime.sender().send(event).ok();
    }
    until(&mut runtime, &mut terminal, |r| r.app().plan_here().is_some_and(|v| v.plan().is_some())).await;
    assert!(runtime.app().run_going().is_some());
    assert!(runtime.app().session.is_some());
    for event in [ctrl_c(), enter()] {
        runtime.sender().send(event).ok();
    }
    until(&mut runtime, &mut terminal, |r| r.app().run_going().is_none()).await;
    assert_eq!(*fake.wishes.lock().unwrap(), [ControlRequest::Cancel]);
    assert_eq!(fake.applied.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_export_of_a_plan_has_every_row() {
    let fake = Arc::new(Fake::default());
    let (mut runtime, mut terminal) = on_a_rule(&fake).await;
    until(&mut runtime, &mut terminal, |r| r.app().plan_here().is_some_and(|v| v.plan().is_some())).await;
    for event in [press('e'), enter()] {
        runtime.sender().send(event).ok();
    }
    until(&mut runtime, &mut terminal, |r| {
        r.app().notice.as_ref().is_some_and(|n| n.text.starts_with("exported to"))
    })
    .await;
    let notice = runtime.app().notice.as_ref().unwrap().text.clone();
    let file = notice.trim_start_matches("exported to ").split(' ').next().unwrap().to_owned();
    let written = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let mut lines = written.lines();
    assert_eq!(lines.next(), Some("id,employee,event,at,business_date_ist before,business_date_ist after"));
    assert_eq!(lines.next(), Some("00000000,Asha R.,BREAK_START,2025-11-24 22:00Z,2025-11-24,2025-11-25"));
    assert_eq!(lines.count(), 811);
}

fn press(c: char) -> RuntimeEvent {
    RuntimeEvent::Msg(Msg::Key(stroke(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))))
}

fn enter() -> RuntimeEvent {
    RuntimeEvent::Msg(Msg::Key(stroke(KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE))))
}

fn text(terminal: &Terminal<TestBackend>) -> String {
    terminal.backend().buffer().content().iter().map(ratatui::buffer::Cell::symbol).collect()
}

/// Waits until the state satisfies `when`, then goes on; everything else is the loop's own doing.
async fn until(runtime: &mut Runtime, terminal: &mut Terminal<TestBackend>, when: impl Fn(&Runtime) -> bool) {
    while !when(runtime) {
        runtime.step(terminal).await.unwrap();
    }
}

#[tokio::test]
async fn it_connects_looks_at_everything_and_draws_it() {
    let fake = Arc::new(Fake::default());
    let mut runtime = Runtime::new(app((80, 24)), Arc::clone(&fake) as Arc<dyn Backend>, Box::new(|_| {}));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    runtime.begin();
    until(&mut runtime, &mut terminal, |r| {
        !r.app().watches.is_empty() && r.app().watches.iter().all(|w| w.report.is_some())
    })
    .await;
    assert_eq!(fake.observed.lock().unwrap().len(), 6);
    assert!(text(&terminal).contains("nothing is wrong, as far as was looked"), "{}", text(&terminal));
}

#[tokio::test]
async fn it_ends_when_told_to() {
    let fake = Arc::new(Fake::default());
    let mut runtime = Runtime::new(app((80, 24)), fake, Box::new(|_| {}));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    runtime.sender().send(RuntimeEvent::Msg(Msg::Terminate("SIGTERM"))).ok();
    runtime.run(&mut terminal).await.unwrap();
}

#[tokio::test]
async fn a_slow_page_freezes_nothing_and_a_newer_one_replaces_it() {
    let fake = Arc::new(Fake { hold: true, ..Fake::default() });
    let mut runtime = Runtime::new(app((80, 24)), Arc::clone(&fake) as Arc<dyn Backend>, Box::new(|_| {}));
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    runtime.begin();
    until(&mut runtime, &mut terminal, |r| {
        r.app().watches.iter().any(|w| w.id.kind == "queue" && w.report.is_some())
    })
    .await;
    for event in [press('4'), enter()] {
        runtime.sender().send(event).ok();
    }
    until(&mut runtime, &mut terminal, |_| fake.asked.load(Ordering::SeqCst) > 0).await;
    // Keys still work while the page is on its way.
    runtime.sender().send(press('2')).ok();
    until(&mut runtime, &mut terminal, |r| r.app().pane == 1).await;
    assert!(text(&terminal).contains("017_add_keka_sync.sql"));
    // Leaving drops what nobody waits for: that is what cancels it on the server.
    runtime.sender().send(RuntimeEvent::Msg(Msg::Terminate("SIGTERM"))).ok();
    runtime.run(&mut terminal).await.unwrap();
    drop(runtime);
    tokio::task::yield_now().await;
    assert_eq!(fake.dropped.load(Ordering::SeqCst), fake.asked.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_panic_in_a_task_becomes_a_line_on_the_screen() {
    let fake = Arc::new(Fake { panics: true, ..Fake::default() });
    let mut runtime = Runtime::new(app((100, 24)), fake, Box::new(|_| {}));
    let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
    runtime.begin();
    until(&mut runtime, &mut terminal, |r| {
        r.app().notice.as_ref().is_some_and(|n| n.text.contains("a check that panics"))
    })
    .await;
    assert!(text(&terminal).contains("a part of the console failed"));
    runtime.sender().send(RuntimeEvent::Msg(Msg::Tick(later(5)))).ok();
    until(&mut runtime, &mut terminal, |r| r.app().now == later(5)).await;
}

/// A check of the old target that answers after the switch must not be shown under the new one's name.
#[tokio::test]
async fn an_answer_about_the_old_target_is_dropped() {
    let fake = Arc::new(Fake { hold: true, ..Fake::default() });
    let mut runtime = Runtime::new(app((100, 24)), Arc::clone(&fake) as Arc<dyn Backend>, Box::new(|_| {}));
    let mut terminal = Terminal::new(TestBackend::new(100, 24)).unwrap();
    runtime.begin();
    until(&mut runtime, &mut terminal, |r| {
        r.app().watches.iter().all(|w| w.report.is_some()) && r.app().session.is_some()
    })
    .await;
    for event in [press('t'), press('h'), press('o'), press('s'), enter()] {
        runtime.sender().send(event).ok();
    }
    // It was asked of the target before: generation 0.
    let mut late = report(&crate::fake::id("queue", "keka-sync"), vec![]);
    late.summary = "of the old target".into();
    until(&mut runtime, &mut terminal, |r| r.app().wanted.is_some()).await;
    runtime.sender().send(RuntimeEvent::Answer(0, Msg::Observed(Box::new(late)))).ok();
    until(&mut runtime, &mut terminal, |r| {
        r.app().session.as_ref().is_some_and(|s| s.target.name == "hospitality")
            && r.app().watches.iter().all(|w| w.report.is_some())
    })
    .await;
    assert!(
        runtime
            .app()
            .watches
            .iter()
            .all(|w| w.report.as_ref().is_some_and(|r| r.summary != "of the old target"))
    );
}
