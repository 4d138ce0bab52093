//! Is what a file creates in the catalog?

use serde::Deserialize;

use crate::engine::check::kind::Renamed;
use crate::engine::model::error::Result;
use crate::engine::model::name::Relation;
use crate::engine::model::profile::MigrationFolder;
use crate::engine::model::script::Object;
use crate::engine::port::reader::ReadTx;
use crate::features::migrations::files::Migration;
use crate::features::migrations::sql::MigrationSql;

/// What the catalog shows of one file's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    /// All of it.
    All,
    /// None of it.
    Nothing,
    /// Some of it; what is missing.
    Some(Vec<String>),
    /// It leaves nothing that could be asked for.
    Unknown(String),
}

/// The object where it is now.
fn moved(o: &Object, renamed: &[Renamed]) -> Object {
    let now = |name: &str| {
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
    };
    match o.kind {
        "relation" => Object { name: now(&o.name), ..o.clone() },
        "trigger" | "column" | "constraint" => Object { of: now(&o.of), ..o.clone() },
        "grant" => match o.name.split_once('|') {
            Some((privilege, table)) => Object { name: format!("{privilege}|{}", now(table)), ..o.clone() },
            None => o.clone(),
        },
        _ => o.clone(),
    }
}

#[derive(Deserialize)]
struct Answer {
    present: bool,
}

async fn present(tx: &mut dyn ReadTx, sql: &dyn MigrationSql, all: &[Object]) -> Result<Vec<bool>> {
    let answers: Vec<Answer> = tx.fetch(&sql.present(all)).await?;
    Ok(answers.into_iter().map(|a| a.present).collect())
}

/// One answer per file. A file from before a switchover means tables that have other names by now, a later one those that
/// have taken them: either will do.
pub(crate) async fn read(
    tx: &mut dyn ReadTx,
    sql: &dyn MigrationSql,
    files: &[Migration],
    folder: &MigrationFolder,
    renamed: &[Renamed],
) -> Result<Vec<Presence>> {
    let wanted: Vec<Vec<Object>> = (0..files.len()).map(|i| evidence(files, i)).collect();
    let all: Vec<Object> = wanted.iter().flatten().cloned().collect();
    let mut answers = present(tx, sql, &all).await?;
    if !renamed.is_empty() {
        let elsewhere: Vec<Object> = all.iter().map(|o| moved(o, renamed)).collect();
        let there = present(tx, sql, &elsewhere).await?;
        answers.iter_mut().zip(there).for_each(|(a, b)| *a |= b);
    }
    let mut answers = answers.into_iter();
    let mut out = Vec::with_capacity(files.len());
    for (file, objects) in files.iter().zip(&wanted) {
        let absent: Vec<String> =
            objects.iter().filter(|_| !answers.next().unwrap_or(false)).map(describe).collect();
        out.push(match (&file.script, declared(folder, file)) {
            (_, Some(probe)) if sql.probed(tx, probe).await? => Presence::All,
            (_, Some(_)) => Presence::Nothing,
            (Err(why), None) => Presence::Unknown(format!("the file cannot be read as SQL: {why}")),
            (Ok(_), None) if objects.is_empty() => {
                Presence::Unknown("it creates nothing of its own that the catalog could show".into())
            }
            (Ok(_), None) if absent.is_empty() => Presence::All,
            (Ok(_), None) if absent.len() == objects.len() => Presence::Nothing,
            (Ok(_), None) => Presence::Some(absent),
        });
    }
    Ok(out)
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
    use super::*;
    use crate::dialect::postgres::Postgres;
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
}
