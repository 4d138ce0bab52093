//! What the server is doing right now: sessions, who blocks whom, lag, our own load.

use serde::{Deserialize, Serialize};

/// One moment of the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Vitals {
    /// Sessions that wait for another's lock.
    pub blocked: u32,
    /// Age of the oldest open transaction of a client, in seconds.
    pub longest_tx_s: Option<f64>,
    /// Worst replay lag of the standbys attached here, in milliseconds; `None`: no standby.
    pub replica_lag_ms: Option<f64>,
    /// Why the lag could not be read.
    pub lag_unknown: Option<String>,
    /// Share of this moment's active client sessions that are our own statements.
    pub own_sessions: u32,
    /// All client sessions.
    pub sessions: u32,
    /// Client sessions with work or an open transaction, blockers first.
    pub activity: Vec<ServerSession>,
}

/// A client session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerSession {
    /// The number that the server knows it by.
    pub pid: i64,
    /// Role.
    pub role: Option<String>,
    /// `application_name`.
    pub application: Option<String>,
    /// Client address; a socket when absent.
    pub client: Option<String>,
    /// `active`, `idle in transaction`, …; absent when we may not see it.
    pub state: Option<String>,
    /// Between two statements of its transaction.
    #[serde(default)]
    pub idle_in_transaction: bool,
    /// What it waits for.
    pub wait: Option<String>,
    /// Age of its transaction in seconds.
    pub tx_s: Option<f64>,
    /// Age of its statement in seconds.
    pub query_s: Option<f64>,
    /// Its statement, shortened; may hold its users' data, never ours.
    pub query: Option<String>,
    /// Numbers of those that hold what it waits for.
    pub blocked_by: Vec<i64>,
    /// Relations it has locked in strong modes, or waits for.
    pub locks: Option<String>,
}

impl Vitals {
    /// The sessions as a forest: each blocked one under its first blocker, with its depth.
    ///
    /// A deadlock's cycle is entered once, at its lowest pid.
    pub fn tree(&self) -> Vec<(usize, &ServerSession)> {
        let known = |pid: &i64| self.activity.iter().any(|s| s.pid == *pid);
        let parent = |s: &ServerSession| s.blocked_by.iter().copied().find(known);
        let mut out: Vec<(usize, &ServerSession)> = Vec::with_capacity(self.activity.len());
        let mut order: Vec<&ServerSession> = self.activity.iter().filter(|s| parent(s).is_none()).collect();
        let blocks = |s: &ServerSession| self.activity.iter().any(|o| parent(o) == Some(s.pid));
        order.sort_by_key(|s| (!blocks(s), s.pid));
        let mut rest: Vec<&ServerSession> = self.activity.iter().filter(|s| parent(s).is_some()).collect();
        rest.sort_by_key(|s| s.pid);
        for root in order.into_iter().chain(rest) {
            self.descend(root, 0, &parent, &mut out);
        }
        out
    }

    fn descend<'a>(
        &'a self,
        at: &'a ServerSession,
        depth: usize,
        parent: &dyn Fn(&ServerSession) -> Option<i64>,
        out: &mut Vec<(usize, &'a ServerSession)>,
    ) {
        if out.iter().any(|(_, s)| s.pid == at.pid) {
            return;
        }
        out.push((depth, at));
        for child in self.activity.iter().filter(|s| parent(s) == Some(at.pid)) {
            self.descend(child, depth + 1, parent, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(pid: i64, blocked_by: &[i64]) -> ServerSession {
        ServerSession { pid, blocked_by: blocked_by.to_vec(), ..ServerSession::default() }
    }

    #[test]
    fn blockers_stand_over_the_blocked() {
        let v = Vitals {
            activity: vec![session(1, &[]), session(5, &[3]), session(3, &[]), session(7, &[5])],
            ..Vitals::default()
        };
        let tree: Vec<_> = v.tree().into_iter().map(|(d, s)| (d, s.pid)).collect();
        assert_eq!(tree, [(0, 3), (1, 5), (2, 7), (0, 1)]);
    }

    #[test]
    fn a_cycle_is_shown_once() {
        let v = Vitals { activity: vec![session(1, &[2]), session(2, &[1])], ..Vitals::default() };
        assert_eq!(v.tree().len(), 2);
    }
}
