//! Where a profile declares what is written, which fields are read there, and the older spelling of it: the fields stood
//! in the place's own table instead of in its table `write`. Profiles of users have that spelling, so it stays readable.

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::parse::{describe, line_at};
use crate::engine::model::error::{Error, Result};

/// A place of a profile that has a table `write`.
pub(super) struct WritePlace {
    /// The tables, or lists of tables, that lead to it.
    path: &'static [&'static str],
    /// The fields of `write` that are read there; any other is an error.
    pub(super) reads: &'static [&'static str],
    /// Those that must be there.
    pub(super) needs: &'static [&'static str],
}

/// A backfill.
pub(super) static BACKFILL: WritePlace = WritePlace {
    path: &["backfills"],
    reads: &[
        "table",
        "key",
        "filter",
        "set",
        "show",
        "audit",
        "after_batch",
        "derived",
        "verify",
        "verdicts",
    ],
    needs: &["table", "key", "filter", "set"],
};

/// The corrective rows of a backfill.
pub(super) static INSTEAD: WritePlace = WritePlace {
    path: &["backfills", "instead"],
    reads: &[
        "table",
        "key",
        "join",
        "filter",
        "set",
        "audit",
        "after_batch",
        "derived",
        "verify",
        "verdicts",
    ],
    needs: &["table", "key", "set"],
};

/// The fix of an anomaly rule.
pub(super) static FIX: WritePlace = WritePlace {
    path: &["anomalies", "fix"],
    reads: &["table", "key", "join", "set", "show", "audit", "derived", "verify", "verdicts"],
    needs: &["table", "key", "set"],
};

/// What goes with a changed state of a queue's row.
pub(super) static CHANGES: WritePlace =
    WritePlace { path: &["queues", "changes"], reads: &["audit", "derived", "verdicts"], needs: &[] };

static PLACES: [&WritePlace; 4] = [&BACKFILL, &INSTEAD, &FIX, &CHANGES];

impl WritePlace {
    /// As it stands in a profile: `backfills.instead`.
    pub(super) fn path(&self) -> String {
        self.path.join(".")
    }

    /// Puts fields of the older spelling into `write`.
    fn gather(&self, file: &str, text: &str, table: &mut DeTable<'_>) -> Result<()> {
        for field in self.reads {
            let Some((key, value)) = table.remove_entry(*field) else { continue };
            let line = line_at(text, key.span().start);
            let none = || Spanned::new(key.span(), DeValue::Table(DeTable::new()));
            let write = table.entry(Spanned::new(key.span(), "write".into())).or_insert_with(none);
            let DeValue::Table(write) = write.get_mut() else {
                let what = format!("{file}:{line}: {}.write is a table", self.path());
                return Err(Error::usage(what));
            };
            if write.contains_key(*field) {
                let (place, hint) = (self.path(), format!("keep {field} in write"));
                let what = format!("{file}:{line}: {place}: {field} stands both beside write and in it");
                return Err(Error::usage(what).hint(hint));
            }
            write.insert(key, value);
        }
        Ok(())
    }
}

/// Reads a profile's `text`, in this version's spelling or in an older one; `T` is a profile or its tables.
pub(super) fn parse_profile<T: DeserializeOwned>(file: &str, text: &str) -> Result<T> {
    let mut tables = DeTable::parse(text).map_err(|e| describe(file, text, &e))?;
    in_its_place(file, text, tables.get_mut())?;
    T::deserialize(Deserializer::from(tables)).map_err(|e| describe(file, text, &e))
}

/// A profile's tables with every field in the place that it has in this version.
fn in_its_place(file: &str, text: &str, profile: &mut DeTable<'_>) -> Result<()> {
    PLACES.iter().try_for_each(|place| {
        at_each(profile, place.path, &mut |table: &mut DeTable<'_>| place.gather(file, text, table))
    })
}

/// Every table that a path leads to.
fn at_each<'t>(
    table: &mut DeTable<'t>,
    path: &[&str],
    then: &mut dyn FnMut(&mut DeTable<'t>) -> Result<()>,
) -> Result<()> {
    let Some((first, rest)) = path.split_first() else { return then(table) };
    match table.get_mut(*first).map(Spanned::get_mut) {
        Some(DeValue::Table(one)) => at_each(one, rest, then),
        Some(DeValue::Array(many)) => many.iter_mut().try_for_each(|entry| match entry.get_mut() {
            DeValue::Table(one) => at_each(one, rest, then),
            _ => Ok(()),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::check::verdict::VerdictSpec;
    use crate::engine::model::profile::Profile;
    use crate::profile::Library;

    /// Every field that each place reads, as earlier versions spelled it.
    const OLDER: &str = r#"
name = "p"
[[queues]]
name = "q"
table = "jobs"
key = "id"
state = "state"
created = "at"
[queues.states]
pending = ["waiting"]
done = ["done"]
[queues.changes]
verdicts = ["jobs/late"]
audit = "insert into log select id from batch"
canary = 2
[[queues.changes.derived]]
table = "days"
key = ["day"]
rows = "select day from batch"
[[anomalies]]
name = "a"
title = "a rule"
key = ["id"]
sql = "select id from t"
[anomalies.fix]
title = "credit"
verdicts = ["jobs/late"]
table = "credits"
key = ["id"]
join = "left join c on c.id = r.id"
set = { id = "r.id" }
show = { name = "c.name" }
audit = "insert into log select id from batch"
derived = [{ table = "totals", key = ["id"], rows = "select id from batch" }]
verify = [{ title = "none", sql = "select 1" }]
[[backfills]]
name = "b"
verdicts = ["jobs/late"]
table = "t"
key = ["id"]
filter = "t.v is null"
set = { v = "1" }
order = "t.day"
show = { day = "t.day" }
audit = "insert into log select id from batch"
after_batch = "select f(id) from batch"
[[backfills.derived]]
table = "days"
key = ["day"]
rows = "select day from batch"
[[backfills.verify]]
title = "none"
sql = "select 1"
[backfills.instead]
strategy = "beside"
verdicts = ["jobs/late"]
table = "fixes"
key = ["id"]
join = "left join x on x.id = t.id"
filter = "x.id is null"
set = { id = "t.id" }
audit = "insert into log select id from batch"
after_batch = "select f(id) from batch"
[[backfills.instead.derived]]
table = "days"
key = ["day"]
rows = "select day from batch"
[[backfills.instead.verify]]
title = "none"
sql = "select 1"
"#;

    /// The same in this version's spelling.
    const NEWER: &str = r#"
name = "p"
[[queues]]
name = "q"
table = "jobs"
key = "id"
state = "state"
created = "at"
[queues.states]
pending = ["waiting"]
done = ["done"]
[queues.changes]
canary = 2
[queues.changes.write]
verdicts = ["jobs/late"]
audit = "insert into log select id from batch"
[[queues.changes.write.derived]]
table = "days"
key = ["day"]
rows = "select day from batch"
[[anomalies]]
name = "a"
title = "a rule"
key = ["id"]
sql = "select id from t"
[anomalies.fix]
title = "credit"
[anomalies.fix.write]
verdicts = ["jobs/late"]
table = "credits"
key = ["id"]
join = "left join c on c.id = r.id"
set = { id = "r.id" }
show = { name = "c.name" }
audit = "insert into log select id from batch"
derived = [{ table = "totals", key = ["id"], rows = "select id from batch" }]
verify = [{ title = "none", sql = "select 1" }]
[[backfills]]
name = "b"
order = "t.day"
[backfills.write]
verdicts = ["jobs/late"]
table = "t"
key = ["id"]
filter = "t.v is null"
set = { v = "1" }
show = { day = "t.day" }
audit = "insert into log select id from batch"
after_batch = "select f(id) from batch"
[[backfills.write.derived]]
table = "days"
key = ["day"]
rows = "select day from batch"
[[backfills.write.verify]]
title = "none"
sql = "select 1"
[backfills.instead]
strategy = "beside"
[backfills.instead.write]
verdicts = ["jobs/late"]
table = "fixes"
key = ["id"]
join = "left join x on x.id = t.id"
filter = "x.id is null"
set = { id = "t.id" }
audit = "insert into log select id from batch"
after_batch = "select f(id) from batch"
[[backfills.instead.write.derived]]
table = "days"
key = ["day"]
rows = "select day from batch"
[[backfills.instead.write.verify]]
title = "none"
sql = "select 1"
"#;

    fn build(text: &str) -> Result<Profile> {
        Library::new(std::path::Path::new("."), VERDICTS).build("p.toml", text)
    }

    const VERDICTS: &[&[VerdictSpec]] =
        &[&[VerdictSpec { check: "jobs", name: "late", about: "", of: |_| vec![] }]];

    fn refused(text: &str) -> String {
        build(text).unwrap_err().to_string()
    }

    #[test]
    fn both_spellings_give_the_same_profile() {
        let (older, newer) = (build(OLDER).unwrap(), build(NEWER).unwrap());
        assert_eq!(older, newer);
        let b = newer.backfills.first().unwrap();
        assert_eq!(b.write.given(), BACKFILL.reads, "every field is in this test");
        assert_eq!(b.instead.as_ref().unwrap().write.given(), INSTEAD.reads);
        assert_eq!(newer.anomalies.first().unwrap().fix.as_ref().unwrap().write.given(), FIX.reads);
        assert_eq!(newer.queues.first().unwrap().changes.as_ref().unwrap().write.given(), CHANGES.reads);
    }

    #[test]
    fn a_place_may_be_spelled_half_and_half_but_no_field_twice() {
        let mixed = NEWER.replace("order = \"t.day\"\n", "order = \"t.day\"\nshow = { day = \"t.other\" }\n");
        let line = 1 + mixed.lines().position(|l| l.contains("t.other")).unwrap();
        let said = refused(&mixed);
        assert!(
            said.starts_with(&format!("p.toml:{line}: backfills: show stands both beside write and in it")),
            "{said}"
        );
        let halved = mixed.replace("show = { day = \"t.day\" }\n", "");
        let shown = |p: &Profile| p.backfills.first().unwrap().write.show.get("day").cloned();
        assert_eq!(shown(&build(&halved).unwrap()).as_deref(), Some("t.other"));
        let twice = NEWER.replace("strategy =", "table = \"x\"\nstrategy =");
        assert!(refused(&twice).contains("backfills.instead: table stands both"), "{}", refused(&twice));
    }

    #[test]
    fn an_unknown_field_is_named_in_both_spellings() {
        for (text, line) in [
            (OLDER.replace("canary = 2", "canery = 2"), "canery"),
            (NEWER.replace("canary = 2", "canery = 2"), "canery"),
            (NEWER.replace("show = { day", "shaw = { day"), "shaw"),
        ] {
            let at = 1 + text.lines().position(|l| l.starts_with(line)).unwrap();
            let said = refused(&text);
            assert!(said.starts_with(&format!("p.toml:{at}: unknown field `{line}`")), "{said}");
        }
        // A field of another place.
        let said = refused(&OLDER.replace("canary = 2", "filter = \"true\""));
        assert!(said.contains("unknown field `filter`"), "{said}");
        let said = refused(
            &NEWER.replace("[queues.changes.write]\n", "[queues.changes.write]\nfilter = \"true\"\n"),
        );
        assert!(said.contains("q: queues.changes.write has no filter"), "{said}");
    }

    #[test]
    fn a_verdict_that_no_feature_has_is_named_with_its_place() {
        for place in ["queues.changes", "anomalies.fix", "backfills", "backfills.instead"] {
            let (before, after) = NEWER.split_once(&format!("[{place}.write]\n")).unwrap();
            let text = format!("{before}[{place}.write]\n{}", after.replacen("jobs/late", "jobs/lote", 1));
            let line = 1 + text.lines().position(|l| l.contains("lote")).unwrap();
            let error = build(&text).unwrap_err();
            let what = format!("{place}.write asks for the verdict jobs/lote, which no feature has");
            assert!(error.message.starts_with(&format!("p.toml:{line}: ")), "{error}");
            assert!(error.message.ends_with(&what), "{error}");
            assert_eq!(error.hint.as_deref(), Some("verdicts: jobs/late"));
        }
        let twice = NEWER.replace("[\"jobs/late\"]", "[\"jobs/late\", \"jobs/late\"]");
        assert!(refused(&twice).contains("verdicts jobs/late is there twice"), "{}", refused(&twice));
    }

    #[test]
    fn what_must_be_there_is_missed_in_both_spellings() {
        for text in [OLDER, NEWER] {
            let said = refused(&text.replace("filter = \"t.v is null\"\n", ""));
            assert!(said.contains("b: backfills.write lacks filter"), "{said}");
            let said = refused(&text.replace("table = \"credits\"\n", ""));
            assert!(said.contains("a: anomalies.fix.write lacks table"), "{said}");
        }
    }

    #[test]
    fn a_profile_of_one_spelling_extends_one_of_the_other() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("older.toml"), OLDER).unwrap();
        let own = "extends = \"older.toml\"\nname = \"mine\"\n[[backfills]]\nname = \"b\"\n[backfills.write]\ntable = \"u\"\n\
                   key = [\"id\"]\nfilter = \"true\"\nset = { v = \"2\" }\n";
        let file = dir.path().join("mine.toml").display().to_string();
        let p = Library::new(dir.path(), VERDICTS).build(&file, own).unwrap();
        assert_eq!(p.backfills.first().unwrap().write.table, "u");
        assert_eq!(p.anomalies.first().unwrap().fix.as_ref().unwrap().write.table, "credits");
    }
}
