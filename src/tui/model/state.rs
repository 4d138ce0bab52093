//! The console's whole state, as panes, documents and views get it.

use crate::engine::model::report::CheckId;
use crate::engine::model::vitals::Vitals;
use crate::log::LogLine;
use crate::profile::InputMode;
use crate::tui::data::Session;
use crate::tui::failure::Failure;
use crate::tui::model::journal::JournalModel;
use crate::tui::model::notice::Notice;
use crate::tui::model::overlay::Overlay;
use crate::tui::model::plan::PlanView;
use crate::tui::model::run::OurRun;
use crate::tui::model::switchover::RoomState;
use crate::tui::model::view::{Level, Place};
use crate::tui::model::watch::Watch;
use crate::tui::msg::Slot;
use crate::tui::theme::Theme;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The connection to the target.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Link {
    /// Being opened, since the first tick after the start or a switch.
    #[default]
    Opening,
    /// Open.
    Up,
    /// Lost or refused.
    Down {
        /// Since when.
        since: DateTime<Utc>,
        /// Why the connection failed.
        failure: Failure,
        /// Tried so often.
        attempts: u32,
        /// Tried again then.
        retry_at: DateTime<Utc>,
    },
}

/// The state: plain data. `App` changes it, `query` and `screen` read it.
#[derive(Debug, Clone)]
pub struct Model {
    /// The time.
    pub now: DateTime<Utc>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// How things look.
    pub theme: Theme,
    /// How the keys of this terminal arrive.
    pub input_mode: InputMode,
    /// The connection.
    pub link: Link,
    /// The open target.
    pub session: Option<Session>,
    /// The target that is wanted, where it is not the one of the start: also while it cannot be opened.
    pub wanted: Option<String>,
    /// Targets that can be switched to.
    pub targets: Vec<String>,
    /// What is known, in order.
    pub watches: Vec<Watch>,
    /// The server's state and when it was seen.
    pub vitals: Option<(Vitals, DateTime<Utc>)>,
    /// The server is being looked at.
    pub(in crate::tui) vitals_running: bool,
    /// The pane shown.
    pub pane: usize,
    /// Per pane the way down.
    pub stacks: Vec<Vec<Level>>,
    /// On top of everything.
    pub overlay: Option<Overlay>,
    /// What is typed after `/`, while it is typed.
    pub filter_input: Option<tui_input::Input>,
    /// The last filter, for `n` and `N`.
    pub last_filter: String,
    /// The last event, its tone by whether it is a failure.
    pub notice: Option<Notice>,
    /// Not looking by itself.
    pub paused: bool,
    /// The log's latest lines.
    pub log: Vec<LogLine>,
    /// First key of a sequence.
    pub pending: Option<char>,
    /// Findings as first seen, to tell what is new.
    pub baseline: HashMap<String, (u64, DateTime<Utc>)>,
    /// Checks that have been run once: what comes later is new.
    pub(in crate::tui) seen: BTreeSet<CheckId>,
    pub(in crate::tui) history: Vec<Place>,
    pub(in crate::tui) future: Vec<Place>,
    pub(in crate::tui) next_slot: Slot,
    pub(in crate::tui) cancelled_at: Option<DateTime<Utc>>,
    pub(in crate::tui) exporting: bool,
    /// Plans on the screen; one that no pane shows any more is forgotten.
    pub plans: BTreeMap<Slot, PlanView>,
    /// The run that this console has begun, going on or over.
    pub run: Option<OurRun>,
    /// What is known of the journal.
    pub journal: JournalModel,
    /// What is known of the switchover room that was looked at last.
    pub room: RoomState,
}

impl Model {
    /// Of a console that has not connected yet.
    pub fn new(now: DateTime<Utc>, size: (u16, u16), theme: Theme, panes: usize) -> Self {
        let stacks = vec![vec![Level::pane()]; panes];
        Self {
            now,
            size,
            theme,
            input_mode: InputMode::default(),
            link: Link::Opening,
            session: None,
            wanted: None,
            targets: Vec::new(),
            watches: Vec::new(),
            vitals: None,
            vitals_running: false,
            pane: 0,
            stacks,
            overlay: None,
            filter_input: None,
            last_filter: String::new(),
            notice: None,
            paused: false,
            log: Vec::new(),
            pending: None,
            baseline: HashMap::new(),
            seen: BTreeSet::new(),
            history: Vec::new(),
            future: Vec::new(),
            next_slot: 1,
            cancelled_at: None,
            exporting: false,
            plans: BTreeMap::new(),
            run: None,
            journal: JournalModel::default(),
            room: RoomState::default(),
        }
    }
}
