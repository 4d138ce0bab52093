//! What the open dialog lists: keys, and everything by name.

use crate::engine::model::report::Report;
use crate::report::table;
use crate::tui::keymap::{self, DIALOG, KeyAction};
use crate::tui::model::overlay::{Kind, LEAVING, PaletteItem, PaletteTarget, UNFINISHED, words};
use crate::tui::model::state::Model;
use crate::tui::{pane, screen};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};

/// Lines of the overlay that can be chosen or scrolled to.
pub fn overlay_len(model: &Model) -> usize {
    let Some(overlay) = &model.overlay else { return 0 };
    match &overlay.kind {
        Kind::Help => help_lines(model).len(),
        Kind::Palette => palette(model).len(),
        Kind::Targets => model.target_choices().len(),
        Kind::Actions => screen::choices(model).len(),
        Kind::Export => table::ALL.len(),
        Kind::Locks => model.vitals.as_ref().map_or(0, |(v, _)| v.activity.len()),
        Kind::Log => model.log.len(),
        Kind::Sql(list) => list.iter().map(|(_, sql)| sql.lines().count() + 2).sum(),
        Kind::Unfinished(_) => UNFINISHED.len(),
        Kind::Quit if model.run_going().is_some() => LEAVING.len(),
        Kind::Ask(_) | Kind::Resume(_) | Kind::End(_) | Kind::Note | Kind::Stop | Kind::Quit => 0,
    }
}

/// The key table as help shows it: keys, what they do, why not now.
pub fn help_lines(model: &Model) -> Vec<(String, &'static str, Option<String>)> {
    let needle = model.overlay.as_ref().map(|o| o.input.value().to_lowercase()).unwrap_or_default();
    keymap::bindings_in(screen::scene_of(model))
        .map(|b| {
            let keys = if b.action == KeyAction::Pane { "1…9".to_owned() } else { b.keys.join(" ") };
            (keys, b.about, screen::why_not(model, b.action))
        })
        .chain(DIALOG.iter().map(|b| (b.keys.join(" "), b.about, Some("in dialogs".to_owned()))))
        .filter(|(k, about, _)| {
            needle.is_empty() || about.to_lowercase().contains(&needle) || k.contains(&needle)
        })
        .collect()
}

/// Palette lines, best match first.
pub fn palette(model: &Model) -> Vec<PaletteItem> {
    palette_for(model, model.overlay.as_ref().map_or("", |o| o.input.value()))
}

/// Those that a text finds.
pub fn palette_for(model: &Model, typed: &str) -> Vec<PaletteItem> {
    let all = palette_items(model);
    if typed.is_empty() {
        return all;
    }
    let mut matcher = Matcher::new(Config::DEFAULT);
    let pattern = Pattern::parse(typed, CaseMatching::Ignore, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut scored: Vec<(u32, PaletteItem)> = all
        .into_iter()
        .filter_map(|item| {
            let text = format!("{} {}", item.name, item.about);
            let score = pattern.score(nucleo_matcher::Utf32Str::new(&text, &mut buffer), &mut matcher)?;
            Some((score, item))
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, item)| item).collect()
}

fn palette_items(model: &Model) -> Vec<PaletteItem> {
    let panes = pane::ALL.iter().enumerate().map(|(i, p)| PaletteItem {
        name: p.title().to_lowercase(),
        about: format!("pane {}", p.title()),
        key: (i + 1).to_string(),
        leads: PaletteTarget::Pane(i),
    });
    let checks = model.watches.iter().map(|w| PaletteItem {
        name: w.id.to_string(),
        about: w.report.as_ref().map_or("not looked at yet".into(), Report::one_line),
        key: String::new(),
        leads: PaletteTarget::Check(w.id.clone()),
    });
    let targets = model.targets.iter().map(|t| PaletteItem {
        name: format!("target {t}"),
        about: "switch to this target".into(),
        key: String::new(),
        leads: PaletteTarget::Target(t.clone()),
    });
    let movement = |a: KeyAction| a == KeyAction::Pane || a == KeyAction::Palette;
    let offers = model.session.iter().flat_map(|s| &s.operations).map(|o| PaletteItem {
        name: format!("{} {}", o.verb, o.name),
        about: match &o.disabled {
            Some(why) => format!("{} (not now: {why})", o.about),
            None => o.about.clone(),
        },
        key: "plan".into(),
        leads: PaletteTarget::Offer(Box::new(o.clone())),
    });
    let actions =
        keymap::bindings_in(screen::scene_of(model)).filter(|b| !movement(b.action)).map(|b| PaletteItem {
            name: words(b.action),
            about: match screen::why_not(model, b.action) {
                Some(why) => format!("{} (not now: {why})", b.about),
                None => b.about.into(),
            },
            key: b.keys.first().map_or(String::new(), |k| (*k).to_owned()),
            leads: PaletteTarget::Action(b.action),
        });
    panes.chain(actions).chain(targets).chain(offers).chain(checks).collect()
}
