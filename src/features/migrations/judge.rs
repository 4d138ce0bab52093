//! Files, history and catalog together: each file's state, and what is wrong.

use crate::features::migrations::facts::FileState;
use crate::features::migrations::finding_kind::MigrationFinding;
use std::collections::BTreeMap;

use serde_json::json;

use crate::engine::model::profile::{HistoryKind, MigrationFolder};
use crate::engine::model::report::{CheckId, Finding, Severity};
use crate::features::migrations::facts::{File, MigrationFacts};
use crate::features::migrations::files::Migration;
use crate::features::migrations::history::{Entry, History};
use crate::features::migrations::presence::{FilePresence, Presence};

pub(crate) struct Judged {
    pub(crate) facts: MigrationFacts,
    pub(crate) findings: Vec<Finding>,
    pub(crate) unknown: Option<String>,
}

struct Judge<'a> {
    id: &'a CheckId,
    folder: &'a MigrationFolder,
    history: &'a History,
    facts: MigrationFacts,
    /// Kind → severity, text, files.
    found: BTreeMap<MigrationFinding, (Severity, &'static str, Vec<String>)>,
    unknown: Option<String>,
}

pub(crate) fn judge(
    id: &CheckId,
    folder: &MigrationFolder,
    files: &[Migration],
    history: &History,
    presence: &[FilePresence],
) -> Judged {
    let mut judge = Judge {
        id,
        folder,
        history,
        facts: MigrationFacts::default(),
        found: BTreeMap::new(),
        unknown: None,
    };
    judge.limits();
    let newest = files.iter().filter(|f| judge.entry(f).is_some()).filter_map(|f| judge.order(f)).max();
    for (file, presence) in files.iter().zip(presence) {
        judge.file(file, presence, newest);
    }
    judge.recorded_without_file(files);
    judge.numbering(files);
    judge.copies(files);
    judge.finish()
}

impl Judge<'_> {
    fn limits(&mut self) {
        let limits: &[&str] = match self.folder.history {
            HistoryKind::None => &["when a file was applied", "whether a file was edited since"],
            HistoryKind::Versions => &["whether a file was edited since"],
            HistoryKind::Drizzle => &["when a file was applied (its time is the file's own)"],
            HistoryKind::Midwatch | HistoryKind::Sqlx => &[],
        };
        self.facts.cannot_tell = limits.iter().map(|l| (*l).to_owned()).collect();
    }

    fn find(&mut self, kind: MigrationFinding, severity: Severity, text: &'static str, what: String) {
        self.found.entry(kind).or_insert((severity, text, vec![])).2.push(what);
    }

    fn entry(&self, file: &Migration) -> Option<&Entry> {
        self.history.entry(self.folder.history, file)
    }

    /// Where a file stands among the others, by its tool's rule.
    fn order(&self, file: &Migration) -> Option<i64> {
        match self.folder.history {
            HistoryKind::Drizzle => {
                self.history.journal.iter().find(|(t, _)| t == file.stem()).map(|(_, when)| *when)
            }
            _ => file.number.and_then(|n| i64::try_from(n).ok()),
        }
    }

    fn file(&mut self, file: &Migration, found: &FilePresence, newest: Option<i64>) {
        let presence = &found.presence;
        let entry = self.entry(file).cloned();
        let recorded = self.folder.history != HistoryKind::None && self.history.unknown.is_none();
        let (state, note) = match (&entry, recorded) {
            (Some(e), _) => self.recorded(file, e, presence),
            (None, true) => self.unrecorded(file, presence, newest),
            (None, false) => self.probed(file, presence),
        };
        match state {
            FileState::Applied | FileState::Edited | FileState::Cosmetic => self.facts.applied += 1,
            FileState::Pending => self.facts.pending += 1,
            _ => {}
        }
        // A reason why nothing can be told says so already.
        let new = |since: &&String| !note.as_ref().is_some_and(|n| n.contains(since.as_str()));
        let since: Vec<String> = found.since.iter().filter(new).cloned().collect();
        let notes: Vec<String> = note.into_iter().chain(since).collect();
        let note = (!notes.is_empty()).then(|| notes.join("; "));
        let applied_at = entry.and_then(|e| e.applied_at);
        self.facts.files.push(File { name: file.name.clone(), state, applied_at, note });
    }

    fn recorded(
        &mut self,
        file: &Migration,
        entry: &Entry,
        presence: &Presence,
    ) -> (FileState, Option<String>) {
        if entry.failed && (self.history.up_to.is_none() || file.number == self.history.up_to) {
            self.find(
                MigrationFinding::Failed,
                Severity::Critical,
                "recorded as failed half-way",
                file.name.clone(),
            );
            return (FileState::Failed, Some("its tool recorded a failure".into()));
        }
        if *presence == Presence::Nothing {
            let text = "recorded as applied, but nothing of it is in the database";
            self.find(MigrationFinding::RecordedButAbsent, Severity::Critical, text, file.name.clone());
        } else if let Presence::Some(absent) = presence {
            let what = format!("{} (lacks {})", file.name, shorten(absent));
            self.find(
                MigrationFinding::RecordedButAbsent,
                Severity::Critical,
                "recorded as applied, but part of it is absent",
                what,
            );
        }
        match &entry.checksum {
            None => (FileState::Applied, None),
            Some(recorded) if file.is(recorded) => (FileState::Applied, None),
            Some(recorded) => {
                if file.cosmetically_is(recorded)
                    || entry.normalised.as_deref() == file.normalised().as_deref()
                        && entry.normalised.is_some()
                {
                    self.find(
                        MigrationFinding::Cosmetic,
                        Severity::Info,
                        "edited in blanks or comments only since it was applied",
                        file.name.clone(),
                    );
                    return (FileState::Cosmetic, Some("blanks, line ends or comments changed".into()));
                }
                self.find(
                    MigrationFinding::Edited,
                    Severity::Warning,
                    "edited since it was applied",
                    file.name.clone(),
                );
                (FileState::Edited, Some("its checksum is not the recorded one".into()))
            }
        }
    }

    fn unrecorded(
        &mut self,
        file: &Migration,
        presence: &Presence,
        newest: Option<i64>,
    ) -> (FileState, Option<String>) {
        if *presence == Presence::All {
            let text = "in the database, but not recorded: applied by hand?";
            self.find(MigrationFinding::PresentButUnrecorded, Severity::Warning, text, file.name.clone());
            self.find(MigrationFinding::Pending, Severity::Warning, "pending", file.name.clone());
            return (FileState::Pending, Some("all it creates is present already".into()));
        }
        if let Presence::Some(absent) = presence {
            let what = format!("{} (lacks {})", file.name, shorten(absent));
            self.find(
                MigrationFinding::Partial,
                Severity::Critical,
                "in part in the database, not recorded",
                what,
            );
        }
        let skipped = self.order(file).zip(newest).is_some_and(|(own, newest)| own < newest);
        self.find(MigrationFinding::Pending, Severity::Warning, "pending", file.name.clone());
        if skipped {
            let text = match self.folder.history {
                HistoryKind::Drizzle => "older than the newest applied: drizzle will skip it without a word",
                _ => "pending, though later ones are applied (out of order)",
            };
            self.find(MigrationFinding::OutOfOrder, Severity::Warning, text, file.name.clone());
            return (FileState::Pending, Some("later ones are applied".into()));
        }
        (FileState::Pending, None)
    }

    fn probed(&mut self, file: &Migration, presence: &Presence) -> (FileState, Option<String>) {
        match presence {
            Presence::All => (FileState::Applied, Some("by the catalog".into())),
            Presence::Nothing => {
                self.find(MigrationFinding::Pending, Severity::Warning, "pending", file.name.clone());
                (FileState::Pending, Some("by the catalog".into()))
            }
            Presence::Some(absent) => {
                let what = format!("{} (lacks {})", file.name, shorten(absent));
                self.find(MigrationFinding::Partial, Severity::Critical, "in part in the database", what);
                (FileState::Partial, Some(format!("lacks {}", shorten(absent))))
            }
            Presence::Unknown(why) => {
                self.unknown.get_or_insert_with(|| format!("whether {} was applied: {why}", file.name));
                (FileState::Unknown, Some(why.clone()))
            }
        }
    }

    fn recorded_without_file(&mut self, files: &[Migration]) {
        if self.history.up_to.is_some() || self.folder.folder.is_none() {
            self.history_only();
            return;
        }
        let matched: Vec<Entry> = files.iter().filter_map(|f| self.entry(f).cloned()).collect();
        for entry in &self.history.entries {
            if !matched.contains(entry) {
                let name = self.name_of(entry);
                self.find(
                    MigrationFinding::MissingFile,
                    Severity::Warning,
                    "recorded as applied, but its file is gone",
                    name.clone(),
                );
                let note = Some("recorded, no such file".into());
                self.facts.files.push(File {
                    name,
                    state: FileState::Missing,
                    applied_at: entry.applied_at.clone(),
                    note,
                });
            }
        }
    }

    /// No folder is known: the history is shown as it is.
    fn history_only(&mut self) {
        if self.folder.folder.is_some() {
            return;
        }
        for entry in &self.history.entries {
            let name = self.name_of(entry);
            let state = if entry.failed { FileState::Failed } else { FileState::Applied };
            if entry.failed {
                self.find(
                    MigrationFinding::Failed,
                    Severity::Critical,
                    "recorded as failed half-way",
                    name.clone(),
                );
            }
            self.facts.applied += u64::from(!entry.failed);
            self.facts.files.push(File { name, state, applied_at: entry.applied_at.clone(), note: None });
        }
    }

    fn name_of(&self, entry: &Entry) -> String {
        let tag = self.history.journal.iter().find(|(_, when)| when.to_string() == entry.version);
        tag.map_or_else(|| entry.version.clone(), |(tag, _)| format!("{tag}.sql"))
    }

    fn numbering(&mut self, files: &[Migration]) {
        for pair in files.windows(2) {
            let [a, b] = pair else { continue };
            let (Some(x), Some(y)) = (a.number, b.number) else { continue };
            // A day may have several files; a serial number may not.
            if x == y && !(a.is_dated() && a.name.chars().take_while(char::is_ascii_digit).count() == 8) {
                let what = format!("{} and {}", a.name, b.name);
                self.find(
                    MigrationFinding::DuplicateNumber,
                    Severity::Warning,
                    "two files with one number",
                    what,
                );
            }
            if y > x + 1 && !a.is_dated() {
                let what = format!("between {} and {}", a.name, b.name);
                self.find(MigrationFinding::Gap, Severity::Warning, "numbers missing", what);
            }
        }
    }

    fn copies(&mut self, files: &[Migration]) {
        for (i, file) in files.iter().enumerate() {
            let same = |f: &&Migration| f.normalised().is_some() && f.normalised() == file.normalised();
            let empty = file.script.as_ref().is_ok_and(|s| s.creates.is_empty() && s.drops.is_empty());
            if let Some(first) = files.iter().take(i).find(same).filter(|_| !empty) {
                let what = format!("{} of {}", file.name, first.name);
                self.find(MigrationFinding::DuplicateCopy, Severity::Warning, "a copy of another file", what);
            }
        }
    }

    fn finish(mut self) -> Judged {
        let mut findings = Vec::new();
        for (kind, (severity, text, files)) in std::mem::take(&mut self.found) {
            self.facts.count(kind, files.len() as u64);
            let message = match files.as_slice() {
                [one] => format!("{one}: {text}"),
                many => format!("{} files {text}: {}", many.len(), shorten(many)),
            };
            let sample =
                files.iter().map(|f| json!({ "file": f }).as_object().cloned().unwrap_or_default()).collect();
            findings.push(Finding {
                id: format!("{}/{}", self.id, kind.word()),
                severity,
                message,
                rows: Some(files.len() as u64),
                sample,
            });
        }
        findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        Judged { facts: self.facts, findings, unknown: self.unknown }
    }
}

fn shorten(list: &[String]) -> String {
    match list {
        [a, b, c, rest @ ..] if !rest.is_empty() => format!("{a}, {b}, {c} and {} more", rest.len()),
        all => all.join(", "),
    }
}
