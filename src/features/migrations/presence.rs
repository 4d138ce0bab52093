//! Is what a file creates in the catalog? Under its own name, or under the one that a run has given its table since.

use serde::Deserialize;

use crate::engine::check::kind::Renamed;
use crate::engine::journal::overtaken::ChangedName;
use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::MigrationFolder;
use crate::engine::model::script::Object;
use crate::engine::port::reader::ReadTx;
use crate::features::migrations::files::Migration;
use crate::features::migrations::history::AppliedWhen;
use crate::features::migrations::sql::MigrationSql;
use crate::features::migrations::texts;

/// What the catalog shows of one file's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    /// All of it.
    All,
    /// None of it.
    Nothing,
    /// Some of it; what is missing.
    Some(Vec<String>),
    /// It leaves nothing that could be asked for, or what it left went with a table that a run dropped.
    Unknown(String),
}

/// What is known of a file's work.
pub(crate) struct FilePresence {
    pub(crate) presence: Presence,
    /// What runs did to its tables since, where that is why something of it is elsewhere or gone.
    pub(crate) since: Vec<String>,
}

/// What the files create, and what the catalog says of each.
pub(crate) struct CreatedObjects {
    /// Per file.
    objects: Vec<Vec<SoughtObject>>,
    /// Per file: what its probe answers, where it has one.
    probed: Vec<Option<bool>>,
}

/// An object that is looked for.
struct SoughtObject {
    object: Object,
    found: Found,
    /// Why it is not under its name, where a run is the reason.
    since: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Present,
    Absent,
    /// It went with a table that a run dropped, if it was there: nothing tells that it was.
    Gone,
}

impl Found {
    fn from_presence(present: bool) -> Self {
        if present { Self::Present } else { Self::Absent }
    }
}

/// A second question to the catalog about an object that is absent.
enum SecondQuestion {
    /// It is found, if this is present: where a run has put it.
    Elsewhere(Object),
    /// It is gone, unless this is present: another table that has the name by now.
    Successor(Object),
}

impl SecondQuestion {
    fn object(&self) -> &Object {
        match self {
            Self::Elsewhere(o) | Self::Successor(o) => o,
        }
    }

    /// What the answer makes of the absent object.
    fn answered(&self, present: bool) -> Found {
        match (self, present) {
            (Self::Elsewhere(_), true) => Found::Present,
            (Self::Successor(_), false) => Found::Gone,
            _ => Found::Absent,
        }
    }
}

/// The object where it is now, by the catalog.
fn moved(o: &Object, renamed: &[Renamed]) -> Object {
    with_table(o, |name| {
        let written = Relation::parse(name);
        let to = renamed.iter().find(|r| {
            r.before.name == written.name
                && (written.schema.is_none()
                    || r.before.schema.is_none()
                    || r.before.schema == written.schema)
        });
        to.map_or_else(
            || name.to_owned(),
            |Renamed { now, .. }| {
                Relation { schema: written.schema.or_else(|| now.schema.clone()), name: now.name.clone() }
                    .to_string()
            },
        )
    })
}

/// The object with another name of the table that it is, or belongs to.
fn with_table(o: &Object, now: impl Fn(&str) -> String) -> Object {
    match o.kind {
        "relation" if o.of.is_empty() => Object { name: now(&o.name), ..o.clone() },
        // An index is found by its own name, whatever its table is called.
        "relation" | "trigger" | "column" | "constraint" => Object { of: now(&o.of), ..o.clone() },
        "grant" => match o.name.split_once('|') {
            Some((privilege, table)) => Object { name: format!("{privilege}|{}", now(table)), ..o.clone() },
            None => o.clone(),
        },
        _ => o.clone(),
    }
}

/// The table that an object is, or belongs to.
fn table_of(o: &Object) -> Option<&str> {
    match o.kind {
        "relation" if o.of.is_empty() => Some(&o.name),
        // An index is its table's.
        "relation" | "trigger" | "column" | "constraint" => Some(&o.of),
        "grant" => o.name.split_once('|').map(|(_, table)| table),
        _ => None,
    }
}

/// What became of a table that a file named when it ran: its name of now, none where it was dropped, and the last run that
/// changed it. Who had the name before that is another table.
fn traced<'n>(
    table: &str,
    ran: AppliedWhen,
    names: &'n [ChangedName],
) -> Option<(Option<Relation>, &'n str)> {
    let written = Relation::parse(table);
    let (mut now, mut by) = (written.clone(), None);
    let before =
        |n: &&ChangedName| matches!((ran, n.by_then), (AppliedWhen::At(ran), Some(then)) if then < ran);
    for ChangedName { run, change, .. } in names.iter().filter(|n| !before(n)) {
        let from = Relation::parse(&change.from);
        if from.name != now.name
            || (from.schema != now.schema && from.schema.is_some() && now.schema.is_some())
        {
            continue;
        }
        by = Some(run.as_str());
        match &change.to {
            Some(to) => now = Relation::parse(to),
            None => return Some((None, run)),
        }
    }
    by.filter(|_| now.name != written.name).map(|run| (Some(now), run))
}

#[derive(Deserialize)]
struct Answer {
    present: bool,
}

async fn present(tx: &mut dyn ReadTx, sql: &dyn MigrationSql, all: &[Object]) -> Result<Vec<bool>> {
    let answers: Vec<Answer> = tx.fetch(&sql.present(all)).await?;
    Ok(answers.into_iter().map(|a| a.present).collect())
}

/// What the catalog says. A file from before a switchover means tables that have other names by now, a later one those that
/// have taken them: either will do.
pub(crate) async fn observe(
    tx: &mut dyn ReadTx,
    sql: &dyn MigrationSql,
    files: &[Migration],
    folder: &MigrationFolder,
    renamed: &[Renamed],
) -> Result<CreatedObjects> {
    // A declared probe alone answers for its file.
    let sought = |(at, file)| if declared(folder, file).is_some() { vec![] } else { evidence(files, at) };
    let wanted: Vec<Vec<Object>> = files.iter().enumerate().map(sought).collect();
    let all: Vec<Object> = wanted.iter().flatten().cloned().collect();
    let mut answers = present(tx, sql, &all).await?;
    if !renamed.is_empty() {
        let elsewhere: Vec<Object> = all.iter().map(|o| moved(o, renamed)).collect();
        let there = present(tx, sql, &elsewhere).await?;
        answers.iter_mut().zip(there).for_each(|(a, b)| *a |= b);
    }
    let mut answers = answers.into_iter();
    let mut found = |object| SoughtObject {
        object,
        found: Found::from_presence(answers.next().unwrap_or(false)),
        since: None,
    };
    let objects = wanted.into_iter().map(|w| w.into_iter().map(&mut found).collect()).collect();
    let mut probed = Vec::with_capacity(files.len());
    for file in files {
        probed.push(match declared(folder, file) {
            Some(probe) => Some(sql.probed(tx, probe).await?),
            None => None,
        });
    }
    Ok(CreatedObjects { objects, probed })
}

impl CreatedObjects {
    /// Is there anything that the catalog alone does not explain?
    pub(crate) fn lacks_something(&self) -> bool {
        self.objects.iter().flatten().any(|s| s.found == Found::Absent)
    }

    /// What is not there under its name: is it where the journal's runs have put it, or did it go with a table that one of
    /// them dropped? `ran`: when each file did. A table that has taken the dropped one's name since is another one: what it
    /// lacks is absent, if the file ran when it had the name, or has not run at all. Where nothing tells when, both may be
    /// meant.
    pub(crate) async fn explain(
        &mut self,
        tx: &mut dyn ReadTx,
        sql: &dyn MigrationSql,
        names: &[ChangedName],
        ran: &[AppliedWhen],
    ) -> Result<()> {
        let mut asked = Vec::new();
        let absent = self.objects.iter_mut().zip(ran).flat_map(|(objects, ran)| {
            objects.iter_mut().filter(|s| s.found == Found::Absent).map(move |s| (s, *ran))
        });
        for (sought, ran) in absent {
            let Some(table) = table_of(&sought.object).map(str::to_owned) else { continue };
            let Some((now, by)) = traced(&table, ran, names) else { continue };
            let brief = Relation::parse(&table).brief();
            match now {
                Some(now) => {
                    let there = with_table(&sought.object, |_| now.to_string());
                    let since = texts::renamed(&brief, &now.name, by);
                    asked.push((sought, SecondQuestion::Elsewhere(there), since));
                }
                None if ran == AppliedWhen::Never => {
                    let successor =
                        Object { kind: "relation", name: table, of: String::new(), lenient: false };
                    asked.push((sought, SecondQuestion::Successor(successor), texts::dropped(&brief, by)));
                }
                None => {
                    sought.found = Found::Gone;
                    sought.since = Some(texts::dropped(&brief, by));
                }
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        let objects: Vec<Object> = asked.iter().map(|(_, asked, _)| asked.object().clone()).collect();
        for ((sought, asked, since), present) in asked.into_iter().zip(present(tx, sql, &objects).await?) {
            sought.found = asked.answered(present);
            sought.since = (sought.found != Found::Absent).then_some(since);
        }
        Ok(())
    }

    /// One answer per file.
    pub(crate) fn per_file(&self, files: &[Migration]) -> Vec<FilePresence> {
        let all = files.iter().zip(&self.objects).zip(&self.probed);
        all.map(|((file, objects), probed)| {
            let mut since: Vec<String> = objects.iter().filter_map(|s| s.since.clone()).collect();
            since.dedup();
            FilePresence { presence: presence(file, objects, *probed), since }
        })
        .collect()
    }
}

fn presence(file: &Migration, objects: &[SoughtObject], probed: Option<bool>) -> Presence {
    let of = |found: Found| objects.iter().filter(move |s| s.found == found);
    let absent: Vec<String> = of(Found::Absent).map(|s| describe(&s.object)).collect();
    let mut gone: Vec<&str> = of(Found::Gone).filter_map(|s| s.since.as_deref()).collect();
    gone.dedup();
    match (&file.script, probed) {
        (_, Some(true)) => Presence::All,
        (_, Some(false)) => Presence::Nothing,
        (Err(why), None) => Presence::Unknown(texts::unreadable(why)),
        (Ok(_), None) if objects.is_empty() => Presence::Unknown(texts::CREATES_NOTHING.into()),
        (Ok(_), None) if absent.is_empty() && gone.is_empty() => Presence::All,
        (Ok(_), None) if absent.is_empty() => Presence::Unknown(gone.join("; ")),
        (Ok(_), None) if of(Found::Present).next().is_none() => Presence::Nothing,
        (Ok(_), None) => Presence::Some(absent),
    }
}

/// What a file creates that is neither dropped or replaced later nor created leniently before.
fn evidence(files: &[Migration], index: usize) -> Vec<Object> {
    let Some(Ok(script)) = files.get(index).map(|f| &f.script) else { return vec![] };
    let scripts = |range: &'static str| {
        let chosen = match range {
            "before" => files.get(..index),
            _ => files.get(index + 1..),
        };
        chosen.unwrap_or_default().iter().filter_map(|f| f.script.as_ref().ok()).collect::<Vec<_>>()
    };
    let (before, after) = (scripts("before"), scripts("after"));
    script
        .creates
        .iter()
        .filter(|o| !after.iter().any(|s| s.drops.iter().any(|d| undoes(d, o))))
        .filter(|o| !(o.kind == "function" && after.iter().any(|s| s.creates.iter().any(|c| same(c, o)))))
        .filter(|o| {
            o.kind == "function"
                || !(o.lenient && before.iter().any(|s| s.creates.iter().any(|c| same(c, o))))
        })
        .cloned()
        .collect()
}

fn same(a: &Object, b: &Object) -> bool {
    a.kind == b.kind && a.name == b.name && (a.of == b.of || a.kind == "function")
}

/// Dropping a table takes its columns, constraints, triggers and indexes along.
fn undoes(drop: &Object, o: &Object) -> bool {
    (drop.kind == o.kind && drop.name == o.name && (drop.of == o.of || drop.of.is_empty()))
        || (drop.kind == "relation"
            && matches!(o.kind, "column" | "constraint" | "trigger" | "relation")
            && drop.name == o.of)
}

fn describe(o: &Object) -> String {
    match o.kind {
        "grant" => match o.name.split_once('|') {
            Some((privilege, table)) => format!("{} {privilege} on {table} to {}", o.kind, o.of),
            None => o.name.clone(),
        },
        "column" | "constraint" | "trigger" => format!("{} {} of {}", o.kind, o.name, o.of),
        "function" => format!("this body of function {}", o.name),
        _ => format!("{} {}", o.kind, o.name),
    }
}

fn declared<'f>(folder: &'f MigrationFolder, file: &Migration) -> Option<&'f str> {
    let digits: String = file.name.chars().take_while(char::is_ascii_digit).collect();
    folder.probes.get(&file.name).or_else(|| folder.probes.get(&digits)).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeZone as _, Utc};

    use super::*;
    use crate::dialect::postgres::Postgres;
    use crate::engine::model::name_change::NameChange;
    use crate::engine::port::files::SourceFile;

    fn files(texts: &[&str]) -> Vec<Migration> {
        let make = |(i, t): (usize, &&str)| {
            Migration::new(&Postgres, SourceFile { name: format!("{i}.sql"), bytes: t.as_bytes().to_vec() })
        };
        texts.iter().enumerate().map(make).collect()
    }

    fn names(files: &[Migration], i: usize) -> Vec<String> {
        evidence(files, i).into_iter().map(|o| o.name).collect()
    }

    #[test]
    fn what_was_dropped_later_is_not_asked_for() {
        let f = files(&["create table a (); create table b ();", "drop table a;"]);
        assert_eq!(names(&f, 0), ["b"]);
    }

    #[test]
    fn what_existed_before_proves_nothing() {
        let f = files(&["create table a ();", "create table if not exists a (); create table b ();"]);
        assert_eq!(names(&f, 1), ["b"]);
    }

    #[test]
    fn a_replaced_function_is_asked_for_in_its_last_form() {
        let f = files(&[
            "create function f() returns int as $$select 1$$ language sql;",
            "create or replace function f() returns int as $$select 2$$ language sql;",
        ]);
        assert!(names(&f, 0).is_empty());
        assert_eq!(evidence(&f, 1)[0].of, "select 2");
    }

    fn day(day: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, day, 0, 0, 0).unwrap()
    }

    #[test]
    fn a_table_is_followed_through_the_runs() {
        let changed = |run: &str, from: &str, to: Option<&str>| {
            let (run, from) = (run.to_owned(), Relation::parse(from));
            let change = to.map_or_else(|| NameChange::dropped(&from), |to| NameChange::renamed(&from, to));
            let by_then = Some(day(run.parse().unwrap()));
            ChangedName { run, by_then, change }
        };
        let names = [
            changed("1", "public.r", Some("r_legacy")),
            changed("1", "public.r_partitioned", Some("r")),
            changed("2", "public.e", Some("e_legacy")),
            changed("3", "public.e_legacy", Some("e")),
            changed("4", "public.r_legacy", Some("r_to_drop")),
        ];
        let told = |table: &str, names: &[ChangedName]| {
            traced(table, AppliedWhen::Unsaid, names).map(|(now, by)| (now.map(|n| n.brief()), by.to_owned()))
        };
        assert_eq!(told("r", &names), Some((Some("public.r_to_drop".into()), "4".into())));
        assert_eq!(told("public.r_partitioned", &names), Some((Some("public.r".into()), "1".into())));
        assert_eq!(told("e", &names), None, "it has its name again");
        assert_eq!(told("audit.r", &names), None);
        let dropped = [&names[..], &[changed("5", "public.r_to_drop", None)]].concat();
        assert_eq!(told("r", &dropped), Some((None, "5".into())));
        // The name is another table's since run 1: only a file from before it, or of an unknown time, means the dropped one.
        let ran = |ran| traced("r", ran, &dropped).map(|(now, by)| (now.is_none(), by));
        assert_eq!(ran(AppliedWhen::At(day(1))), Some((true, "5")));
        assert_eq!(ran(AppliedWhen::At(day(2))), None);
        assert_eq!(ran(AppliedWhen::Never), Some((true, "5")), "the catalog is asked for the successor");
    }
}
