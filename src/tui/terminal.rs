//! The real terminal: entered once, left on every way out.

use std::io::{IsTerminal as _, Write as _, stdout};
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use chrono::Utc;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event, EventStream,
    poll,
};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use futures_util::StreamExt as _;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::mpsc::UnboundedSender;

use super::app::App;
use super::backend::Backend;
use super::msg::{Keystroke, Msg};
use super::runtime::{Runtime, RuntimeEvent as LoopEvent};
use super::theme::{Depth, Theme};
use crate::engine::model::error::{Error, Result};
use crate::profile::ConsoleConfig;
use crate::stop::{Stop, StopSignal};

/// What the terminal can show.
pub(super) fn theme(no_color: bool, ascii: bool) -> Theme {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let term = var("TERM");
    let depth = if no_color {
        Depth::Mono
    } else if anstyle_query::truecolor() {
        Depth::True
    } else {
        Depth::Sixteen
    };
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().map(|v| var(v)).find(|v| !v.is_empty()).unwrap_or_default();
    let utf8 = locale.to_lowercase().replace('-', "").contains("utf8");
    Theme::new(depth, ascii || !utf8 || term == "linux")
}

/// Restores the terminal when dropped.
struct Screen {
    mouse: bool,
}

impl Screen {
    fn enter(mouse: bool) -> Result<Self> {
        let fail = |e: std::io::Error| Error::unobserved(format!("failed to set up the terminal: {e}"));
        enable_raw_mode().map_err(fail)?;
        let screen = Self { mouse };
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste).map_err(fail)?;
        if mouse {
            execute!(stdout(), EnableMouseCapture).map_err(fail)?;
        }
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.mouse {
            let _ = execute!(stdout(), DisableMouseCapture);
        }
        restore();
    }
}

fn restore() {
    let _ = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, crossterm::cursor::Show);
    let _ = disable_raw_mode();
}

/// A panic of the drawing thread leaves the screen first, so that it can be read; one of a task becomes
/// a message and goes to the log.
fn install_panic_hook() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name() == Some("main") {
            if stdout().is_terminal() {
                restore();
            }
            usual(info);
        } else {
            tracing::error!("panic: {info}");
        }
    }));
}

pub(super) async fn serve(
    backend: Arc<dyn Backend>,
    theme: Theme,
    targets: Vec<String>,
    console: &ConsoleConfig,
) -> Result<()> {
    install_panic_hook();
    let screen = Screen::enter(console.mouse)?;
    let fail = |e: std::io::Error| Error::unobserved(format!("failed to draw: {e}"));
    // Its drop complains to stderr by a macro that panics where the terminal is gone; the screen restores the cursor.
    let mut terminal = ManuallyDrop::new(Terminal::new(CrosstermBackend::new(stdout())).map_err(fail)?);
    let size = terminal.size().map_err(fail)?;
    let app = App::new(Utc::now(), (size.width, size.height), theme)
        .with_targets(targets)
        .with_input_mode(console.input);
    let mut runtime = Runtime::new(app, backend, Box::new(copy));
    let sender = runtime.sender();
    // Before anything is connected: the first picture stands within milliseconds.
    runtime.draw(&mut terminal).map_err(fail)?;
    listen(&sender)?;
    panic_if_asked();
    let outcome = runtime.run(&mut *terminal).await.map_err(fail);
    drop(screen);
    outcome?;
    runtime.app().farewell().map_or(Ok(()), Err)
}

/// The PTY test proves with it that a panic leaves a usable terminal; release builds have none of it.
#[cfg(debug_assertions)]
fn panic_if_asked() {
    let asked = std::env::var_os("MIDWATCH_TEST_PANIC");
    assert!(asked.is_none(), "asked for by MIDWATCH_TEST_PANIC: {}", asked.unwrap_or_default().display());
}

#[cfg(not(debug_assertions))]
fn panic_if_asked() {}

/// Events taken together at most, before they are passed on.
const AT_ONCE: usize = 256;

/// Keys, time and signals become messages.
fn listen(sender: &UnboundedSender<LoopEvent>) -> Result<()> {
    let to = sender.clone();
    tokio::spawn(async move {
        let (started, mut events) = (Instant::now(), EventStream::new());
        while let Some(Ok(first)) = events.next().await {
            let mut together = vec![first];
            // Asked by `poll`: the stream would keep the waker of a look that does not wait, and never wake us again.
            while together.len() < AT_ONCE
                && poll(Duration::ZERO).unwrap_or(false)
                && let Some(Ok(event)) = events.next().await
            {
                together.push(event);
            }
            let at = started.elapsed();
            let keys = together.iter().filter(|e| matches!(e, Event::Key(_) | Event::Paste(_))).count();
            for event in together {
                let msg = match event {
                    Event::Key(key) => Msg::Key(Keystroke { key, at, alone: keys == 1 }),
                    Event::Mouse(m) => Msg::Mouse(m),
                    Event::Paste(t) => Msg::Paste(t),
                    Event::Resize(w, h) => Msg::Resize(w, h),
                    Event::FocusGained | Event::FocusLost => continue,
                };
                if to.send(LoopEvent::Msg(msg)).is_err() {
                    return;
                }
            }
        }
        let _ = to.send(LoopEvent::Msg(Msg::HungUp));
    });
    let to = sender.clone();
    tokio::spawn(async move {
        let mut every = tokio::time::interval(std::time::Duration::from_secs(1));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while to.send(LoopEvent::Msg(Msg::Tick(Utc::now()))).is_ok() {
            every.tick().await;
        }
    });
    let to = sender.clone();
    let mut stop = Stop::new()?;
    tokio::spawn(async move {
        loop {
            let msg = match stop.wait().await {
                StopSignal::Asked(by) => Msg::Terminate(by),
                StopSignal::HungUp => Msg::HungUp,
            };
            if to.send(LoopEvent::Msg(msg)).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// OSC 52: the terminal's clipboard, through ssh and tmux alike.
fn copy(text: &str) {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let mut out = stdout();
    let _ = write!(out, "\x1b]52;c;{encoded}\x07");
    let _ = out.flush();
}
