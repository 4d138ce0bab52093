//! Configuration and profiles: files become validated data, or an error with `file:line` and a hint.

mod config;
mod detect;
mod environment;
mod files;
mod find;
mod harm;
mod load;
mod parse;
mod trust;
mod validate;
mod write;

pub use crate::engine::model::secret::Secret;
pub use config::{
    Config, ConsoleConfig, InputMode, NamedBy, ProfileFiles, Selected, TargetConfig, WindowConfig,
};
pub use detect::{detect, generic};
pub use environment::SetValue;
pub use files::Disk;
pub use find::Found;
pub use load::Library;
pub use trust::{TrustList, TrustedFile, UntrustedFile};

/// The commented example that `midwatch config example` prints.
pub const EXAMPLE: &str = include_str!("../../assets/midwatch.example.toml");

/// The commented profile that `midwatch config example profile` prints.
pub const EXAMPLE_PROFILE: &str = include_str!("../../assets/profile.example.toml");
