//! What the findings on roles say, and how each is ended.

use crate::engine::model::transport::Transport;
use crate::features::roles::facts::{CreateRight, PathFacts, ReaderFacts, SchemaCreator};

/// What follows where functions of others run with more than the right to read.
const CONSEQUENCE: &str = "functions of others in views, index expressions and defaults run with its rights, also in READ ONLY and at EXPLAIN";

pub(super) const GRANTS: &str = "midwatch doctor --grants prints the GRANTs of a role that can only read; give it to the target, or as reader";

pub(super) fn superuser(facts: &ReaderFacts) -> String {
    let ReaderFacts { role, as_superuser, .. } = facts;
    if facts.superuser {
        return format!("role {role} looks as superuser: {CONSEQUENCE}");
    }
    format!("role {role} looks as a member of superuser {}: {CONSEQUENCE}", as_superuser.join(", "))
}

pub(super) fn powers(facts: &ReaderFacts) -> String {
    format!("role {} looks with the rights of {}: {CONSEQUENCE}", facts.role, facts.powers.join(", "))
}

pub(super) fn reader_ok(facts: &ReaderFacts) -> String {
    format!("role {} is no superuser", facts.role)
}

/// `powerful`: roles with more than rights on rows that the profile's statements run as.
pub(super) fn creators(schema: &str, creators: &[&SchemaCreator], powerful: &[String]) -> String {
    let roles: Vec<String> = creators.iter().map(|c| creator(c)).collect();
    let danger = if powerful.is_empty() {
        String::new()
    } else {
        format!(", and run with the rights of {}", powerful.join(", "))
    };
    format!(
        "schema {schema} of the search path: {} can create in it; the profile's names are then found as theirs{danger}",
        roles.join(", ")
    )
}

fn creator(creator: &SchemaCreator) -> String {
    let role = creator.role.as_ref().map_or_else(|| "every role".to_owned(), |r| format!("role {r}"));
    match creator.right {
        CreateRight::Granted => role,
        CreateRight::Owner => format!("its owner {role}"),
        CreateRight::Absent => format!("{role} (it does not exist yet)"),
    }
}

pub(super) fn revoke(creator: &SchemaCreator) -> String {
    let SchemaCreator { right, revocation, .. } = creator;
    match (right, &creator.role) {
        (CreateRight::Owner, Some(role)) => format!(
            "to end it: look and change with roles that have no more rights than {role} (midwatch doctor --grants); \
             or {revocation}, after which {role} can create nothing there"
        ),
        _ => format!("to end it: {revocation}"),
    }
}

pub(super) fn path_ok(facts: &PathFacts) -> String {
    let path = facts.search_path.join(", ");
    format!("only superusers and the database's owner can create in {path}")
}

pub(super) fn exposed(transport: Transport, accepted: bool) -> String {
    let accepted = if accepted { "; accepted by insecure = true" } else { "" };
    format!("connection: {transport}; what is sent can be read and altered on the way{accepted}")
}

pub(super) fn verify(remedy: &str) -> String {
    format!("to end it: {remedy}")
}

pub(super) fn transport_ok(transport: Transport) -> String {
    format!("connection: {transport}")
}
