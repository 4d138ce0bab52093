//! Connection strings as libpq writes them: their syntax, the names in them, and what of them is shown. No connection is made
//! here, and no value is judged: that is the dialect's.

mod keywords;
mod placed;
mod shown;
mod syntax;

pub use keywords::{Fate, KEYWORDS, Keyword, Naming, find, variables};
pub use placed::placed;
pub use shown::{hidden, shown};
pub use syntax::{Pairs, is_pairs, is_url, parse};
