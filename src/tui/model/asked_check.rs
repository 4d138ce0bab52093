//! A comparison that was asked for, and one that was cut off.

use crate::engine::check::kind::CheckProgress;
use crate::engine::model::param::Params;
use crate::features::parity::options::AskedComparison;
use chrono::{DateTime, Utc};

/// What is known of the looks of a check, besides their reports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AskedCheck {
    /// Asked for at the keys, and not begun yet.
    pub asked: Option<Params>,
    /// How the one under way looks, or the last one did.
    pub how: Params,
    /// How far the one under way is.
    pub news: Option<CheckProgress>,
    /// Rows a second that it reads.
    pub rate: Option<u64>,
    /// One that was cut off, and can be gone on with.
    pub cut: Option<InterruptedCheck>,
    /// When planted differences were last looked for.
    pub tested: Option<DateTime<Utc>>,
}

/// A comparison that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterruptedCheck {
    /// When; `None`: before this console was started.
    pub at: Option<DateTime<Utc>>,
    /// Pieces read, and pieces in all, where that is known.
    pub done: Option<(u64, u64)>,
    /// Somebody wanted it to end: a look by itself would begin anew and lose what is kept, so there is none.
    pub held: bool,
}

/// What a way of looking is called.
pub fn look_word(how: &Params) -> &'static str {
    match AskedComparison::from_params(how) {
        Some(AskedComparison::SelfTest) => "self-test",
        Some(AskedComparison::Resumed) => "resumed comparison",
        Some(AskedComparison::Full) => "full comparison",
        None => "comparison",
    }
}
