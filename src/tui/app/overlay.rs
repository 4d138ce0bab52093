//! What lies on top: help, palette, targets, actions, export, SQL, locks, log, leaving.

use crossterm::event::{Event, KeyEvent};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler as _;

use super::offers::Ask;
use super::{App, View};
use crate::engine::model::blocker::Blocker;
use crate::engine::model::report::CheckId;
use crate::engine::plan::operation::Offer;
use crate::report::table::Format;
use crate::tui::keymap::{self, Action, DIALOG, DialogAction};
use crate::tui::msg::{Effect, Export, ExportRows};
use crate::tui::pane;

/// On top of the panes.
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// Which.
    pub kind: Kind,
    /// What is typed in it.
    pub input: Input,
    /// The chosen line, or the first line shown.
    pub cursor: usize,
}

/// Which overlay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kind {
    /// Keys.
    #[default]
    Help,
    /// Everything by name.
    Palette,
    /// Targets.
    Targets,
    /// What could be done.
    Actions,
    /// Formats to export in.
    Export,
    /// Sessions and locks.
    Locks,
    /// The log.
    Log,
    /// Statements.
    Sql(Vec<(String, String)>),
    /// What must be known before planning.
    Ask(Ask),
    /// A run that broke off, by its number.
    Unfinished(String),
    /// Go on with a run? Its number is typed.
    Resume(String),
    /// End a session that is in the way? Its phrase is typed.
    End(Box<Blocker>),
    /// What is to be remembered of our run.
    Note,
    /// Stop our run?
    Stop,
    /// Leave?
    Quit,
}

/// What can be done about a run that broke off.
pub const UNFINISHED: [&str; 3] =
    ["look at it", "go on with it, after a question", "later: it stays in the Runs pane"];

/// What can be done when one wants to leave while a run of ours goes on.
pub const LEAVING: [&str; 3] = [
    "stay",
    "stop after the batch under way, then leave",
    "leave now: the batch under way is rolled back, if not committed already",
];

/// A line of the palette.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaletteItem {
    /// What is typed to find it.
    pub name: String,
    /// What it does.
    pub about: String,
    /// Its key.
    pub key: String,
    /// What it leads to.
    pub leads: Leads,
}

/// An action's name as one types it: `HalfDown` is `half down`.
pub(super) fn words(action: Action) -> String {
    let mut out = String::new();
    for c in format!("{action:?}").chars() {
        if c.is_uppercase() && !out.is_empty() {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// What a palette line leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leads {
    /// An action of the key table.
    Action(Action),
    /// A pane.
    Pane(usize),
    /// A check's pane.
    Check(CheckId),
    /// Another target.
    Target(String),
    /// A plan of an operation.
    Offer(Box<Offer>),
}

impl Overlay {
    /// An overlay.
    pub fn of(kind: Kind) -> Self {
        Self { kind, ..Self::default() }
    }

    fn has_input(&self) -> bool {
        matches!(
            self.kind,
            Kind::Help
                | Kind::Palette
                | Kind::Targets
                | Kind::Ask(_)
                | Kind::Resume(_)
                | Kind::End(_)
                | Kind::Note
        )
    }
}

impl App {
    pub(super) fn overlay_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(overlay) = &mut self.overlay else { return vec![] };
        let typing = overlay.has_input();
        let Some(action) = keymap::dialog(&keymap::name(key), typing) else {
            if typing {
                overlay.input.handle_event(&Event::Key(key));
                if !matches!(overlay.kind, Kind::Ask(_)) {
                    overlay.cursor = 0;
                }
            }
            return vec![];
        };
        // While a run of ours goes on, leaving is a line to choose, not a key to hit.
        let leaving = overlay.kind == Kind::Quit && self.run.as_ref().is_none_or(|r| r.done.is_some());
        match action {
            DialogAction::Choose => return self.overlay_enter(),
            DialogAction::Down(by) if matches!(overlay.kind, Kind::Ask(_)) => self.ask_move(by.clamp(-1, 1)),
            DialogAction::Down(by) => self.overlay_move(by),
            DialogAction::Yes | DialogAction::Quit if leaving => return vec![Effect::Quit],
            DialogAction::Close | DialogAction::Quit => self.overlay = None,
            DialogAction::Yes => {
                if let Kind::Sql(statements) = &overlay.kind {
                    let text: Vec<_> = statements.iter().map(|(_, sql)| format!("{sql};")).collect();
                    self.say("statements copied");
                    return vec![Effect::Copy(text.join("\n\n"))];
                }
            }
        }
        vec![]
    }

    fn overlay_move(&mut self, by: isize) {
        let last = self.overlay_len().saturating_sub(1);
        if let Some(overlay) = &mut self.overlay {
            overlay.cursor = overlay.cursor.saturating_add_signed(by).min(last);
        }
    }

    /// Lines of the overlay that can be chosen or scrolled to.
    pub fn overlay_len(&self) -> usize {
        let Some(overlay) = &self.overlay else { return 0 };
        match &overlay.kind {
            Kind::Help => self.help_lines().len(),
            Kind::Palette => self.palette().len(),
            Kind::Targets => self.target_choices().len(),
            Kind::Actions => self.choices().len(),
            Kind::Export => Format::ALL.len(),
            Kind::Locks => self.vitals.as_ref().map_or(0, |(v, _)| v.activity.len()),
            Kind::Log => self.log.len(),
            Kind::Sql(list) => list.iter().map(|(_, sql)| sql.lines().count() + 2).sum(),
            Kind::Unfinished(_) => UNFINISHED.len(),
            Kind::Quit if self.run_going().is_some() => LEAVING.len(),
            Kind::Ask(_) | Kind::Resume(_) | Kind::End(_) | Kind::Note | Kind::Stop | Kind::Quit => 0,
        }
    }

    fn overlay_enter(&mut self) -> Vec<Effect> {
        if matches!(self.overlay.as_ref().map(|o| &o.kind), Some(Kind::Ask(_))) {
            return self.ask_enter();
        }
        let Some(overlay) = self.overlay.take() else { return vec![] };
        match &overlay.kind {
            Kind::Quit => return self.leave(overlay.cursor),
            Kind::Stop => return self.stop_run(false),
            Kind::Unfinished(id) => {
                let id = id.clone();
                match overlay.cursor {
                    0 => return self.open_run(id),
                    1 => self.overlay = Some(Overlay::of(Kind::Resume(id))),
                    _ => {}
                }
            }
            Kind::Resume(_) => return self.resume_typed(overlay),
            Kind::End(_) => return self.end_typed(overlay),
            Kind::Note => return self.note_typed(overlay.input.value()),
            Kind::Targets => {
                let chosen = self.target_choices_for(overlay.input.value()).get(overlay.cursor).cloned();
                return chosen.map(|name| self.switch(name)).unwrap_or_default();
            }
            Kind::Export => {
                let format = Format::ALL.get(overlay.cursor).copied();
                return format.and_then(|f| self.export(f)).into_iter().collect();
            }
            Kind::Palette => {
                let chosen = self.palette_for(overlay.input.value()).into_iter().nth(overlay.cursor);
                return chosen.map(|item| self.follow(item.leads)).unwrap_or_default();
            }
            Kind::Actions => return self.choose(overlay.cursor),
            Kind::Help | Kind::Locks | Kind::Log | Kind::Sql(_) | Kind::Ask(_) => {}
        }
        vec![]
    }

    /// A line of the question whether to leave.
    fn leave(&mut self, chosen: usize) -> Vec<Effect> {
        if self.run_going().is_none() {
            return vec![Effect::Quit];
        }
        match chosen {
            1 => self.stop_run(true),
            2 => vec![Effect::Quit],
            _ => vec![],
        }
    }

    fn note_typed(&mut self, text: &str) -> Vec<Effect> {
        let text = text.trim();
        if text.is_empty() {
            return vec![];
        }
        // The run may have ended while it was written.
        if self.run_going().is_none() {
            self.complain("the run has ended: the note is not written");
            return vec![];
        }
        self.say("noted in the run's journal");
        vec![Effect::Note(text.to_owned())]
    }

    /// What must be typed to go on with a run.
    pub fn resume_words(id: &str) -> String {
        format!("resume {id}")
    }

    /// A run goes on when its number was typed, and only then.
    fn resume_typed(&mut self, overlay: Overlay) -> Vec<Effect> {
        let Kind::Resume(id) = &overlay.kind else { return vec![] };
        let id = id.clone();
        if let Some(why) = self.journal.run(&id).and_then(|r| self.why_not_resume(r)) {
            self.refuse(format!("resume {id}: {why}"), None);
            return vec![];
        }
        let words = Self::resume_words(&id);
        if overlay.input.value() != words {
            let text = crate::engine::model::phrase::differs(&words, overlay.input.value());
            self.complain(text.replacen("the phrase", "it", 1));
            self.overlay = Some(overlay);
            return vec![];
        }
        self.begin_resume(&id)
    }

    fn follow(&mut self, leads: Leads) -> Vec<Effect> {
        match leads {
            Leads::Action(action) => self.act(action, ""),
            Leads::Pane(index) => {
                self.go(index);
                vec![]
            }
            Leads::Check(id) => self.go_to_check(&id, None),
            Leads::Target(name) => self.switch(name),
            Leads::Offer(offer) => match &offer.disabled {
                Some(why) => {
                    self.refuse(format!("{} {}: {why}", offer.verb, offer.name), None);
                    vec![]
                }
                None => self.plan_offer(*offer),
            },
        }
    }

    fn switch(&mut self, name: String) -> Vec<Effect> {
        if let Some(run) = self.run_going() {
            let why = format!("target: a run is going on here ({}): it is not left alone", run.title);
            self.complain(why);
            return vec![];
        }
        self.run = None;
        self.journal = super::JournalState::default();
        self.room = super::RoomState::default();
        self.link = super::Link::Opening;
        self.session = None;
        self.vitals_running = false;
        self.exporting = false;
        self.vitals = None;
        self.watches.clear();
        self.stacks = pane::ALL.iter().map(|_| vec![super::Level::pane()]).collect();
        self.wanted = Some(name.clone());
        self.say(format!("opening {name}"));
        vec![Effect::Connect(Some(name))]
    }

    /// The key table as help shows it: keys, what they do, why not now.
    pub fn help_lines(&self) -> Vec<(String, &'static str, Option<String>)> {
        let needle = self.overlay.as_ref().map(|o| o.input.value().to_lowercase()).unwrap_or_default();
        keymap::here(self.scene())
            .map(|b| {
                let keys = if b.action == Action::Pane { "1…9".to_owned() } else { b.keys.join(" ") };
                (keys, b.about, self.why_not(b.action))
            })
            .chain(DIALOG.iter().map(|b| (b.keys.join(" "), b.about, Some("in dialogs".to_owned()))))
            .filter(|(k, about, _)| {
                needle.is_empty() || about.to_lowercase().contains(&needle) || k.contains(&needle)
            })
            .collect()
    }

    /// What leaving would interrupt.
    pub fn leaving(&self) -> String {
        if self.run_going().is_some() {
            return self.left_behind();
        }
        if self.exporting {
            "An export is running: it would be abandoned, and leave no file.".into()
        } else {
            "Nothing is running that would change anything.".into()
        }
    }

    /// Targets to switch to, the typed text applied.
    pub fn target_choices(&self) -> Vec<String> {
        self.target_choices_for(self.overlay.as_ref().map_or("", |o| o.input.value()))
    }

    fn target_choices_for(&self, typed: &str) -> Vec<String> {
        self.targets.iter().filter(|t| t.to_lowercase().contains(&typed.to_lowercase())).cloned().collect()
    }

    /// Palette lines, best match first.
    pub fn palette(&self) -> Vec<PaletteItem> {
        self.palette_for(self.overlay.as_ref().map_or("", |o| o.input.value()))
    }

    fn palette_for(&self, typed: &str) -> Vec<PaletteItem> {
        let all = self.palette_items();
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

    fn palette_items(&self) -> Vec<PaletteItem> {
        let panes = pane::ALL.iter().enumerate().map(|(i, p)| PaletteItem {
            name: p.title().to_lowercase(),
            about: format!("pane {}", p.title()),
            key: (i + 1).to_string(),
            leads: Leads::Pane(i),
        });
        let checks = self.watches.iter().map(|w| PaletteItem {
            name: w.id.to_string(),
            about: w.report.as_ref().map_or("not looked at yet".into(), |r| r.summary.clone()),
            key: String::new(),
            leads: Leads::Check(w.id.clone()),
        });
        let targets = self.targets.iter().map(|t| PaletteItem {
            name: format!("target {t}"),
            about: "switch to this target".into(),
            key: String::new(),
            leads: Leads::Target(t.clone()),
        });
        let movement = |a: Action| a == Action::Pane || a == Action::Palette;
        let offers = self.session.iter().flat_map(|s| &s.operations).map(|o| PaletteItem {
            name: format!("{} {}", o.verb, o.name),
            about: match &o.disabled {
                Some(why) => format!("{} (not now: {why})", o.about),
                None => o.about.clone(),
            },
            key: "plan".into(),
            leads: Leads::Offer(Box::new(o.clone())),
        });
        let actions = keymap::here(self.scene()).filter(|b| !movement(b.action)).map(|b| PaletteItem {
            name: words(b.action),
            about: match self.why_not(b.action) {
                Some(why) => format!("{} (not now: {why})", b.about),
                None => b.about.into(),
            },
            key: b.keys.first().map_or(String::new(), |k| (*k).to_owned()),
            leads: Leads::Action(b.action),
        });
        panes.chain(actions).chain(targets).chain(offers).chain(checks).collect()
    }

    fn export(&mut self, format: Format) -> Option<Effect> {
        let stamp = self.now.format("%Y%m%dT%H%M%SZ");
        let list = self.list();
        let marked = !self.level().state.marks.is_empty();
        let planned = self.plan_here().and_then(|v| Some((v.plan()?, v.columns())));
        let (name, rows) = match &self.level().view {
            View::Plan(_) => {
                let (plan, columns) = planned?;
                let name = format!("plan-{}-{}", plan.operation, plan.name);
                (name, ExportRows::Planned { plan: plan.id.clone(), columns })
            }
            View::Rows(rows) if !marked => {
                let request = rows.request(crate::engine::check::paging::At::First, false)?;
                (format!("{}-{}", rows.id.kind, rows.id.name), ExportRows::Paged(Box::new(request)))
            }
            view => {
                let name = match view {
                    View::Rows(r) => format!("{}-{}", r.id.kind, r.id.name),
                    View::Twin(id) | View::Partitions(id) => format!("{}-{}", id.kind, id.name),
                    _ => pane::ALL.get(self.pane).map_or("midwatch", |p| p.title()).to_lowercase(),
                };
                // The columns' own names, as an export of all rows has them.
                let columns = match view {
                    View::Rows(r) => r.columns.iter().map(|c| c.name.clone()).collect(),
                    _ => list.cols.iter().map(|c| c.title.clone()).collect(),
                };
                let rows = if marked {
                    self.chosen()
                } else {
                    list.rows.iter().map(crate::tui::list::Row::values).collect()
                };
                (name, ExportRows::Given { columns, rows })
            }
        };
        self.exporting = true;
        self.say("exporting…");
        let safe: String =
            name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        Some(Effect::Export(Box::new(Export { name: format!("midwatch-{safe}-{stamp}"), format, rows })))
    }
}
