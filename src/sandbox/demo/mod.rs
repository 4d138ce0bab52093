//! The demo: private servers with copies of the systems, data, planted problems and traffic.

mod system;

pub use system::{ALL, LEAST_ROWS, Manifest, System, load_system};
