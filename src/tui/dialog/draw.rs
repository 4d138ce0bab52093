//! What lies on top.

use crate::report::table as formats;
use crate::tui::dialog::sheet::Sheet;
use crate::tui::dialog::{change, lists};
use crate::tui::format::{ago, seconds};
use crate::tui::list::{Cell, cell, plain};
use crate::tui::model::overlay::Kind;
use crate::tui::model::state::Model;
use crate::tui::theme::Tone;
use crate::tui::widget::paint::{self, fit, lossless, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::widgets::{Block, Clear, Widget as _};
use unicode_width::UnicodeWidthStr as _;

pub(in crate::tui) fn draw(model: &Model, buffer: &mut Buffer, area: Rect) {
    let Some(overlay) = &model.overlay else { return };
    let mut sheet = sheet(model, &overlay.kind, overlay.typed(), usize::from(area.width.saturating_sub(8)));
    if let Some(word) = overlay.confirm.repeated() {
        sheet.prompt = Some(format!("{} › {}", overlay.typed(), word.value()));
    }
    let wide = matches!(overlay.kind, Kind::Locks | Kind::Log | Kind::Sql(_) | Kind::Actions);
    // Reasons of keys that cannot be used stand behind them.
    let most = if matches!(overlay.kind, Kind::Help) { 140 } else { 86 };
    let width = if wide { area.width.saturating_sub(4) } else { area.width.saturating_sub(4).min(most) };
    let foot = lossless(sheet.foot.len() + usize::from(!sheet.foot.is_empty()));
    let wanted = lossless(sheet.lines.len()).saturating_add(4 + foot);
    let height = wanted.min(area.height.saturating_sub(2)).max(6);
    let frame = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height.saturating_sub(height)) / 3,
        width,
        height: height.min(area.height),
    };
    Clear.render(frame, buffer);
    Block::bordered().border_style(model.theme.tone(Tone::Accent)).render(frame, buffer);
    let inner = Rect {
        x: frame.x + 2,
        y: frame.y + 1,
        width: frame.width.saturating_sub(4),
        height: frame.height.saturating_sub(2),
    };
    on_edge(buffer, frame, frame.y, &sheet.title, model.theme.tone(Tone::Strong));
    on_edge(buffer, frame, frame.bottom() - 1, &sheet.hint, model.theme.tone(Tone::Dim));
    let mut top = inner.y;
    if let Some(prompt) = &sheet.prompt {
        let x =
            put(buffer, inner.x, top, inner.right(), &format!("› {prompt}"), model.theme.tone(Tone::Accent));
        put(
            buffer,
            x,
            top,
            inner.right(),
            " ",
            model.theme.tone(Tone::Plain).add_modifier(Modifier::REVERSED),
        );
        top += 1;
    }
    let foot = foot.min(inner.bottom().saturating_sub(top + 1));
    for (i, line) in sheet.foot.iter().enumerate().take(usize::from(foot.saturating_sub(1))) {
        let y = inner.bottom() - foot + 1 + lossless(i);
        paint::spans(model, buffer, Rect { y, height: 1, ..inner }, line);
    }
    let room = usize::from(inner.bottom().saturating_sub(top + foot));
    let offset = if sheet.choose {
        overlay.cursor.saturating_sub(room / 2).min(sheet.lines.len().saturating_sub(room))
    } else {
        overlay.cursor.min(sheet.lines.len().saturating_sub(room))
    };
    for (i, line) in sheet.lines.iter().enumerate().skip(offset).take(room) {
        let y = top + u16::try_from(i - offset).unwrap_or(0);
        paint::spans(model, buffer, Rect { y, height: 1, ..inner }, line);
        if sheet.choose && i == overlay.cursor {
            // Their first column is free for it: without colour nothing else would say which one.
            put(buffer, inner.x, y, inner.right(), model.theme.glyphs.cursor, model.theme.tone(Tone::Accent));
            buffer.set_style(Rect { y, height: 1, ..inner }, model.theme.cursor());
        }
    }
}

/// A text in the frame's line at `y`.
fn on_edge(buffer: &mut Buffer, frame: Rect, y: u16, text: &str, style: Style) {
    put(buffer, frame.x + 2, y, frame.right().saturating_sub(1), &format!(" {text} "), style);
}

fn sheet(model: &Model, kind: &Kind, typed: &str, width: usize) -> Sheet {
    match kind {
        Kind::Help => help(model, typed),
        Kind::Palette => palette(model, typed, width.min(78)),
        Kind::Targets => Sheet {
            title: "Switch target".into(),
            lines: model.target_choices().into_iter().map(|t| vec![plain(format!("  {t}"))]).collect(),
            choose: true,
            prompt: Some(typed.to_owned()),
            hint: "type to narrow, Enter opens, Esc stays".into(),
            ..Sheet::default()
        },
        Kind::Actions => change::actions(model, width),
        Kind::Ask(ask) => change::ask(model, ask, typed),
        Kind::Note => change::note(typed, width.min(78)),
        Kind::End(blocker) => change::end(model, blocker, typed, width.min(78)),
        Kind::Resume(id) => change::resume(model, id, typed, width.min(78)),
        Kind::Unfinished(id) => change::unfinished(model, id, width.min(78)),
        Kind::Stop => change::stop(model, width.min(78)),
        Kind::Export => Sheet {
            title: "Export to the working directory".into(),
            lines: formats::ALL.iter().map(|f| vec![plain(format!("  {}", f.name()))]).collect(),
            choose: true,
            hint: "Enter writes, Esc leaves".into(),
            ..Sheet::default()
        },
        Kind::Locks => locks(model, width),
        Kind::Log => log(model),
        Kind::Sql(statements) => sql(statements, width),
        Kind::Quit => change::quit(model, width.min(78)),
    }
}

fn help(model: &Model, typed: &str) -> Sheet {
    let lines = lists::help_lines(model).into_iter().map(|(keys, about, why)| {
        let mut line = vec![cell(format!("{keys:<14}"), Tone::Accent), plain(about)];
        if let Some(why) = why {
            line.push(cell(format!("  ({why})"), Tone::Dim));
        }
        line
    });
    Sheet {
        title: "Keys".into(),
        lines: lines.collect(),
        choose: false,
        prompt: Some(typed.to_owned()),
        hint: "type to search, arrows scroll, Esc closes".into(),
        ..Sheet::default()
    }
}

/// Columns of the palette's names, at least and at most, and of its keys.
const NAMES: (usize, usize) = (30, 36);
const KEYS: usize = 6;

fn palette(model: &Model, typed: &str, width: usize) -> Sheet {
    let items = lists::palette(model);
    let names = items.iter().map(|i| i.name.width()).max().unwrap_or(0).clamp(NAMES.0, NAMES.1);
    let lines = items.into_iter().map(|item| {
        let about = fit(&item.about, width.saturating_sub(names + KEYS + 4));
        vec![
            plain(format!("  {:<names$} ", fit(&item.name, names))),
            cell(format!("{:<KEYS$} ", item.key), Tone::Accent),
            cell(about, Tone::Dim),
        ]
    });
    Sheet {
        title: "Go anywhere".into(),
        lines: lines.collect(),
        choose: true,
        prompt: Some(typed.to_owned()),
        hint: "type a name, Enter goes, Esc closes".into(),
        ..Sheet::default()
    }
}

fn locks(model: &Model, width: usize) -> Sheet {
    let mut lines: Vec<Vec<Cell>> = Vec::new();
    let mut title = "Sessions".to_owned();
    if let Some((v, seen)) = &model.vitals {
        title =
            format!("Sessions with work or an open transaction, blockers first   {}", ago(*seen, model.now));
        for (depth, s) in v.tree() {
            let branch = if depth == 0 {
                String::new()
            } else {
                format!("{}{}", "  ".repeat(depth - 1), model.theme.glyphs.branch)
            };
            let waits = !s.blocked_by.is_empty();
            let state = s.state.as_deref().unwrap_or("not visible to this role");
            let age = s.tx_s.map_or(String::new(), |t| format!(" for {}", seconds(t)));
            lines.push(vec![
                cell(format!("{branch}{} ", s.pid), if waits { Tone::Bad } else { Tone::Strong }),
                plain(format!(
                    "{} {} ",
                    s.role.as_deref().unwrap_or("?"),
                    s.application.as_deref().unwrap_or("")
                )),
                cell(format!("{state}{age}"), if s.idle_in_transaction { Tone::Warn } else { Tone::Plain }),
                cell(
                    s.wait.as_ref().map_or(String::new(), |w| format!("  waits: {w}")),
                    if waits { Tone::Bad } else { Tone::Dim },
                ),
                cell(s.locks.as_ref().map_or(String::new(), |l| format!("  locks: {l}")), Tone::Dim),
            ]);
            let indent = " ".repeat(branch.chars().count() + 2);
            lines.push(vec![cell(
                fit(&format!("{indent}{}", s.query.as_deref().unwrap_or("")), width),
                Tone::Dim,
            )]);
        }
    }
    if lines.is_empty() {
        lines.push(vec![cell("no session has work or an open transaction", Tone::Dim)]);
    }
    Sheet {
        title,
        lines,
        choose: false,
        hint: "j k scroll, Esc closes; nothing here is ever killed unasked".into(),
        ..Sheet::default()
    }
}

fn log(model: &Model) -> Sheet {
    let mut lines: Vec<Vec<Cell>> = model
        .log
        .iter()
        .rev()
        .map(|l| {
            let tone = match l.level {
                tracing::Level::ERROR => Tone::Bad,
                tracing::Level::WARN => Tone::Warn,
                _ => Tone::Plain,
            };
            vec![
                cell(format!("{} ", l.at.format("%H:%M:%S")), Tone::Dim),
                cell(format!("{:<5} ", l.level), tone),
                plain(l.text.clone()),
            ]
        })
        .collect();
    if lines.is_empty() {
        lines.push(vec![cell("nothing was logged", Tone::Dim)]);
    }
    Sheet {
        title: "Log, newest first".into(),
        lines,
        choose: false,
        hint: "j k scroll, Esc closes".into(),
        ..Sheet::default()
    }
}

fn sql(statements: &[(String, String)], width: usize) -> Sheet {
    let mut lines = Vec::new();
    for (title, text) in statements {
        lines.push(vec![cell(title.clone(), Tone::Accent)]);
        for line in text.trim().lines() {
            let chars: Vec<char> = line.chars().collect();
            let pieces = chars.chunks(width.max(20)).map(|p| vec![plain(p.iter().collect::<String>())]);
            lines.extend(pieces);
        }
        lines.push(vec![]);
    }
    Sheet {
        title: "The SQL behind this view".into(),
        lines,
        choose: false,
        hint: "y copies, j k scroll, Esc closes".into(),
        ..Sheet::default()
    }
}
