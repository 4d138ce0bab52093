//! The line that is always there, and the tabs.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

use super::put;
use crate::tui::app::{App, Link};
use crate::tui::pane;
use crate::tui::theme::Tone;

/// Environment, target, server, role, limits, time. What matters least is left out first.
pub(super) fn banner(app: &App, buffer: &mut Buffer, area: Rect) {
    let clock = format!("{} UTC ", app.now.format("%H:%M:%S"));
    let clock_x = area.right().saturating_sub(u16::try_from(clock.width()).unwrap_or(0));
    put(buffer, clock_x, area.y, area.right(), &clock, app.theme.tone(Tone::Dim));
    let Some(s) = &app.session else {
        let text = if matches!(app.link, Link::Down { .. }) {
            " midwatch  no connection"
        } else {
            " midwatch  opening…"
        };
        put(buffer, area.x, area.y, clock_x, text, app.theme.tone(Tone::Strong));
        return;
    };
    let environment = s.target.environment;
    let word = format!(" {} ", environment.word().to_uppercase());
    let mut x = put(buffer, area.x, area.y, clock_x, &word, app.theme.banner(environment));
    for (text, tone) in parts(app) {
        let text = format!("  {text}");
        let fits = usize::from(clock_x.saturating_sub(x)) > text.width() + 1;
        if fits {
            x = put(buffer, x, area.y, clock_x, &text, app.theme.tone(tone));
        }
    }
}

fn parts(app: &App) -> Vec<(String, Tone)> {
    let Some(s) = &app.session else { return vec![] };
    let place = s.server.address.split('/').next().unwrap_or_default().replace("local socket", "local");
    let mut out = vec![(format!("{}@{place}", s.target.name), Tone::Strong)];
    if s.read_only {
        out.push(("READ-ONLY".into(), Tone::Accent));
    }
    if s.server.in_recovery {
        out.push(("STANDBY".into(), Tone::Warn));
    }
    if s.server.pooled {
        out.push(("POOLED".into(), Tone::Warn));
    }
    let skew = s.server.skew_ms / 1000;
    if skew.abs() >= 2 {
        out.push((format!("CLOCK {skew:+} s"), Tone::Warn));
    }
    if app.paused {
        out.push(("PAUSED".into(), Tone::Warn));
    }
    if let Some(window) = &s.window {
        use chrono::Timelike as _;
        let minute = app.now.hour() * 60 + app.now.minute();
        let clock = |m: u32| format!("{:02}:{:02}", m / 60, m % 60);
        out.push(match window.at(minute) {
            Ok(left) => {
                (format!("window {} left", clock(left)), if left < 30 { Tone::Warn } else { Tone::Good })
            }
            Err(until) => (format!("window closed, opens in {}", clock(until)), Tone::Dim),
        });
    }
    out.push((format!("pg {}", s.server.version), Tone::Dim));
    out.push((format!("role {}", s.server.role), Tone::Dim));
    if s.target.database != s.target.name {
        out.push((format!("database {}", s.target.database), Tone::Dim));
    }
    if s.profile != s.target.name {
        out.push((format!("profile {}", s.profile), Tone::Dim));
    }
    out
}

/// Panes by number, with the number of their findings and the worst of them.
pub(super) fn tabs(app: &App, buffer: &mut Buffer, area: Rect) {
    let mut x = area.x;
    for (i, p) in pane::ALL.iter().enumerate() {
        let here = i == app.pane;
        let base = app.theme.tone(if here { Tone::Accent } else { Tone::Plain });
        let style = if here { base.add_modifier(Modifier::BOLD | Modifier::UNDERLINED) } else { base };
        x = put(buffer, x, area.y, area.right(), " ", app.theme.tone(Tone::Plain));
        x = put(buffer, x, area.y, area.right(), &format!("{} {}", i + 1, p.title()), style);
        if let Some((tone, symbol, count)) = p.mark(app) {
            let lost = matches!(app.link, Link::Down { .. });
            let (tone, symbol) =
                if lost { (Tone::Unknown, app.theme.glyphs.unknown) } else { (tone, symbol) };
            x = put(buffer, x, area.y, area.right(), &format!(" {symbol}{count}"), app.theme.tone(tone));
        }
        x = put(buffer, x, area.y, area.right(), " ", app.theme.tone(Tone::Plain));
    }
}

/// The tab at a column of the screen.
pub(super) fn tab_at(app: &App, column: u16) -> Option<usize> {
    let mut x = 0;
    for (i, p) in pane::ALL.iter().enumerate() {
        let mark = p.mark(app).map_or(0, |(_, symbol, n)| 1 + symbol.width() + n.to_string().len());
        let width = format!(" {} {} ", i + 1, p.title()).width() + mark;
        x += width;
        if usize::from(column) < x {
            return Some(i);
        }
    }
    None
}
