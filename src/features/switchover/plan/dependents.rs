//! What hangs on a legacy table's name, and how it is carried over to the table that takes that name.

use crate::engine::model::query::Sql;
use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::engine::model::name::{Ident, Relation, literal};
use crate::engine::model::name_change::NameChange;
use crate::engine::model::query::Param;
use crate::engine::plan::operation::PlanCx;
use crate::features::parity::pair::catalog::TwinTable;
use crate::features::switchover::plan::twin_pair::TwinPair;
use crate::features::switchover::texts::dependents as texts;

/// Everything of both tables that is not rows.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct DependentObjects {
    pub(crate) legacy: TableProperties,
    pub(crate) twin: TableProperties,
    /// Views that read the legacy table, the ones that others read first.
    pub(crate) views: Vec<DependentView>,
    pub(crate) triggers: Vec<TableTrigger>,
    /// Foreign keys of other tables onto the legacy table.
    pub(crate) referrers: Vec<DependentKey>,
    /// Constraints of the legacy table that the twin lacks, as the server writes them.
    pub(crate) constraints: Vec<DependentKey>,
    /// Unique keys of the legacy table that the twin lacks.
    pub(crate) lost_keys: Vec<Vec<String>>,
    /// Its unique indexes of some rows or of expressions, likewise.
    pub(crate) lost_indexes: Vec<LostIndex>,
    /// Indexes of the legacy table without a like on the twin.
    pub(crate) indexes: Vec<String>,
    pub(crate) publications: Vec<Publication>,
    /// Functions, and columns of tables, of the legacy table's row type.
    pub(crate) row_type: Vec<String>,
    /// Functions with a body of SQL and policies of other tables: they stay with the table, whatever it is called.
    pub(crate) bound: Vec<String>,
    /// Rewrite rules of the legacy table.
    pub(crate) rules: Vec<String>,
    /// Functions whose text names the table and asks for a conflict, on some columns or on any key.
    pub(crate) conflicts: Vec<Conflict>,
    /// Functions whose text asks for a conflict on one of the legacy table's constraints by its name.
    pub(crate) named: Vec<Conflict>,
    /// Those constraints.
    pub(crate) arbiters: Vec<String>,
    /// Views that read both tables, be it through others.
    pub(crate) readers_of_both: Vec<String>,
    /// Owners of partitions, where they are others than the legacy table's.
    pub(crate) leaf_owners: Vec<String>,
    /// Properties of the legacy table that nothing carries over.
    pub(crate) unlike: Vec<String>,
}

/// Of one table.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct TableProperties {
    pub(crate) owner: String,
    pub(crate) row_security: bool,
    pub(crate) forced: bool,
    pub(crate) grants: Vec<Grant>,
    pub(crate) policies: Vec<RowPolicy>,
    pub(crate) comment: Option<String>,
    pub(crate) columns: Vec<ColumnProperties>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Grant {
    pub(crate) grantee: String,
    pub(crate) privilege: String,
    pub(crate) column: Option<String>,
    pub(crate) grantable: bool,
}

impl Grant {
    /// The same but for the option to grant it on.
    fn like(&self, other: &Self) -> bool {
        (&self.grantee, &self.privilege, &self.column) == (&other.grantee, &other.privilege, &other.column)
    }

    pub(crate) fn grantee_sql(&self) -> String {
        if self.grantee == "public" { "public".to_owned() } else { Ident(&self.grantee).to_string() }
    }

    pub(crate) fn privilege_text(&self) -> String {
        let column = self.column.as_ref().map_or_else(String::new, |c| format!(" ({})", Ident(c)));
        format!("{}{column}", self.privilege)
    }

    fn given(&self, on: &Relation) -> String {
        format!("grant {} on {on} to {}", self.privilege_text(), self.grantee_sql())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct RowPolicy {
    pub(crate) name: String,
    pub(crate) clauses: String,
}

#[expect(clippy::struct_excessive_bools, reason = "each is what the catalog says")]
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ColumnProperties {
    pub(crate) name: String,
    pub(crate) default: Option<String>,
    pub(crate) identity: bool,
    /// GENERATED ALWAYS: it takes no number from outside.
    pub(crate) always: bool,
    pub(crate) generated: bool,
    /// The sequence that its default reads, or that its identity is.
    pub(crate) sequence: Option<String>,
    /// That sequence belongs to this column.
    pub(crate) owns: bool,
    /// Who may take numbers of it.
    pub(crate) usable_by: Vec<String>,
    pub(crate) comment: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DependentView {
    pub(crate) name: String,
    pub(crate) materialized: bool,
    pub(crate) options: Option<String>,
    pub(crate) definition: String,
    /// Names and types.
    pub(crate) columns: Vec<(String, String)>,
}

impl DependentView {
    /// The types that it has, whatever those of the table are.
    fn cast(&self, definition: &str) -> String {
        let columns: Vec<_> =
            self.columns.iter().map(|(name, kind)| format!("q.{0}::{kind} as {0}", Ident(name))).collect();
        format!("select {} from ({definition}) q", columns.join(", "))
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is what the catalog says")]
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TableTrigger {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) definition: String,
    pub(crate) constraint: bool,
    /// Its function's text.
    pub(crate) body: String,
    pub(crate) before: bool,
    /// Its function asks for the name or the number of its table.
    pub(crate) by_name: bool,
    pub(crate) mirrors: bool,
    pub(crate) ours: bool,
    /// Triggers of its name on the other side.
    pub(crate) namesakes: Vec<Namesake>,
}

impl TableTrigger {
    /// It goes with the name.
    pub(crate) fn carried(&self) -> bool {
        !self.ours && !self.mirrors && !self.constraint && self.namesakes.is_empty()
    }
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Namesake {
    pub(crate) table: String,
    /// It does the same, to the same rows, at the same moment.
    pub(crate) same: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct DependentKey {
    pub(crate) name: String,
    pub(crate) table: String,
    pub(crate) definition: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct LostIndex {
    pub(crate) columns: Vec<String>,
    pub(crate) definition: String,
    pub(crate) expression: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Publication {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) all_tables: bool,
    pub(crate) via_root: bool,
    pub(crate) columns: Option<String>,
    pub(crate) filter: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Conflict {
    pub(crate) function: String,
    /// As they are written; empty: whatever key it is.
    pub(crate) columns: String,
}

const DEPENDENT_OBJECTS: &str = include_str!("dependent_objects.sql");

pub(crate) async fn read_dependents(cx: &PlanCx<'_>, twin_pair: &TwinPair<'_>) -> Result<DependentObjects> {
    find(cx, &twin_pair.legacy, &twin_pair.partitioned, twin_pair.declared()).await
}

/// What hangs on a table, next to another that is to take its place.
pub(crate) async fn find(
    cx: &PlanCx<'_>,
    table: &TwinTable,
    other: &TwinTable,
    mirrors: Vec<String>,
) -> Result<DependentObjects> {
    let params = [
        Param::Int(table.oid),
        Param::Int(other.oid),
        Param::Texts(mirrors),
        Param::Text(Some(Relation::parse(&other.relation).name)),
        Param::Text(Some(Relation::parse(&table.relation).name)),
    ];
    let mut tx = cx.cx.read().await?;
    tx.one(&Sql::new(DEPENDENT_OBJECTS).bind(params.clone())).await
}

/// Names of the tables, before and after.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    /// What applications call it: the legacy table's before, the partitioned one's after.
    pub(crate) live: Relation,
    /// The twin's before; a view's after.
    pub(crate) twin: Relation,
    /// The legacy table's after.
    pub(crate) retired: Relation,
}

/// Statements done inside the locks, and those that undo them in their own order.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    pub(crate) statements: Vec<String>,
    pub(crate) back: Vec<String>,
    /// The names that the statements change.
    pub(crate) renames: Vec<NameChange>,
    /// What is carried, in words.
    pub(crate) said: Vec<String>,
    /// Views and triggers that are made again.
    pub(crate) views: Vec<String>,
    pub(crate) triggers: Vec<String>,
    /// Privileges that are granted on the live name, each with its role.
    pub(crate) grants: Vec<(String, String)>,
}

impl Carried {
    /// What is done last is undone first.
    fn add_with_inverse(&mut self, there: impl Into<String>, back: impl Into<String>) {
        self.statements.push(there.into());
        self.back.insert(0, back.into());
    }

    /// Nothing has to be undone: what it changes is renamed or replaced anyway.
    fn add(&mut self, there: impl Into<String>) {
        self.statements.push(there.into());
    }
}

fn rename(from: &Relation, to: &Relation) -> String {
    format!("alter table {from} rename to {}", Ident(&to.name))
}

impl Names {
    /// Renames, and the view that answers to the twin's old name.
    pub(crate) fn swap(&self, out: &mut Carried, columns: &[String], invoker: bool) {
        out.add_with_inverse(rename(&self.live, &self.retired), rename(&self.retired, &self.live));
        out.add_with_inverse(rename(&self.twin, &self.live), rename(&self.live, &self.twin));
        out.renames.push(NameChange::renamed(&self.live, &self.retired.name));
        out.renames.push(NameChange::renamed(&self.twin, &self.live.name));
        let list: Vec<_> = columns.iter().map(|c| Ident(c).to_string()).collect();
        let with = if invoker { " with (security_invoker = true)" } else { "" };
        out.add_with_inverse(
            format!("create view {}{with} as select {} from {}", self.twin, list.join(", "), self.live),
            format!("drop view {}", self.twin),
        );
    }
}

impl DependentObjects {
    /// All that can be carried, for tables that have their new names already.
    pub(crate) fn recreate_dependents(&self, names: &Names, retyped: bool, out: &mut Carried) {
        self.owner(names, out);
        self.columns(names, out);
        self.grants(names, out);
        self.row_security(names, out);
        self.publish(names, out);
        self.comments(names, out);
        self.views(retyped, out);
        self.triggers(names, out);
    }

    fn owner(&self, names: &Names, out: &mut Carried) {
        // It answers for the twin, and belongs to whom the twin belonged.
        out.add(format!("alter view {} owner to {}", names.twin, Ident(&self.twin.owner)));
        if self.legacy.owner != self.twin.owner {
            // What the new owner had been granted before becomes the owner's own, and would be gone afterwards.
            for g in self.twin.grants.iter().filter(|g| g.grantee == self.legacy.owner) {
                let option = if g.grantable { " with grant option" } else { "" };
                out.back.insert(0, format!("{}{option}", g.given(&names.live)));
            }
            let set = |owner: &str| format!("alter table {} owner to {}", names.live, Ident(owner));
            out.add_with_inverse(set(&self.legacy.owner), set(&self.twin.owner));
            out.said.push(texts::owner(&self.legacy.owner));
        }
    }

    /// Defaults, and with them the sequences: numbers go on where they were.
    fn columns(&self, names: &Names, out: &mut Carried) {
        let live = &names.live;
        for own in &self.legacy.columns {
            let Some(twin) = self.twin.columns.iter().find(|c| c.name == own.name) else { continue };
            let column = Ident(&own.name);
            match (&own.sequence, &twin.sequence) {
                (Some(from), Some(to)) if own.identity || twin.identity => {
                    out.add_with_inverse(
                        format!("select setval({}, last_value, is_called) from {from}", literal(to)),
                        format!("select setval({}, last_value, is_called) from {to}", literal(from)),
                    );
                    if !twin.identity {
                        self.usage(to, &twin.usable_by, out);
                    }
                    out.said.push(texts::sequence_continued(from, to));
                    continue;
                }
                // The number comes from the same place as before; an identity cannot be moved.
                (Some(from), None) if own.identity => {
                    out.add_with_inverse(
                        format!(
                            "alter table {live} alter column {column} set default nextval({})",
                            literal(from)
                        ),
                        match &twin.default {
                            Some(text) => {
                                format!("alter table {live} alter column {column} set default {text}")
                            }
                            None => format!("alter table {live} alter column {column} drop default"),
                        },
                    );
                    self.usage(from, &own.usable_by, out);
                    out.said.push(texts::sequence(from));
                    continue;
                }
                (Some(from), _) if own.owns => {
                    let set = |of: &Relation| format!("alter sequence {from} owned by {of}.{column}");
                    out.add_with_inverse(set(live), set(&names.retired));
                    out.said.push(texts::sequence(from));
                }
                _ => {}
            }
            if own.identity || own.generated || twin.identity || twin.generated || own.default == twin.default
            {
                continue;
            }
            let set = |default: &Option<String>| match default {
                Some(text) => format!("alter table {live} alter column {column} set default {text}"),
                None => format!("alter table {live} alter column {column} drop default"),
            };
            out.add_with_inverse(set(&own.default), set(&twin.default));
        }
    }

    /// An identity asks nobody for its sequence, a default does.
    fn usage(&self, sequence: &str, usable_by: &[String], out: &mut Carried) {
        let mut done: Vec<&str> = usable_by.iter().map(String::as_str).collect();
        let inserts = |g: &&Grant| g.privilege == "INSERT" && g.grantee != self.legacy.owner;
        for g in self.legacy.grants.iter().filter(inserts) {
            if done.contains(&g.grantee.as_str()) || done.contains(&"public") {
                continue;
            }
            done.push(&g.grantee);
            out.add_with_inverse(
                format!("grant usage on sequence {sequence} to {}", g.grantee_sql()),
                format!("revoke usage on sequence {sequence} from {}", g.grantee_sql()),
            );
        }
    }

    fn grants(&self, names: &Names, out: &mut Carried) {
        let mut roles: Vec<&str> = vec![];
        for g in self.legacy.grants.iter().filter(|g| g.grantee != self.legacy.owner) {
            let there: Vec<&Grant> = self.twin.grants.iter().filter(|t| t.like(g)).collect();
            if there.iter().any(|t| t.grantable || !g.grantable) {
                continue;
            }
            // Only what was not there before may go on the way back.
            let option = if there.is_empty() { "" } else { "grant option for " };
            out.add_with_inverse(
                format!("{}{}", g.given(&names.live), if g.grantable { " with grant option" } else { "" }),
                format!("revoke {option}{} on {} from {}", g.privilege_text(), names.live, g.grantee_sql()),
            );
            out.grants.push((g.privilege_text(), g.grantee.clone()));
            if !roles.contains(&g.grantee.as_str()) {
                roles.push(&g.grantee);
            }
        }
        if !roles.is_empty() {
            out.said.push(texts::privileges(&roles));
        }
        // Whoever used the twin by its name goes on through the view.
        for g in self.twin.grants.iter().filter(|g| g.column.is_none() && g.grantee != self.twin.owner) {
            if matches!(g.privilege.as_str(), "SELECT" | "INSERT" | "UPDATE" | "DELETE") {
                out.add(g.given(&names.twin));
            }
        }
    }

    /// Who may do with the live name only because the twin let them: not so before the switch.
    pub(crate) fn widened(&self) -> Vec<String> {
        let owners = [&self.legacy.owner, &self.twin.owner];
        let has = |g: &Grant| {
            let whole = Grant { column: None, ..g.clone() };
            self.legacy.grants.iter().any(|l| (l.like(g) || l.like(&whole)) && (l.grantable || !g.grantable))
        };
        let only = self.twin.grants.iter().filter(|g| !owners.contains(&&g.grantee) && !has(g));
        only.map(|g| texts::privilege(&g.privilege_text(), &g.grantee)).collect()
    }

    /// What the table has of its own, in words: a rollback must not take it for something that came later.
    pub(crate) fn own(&self) -> Vec<String> {
        let views = self.views.iter().map(|v| texts::view(&v.name));
        let triggers = self.triggers.iter().filter(|t| !t.ours).map(|t| texts::trigger(&t.name));
        let grants = self.legacy.grants.iter().filter(|g| g.grantee != self.legacy.owner);
        let grants = grants.map(|g| texts::privilege(&g.privilege_text(), &g.grantee));
        views.chain(triggers).chain(grants).chain(self.bound.iter().cloned()).collect()
    }

    /// Policies of the twin's own, and those that go by a name of the legacy table's.
    pub(crate) fn policies_unlike(&self) -> Vec<String> {
        let own = self.twin.policies.iter().filter(|p| !self.legacy.policies.contains(p));
        let mut out: Vec<String> = own.map(|p| texts::policy_of_twin(&p.name, &p.clauses)).collect();
        if self.twin.row_security && !self.legacy.row_security {
            out.push(texts::ROW_SECURITY_OF_TWIN.into());
        }
        if self.twin.forced && !self.legacy.forced {
            out.push(texts::ROW_SECURITY_OF_TWIN_OWNER.into());
        }
        out
    }

    fn row_security(&self, names: &Names, out: &mut Carried) {
        let live = &names.live;
        for policy in
            self.legacy.policies.iter().filter(|p| !self.twin.policies.iter().any(|t| t.name == p.name))
        {
            let name = Ident(&policy.name);
            out.add_with_inverse(
                format!("create policy {name} on {live} {}", policy.clauses),
                format!("drop policy {name} on {live}"),
            );
            out.said.push(texts::policy(&policy.name));
        }
        if self.legacy.row_security && !self.twin.row_security {
            let set = |word: &str| format!("alter table {live} {word} row level security");
            out.add_with_inverse(set("enable"), set("disable"));
            out.said.push(texts::ROW_SECURITY.into());
        }
        if self.legacy.forced && !self.twin.forced {
            let set = |word: &str| format!("alter table {live} {word} row level security");
            out.add_with_inverse(set("force"), set("no force"));
            out.said.push(texts::ROW_SECURITY_OF_OWNER.into());
        }
    }

    fn publish(&self, names: &Names, out: &mut Carried) {
        for p in self.publications.iter().filter(|p| !p.all_tables) {
            let name = Ident(&p.name);
            let columns = p.columns.as_ref().map_or_else(String::new, |c| format!(" ({c})"));
            let filter = p.filter.as_ref().map_or_else(String::new, |f| format!(" where ({f})"));
            if !p.via_root {
                let set =
                    |on: bool| format!("alter publication {name} set (publish_via_partition_root = {on})");
                out.add_with_inverse(set(true), set(false));
            }
            out.add_with_inverse(
                format!("alter publication {name} drop table {}", names.retired),
                format!("alter publication {name} add table {}{columns}{filter}", names.retired),
            );
            out.add_with_inverse(
                format!("alter publication {name} add table {}{columns}{filter}", names.live),
                format!("alter publication {name} drop table {}", names.live),
            );
            out.said.push(texts::publication(&p.name));
        }
    }

    fn comments(&self, names: &Names, out: &mut Carried) {
        let text = |c: &Option<String>| c.as_ref().map_or_else(|| "null".to_owned(), |c| literal(c));
        if self.legacy.comment.is_some() && self.legacy.comment != self.twin.comment {
            let set = |c: &Option<String>| format!("comment on table {} is {}", names.live, text(c));
            out.add_with_inverse(set(&self.legacy.comment), set(&self.twin.comment));
            out.said.push(texts::COMMENT.into());
        }
        let mut columns = vec![];
        for own in self.legacy.columns.iter().filter(|c| c.comment.is_some()) {
            let Some(twin) = self.twin.columns.iter().find(|c| c.name == own.name) else { continue };
            if own.comment != twin.comment {
                let set = |c: &Option<String>| {
                    format!("comment on column {}.{} is {}", names.live, Ident(&own.name), text(c))
                };
                out.add_with_inverse(set(&own.comment), set(&twin.comment));
                columns.push(own.name.as_str());
            }
        }
        if !columns.is_empty() {
            out.said.push(texts::comments(&columns));
        }
    }

    /// The text of a view names its table; made again, it reads whatever has that name by then.
    fn views(&self, retyped: bool, out: &mut Carried) {
        for view in self.views.iter().filter(|v| !v.materialized) {
            let options = view.options.as_ref().map_or_else(String::new, |o| format!(" with ({o})"));
            let definition = view.definition.trim().trim_end_matches(';');
            let again = |text: &str| format!("create or replace view {}{options} as {text}", view.name);
            let there = if retyped { again(&view.cast(definition)) } else { again(definition) };
            out.statements.push(there);
            // After everything else is back: the name must be the legacy table's again.
            out.back.push(again(definition));
            out.said.push(texts::view(&view.name));
            out.views.push(view.name.clone());
        }
    }

    fn triggers(&self, names: &Names, out: &mut Carried) {
        let word = |state: &str| match state {
            "A" => "enable always",
            "R" => "enable replica",
            "D" => "disable",
            _ => "enable",
        };
        for t in self.triggers.iter().filter(|t| !t.ours) {
            let name = Ident(&t.name);
            if t.state != "D" {
                out.add_with_inverse(
                    format!("alter table {} disable trigger {name}", names.retired),
                    format!("alter table {} {} trigger {name}", names.retired, word(&t.state)),
                );
            }
            if !t.carried() {
                continue;
            }
            out.add_with_inverse(t.definition.clone(), format!("drop trigger {name} on {}", names.live));
            if t.state != "O" {
                out.add(format!("alter table {} {} trigger {name}", names.live, word(&t.state)));
            }
            out.said.push(texts::trigger(&t.name));
            out.triggers.push(t.name.clone());
        }
    }
}
