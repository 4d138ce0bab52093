//! What else a server has to do.

use serde::Deserialize;

/// What else the server has to do.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct ServerLoad {
    /// Replicas attached.
    pub replicas: u32,
    /// Worst replay lag, where the server measures one.
    pub lag_ms: Option<f64>,
    /// Worst distance in the log.
    pub lag_bytes: Option<f64>,
    /// Replicas whose lag our role may not read.
    pub unreadable: u32,
    /// Other sessions at work.
    pub active: u32,
    /// Other sessions that wait for a lock.
    pub lock_waits: u32,
    /// Our role sees the sessions of all others.
    pub sees_all: bool,
    /// `synchronous_standby_names`.
    #[serde(default)]
    pub sync_names: String,
    /// Standbys there that commits wait for.
    #[serde(default)]
    pub sync: u32,
    /// The privilege that shows the lag of every replica.
    #[serde(skip)]
    pub lag_needs: &'static str,
    /// The privilege that shows the sessions of all others.
    #[serde(skip)]
    pub sessions_need: &'static str,
}

impl ServerLoad {
    /// So many standbys a commit waits for.
    pub(in crate::engine) fn needed(&self) -> u32 {
        let names = self.sync_names.trim();
        let upper = names.to_ascii_uppercase();
        let rest = ["FIRST", "ANY"].iter().find_map(|w| upper.strip_prefix(w)).unwrap_or(&upper).trim_start();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        match (names.is_empty(), after.starts_with('('), digits.parse()) {
            (true, ..) => 0,
            (_, true, Ok(n)) => n,
            _ => 1,
        }
    }

    /// Why no commit would end: it would hold its locks until somebody mends that.
    pub fn endless(&self) -> Option<String> {
        let needed = self.needed();
        (self.unreadable == 0 && self.sync < needed).then(|| {
            format!(
                "no commit ends: each waits for {needed} synchronous standby{} (synchronous_standby_names = {}), {} there",
                if needed == 1 { "" } else { "s" },
                self.sync_names,
                self.sync
            )
        })
    }
}
