//! A dump in custom format, restored by the tenant. `pg_restore` sends statements to the server; psql would also run what
//! a hostile server wrote for psql.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde::Deserialize;

use crate::engine::model::error::Result;
use crate::sandbox::postgres::programs;
use crate::sandbox::postgres::tenant::{DATABASE, TenantServer};

/// Functions and types that only a superuser may make, and triggers that run a function of our own schema, by oid.
pub(super) const PRIVILEGED: &str = "
select (select coalesce(json_agg(t.oid::int8), '[]') from pg_trigger t join pg_proc f on f.oid = t.tgfoid
        where f.pronamespace = to_regnamespace('midwatch')) as marking,
       coalesce(json_agg(o.oid::int8), '[]') as objects from (
  select p.oid from pg_proc p join pg_language l on l.oid = p.prolang where not l.lanpltrusted and p.prokind <> 'a' and p.oid >= 16384
  union all select t.oid from pg_type t where t.typtype = 'b' and t.typcategory <> 'A' and t.oid >= 16384) o";

/// What a copy does without: only a superuser makes it, or it reaches out of the database.
const KINDS: [&str; 18] = [
    "ACCESS METHOD",
    "EVENT TRIGGER",
    "EXTENSION",
    "FOREIGN DATA WRAPPER",
    "FOREIGN SERVER",
    "FOREIGN TABLE",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "PROCEDURAL LANGUAGE",
    "LANGUAGE",
    "PUBLICATION",
    "SERVER",
    "SHELL TYPE",
    "SUBSCRIPTION",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
    "TRANSFORM",
    "USER MAPPING",
];
/// Of these, what says of something else.
const ABOUT: [&str; 3] = ["COMMENT ", "ACL ", "SECURITY LABEL "];
/// Functions and their like, as the list calls them.
const FUNCTIONS: [&str; 3] = ["FUNCTION", "PROCEDURE", "TYPE"];
/// So many names of a kind are told.
const TOLD: usize = 5;

/// What of a target is known by its oid.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Privileged {
    /// Functions and types that only a superuser may make.
    objects: HashSet<i64>,
    /// Triggers whose function is in our own schema, which no copy has.
    marking: HashSet<i64>,
}

/// A line of the list of an archive: `215; 1255 16390 FUNCTION public foo(integer) owner`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    line: String,
    oid: i64,
    /// Kind, schema, name and owner.
    what: String,
}

impl Entry {
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once("; ").filter(|(id, _)| id.bytes().all(|b| b.is_ascii_digit()))?;
        let mut words = rest.splitn(3, ' ');
        let oid = words.nth(1)?.parse().ok()?;
        Some(Self { line: line.to_owned(), oid, what: words.next()?.to_owned() })
    }

    /// The kind, if it is among these.
    fn kind(&self, kinds: &[&'static str]) -> Option<&'static str> {
        kind_of(&self.what, kinds)
    }

    /// What a comment or a privilege is of: the text behind its schema.
    fn about(&self) -> Option<&str> {
        let rest = ABOUT.iter().find_map(|a| self.what.strip_prefix(a))?;
        rest.split_once(' ').map(|(_, what)| what)
    }

    /// Schema and name.
    fn name(&self, kind: &str) -> String {
        let rest = self.what.strip_prefix(kind).unwrap_or(&self.what).trim();
        let name = rest.rsplit_once(' ').map_or(rest, |(name, _)| name);
        name.strip_prefix("- ").unwrap_or(name).replacen(' ', ".", 1)
    }
}

fn kind_of(what: &str, kinds: &[&'static str]) -> Option<&'static str> {
    kinds.iter().copied().find(|k| what.strip_prefix(k).is_some_and(|rest| rest.starts_with(' ')))
}

/// What of a list is restored, and what is left out, by kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Choice {
    kept: Vec<Entry>,
    left_out: BTreeMap<&'static str, Vec<String>>,
}

impl Choice {
    fn among(entries: Vec<Entry>, privileged: &Privileged) -> Self {
        let mut out = Self::default();
        // A function's comment and privileges go with it.
        let mut gone: HashSet<String> = HashSet::new();
        for entry in entries {
            let kind = entry
                .kind(&KINDS)
                .or_else(|| entry.kind(&FUNCTIONS).filter(|_| privileged.objects.contains(&entry.oid)));
            let about = entry.about();
            if let Some(kind) = kind {
                let name = entry.name(kind);
                gone.insert(format!("{kind} {}", name.rsplit_once('.').map_or(&*name, |(_, n)| n)));
                out.left_out.entry(kind).or_default().push(name);
            } else if !about.is_some_and(|a| kind_of(a, &KINDS).is_some() || of_gone(a, &gone)) {
                out.kept.push(entry);
            }
        }
        out
    }
}

fn of_gone(about: &str, gone: &HashSet<String>) -> bool {
    about.rsplit_once(' ').is_some_and(|(what, _owner)| gone.contains(what))
}

/// What was left out, in words, a kind at a time.
fn left_out_in_words(left_out: &BTreeMap<&'static str, Vec<String>>) -> Vec<String> {
    let one = |(kind, names): (&&str, &Vec<String>)| {
        let shown = names.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(TOLD);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{} {shown}{more} (a superuser's, not copied)", kind.to_lowercase())
    };
    // An extension is either made before, or told with its reason.
    left_out.iter().filter(|(kind, _)| **kind != "EXTENSION").map(one).collect()
}

/// An object that `pg_restore` could not make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotMade {
    /// As the list has it: kind, schema, name and owner.
    pub(super) entry: String,
    /// Its own in the target; 0: the archive says none.
    oid: i64,
    /// What the server said, which may be what a function of the target's says: it is told, and decides nothing by itself.
    pub(super) why: String,
}

impl NotMade {
    fn is(&self, kind: &'static str) -> bool {
        kind_of(&self.entry, &[kind]).is_some()
    }

    /// A schema that is there from the beginning, or was made for an extension.
    fn was_there(&self) -> bool {
        self.is("SCHEMA") && self.why.starts_with("schema \"") && self.why.ends_with("already exists")
    }

    /// A foreign key to rows that were left out.
    pub(super) fn is_orphan(&self) -> bool {
        self.is("FK CONSTRAINT") && self.why.contains("violates foreign key constraint")
    }

    /// A trigger that hangs on our own schema, which is left out.
    pub(super) fn marks(&self, known: &Privileged) -> bool {
        self.is("TRIGGER") && known.marking.contains(&self.oid)
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Restored {
    /// Kinds and names that were left out on purpose.
    pub(super) left_out: Vec<String>,
    /// Event triggers among them: they would have fired.
    pub(super) event_triggers: Vec<String>,
    pub(super) not_made: Vec<NotMade>,
}

/// A dump in a file.
pub(super) struct Archive<'a> {
    pub(super) file: &'a Path,
    pub(super) privileged: &'a Privileged,
    pub(super) patience: Duration,
}

/// Which part of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Schemas alone: their owners must be able to make things in them before anything else is.
    Schemas,
    /// What stands before the rows, without the schemas.
    BeforeRows,
    /// Indexes, constraints, triggers.
    AfterRows,
    /// All but the schemas, rows included.
    Rest,
}

impl Part {
    fn section(self) -> Option<&'static str> {
        match self {
            Self::Schemas | Self::BeforeRows => Some("--section=pre-data"),
            Self::AfterRows => Some("--section=post-data"),
            Self::Rest => None,
        }
    }

    fn takes(self, entry: &Entry) -> bool {
        let schema = entry.kind(&["SCHEMA"]).is_some();
        match self {
            Self::Schemas => schema,
            Self::AfterRows => true,
            Self::BeforeRows | Self::Rest => !schema,
        }
    }
}

impl Archive<'_> {
    /// Restores a part of it as the tenant.
    pub(super) async fn restore(&self, server: &TenantServer, part: Part) -> Result<Restored> {
        let mut list = server.binaries().command("pg_restore");
        list.arg("--list").args(part.section());
        let list = programs::reading(server.shut_in(&list), self.file)?;
        let list = programs::output(list, "read the list of the dump", self.patience).await?;
        let entries = list.lines().filter_map(Entry::parse).filter(|e| part.takes(e)).collect();
        let choice = Choice::among(entries, self.privileged);
        let mut out = Restored {
            left_out: left_out_in_words(&choice.left_out),
            event_triggers: choice.left_out.get("EVENT TRIGGER").cloned().unwrap_or_default(),
            not_made: vec![],
        };
        if choice.kept.is_empty() {
            return Ok(out);
        }
        let lines: Vec<_> = choice.kept.iter().map(|e| e.line.as_str()).collect();
        let list = server.hand_over("restored.list", &(lines.join("\n") + "\n"))?;
        let mut restore = to_database(server)?;
        restore.arg("--use-list").arg(list.path());
        let restore = programs::reading(server.shut_in(&restore), self.file)?;
        let what = "make the target's definitions in the sandbox";
        let (done, said) = programs::ran(restore, what, self.patience).await?;
        let errors = not_made(&said);
        if !done && (errors.is_empty() || was_interrupted(&said)) {
            return Err(programs::failed(what, &said));
        }
        out.not_made = errors.into_iter().filter(|e| !e.was_there()).collect();
        Ok(out)
    }
}

/// The database is named so that statements go to it and not into a script.
fn to_database(server: &TenantServer) -> Result<Command> {
    let mut restore = server.program("pg_restore")?;
    restore.args(["--no-tablespaces", "--no-publications", "--no-subscriptions", "--no-security-labels"]);
    // Only then it says of which entry an error is.
    restore.args(["--verbose", "--dbname", DATABASE]);
    Ok(restore)
}

/// Each error with the entry it is of. The server's words stand in the same text, and may look like any line of it: what is
/// said of an entry first is `pg_restore`'s own, and no later line takes it back.
fn not_made(said: &str) -> Vec<NotMade> {
    let (mut out, mut entry, mut oid) = (Vec::new(), "", 0);
    for line in said.lines() {
        let Some(line) = line.strip_prefix("pg_restore: ") else { continue };
        if let Some(found) = line.strip_prefix("from TOC entry ") {
            let mut parts = found.splitn(4, ' ').skip(2);
            oid = parts.next().and_then(|oid| oid.parse().ok()).unwrap_or_default();
            entry = parts.next().unwrap_or(found);
        } else if let Some((_, why)) =
            line.strip_prefix("error: ").and_then(|error| error.split_once("ERROR:"))
        {
            out.push(NotMade { entry: entry.to_owned(), oid, why: why.trim().to_owned() });
        }
    }
    out
}

/// Did the server end the session, or the program the work? Then what comes after was not tried.
fn was_interrupted(said: &str) -> bool {
    said.lines().any(programs::is_its_own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &str) -> Vec<Entry> {
        list.lines().filter_map(Entry::parse).collect()
    }

    #[test]
    fn what_only_a_superuser_makes_is_left_out_with_what_is_said_of_it() {
        let list = "; Archive created\n;\n\
            2; 3079 16401 EXTENSION - citext \n3400; 0 0 COMMENT - EXTENSION citext \n\
            210; 1255 16390 FUNCTION public evil(integer) app\n211; 1255 16391 FUNCTION public fine() app\n\
            3401; 0 0 ACL public FUNCTION evil(integer) app\n3402; 0 0 ACL public FUNCTION fine() app\n\
            5; 3466 16500 EVENT TRIGGER - watch app\n6; 1259 16600 TABLE EXTENSION odd app\n7; 0 0 bad\nx; 1 2 TABLE a b c";
        let privileged = Privileged { objects: HashSet::from([16390]), ..Privileged::default() };
        let choice = Choice::among(entries(list), &privileged);
        let kept: Vec<_> = choice.kept.iter().map(|e| e.what.as_str()).collect();
        assert_eq!(
            kept,
            [
                "FUNCTION public fine() app",
                "ACL public FUNCTION fine() app",
                "TABLE EXTENSION odd app",
                "bad"
            ]
        );
        assert_eq!(
            left_out_in_words(&choice.left_out),
            [
                "event trigger watch (a superuser's, not copied)",
                "function public.evil(integer) (a superuser's, not copied)"
            ]
        );
    }

    #[test]
    fn each_error_is_told_with_its_object() {
        let said = "pg_restore: while PROCESSING TOC:\n\
            pg_restore: from TOC entry 5; 2615 2200 SCHEMA public postgres\n\
            pg_restore: error: could not execute query: ERROR:  schema \"public\" already exists\nCommand was: CREATE SCHEMA public;\n\
            pg_restore: from TOC entry 210; 1255 16390 FUNCTION public f() app\n\
            pg_restore: error: could not execute query: ERROR:  permission denied for language c\nCommand was: CREATE FUNCTION …";
        let wanted = NotMade {
            entry: "FUNCTION public f() app".into(),
            oid: 16390,
            why: "permission denied for language c".into(),
        };
        let (there, not): (Vec<_>, Vec<_>) = not_made(said).into_iter().partition(NotMade::was_there);
        assert_eq!((there.len(), not), (1, vec![wanted]));
    }

    #[test]
    fn a_session_that_was_ended_is_no_error_of_one_entry() {
        let error =
            |what: &str| format!("pg_restore: error: could not execute query: {what}\nCommand was: …\n");
        assert!(!was_interrupted(&error("ERROR:  no")));
        // A function of the target's that ends its own session, behind an error that is one.
        for what in
            ["FATAL:  terminating connection due to administrator command", "no connection to the server"]
        {
            assert!(was_interrupted(&(error("ERROR:  no") + &error(what))), "{what}");
        }
    }

    #[test]
    fn what_a_function_of_the_target_says_hides_nothing() {
        let one = |entry: &str, why: &str| {
            let said = format!(
                "pg_restore: from TOC entry 7; 2620 {entry} app\n\
                 pg_restore: error: could not execute query: ERROR:  {why}\nCommand was: …"
            );
            let known = Privileged { marking: HashSet::from([16500]), ..Privileged::default() };
            let found = not_made(&said);
            let told = |e: &&NotMade| !e.was_there() && !e.is_orphan() && !e.marks(&known);
            (found.iter().filter(told).count(), found.len())
        };
        for why in [
            "schema \"midwatch\" does not exist",
            "schema \"public\" already exists",
            "insert violates foreign key constraint",
            "from TOC entry 5; 2615 2200 SCHEMA - public app",
        ] {
            assert_eq!(one("16400 TRIGGER public orders audited", why), (1, 1), "{why}");
        }
        // It goes on like `pg_restore` itself.
        let lines = "no\npg_restore: from TOC entry 5; 2615 2200 SCHEMA - public app\n\
                     pg_restore: error: could not execute query: ERROR:  schema \"public\" already exists";
        assert_eq!(one("16400 CONSTRAINT public orders fine", lines), (1, 2));
        assert_eq!(one("2200 SCHEMA - public", "schema \"public\" already exists"), (0, 1));
        let orphan = "insert or update on table \"a\" violates foreign key constraint \"b\"";
        assert_eq!(one("16400 FK CONSTRAINT public orders fk", orphan), (0, 1));
        assert_eq!(one("16500 TRIGGER public orders marked", "schema \"midwatch\" does not exist"), (0, 1));
    }
}
