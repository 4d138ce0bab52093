//! Lines of the preflight on what depends on the legacy table, and what a switchover changes for it.

pub(crate) fn none(twin: &str) -> String {
    format!("{twin}: nothing else hangs on the table")
}

/// A table as people read it: `public` is left out.
fn plain(table: &str) -> &str {
    table.strip_prefix("public.").unwrap_or(table)
}

pub(crate) fn foreign_key_left(twin: &str, key: &str, table: &str, partitioned: &str) -> String {
    let table = plain(table);
    format!(
        "{twin}: {key} of {table} keeps pointing at the retired table, which reverse sync keeps complete: it cannot refer to {partitioned}"
    )
}

pub(crate) fn constraint_left(twin: &str, constraint: &str, definition: &str) -> String {
    format!(
        "{twin}: {constraint} ({definition}) is on the legacy table only: it holds through reverse sync, and ends with cleanup"
    )
}

pub(crate) fn materialized_view_left(twin: &str, view: &str) -> String {
    format!("{twin}: {view} keeps reading the retired table")
}

pub(crate) fn views_cast(twin: &str, views: &[&str]) -> String {
    format!(
        "{twin}: {} keep their column types by casts: they cannot be written through meanwhile",
        views.join(", ")
    )
}

pub(crate) fn indexes_missing(twin: &str, indexes: &[String]) -> String {
    format!("{twin}: no like on the twin of {}", indexes.join("; "))
}

pub(crate) fn column_order(twin: &str) -> String {
    format!(
        "{twin}: the columns come in another order: a session with a prepared SELECT * gets \"cached plan must not change result type\" once, INSERT without column names writes elsewhere"
    )
}

pub(crate) fn partition_owners(twin: &str, owners: &[String], owner: &str) -> String {
    format!("{twin}: partitions belong to {}, the table to {owner}", owners.join(", "))
}

// ---- not carried over

pub(crate) fn constraint_trigger(twin: &str, trigger: &str) -> String {
    format!("{twin}: constraint trigger {trigger} is not carried over")
}

pub(crate) fn row_type(twin: &str, users: &[String]) -> String {
    format!("{twin}: {} use the legacy table's row type, which stays the retired table's", users.join(", "))
}

pub(crate) fn bound(twin: &str, objects: &[String]) -> String {
    format!(
        "{twin}: bound to the table itself, not to its name, these would read and write the retired one: {}",
        objects.join(", ")
    )
}

pub(crate) fn rules(twin: &str, rules: &[String]) -> String {
    format!("{twin}: rules are not carried over: {}", rules.join(", "))
}

pub(crate) fn properties_left(twin: &str, properties: &[String]) -> String {
    format!("{twin}: stays with the retired table: {}", properties.join(", "))
}

// ---- who uses one of the names

/// A twin's line.
pub(crate) fn of_twin(twin: &str, text: &str) -> String {
    format!("{twin}: {text}")
}

pub(crate) fn on_constraint(constraint: &str, function: &str) -> String {
    format!("ON CONFLICT ON CONSTRAINT {constraint} in {function} would fail")
}

pub(crate) fn reads_both(views: &[String]) -> String {
    format!("{} read both tables, and would read the new one twice", views.join(", "))
}

pub(crate) fn trigger_name_taken(trigger: &str, tables: &[&str]) -> String {
    format!("trigger {trigger} is not carried over: another of that name is on {}", tables.join(", "))
}

pub(crate) fn trigger_does_more(trigger: &str, effects: &[String]) -> String {
    format!(
        "trigger {trigger} keeps the twin in step and does more, which ends with the switch: {}",
        effects.join(", ")
    )
}

pub(crate) fn privileges_widened(privileges: &[String]) -> String {
    format!("the live name lets in whom only the twin did: {}", privileges.join(", "))
}

pub(crate) fn policies_unlike(policies: &[String]) -> String {
    format!("the live name shows other rows than it did: {}", policies.join(", "))
}

pub(crate) fn identity_always(column: &str) -> String {
    format!(
        "column {column} of the twin is GENERATED ALWAYS AS IDENTITY, the legacy table's is not: INSERT and UPDATE that give it a value would fail"
    )
}

// ---- carried over, and changed by that

pub(crate) fn identity_becomes_default(twin: &str, column: &str) -> String {
    format!(
        "{twin}: the identity of column {column} becomes a default: pg_get_serial_sequence of it is NULL after the switch"
    )
}

pub(crate) fn trigger_by_name(twin: &str, trigger: &str) -> String {
    format!(
        "{twin}: trigger {trigger} asks for its table's name or number: after the switch that is the partition's"
    )
}

pub(crate) fn publishes_all(twin: &str, publication: &str) -> String {
    format!("{twin}: publication {publication} publishes every table: after the switch the retired one, too")
}

pub(crate) fn publishes_by_root(twin: &str, publication: &str) -> String {
    format!("{twin}: publication {publication}: the retired table leaves it, the partitioned one comes")
}

pub(crate) fn publishes_partitions(twin: &str, publication: &str) -> String {
    format!("{twin}: publication {publication} gets publish_via_partition_root for all its tables")
}

// ---- unique keys

pub(crate) fn key_lost(twin: &str, key: &str) -> String {
    format!("{twin}: {key} is not on the twin; it holds through reverse sync, and ends with cleanup")
}

/// Functions depend on it.
pub(crate) fn key_needed(twin: &str, key: &str, conflict: &str, users: &str) -> String {
    format!("{}; ON CONFLICT {conflict} in {users} would fail", key_lost(twin, key))
}

pub(crate) fn nothing_fails(twin: &str, users: &str, held: &str) -> String {
    format!(
        "{twin}: ON CONFLICT DO NOTHING in {users} would fail, not do nothing, where a row has the same {held}"
    )
}

// ---- objects, as changes and the preflight name them. What a switchover lists and what a rollback finds is compared.

pub(crate) const COMMENT: &str = "its comment";
pub(crate) const ROW_SECURITY: &str = "row level security";
pub(crate) const ROW_SECURITY_OF_OWNER: &str = "row level security of its owner as well";
pub(crate) const ROW_SECURITY_OF_TWIN: &str = "row security is on for the twin only";
pub(crate) const ROW_SECURITY_OF_TWIN_OWNER: &str = "row security is forced on the twin's owner only";

pub(crate) fn column(name: &str) -> String {
    format!("column {name}")
}

pub(crate) fn comments(columns: &[&str]) -> String {
    format!("comments on {}", columns.join(", "))
}

pub(crate) fn foreign_key(name: &str, table: &str) -> String {
    format!("{name} of {}", plain(table))
}

pub(crate) fn owner(role: &str) -> String {
    format!("owner {role}")
}

pub(crate) fn policy(name: &str) -> String {
    format!("policy {name}")
}

pub(crate) fn policy_of_twin(name: &str, clauses: &str) -> String {
    format!("policy {name} of the twin ({clauses})")
}

pub(crate) fn privilege(privilege: &str, role: &str) -> String {
    format!("{privilege} for {role}")
}

pub(crate) fn privileges(roles: &[&str]) -> String {
    format!("privileges of {}", roles.join(", "))
}

pub(crate) fn publication(name: &str) -> String {
    format!("publication {name}")
}

pub(crate) fn sequence(name: &str) -> String {
    format!("sequence {name}")
}

pub(crate) fn sequence_continued(from: &str, to: &str) -> String {
    format!("{to} goes on where {from} was")
}

pub(crate) fn trigger(name: &str) -> String {
    format!("trigger {name}")
}

pub(crate) fn view(name: &str) -> String {
    format!("view {name}")
}
