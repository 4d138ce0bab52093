//! What is on the screen, by the state: which list, which keys mean something, what can be chosen, why a key is disabled.
//! Update and view both ask here, so that they agree; panes and documents do not.

mod choices;
mod list;
mod why_not;

pub use choices::choices;
pub use list::{check_here, chosen, list_of, plan_row_here, record_here, scene_of, statements, text_lines};
pub use why_not::{mending, why_not, why_not_in};
