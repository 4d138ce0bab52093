//! The state of the console and what can be asked of it. No pane, no drawing, no effects.

pub mod asked_check;
pub mod confirm;
pub mod facts;
pub mod journal;
pub mod notice;
pub mod offers;
pub mod overlay;
pub mod plan;
mod query;
pub mod ready;
pub mod rows;
pub mod run;
pub mod state;
pub mod switchover;
pub mod typed_line;
pub mod view;
pub mod watch;

pub use asked_check::{AskedCheck, InterruptedCheck, look_word};
pub use confirm::Confirm;
pub use facts::ReportFacts;
pub use journal::{JournalModel, RunPace, rows_handled};
pub use notice::{Notice, NoticeSubject};
pub use offers::{ActionLine, ActionTarget, Field, ParameterForm};
pub use overlay::{Kind as OverlayKind, LEAVING, Overlay, PaletteItem, UNFINISHED};
pub use plan::{PlanView, Stage, expired, wait};
pub use ready::{Readiness, RollbackOutlook};
pub use rows::RowsView;
pub use run::{OurRun, RunView, title_of};
pub use state::{Link, Model};
pub use switchover::{RoomState, RoomView, is_swap, swap_of};
pub use typed_line::{Entered, TypedLine};
pub use view::{Level, Place, Surroundings, View};
pub use watch::Watch;
