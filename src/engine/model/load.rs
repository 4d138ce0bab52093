//! What else a server has to do.

/// What else the server has to do.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// Standbys there that commits wait for.
    pub sync: u32,
    /// Why no commit would end: it would hold its locks until somebody mends that.
    pub endless: Option<String>,
    /// The privilege that shows the lag of every replica.
    pub lag_needs: &'static str,
    /// The privilege that shows the sessions of all others.
    pub sessions_need: &'static str,
}
