//! The time of the operator's machine, as a port.

use chrono::{DateTime, Utc};

/// Gives the time.
pub type Clock = fn() -> DateTime<Utc>;
