//! Sessions and prepared transactions whose locks stand in the way, and the typed confirmation that ends one.

use crate::engine::model::phrase::differs;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Who ends a prepared transaction.
pub(crate) const BY_NAME: &str = "its transaction manager, COMMIT PREPARED or ROLLBACK PREPARED end it";

/// A session, or a prepared transaction, that holds a table back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocker {
    /// Its process; 0: none, a prepared transaction.
    pub pid: i64,
    /// Its role.
    pub role: String,
    /// Its application; of a prepared transaction its name.
    pub application: String,
    /// `active`, `idle in transaction`, …; empty: not shown to us.
    pub state: String,
    /// Milliseconds since its transaction began.
    pub age_ms: i64,
    /// Milliseconds since its statement began, or ended.
    pub statement_ms: i64,
    /// What it runs, or ran last.
    pub query: String,
    /// The table that it holds.
    pub table: String,
    /// It has written something: to end it would lose that.
    pub wrote: bool,
    /// When its session began, by the server's clock: a process's number alone may be somebody else's by now.
    #[serde(default)]
    pub since: String,
    /// When its last statement began.
    #[serde(default)]
    pub query_at: Option<String>,
    /// The name of a prepared transaction as the server's statements write it; not kept.
    #[serde(default, skip_serializing)]
    pub quoted: Option<String>,
}

/// A session that somebody wants ended, and has said so by its phrase.
#[derive(Debug, PartialEq, Eq)]
pub struct EndSession {
    blocker: Blocker,
}

impl EndSession {
    /// The session or prepared transaction that is meant.
    pub fn blocker(&self) -> &Blocker {
        &self.blocker
    }
}

impl Blocker {
    /// Does a statement of its run right now?
    pub fn is_active(&self) -> bool {
        self.state == "active"
    }

    /// What must be typed to end it: another session has another phrase, also under the same number.
    pub fn phrase(&self) -> String {
        let text = format!("{}\n{}\n{}", self.pid, self.role, self.since);
        let digest = hex::encode(Sha256::digest(text.as_bytes()));
        format!("end {} {} {digest:.4}", self.pid, self.role)
    }

    /// The right words, or how they differ.
    pub fn confirm(self, typed: &str) -> std::result::Result<EndSession, String> {
        if self.is_prepared() {
            return Err(format!("a prepared transaction is no session: {BY_NAME}"));
        }
        let phrase = self.phrase();
        if typed == phrase { Ok(EndSession { blocker: self }) } else { Err(differs(&phrase, typed)) }
    }

    /// A prepared transaction waits for whoever ends it by name, across restarts.
    pub fn is_prepared(&self) -> bool {
        self.pid == 0
    }

    /// What ending it would cost.
    pub fn loses(&self) -> &'static str {
        if self.wrote { "what it has written" } else { "nothing (read only)" }
    }

    /// In a line.
    pub fn text(&self) -> String {
        let seconds = self.age_ms / 1_000;
        let tenths = self.age_ms % 1_000 / 100;
        if self.is_prepared() {
            return format!(
                "prepared transaction {} of {} for {seconds}.{tenths} s, holds {}: {}",
                self.quoted.as_ref().unwrap_or(&self.application),
                self.role,
                self.table,
                BY_NAME
            );
        }
        let mut query = self.query.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some((at, _)) = query.char_indices().nth(60) {
            query.truncate(at);
            query.push('…');
        }
        let loses =
            if self.wrote { "would lose what it has written" } else { "would lose nothing (read only)" };
        format!(
            "pid {} {} {} for {}.{} s, holds {}, {loses}: {query}",
            self.pid,
            self.role,
            if self.state.is_empty() { "(state not shown)" } else { &self.state },
            seconds,
            tenths,
            self.table
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_session_under_the_same_number_has_another_phrase() {
        let of = |since: &str| Blocker {
            pid: 4711,
            role: "report_ro".into(),
            since: since.into(),
            ..Blocker::default()
        };
        let (one, other) = (of("2026-11-21 01:40:00.1+00"), of("2026-11-21 01:46:00.2+00"));
        assert!(one.phrase().starts_with("end 4711 report_ro "), "{}", one.phrase());
        assert_ne!(one.phrase(), other.phrase());
        assert_eq!(one.clone().confirm(&one.phrase()).unwrap().blocker(), &one);
        for typed in ["", "y", "end 4711", &other.phrase(), &one.phrase().to_uppercase()] {
            assert!(one.clone().confirm(typed).is_err(), "{typed}");
        }
    }
}
