//! Configuration and profiles: files become validated data, or an error with `file:line` and a hint.

mod config;
mod detect;
mod files;
mod load;
mod parse;
mod validate;
mod write;

pub use crate::engine::model::secret::Secret;
pub use config::{Config, ConsoleConfig, InputMode, Selected, TargetConfig, WindowConfig};
pub use detect::{detect, generic};
pub use files::Disk;
pub use load::Library;

/// The commented example that `midwatch config example` prints.
pub const EXAMPLE: &str = include_str!("../../assets/midwatch.example.toml");

/// The commented profile that `midwatch config example profile` prints.
pub const EXAMPLE_PROFILE: &str = include_str!("../../assets/profile.example.toml");
