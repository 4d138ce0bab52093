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
use crate::features::migrations::texts;

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
        let limits = texts::cannot_tell(self.folder.history);
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
            self.find(MigrationFinding::Failed, Severity::Critical, texts::FAILED, file.name.clone());
            return (FileState::Failed, Some(texts::NOTE_FAILED.into()));
        }
        if *presence == Presence::Nothing {
            self.find(
                MigrationFinding::RecordedButAbsent,
                Severity::Critical,
                texts::RECORDED_BUT_ABSENT,
                file.name.clone(),
            );
        } else if let Presence::Some(absent) = presence {
            let what = texts::file_lacks(&file.name, absent);
            self.find(MigrationFinding::RecordedButAbsent, Severity::Critical, texts::RECORDED_IN_PART, what);
        }
        match &entry.checksum {
            None => (FileState::Applied, None),
            Some(recorded) if file.is(recorded) => (FileState::Applied, None),
            Some(recorded) => {
                if file.cosmetically_is(recorded)
                    || entry.normalised.as_deref() == file.normalised().as_deref()
                        && entry.normalised.is_some()
                {
                    self.find(MigrationFinding::Cosmetic, Severity::Info, texts::COSMETIC, file.name.clone());
                    return (FileState::Cosmetic, Some(texts::NOTE_COSMETIC.into()));
                }
                self.find(MigrationFinding::Edited, Severity::Warning, texts::EDITED, file.name.clone());
                (FileState::Edited, Some(texts::NOTE_EDITED.into()))
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
            self.find(
                MigrationFinding::PresentButUnrecorded,
                Severity::Warning,
                texts::UNRECORDED,
                file.name.clone(),
            );
            self.find(MigrationFinding::Pending, Severity::Warning, texts::PENDING, file.name.clone());
            return (FileState::Pending, Some(texts::NOTE_UNRECORDED.into()));
        }
        if let Presence::Some(absent) = presence {
            let what = texts::file_lacks(&file.name, absent);
            self.find(MigrationFinding::Partial, Severity::Critical, texts::UNRECORDED_IN_PART, what);
        }
        let skipped = self.order(file).zip(newest).is_some_and(|(own, newest)| own < newest);
        self.find(MigrationFinding::Pending, Severity::Warning, texts::PENDING, file.name.clone());
        if skipped {
            let text = texts::out_of_order(self.folder.history);
            self.find(MigrationFinding::OutOfOrder, Severity::Warning, text, file.name.clone());
            return (FileState::Pending, Some(texts::NOTE_OUT_OF_ORDER.into()));
        }
        (FileState::Pending, None)
    }

    fn probed(&mut self, file: &Migration, presence: &Presence) -> (FileState, Option<String>) {
        match presence {
            Presence::All => (FileState::Applied, Some(texts::NOTE_PROBED.into())),
            Presence::Nothing => {
                self.find(MigrationFinding::Pending, Severity::Warning, texts::PENDING, file.name.clone());
                (FileState::Pending, Some(texts::NOTE_PROBED.into()))
            }
            Presence::Some(absent) => {
                let what = texts::file_lacks(&file.name, absent);
                self.find(MigrationFinding::Partial, Severity::Critical, texts::IN_PART, what);
                (FileState::Partial, Some(texts::lacks(absent)))
            }
            Presence::Unknown(why) => {
                self.unknown.get_or_insert_with(|| texts::whether_applied(&file.name, why));
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
                    texts::MISSING_FILE,
                    name.clone(),
                );
                let note = Some(texts::NOTE_MISSING_FILE.into());
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
                self.find(MigrationFinding::Failed, Severity::Critical, texts::FAILED, name.clone());
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
                let what = texts::both(&a.name, &b.name);
                self.find(
                    MigrationFinding::DuplicateNumber,
                    Severity::Warning,
                    texts::DUPLICATE_NUMBER,
                    what,
                );
            }
            if y > x + 1 && !a.is_dated() {
                let what = texts::between(&a.name, &b.name);
                self.find(MigrationFinding::Gap, Severity::Warning, texts::GAP, what);
            }
        }
    }

    fn copies(&mut self, files: &[Migration]) {
        for (i, file) in files.iter().enumerate() {
            let same = |f: &&Migration| f.normalised().is_some() && f.normalised() == file.normalised();
            let empty = file.script.as_ref().is_ok_and(|s| s.creates.is_empty() && s.drops.is_empty());
            if let Some(first) = files.iter().take(i).find(same).filter(|_| !empty) {
                let what = texts::copy_of(&file.name, &first.name);
                self.find(MigrationFinding::DuplicateCopy, Severity::Warning, texts::DUPLICATE_COPY, what);
            }
        }
    }

    fn finish(mut self) -> Judged {
        let mut findings = Vec::new();
        for (kind, (severity, text, files)) in std::mem::take(&mut self.found) {
            self.facts.count(kind, files.len() as u64);
            let message = texts::finding(text, &files);
            let sample =
                files.iter().map(|f| json!({ "file": f }).as_object().cloned().unwrap_or_default()).collect();
            findings.push(Finding {
                id: format!("{}/{}", self.id, kind.word()),
                severity,
                message,
                title: None,
                rows: Some(files.len() as u64),
                sample,
            });
        }
        findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
        Judged { facts: self.facts, findings, unknown: self.unknown }
    }
}
