//! The line that is always there, and the tabs.

use crate::engine::model::transport::{CertificateCheck, Transport};
use crate::tui::data::Session;
use crate::tui::model::state::{Link, Model};
use crate::tui::pane;
use crate::tui::theme::Tone;
use crate::tui::widget::paint::{fit, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr as _;

/// Environment, target, server, role, limits, time. What matters least is left out first.
pub(super) fn banner(model: &Model, buffer: &mut Buffer, area: Rect) {
    let clock = format!("{} UTC ", model.now.format("%H:%M:%S"));
    let clock_x = area.right().saturating_sub(u16::try_from(clock.width()).unwrap_or(0));
    put(buffer, clock_x, area.y, area.right(), &clock, model.theme.tone(Tone::Dim));
    let Some(s) = &model.session else {
        let text = if matches!(model.link, Link::Down { .. }) {
            " midwatch  no connection"
        } else {
            " midwatch  opening…"
        };
        put(buffer, area.x, area.y, clock_x, text, model.theme.tone(Tone::Strong));
        return;
    };
    let environment = s.target.environment;
    let word = format!(" {} ", environment.word().to_uppercase());
    let mut x = put(buffer, area.x, area.y, clock_x, &word, model.theme.banner(environment));
    let badges = badges(model, s);
    let wide: usize = badges.iter().map(|(text, _)| text.width() + GAP).sum();
    let room = usize::from(clock_x.saturating_sub(x)).saturating_sub(2);
    let place = s.server.address.split('/').next().unwrap_or_default().replace("local socket", "local");
    let place = format!("{}@{place}", s.target.name);
    let place = (fit(&place, room.saturating_sub(wide + GAP).max(LEAST_PLACE)), Tone::Strong);
    for (text, tone) in std::iter::once(place).chain(badges).chain(rest(s)) {
        let text = format!("  {text}");
        let fits = usize::from(clock_x.saturating_sub(x)) > text.width() + 1;
        if fits {
            x = put(buffer, x, area.y, clock_x, &text, model.theme.tone(tone));
        }
    }
}

/// Between two parts.
const GAP: usize = 2;
/// So much of the place is always there.
const LEAST_PLACE: usize = 12;

/// What an operator must not overlook: the place is cut before one of these is left out.
fn badges(model: &Model, s: &Session) -> Vec<(String, Tone)> {
    let mut out = vec![];
    if s.read_only {
        out.push(("READ-ONLY".into(), Tone::Accent));
    }
    if s.server.transport.exposed() {
        out.extend(transport(s.server.transport).map(|text| (text, Tone::Warn)));
    }
    if s.server.in_recovery {
        out.push(("STANDBY".into(), Tone::Warn));
    }
    out.extend(s.server.notes.iter().filter_map(|n| Some((n.badge?.to_owned(), Tone::Warn))));
    let skew = s.server.skew_ms / 1000;
    if skew.abs() >= 2 {
        out.push((format!("CLOCK {skew:+} s"), Tone::Warn));
    }
    if model.paused {
        out.push(("PAUSED".into(), Tone::Warn));
    }
    if let Some(window) = &s.window {
        use chrono::Timelike as _;
        let minute = model.now.hour() * 60 + model.now.minute();
        let clock = |m: u32| format!("{:02}:{:02}", m / 60, m % 60);
        out.push(match window.at(minute) {
            Ok(left) => {
                (format!("window {} left", clock(left)), if left < 30 { Tone::Warn } else { Tone::Good })
            }
            Err(until) => (format!("window closed, opens in {}", clock(until)), Tone::Dim),
        });
    }
    out
}

/// What is there where it fits.
fn rest(s: &Session) -> Vec<(String, Tone)> {
    let mut out = vec![];
    if !s.server.transport.exposed() {
        out.extend(transport(s.server.transport).map(|text| (text, Tone::Dim)));
    }
    out.push((format!("pg {}", s.server.version), Tone::Dim));
    let reader = s.server.reader.as_ref().map_or_else(String::new, |r| format!(", read by {r}"));
    out.push((format!("role {}{reader}", s.server.role), Tone::Dim));
    if s.target.database != s.target.name {
        out.push((format!("database {}", s.target.database), Tone::Dim));
    }
    if s.profile != s.target.name {
        out.push((format!("profile {}", s.profile), Tone::Dim));
    }
    out
}

/// What the connection goes over, where it is no socket of ours or root's.
fn transport(transport: Transport) -> Option<String> {
    Some(match transport {
        Transport::Socket => return None,
        Transport::SharedSocket => "SOCKET NOT VERIFIED".to_owned(),
        Transport::Plain { .. } => "NO TLS".to_owned(),
        Transport::Tls { version, verified: CertificateCheck::Full, .. } => format!("TLS {version}"),
        Transport::Tls { verified: CertificateCheck::Ca, .. } => "TLS, NAME NOT VERIFIED".to_owned(),
        Transport::Tls { verified: CertificateCheck::No, .. } => "TLS NOT VERIFIED".to_owned(),
    })
}

/// Panes by number, with the number of their findings and the worst of them.
pub(super) fn tabs(model: &Model, buffer: &mut Buffer, area: Rect) {
    let all = names(model);
    let widths = Widths::that_fit(model, &all, area.width.into());
    let plain = model.theme.tone(Tone::Plain);
    let mut x = area.x;
    for (i, tab) in all.iter().enumerate() {
        let here = i == model.pane;
        let base = model.theme.tone(if here { Tone::Accent } else { Tone::Plain });
        let style = if here { base.add_modifier(Modifier::BOLD | Modifier::UNDERLINED) } else { base };
        x = put(buffer, x, area.y, area.right(), " ", plain);
        x = put(buffer, x, area.y, area.right(), &tab.title(here, widths), style);
        if let Some((tone, text)) = &tab.mark {
            x = put(buffer, x, area.y, area.right(), text, model.theme.tone(*tone));
        }
        x = put(buffer, x, area.y, area.right(), widths.gap, plain);
    }
}

/// The tab at a column of a screen of this width.
pub(super) fn tab_at(model: &Model, width: u16, column: u16) -> Option<usize> {
    let all = names(model);
    let widths = Widths::that_fit(model, &all, width.into());
    let mut x = 0;
    all.iter().enumerate().position(|(i, tab)| {
        x += tab.width(i == model.pane, widths);
        usize::from(column) < x
    })
}

/// How much room tabs take: as much as there is.
#[derive(Debug, Clone, Copy)]
struct Widths {
    gap: &'static str,
    /// Of the names of panes that are not shown.
    letters: usize,
}

impl Widths {
    fn that_fit(model: &Model, all: &[Tab], width: usize) -> Self {
        let fits = |widths: &Self| {
            all.iter().enumerate().map(|(i, t)| t.width(i == model.pane, *widths)).sum::<usize>() <= width
        };
        let last = Self { gap: "", letters: 3 };
        let wide = Self { gap: " ", letters: usize::MAX };
        [wide, Self { gap: "", ..wide }, Self { letters: 5, ..last }].into_iter().find(fits).unwrap_or(last)
    }
}

struct Tab {
    key: usize,
    name: &'static str,
    mark: Option<(Tone, String)>,
}

impl Tab {
    fn title(&self, here: bool, widths: Widths) -> String {
        let letters = if here { usize::MAX } else { widths.letters };
        format!("{} {}", self.key, self.name.chars().take(letters).collect::<String>())
    }

    fn width(&self, here: bool, widths: Widths) -> usize {
        let mark = self.mark.as_ref().map_or(0, |(_, text)| text.width());
        1 + self.title(here, widths).width() + mark + widths.gap.len()
    }
}

fn names(model: &Model) -> Vec<Tab> {
    let lost = matches!(model.link, Link::Down { .. });
    let mark = |(tone, symbol, count)| {
        let (tone, symbol) = if lost { (Tone::Unknown, model.theme.glyphs.unknown) } else { (tone, symbol) };
        (tone, format!(" {symbol}{count}"))
    };
    let all = pane::ALL.iter().enumerate();
    all.map(|(i, p)| Tab { key: i + 1, name: p.title(), mark: p.mark(model).map(mark) }).collect()
}
