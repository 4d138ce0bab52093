//! What is known of the reader's role, of the search path and of the connection.

use serde::{Deserialize, Serialize};

use crate::engine::model::report::Report;
use crate::engine::model::transport::Transport;

/// The kind of this feature's check.
pub const KIND: &str = "roles";

/// The role that everything is read with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderFacts {
    /// Its name.
    pub role: String,
    /// It is a superuser itself.
    pub superuser: bool,
    /// Superusers that it is a member of: a function can change to one of them.
    pub as_superuser: Vec<String>,
    /// Roles that it has, and that reach files, programs or sessions of others also in a read-only transaction.
    pub powers: Vec<String>,
}

/// Who can create what a name of the profile is then found as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathFacts {
    /// The profile's search path.
    pub search_path: Vec<String>,
    /// Roles that can create in it, superusers and the database's owner left out.
    pub creators: Vec<SchemaCreator>,
}

/// Roles that names of the profile are found with: the one that looks, and the one that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRoles {
    /// Of these, those whose rights reach beyond rows of their own: superusers, what makes roles, passes policies, replicates
    /// or writes everything, what reaches files, programs or sessions of others, and members of all these.
    pub powerful: Vec<String>,
}

/// What the connection goes over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransportFacts {
    /// What it is.
    pub transport: Transport,
    /// Somebody between can read or alter what is sent.
    pub exposed: bool,
    /// The target's configuration says `insecure = true`.
    pub accepted: bool,
    /// What ends the exposure.
    pub remedy: Option<String>,
}

/// A role that can create in a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaCreator {
    /// The schema.
    pub schema: String,
    /// Why the role can.
    pub right: CreateRight,
    /// The role; `None`: every role.
    pub role: Option<String>,
    /// The statement that takes it away.
    #[serde(default)]
    pub revocation: String,
}

/// Why a role can create in a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CreateRight {
    /// It was granted.
    Granted,
    /// It owns the schema.
    Owner,
    /// There is no such schema, and it may create one in the database.
    Absent,
}

impl PathFacts {
    /// The facts of a report of `roles/search-path`; `None`: it is another's, or has none.
    pub fn from_report(report: &Report) -> Option<Self> {
        (report.id.kind == KIND).then(|| Self::deserialize(&report.facts).ok())?
    }
}
