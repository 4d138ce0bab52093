//! What a command answers, as data: every format renders each of these.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::engine::journal::verify::Verified;
use crate::engine::model::error::Error;
use crate::engine::model::installation::Standing;
use crate::engine::model::plan::Plan;
use crate::engine::model::progress::Done;
use crate::engine::model::query::OtherFunction;
use crate::engine::model::record::{JournalShown, Listed, RunRecord};
use crate::engine::model::report::Report;
use crate::engine::model::target::TargetInfo;

/// A whole result.
pub enum Answer<'a> {
    /// Checks of a target.
    Checks {
        /// The target.
        target: &'a TargetInfo,
        /// One for each check.
        reports: &'a [Report],
    },
    /// A plan, and the file it was written to.
    Plan {
        /// The plan.
        plan: &'a Plan,
        /// Where `--out` wrote it.
        file: Option<&'a Path>,
    },
    /// The plan of a run that is another's, and why it is not gone on with.
    Foreign {
        /// The plan.
        plan: &'a Plan,
        /// What to do.
        why: &'a Error,
    },
    /// Keys of installations.
    Keys(&'a [KeyLine]),
    /// A run that has ended.
    Done(&'a Done),
    /// A run that had ended before it was to be resumed.
    Finished {
        /// Its number.
        id: &'a str,
        /// How it ended.
        was: &'a RunRecord,
        /// One line for people.
        message: &'a str,
    },
    /// Runs of the journal, newest first.
    Runs(&'a Listed),
    /// One run with its entries.
    Run(&'a JournalShown),
    /// Files that the logs of a run were written to.
    Logs(&'a [String]),
    /// The verification of the journal.
    Journal(&'a Verified),
    /// What works here and what does not.
    Doctor(&'a [DoctorLine]),
    /// A configuration that was validated.
    ConfigChecked(&'a ConfigChecked),
    /// The configuration in force.
    ConfigShown(&'a ConfigShown),
    /// Configurations that are trusted, or are no more.
    Trusted(&'a [TrustLine]),
    /// A failure.
    Error(&'a Error),
}

/// A key, as `key list` shows it.
#[derive(Debug, Serialize)]
pub struct KeyLine {
    /// Its name.
    pub fingerprint: String,
    /// The key; none: only its fingerprint was told.
    pub public_key: Option<String>,
    /// `user@host`, a label.
    pub name: String,
    /// When it was seen here first.
    pub first_seen: Option<String>,
    /// How far it is believed.
    pub standing: Standing,
}

/// A line of `doctor`.
#[derive(Debug, Serialize)]
pub struct DoctorLine {
    /// Of what.
    pub name: String,
    /// `ok`, `warn`, `fail`.
    pub status: &'static str,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A configuration that was validated.
#[derive(Debug)]
pub struct ConfigChecked {
    /// Its file, or that there is none.
    pub file: String,
    /// Its targets.
    pub targets: Vec<String>,
    /// Profiles that can be used.
    pub profiles: Vec<String>,
    /// Functions of others that the profile's SQL may call, where a target was asked.
    pub functions: Option<Vec<OtherFunction>>,
}

/// The configuration in force, without secrets.
#[derive(Debug, Serialize)]
pub struct ConfigShown {
    /// Its file.
    pub file: Option<String>,
    /// The file of the working directory, where it has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untrusted: Option<String>,
    /// The target that is opened when none is named.
    pub default_target: Option<String>,
    /// Settings by target.
    pub targets: Map<String, Value>,
    /// Every value with its origin.
    pub values: Vec<ShownValue>,
}

/// A value of the configuration in force.
#[derive(Debug, Serialize)]
pub struct ShownValue {
    /// With dots.
    pub key: String,
    /// Without secrets.
    pub value: String,
    /// A file, a variable, a flag, or `default`.
    pub origin: String,
}

/// A configuration that is trusted, or not.
#[derive(Debug, Serialize)]
pub struct TrustLine {
    /// Its file.
    pub path: PathBuf,
    /// `trusted`, `not trusted`, `changed since`, `allows more` (than what is in force now), `cannot be used`.
    pub state: &'static str,
    /// What it may do, or what has changed.
    pub lines: Vec<String>,
}
