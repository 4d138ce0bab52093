//! The one table of keys: dispatch, footer, help and palette all read it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAction {
    /// Open what is under the cursor.
    Open,
    /// One level up.
    Escape,
    /// Close this view; at the top ask to leave.
    Close,
    /// Cursor.
    Down,
    /// Cursor.
    Up,
    /// Cursor.
    Top,
    /// Cursor.
    Bottom,
    /// Cursor.
    HalfDown,
    /// Cursor.
    HalfUp,
    /// Cursor.
    PageDown,
    /// Cursor.
    PageUp,
    /// Columns.
    Left,
    /// Columns.
    Right,
    /// Panes.
    NextPane,
    /// Panes.
    PrevPane,
    /// Panes, by number.
    Pane,
    /// View history.
    Back,
    /// View history.
    Forward,
    /// Filter.
    Filter,
    /// Next match of the filter.
    Next,
    /// Previous match of the filter.
    Previous,
    /// Sort by the first column shown, then the other way, then not.
    Sort,
    /// Mark the row.
    Mark,
    /// Mark a range.
    Range,
    /// Mark all that match.
    MarkAll,
    /// Plan the action of the row.
    DryRun,
    /// What could be done.
    Actions,
    /// Open the inverse plan of a run.
    Undo,
    /// Open the line in which a plan's phrase is typed.
    Confirm,
    /// Make the plan anew.
    Replan,
    /// Pause the run, or let it go on.
    Hold,
    /// The switchover room.
    Room,
    /// Compare a twin, sealed partitions as well.
    Full,
    /// Go on with a comparison that was cut off.
    GoOn,
    /// Plant differences in a copy and look for them.
    SelfTest,
    /// End a session that is in the way.
    EndBlocker,
    /// The entries of a switch.
    Entries,
    /// One twin or all of them.
    Whole,
    /// Note.
    Note,
    /// Copy.
    Copy,
    /// Export.
    Export,
    /// The statement behind this view.
    Sql,
    /// Look again.
    Refresh,
    /// Look again at everything.
    RefreshAll,
    /// Stop looking by itself.
    Pause,
    /// Locks.
    Locks,
    /// Log.
    Log,
    /// Other targets.
    Target,
    /// Palette.
    Palette,
    /// Help.
    Help,
    /// Cancel what runs; then ask to leave.
    Cancel,
}

/// Where a key means something of its own; everywhere else it means what it means anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// Anywhere.
    Any,
    /// On a plan.
    Plan,
    /// On a run.
    Run,
    /// In the list of runs.
    Runs,
    /// Among twins.
    Twin,
    /// In the switchover room, a run of it or none.
    Room,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// The scene in which the key has this meaning.
    pub scene: Scene,
    /// What it does.
    pub action: KeyAction,
    /// Names of keys, the first one shown.
    pub keys: &'static [&'static str],
    /// One word for the footer; empty: not in the footer.
    pub short: &'static str,
    /// One line for help and palette.
    pub about: &'static str,
}

const fn bind(
    action: KeyAction,
    keys: &'static [&'static str],
    short: &'static str,
    about: &'static str,
) -> Binding {
    Binding { scene: Scene::Any, action, keys, short, about }
}

const fn on(
    scene: Scene,
    action: KeyAction,
    keys: &'static [&'static str],
    short: &'static str,
    about: &'static str,
) -> Binding {
    Binding { scene, action, keys, short, about }
}

/// Every key.
pub const KEYMAP: &[Binding] = &[
    on(
        Scene::Plan,
        KeyAction::Confirm,
        &["c"],
        "confirm",
        "open the line for the phrase; typing it is what applies the plan",
    ),
    on(
        Scene::Plan,
        KeyAction::Replan,
        &["r"],
        "plan again",
        "make this plan anew: rows may have moved, or it has expired",
    ),
    on(
        Scene::Plan,
        KeyAction::Sql,
        &["x"],
        "statements",
        "the statements of this plan, as they will be sent",
    ),
    on(
        Scene::Plan,
        KeyAction::Export,
        &["e"],
        "export",
        "export all rows of this plan: CSV, JSON or Markdown",
    ),
    on(Scene::Run, KeyAction::Hold, &["p"], "pause", "hold the run after its batch, or let it go on"),
    on(
        Scene::Run,
        KeyAction::Cancel,
        &["ctrl-c"],
        "stop",
        "ask to stop after the batch; says what that leaves",
    ),
    on(Scene::Run, KeyAction::Undo, &["z"], "undo", "plan the way back of this run"),
    on(
        Scene::Run,
        KeyAction::Replan,
        &["r"],
        "again",
        "read it again; where it was refused or stale, plan again",
    ),
    on(Scene::Run, KeyAction::Sql, &["x"], "statements", "the statements of this run's plan"),
    on(
        Scene::Twin,
        KeyAction::Open,
        &["enter"],
        "look",
        "open what is under the cursor; never changes anything",
    ),
    on(
        Scene::Twin,
        KeyAction::Room,
        &["s"],
        "switch",
        "the switchover room: ready or not, who is in the way, what a rollback would lose",
    ),
    on(
        Scene::Twin,
        KeyAction::Full,
        &["f"],
        "full",
        "compare it in full: sealed partitions are read again as well",
    ),
    on(Scene::Twin, KeyAction::GoOn, &["c"], "go on", "go on with a comparison of it that was cut off"),
    on(
        Scene::Twin,
        KeyAction::SelfTest,
        &["T"],
        "self-test",
        "plant differences in a private copy of it: what is not found makes its verdicts untrusted",
    ),
    on(
        Scene::Twin,
        KeyAction::Sort,
        &["S"],
        "",
        "sort by the first column shown; again: the other way; again: not",
    ),
    on(
        Scene::Room,
        KeyAction::DryRun,
        &["d"],
        "plan",
        "plan the switchover, or its way back once it is switched",
    ),
    on(
        Scene::Room,
        KeyAction::Hold,
        &["p"],
        "postpone",
        "try nothing until it is let go on, or let it go on",
    ),
    on(
        Scene::Room,
        KeyAction::Cancel,
        &["x", "ctrl-c"],
        "abort",
        "ask to stop the switch; says what that leaves at this stage",
    ),
    on(
        Scene::Room,
        KeyAction::EndBlocker,
        &["c"],
        "unblock",
        "end the session under the cursor, by a phrase that is typed; the journal has it first",
    ),
    on(
        Scene::Room,
        KeyAction::Undo,
        &["z"],
        "rollback",
        "plan the way back, with all that was written since",
    ),
    on(Scene::Room, KeyAction::Entries, &["l"], "log", "the entries of the run, or the room again"),
    on(
        Scene::Room,
        KeyAction::Replan,
        &["r"],
        "",
        "look again; where a run was refused or stale, plan again",
    ),
    on(Scene::Room, KeyAction::Whole, &["w"], "", "only the twin it was opened from, or all of them"),
    on(Scene::Room, KeyAction::Sql, &["S"], "", "the statements of this run's plan"),
    on(Scene::Runs, KeyAction::Undo, &["z"], "undo", "plan the way back of the run under the cursor"),
    bind(KeyAction::Open, &["enter"], "look", "open what is under the cursor; never changes anything"),
    bind(KeyAction::DryRun, &["d"], "dry-run", "plan the action under the cursor and show its diff"),
    bind(KeyAction::Actions, &["a"], "actions", "everything that could be done here, and why not"),
    bind(KeyAction::Filter, &["/"], "filter", "keep rows that hold a text; /! those that do not"),
    bind(KeyAction::Palette, &[":"], "command", "go anywhere, do anything, by name"),
    bind(KeyAction::Target, &["t"], "target", "switch to another target"),
    bind(KeyAction::Help, &["?"], "help", "keys of this view"),
    bind(KeyAction::Escape, &["esc"], "", "one level up; clears filter and marks first"),
    bind(KeyAction::Close, &["q"], "", "close this view; at the top, ask to leave"),
    bind(KeyAction::Down, &["j", "down"], "", "next row"),
    bind(KeyAction::Up, &["k", "up"], "", "previous row"),
    bind(KeyAction::Top, &["gg", "home"], "", "first row"),
    bind(KeyAction::Bottom, &["G", "end"], "", "last row"),
    bind(KeyAction::HalfDown, &["ctrl-d"], "", "half a screen down"),
    bind(KeyAction::HalfUp, &["ctrl-u"], "", "half a screen up"),
    bind(KeyAction::PageDown, &["pgdn"], "", "a screen down"),
    bind(KeyAction::PageUp, &["pgup"], "", "a screen up"),
    bind(KeyAction::Left, &["h", "left"], "", "columns to the left"),
    bind(KeyAction::Right, &["l", "right"], "", "columns to the right"),
    bind(KeyAction::NextPane, &["tab"], "", "next pane"),
    bind(KeyAction::PrevPane, &["backtab"], "", "previous pane"),
    bind(KeyAction::Pane, &["1", "2", "3", "4", "5", "6", "7", "8", "9"], "", "pane by its number"),
    bind(KeyAction::Back, &["["], "", "back to the view before"),
    bind(KeyAction::Forward, &["]"], "", "forward again"),
    bind(KeyAction::Next, &["n"], "", "next row that matches the last filter"),
    bind(KeyAction::Previous, &["N"], "", "previous row that matches the last filter"),
    bind(KeyAction::Sort, &["s"], "", "sort by the first column shown; again: the other way; again: not"),
    bind(KeyAction::Mark, &["space"], "", "mark the row"),
    bind(KeyAction::Range, &["v"], "", "begin a range; again: mark it"),
    bind(KeyAction::MarkAll, &["*"], "", "mark all rows that match"),
    bind(KeyAction::Copy, &["y"], "", "copy the marked rows, or this one, to the clipboard"),
    bind(KeyAction::Export, &["e"], "", "export to a file: CSV, JSON or Markdown"),
    bind(KeyAction::Sql, &["x"], "", "the SQL behind this view"),
    bind(KeyAction::Refresh, &["r"], "", "look again at this"),
    bind(KeyAction::RefreshAll, &["R"], "", "look again at everything"),
    bind(KeyAction::Pause, &["p"], "", "stop looking by itself, or go on"),
    bind(KeyAction::Locks, &["L"], "", "sessions and who blocks whom"),
    bind(KeyAction::Log, &["o"], "", "the console's own log"),
    bind(KeyAction::Undo, &["z"], "", "open the inverse plan of a run"),
    bind(KeyAction::Note, &["m"], "", "write a note into the journal of our run"),
    bind(KeyAction::Cancel, &["ctrl-c"], "", "cancel what is running on the server; again: ask to leave"),
];

/// What a key asks for in a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialogAction {
    /// Closes the dialog.
    Close,
    /// Take the chosen line.
    Choose,
    /// Lines down; far beyond the end is the end.
    Down(isize),
    /// Copy what it shows; in the question whether to leave: leave.
    Yes,
    /// Close; in the question whether to leave: leave.
    Quit,
}

/// A line of the dialogs' table.
#[derive(Debug, Clone, Copy)]
pub struct DialogBinding {
    /// What it does.
    pub action: DialogAction,
    /// Names of keys.
    pub keys: &'static [&'static str],
    /// Also where text is typed: then letters are text.
    pub typing: bool,
    /// One line for help.
    pub about: &'static str,
}

const fn dialog_key(
    action: DialogAction,
    keys: &'static [&'static str],
    typing: bool,
    about: &'static str,
) -> DialogBinding {
    DialogBinding { action, keys, typing, about }
}

/// Every key of dialogs.
pub const DIALOG: &[DialogBinding] = &[
    dialog_key(DialogAction::Close, &["esc"], true, "close the dialog"),
    dialog_key(DialogAction::Choose, &["enter"], true, "take the chosen line, or what was typed"),
    dialog_key(DialogAction::Down(1), &["down", "ctrl-n"], true, "next line"),
    dialog_key(DialogAction::Down(-1), &["up", "ctrl-p"], true, "previous line"),
    dialog_key(DialogAction::Down(10), &["pgdn", "ctrl-d"], true, "ten lines down"),
    dialog_key(DialogAction::Down(-10), &["pgup"], true, "ten lines up"),
    dialog_key(DialogAction::Down(1), &["j"], false, "next line, where nothing is typed"),
    dialog_key(DialogAction::Down(-1), &["k"], false, "previous line, where nothing is typed"),
    dialog_key(DialogAction::Down(-10), &["ctrl-u"], false, "ten lines up, where nothing is typed"),
    dialog_key(DialogAction::Down(isize::MIN), &["g", "home"], false, "first line"),
    dialog_key(DialogAction::Down(isize::MAX), &["G", "end"], false, "last line"),
    dialog_key(DialogAction::Yes, &["y"], false, "copy the statements shown; leave, where that is asked"),
    dialog_key(DialogAction::Quit, &["q"], false, "close; leave, where that is asked"),
];

/// What a key asks for in a dialog, where text is typed or not.
pub fn dialog(name: &str, typing: bool) -> Option<DialogAction> {
    DIALOG.iter().find(|b| (b.typing || !typing) && b.keys.contains(&name)).map(|b| b.action)
}

/// The table's line of an action, as it is called here.
pub fn binding(scene: Scene, action: KeyAction) -> Option<&'static Binding> {
    bindings_in(scene).find(|b| b.action == action)
}

/// The lines that hold in a scene, its own first; a key has its own meaning only.
pub fn bindings_in(scene: Scene) -> impl Iterator<Item = &'static Binding> {
    let own = move |b: &&Binding| scene != Scene::Any && b.scene == scene;
    let taken =
        move |b: &Binding| KEYMAP.iter().filter(own).any(|o| o.keys.iter().any(|k| b.keys.contains(k)));
    KEYMAP.iter().filter(own).chain(KEYMAP.iter().filter(move |b| b.scene == Scene::Any && !taken(b)))
}

/// A key as the table names it.
pub fn name(key: KeyEvent) -> String {
    let base = match key.code {
        KeyCode::Char(' ') => "space".to_owned(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "enter".into(),
        KeyCode::Esc => "esc".into(),
        KeyCode::Up => "up".into(),
        KeyCode::Down => "down".into(),
        KeyCode::Left => "left".into(),
        KeyCode::Right => "right".into(),
        KeyCode::Home => "home".into(),
        KeyCode::End => "end".into(),
        KeyCode::PageUp => "pgup".into(),
        KeyCode::PageDown => "pgdn".into(),
        KeyCode::Tab => "tab".into(),
        KeyCode::BackTab => "backtab".into(),
        _ => return String::new(),
    };
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        format!("ctrl-{}", base.to_lowercase())
    } else if key.modifiers.contains(KeyModifiers::ALT) {
        format!("alt-{base}")
    } else {
        base
    }
}

/// What a key asks for, after a pending first key of a sequence.
pub fn lookup(scene: Scene, pending: Option<char>, name: &str) -> KeyLookup {
    let full = match pending {
        Some(first) => format!("{first}{name}"),
        None => name.to_owned(),
    };
    if let Some(b) = bindings_in(scene).find(|b| b.keys.contains(&full.as_str())) {
        return KeyLookup::Action(b.action);
    }
    let begins = |k: &&str| k.len() > full.len() && k.starts_with(&full) && k.chars().all(|c| c == 'g');
    match full.chars().next() {
        Some(first) if KEYMAP.iter().any(|b| b.keys.iter().any(&begins)) => KeyLookup::Pending(first),
        _ => KeyLookup::Nothing,
    }
}

/// The meaning of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyLookup {
    /// It asks for this.
    Action(KeyAction),
    /// It begins a sequence.
    Pending(char),
    /// It means nothing.
    Nothing,
}

/// How a key is shown.
pub fn key_label(key: &str, enter: &'static str) -> String {
    match key {
        "enter" => enter.to_owned(),
        "esc" => "Esc".into(),
        "space" => "Space".into(),
        "tab" => "Tab".into(),
        "backtab" => "S-Tab".into(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_means_one_thing() {
        for scene in [Scene::Any, Scene::Plan, Scene::Run, Scene::Runs, Scene::Twin, Scene::Room] {
            let mut keys: Vec<&str> = bindings_in(scene).flat_map(|b| b.keys).copied().collect();
            let all = keys.len();
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), all);
        }
    }

    #[test]
    fn sequences() {
        let any = |pending, name| lookup(Scene::Any, pending, name);
        assert_eq!(any(None, "g"), KeyLookup::Pending('g'));
        assert_eq!(any(Some('g'), "g"), KeyLookup::Action(KeyAction::Top));
        assert_eq!(any(Some('g'), "x"), KeyLookup::Nothing);
        assert_eq!(any(None, "ctrl-d"), KeyLookup::Action(KeyAction::HalfDown));
        assert_eq!(any(None, ";"), KeyLookup::Nothing);
    }

    #[test]
    fn a_scene_has_its_own_keys_first() {
        assert_eq!(lookup(Scene::Plan, None, "c"), KeyLookup::Action(KeyAction::Confirm));
        assert_eq!(lookup(Scene::Any, None, "c"), KeyLookup::Nothing);
        assert_eq!(lookup(Scene::Run, None, "p"), KeyLookup::Action(KeyAction::Hold));
        assert_eq!(lookup(Scene::Plan, None, "p"), KeyLookup::Action(KeyAction::Pause));
    }

    #[test]
    fn names_of_keys() {
        let key = |code, m| name(KeyEvent::new(code, m));
        assert_eq!(key(KeyCode::Char('G'), KeyModifiers::SHIFT), "G");
        assert_eq!(key(KeyCode::Char('C'), KeyModifiers::CONTROL), "ctrl-c");
        assert_eq!(key(KeyCode::Char(' '), KeyModifiers::NONE), "space");
    }
}
