//! Every way to alter the journal that its catalog allows, and every way to alter its copy: each is found, or stands in
//! the list of what cannot be, with the reason.
//!
//! At 4eabe32 26 of 71 such alterations were missed, among them the before-images of two rows that had changed places:
//! their digest was a sum, and `undo` would have written wrong values. A cell that could not be read ended the look.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use midwatch::dialect::postgres::owner::Owner;
use midwatch::engine::Engine;
use midwatch::engine::journal::verify::Verified;
use midwatch::engine::model::event::Event;

use crate::desk::Desk;

/// What no entry can tell, and why. `docs/security.md` says the same.
const NOT_FOUND: [(&str, &str); 6] = [
    ("fences", "a sequence is no row: only its next value would differ"),
    ("runs_id_seq", "a sequence is no row: only its next value would differ"),
    ("marks", "written by triggers in the application's own transactions, which sign nothing"),
    (
        "migrations row inserted",
        "a record of another folder: what was applied for a system stands in that run's own plan",
    ),
    ("migrations.applied_at", "told by the server when the file was applied; no decision is made by it"),
    ("migrations.applied_by", "told by the server when the file was applied; no decision is made by it"),
];

fn reason(case: &str) -> Option<&'static str> {
    let named = |(what, why): &(&str, &'static str)| {
        (case == *what || case.starts_with(&format!("{what}.")) || case.starts_with(&format!("{what} ")))
            .then_some(*why)
    };
    NOT_FOUND.iter().find_map(named)
}

/// Tables of earlier versions: runs of this one leave them empty (`golden` alters their rows), and a row there would be
/// read beside theirs.
const EARLIER: [(&str, &str); 2] = [
    (
        "images",
        "insert into midwatch.images select run, step, batch, seqs[1], relation, keys[1]::jsonb, before[1]::jsonb, after[1]::jsonb
         from midwatch.image_blocks limit 1",
    ),
    (
        "planned_rows",
        "insert into midwatch.planned_rows select run, step, last + 1, unit, keys[1]::jsonb, before[1]::jsonb, after[1]::jsonb
         from midwatch.planned_blocks limit 1",
    ),
];

/// Values of two rows of a block that have changed places.
const PLACES: [(&str, &str); 6] = [
    ("image_blocks", "before"),
    ("image_blocks", "after"),
    ("image_blocks", "keys"),
    ("planned_blocks", "before"),
    ("planned_blocks", "after"),
    ("planned_blocks", "keys"),
];

/// A column of a table of schema midwatch.
struct Column {
    table: String,
    name: String,
    kind: String,
}

/// Another value of a type than that of an expression.
fn other(kind: &str, of: &str) -> String {
    match kind {
        "bigint" | "integer" => format!("{of} + 1"),
        "text" => format!("{of} || 'x'"),
        "boolean" => format!("not {of}"),
        "timestamp with time zone" => format!("{of} + interval '1 hour'"),
        "jsonb" => format!("jsonb_build_object('other', {of})"),
        "text[]" => format!("{of} || array['x']"),
        "bigint[]" => format!("{of} || 1::bigint"),
        "oid" => format!("({of}::bigint + 1)::oid"),
        "xid8" => format!("(({of})::text::bigint + 1)::text::xid8"),
        other => panic!("no other value of type {other}"),
    }
}

/// A journal with all kinds of runs, and what it was.
struct World {
    engine: Engine,
    _desk: Desk,
    owner: Owner,
    tables: Vec<String>,
    columns: Vec<Column>,
    missed: Vec<String>,
    found: usize,
}

impl World {
    async fn new() -> Self {
        let desk = Desk::new().await;
        let (run, _) = desk.interrupted("first.json").await;
        assert_eq!(desk.json(&["resume", &run]).0, 0);
        let run = desk.applied("second.json", &["plan", "backfill", "--set", "limit=16"]);
        desk.applied("undo.json", &["undo", run["id"].as_str().unwrap()]);
        let (code, value) = desk.json(&["journal", "verify"]);
        assert_eq!(code, 0, "{value:#}");
        let mut owner = desk.owner().await;
        // As its owner can: nothing of the schema stands in the way.
        owner
            .execute_script(
                "set session_replication_role = replica;
                 insert into midwatch.marks (relation, op, key, part) values (1, 'UPDATE', '{1}', '{}'), (2, 'DELETE', '{2}', '{x}');
                 do $$ declare c record; begin
                   for c in select conrelid::regclass as t, conname from pg_constraint where connamespace = 'midwatch'::regnamespace
                            order by contype <> 'f' loop
                     execute format('alter table %s drop constraint %I cascade', c.t, c.conname);
                   end loop;
                   for c in select attrelid::regclass as t, attname, attidentity, attnotnull from pg_attribute a join pg_class k on k.oid = attrelid
                            where relnamespace = 'midwatch'::regnamespace and relkind = 'r' and attnum > 0 loop
                     if c.attidentity <> '' then execute format('alter table %s alter %I drop identity', c.t, c.attname); end if;
                     if c.attnotnull then execute format('alter table %s alter %I drop not null', c.t, c.attname); end if;
                   end loop;
                   execute 'drop index midwatch.events_counter';
                   execute 'create schema kept';
                   for c in select relname from pg_class where relnamespace = 'midwatch'::regnamespace and relkind = 'r' loop
                     execute format('create table kept.%I as table midwatch.%1$I', c.relname);
                   end loop;
                 end $$",
            )
            .await
            .unwrap();
        let listed = "select string_agg(c.relname || '|' || a.attname || '|' || format_type(a.atttypid, null), ';' order by c.relname, a.attnum)
                      from pg_attribute a join pg_class c on c.oid = a.attrelid
                      where c.relnamespace = 'midwatch'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped";
        let listed = owner.fetch_value(listed, &[]).await.unwrap().unwrap();
        let columns: Vec<Column> = listed
            .split(';')
            .map(|line| {
                let [table, name, kind] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
                Column { table: table.into(), name: name.into(), kind: kind.into() }
            })
            .collect();
        let mut tables: Vec<String> = columns.iter().map(|c| c.table.clone()).collect();
        tables.dedup();
        Self { engine: desk.engine().await, _desk: desk, owner, tables, columns, missed: vec![], found: 0 }
    }

    /// Without what it says of the schema, in whose constraints these alterations would be caught.
    async fn verified(&self) -> Verified {
        let mut verified = self.engine.verify_journal().await.unwrap();
        let of_schema = |f: &String| {
            let (what, rest) = f.split_once(' ').unwrap_or_default();
            ["column", "constraint", "index", "relation"].contains(&what)
                && (rest.ends_with(" was altered") || rest.ends_with(" is missing"))
        };
        verified.findings.retain(|f| !of_schema(f));
        verified
    }

    async fn count(&mut self, sql: &str) -> i64 {
        self.owner.fetch_value(sql, &[]).await.unwrap().unwrap().parse().unwrap()
    }

    /// Alters a table by statements that say in the end how many rows are other ones; looks; puts it back.
    async fn tried(&mut self, case: &str, table: &str, sql: &str) {
        self.owner.execute_script(sql).await.unwrap_or_else(|e| panic!("{case}: {e} in {sql}"));
        let differs = format!(
            "select ((select count(*) from (select to_jsonb(m)::text from midwatch.{table} m except all select to_jsonb(k)::text from kept.{table} k) a)
                  + (select count(*) from (select to_jsonb(k)::text from kept.{table} k except all select to_jsonb(m)::text from midwatch.{table} m) b))::text"
        );
        // Nothing to swap, for example: every row holds the same.
        if self.count(&differs).await > 0 {
            self.looked(case).await;
        }
        let back = format!("truncate midwatch.{table}; insert into midwatch.{table} table kept.{table}");
        self.owner.execute_script(&back).await.unwrap();
    }

    async fn looked(&mut self, case: &str) {
        let verified = self.verified().await;
        let found = !verified.findings.is_empty();
        match (found, reason(case)) {
            (true, None) => {
                self.found += 1;
                println!("found  {case}: {}", verified.findings[0]);
            }
            (false, Some(why)) => println!("cannot be detected  {case}, because {why}"),
            (false, None) => self.missed.push(format!("missed: {case} ({verified:?})")),
            (true, Some(_)) => self.missed.push(format!("found after all: {case}: {:?}", verified.findings)),
        }
    }

    async fn columns(&mut self) {
        for Column { table, name, kind } in std::mem::take(&mut self.columns) {
            let case = |how: &str| format!("{table}.{name} {how}");
            // The row that tells most: the newest of those that hold something.
            let row = format!(
                "ctid = (select ctid from midwatch.{table} where {name} is not null order by ctid desc limit 1)"
            );
            let changed = format!("update midwatch.{table} set {name} = {} where {row}", other(&kind, &name));
            self.tried(&case("changed"), &table, &changed).await;
            let null = format!("update midwatch.{table} set {name} = null where {row}");
            self.tried(&case("NULL"), &table, &null).await;
            let swapped = format!(
                "with two as (select a.ctid as at_a, b.ctid as at_b, a.{name} as of_a, b.{name} as of_b
                              from midwatch.{table} a join midwatch.{table} b on a.ctid < b.ctid and a.{name}::text is distinct from b.{name}::text
                              order by a.ctid desc, b.ctid limit 1)
                 update midwatch.{table} t set {name} = case when t.ctid = two.at_a then two.of_b else two.of_a end from two where t.ctid in (two.at_a, two.at_b)"
            );
            self.tried(&case("swapped between two rows"), &table, &swapped).await;
        }
    }

    /// At 4eabe32 that was missed in images, and `undo` wrote each row's values into the other.
    async fn places(&mut self) {
        for (table, name) in PLACES {
            let swapped = format!(
                "with two as (select ctid as at, other from midwatch.{table}, lateral (select min(n) from generate_subscripts({name}, 1) n
                                 where {name}[n] is distinct from {name}[1]) o(other) where other is not null order by ctid desc limit 1)
                 update midwatch.{table} t set {name}[1] = {name}[two.other], {name}[two.other] = {name}[1] from two where t.ctid = two.at"
            );
            let found = self.found;
            self.tried(&format!("{table}.{name} of two rows of a block swapped"), table, &swapped).await;
            assert!(
                self.found > found || !self.missed.is_empty(),
                "{table}.{name}: no block has two of them"
            );
        }
    }

    async fn rows(&mut self, first_columns: &BTreeMap<String, (String, String)>) {
        for table in self.tables.clone() {
            let rows = self.count(&format!("select count(*)::text from midwatch.{table}")).await;
            if let Some((_, filled)) = EARLIER.iter().find(|(earlier, _)| table == *earlier) {
                self.tried(&format!("{table} row inserted"), &table, filled).await;
            }
            for at in [0, rows / 2, rows - 1].into_iter().filter(|_| rows > 0) {
                let deleted = format!(
                    "delete from midwatch.{table} where ctid = (select ctid from midwatch.{table} order by ctid offset {at} limit 1)"
                );
                self.tried(&format!("{table} row {at} of {rows} deleted"), &table, &deleted).await;
            }
            let doubled = format!(
                "insert into midwatch.{table} select * from midwatch.{table} order by ctid desc limit 1"
            );
            self.tried(&format!("{table} row doubled"), &table, &doubled).await;
            let (name, kind) = &first_columns[&table];
            let inserted = format!(
                "insert into midwatch.{table} select * from midwatch.{table} order by ctid desc limit 1;
                 update midwatch.{table} set {name} = {} where ctid = (select max(ctid) from midwatch.{table})",
                if kind == "bigint" { format!("(select max({name}) + 1 from midwatch.{table})") } else { other(kind, name) }
            );
            self.tried(&format!("{table} row inserted"), &table, &inserted).await;
        }
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn written(path: &Path, lines: &[String]) {
    let text = lines.join("\n") + "\n";
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn every_alteration_of_the_journal_is_found_or_named() {
    let mut world = World::new().await;
    assert_eq!(world.verified().await.findings, Vec::<String>::new(), "what is untouched is in order");
    let mut first = BTreeMap::new();
    for c in &world.columns {
        first.entry(c.table.clone()).or_insert((c.name.clone(), c.kind.clone()));
    }
    world.columns().await;
    world.places().await;
    world.rows(&first).await;
    assert!(world.found > 150, "{} cases", world.found);
    assert!(world.missed.is_empty(), "{:#?}", world.missed);
}

#[tokio::test]
async fn every_alteration_of_the_copy_is_found() {
    let desk = Desk::new().await;
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=16"]);
    desk.applied("second.json", &["plan", "backfill", "--set", "limit=8"]);
    let copy = desk.copy();
    let whole = lines(&copy);
    assert!(whole.len() >= 6, "{}", whole.len());
    let at = whole.len() / 2;
    let verified = async || desk.engine().await.verify_journal().await.unwrap();
    assert_eq!(verified().await.findings, Vec::<String>::new());
    let alterations: [(&str, &dyn Fn()); 11] = [
        ("garbage", &|| std::fs::write(&copy, [0xff; 4096]).unwrap()),
        ("a line of garbage", &|| {
            let mut all = whole.clone();
            all[at] = "\u{1b}]0;no entry\u{7}".into();
            written(&copy, &all);
        }),
        ("cut in a line", &|| {
            let text = std::fs::read(&copy).unwrap();
            std::fs::write(&copy, &text[..text.len() - 9]).unwrap();
        }),
        ("cut at a line", &|| written(&copy, &whole[..whole.len() - 1])),
        ("emptied", &|| std::fs::write(&copy, "").unwrap()),
        ("reordered", &|| {
            let mut all = whole.clone();
            all.swap(at, at + 1);
            written(&copy, &all);
        }),
        ("a line deleted", &|| {
            let mut all = whole.clone();
            all.remove(at);
            written(&copy, &all);
        }),
        ("a line doubled", &|| {
            let mut all = whole.clone();
            all.insert(at, whole[at].clone());
            written(&copy, &all);
        }),
        ("a line altered", &|| {
            let mut all = whole.clone();
            all[at] = all[at].replacen("\"kind\":\"", "\"kind\":\"x", 1);
            written(&copy, &all);
        }),
        ("removed", &|| std::fs::remove_file(&copy).unwrap()),
        ("without ends of lines", &|| std::fs::write(&copy, whole.concat()).unwrap()),
    ];
    for (how, alter) in alterations {
        alter();
        let found = verified().await.findings;
        println!("{how}: {found:?}");
        assert!(!found.is_empty(), "the copy {how}: nothing was found");
        written(&copy, &whole);
    }
    assert_eq!(verified().await.findings, Vec::<String>::new());
    // At 4eabe32 the next entry was written behind half a line and lost with it.
    let text = std::fs::read(&copy).unwrap();
    std::fs::write(&copy, &text[..text.len() - 9]).unwrap();
    let run = desk.applied("third.json", &["plan", "backfill", "--set", "limit=8"]);
    assert!(run["copy"][0].as_str().unwrap().contains("half a line"), "{run:#}");
    assert_eq!(verified().await.findings, Vec::<String>::new());
}

/// The tail of the journal, cut off by whoever can compute a chain: at 4eabe32 that was found only where the copy was.
#[tokio::test]
async fn a_journal_that_was_cut_or_computed_anew_is_found_with_and_without_its_copy() {
    let desk = Desk::new().await;
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=8"]);
    let run = desk.applied("second.json", &["plan", "backfill", "--set", "limit=8"]);
    let run = run["id"].as_str().unwrap();
    let verified = async || desk.engine().await.verify_journal().await.unwrap();
    desk.sql("create schema kept; create table kept.events as table midwatch.events; create table kept.head as table midwatch.head; create table kept.runs as table midwatch.runs")
        .await;
    let restore = "set session_replication_role = replica; truncate midwatch.events; insert into midwatch.events table kept.events;
                   update midwatch.head set (seq, hash) = (select seq, hash from kept.head);
                   update midwatch.runs r set operator = k.operator from kept.runs k where k.id = r.id";
    let copy = desk.copy();
    let kept = std::fs::read(&copy).unwrap();
    for with_copy in [true, false] {
        if !with_copy {
            std::fs::remove_file(&copy).unwrap();
        }
        // The whole run never was.
        desk.sql(&format!(
            "set session_replication_role = replica; delete from midwatch.events where run = {run};
             update midwatch.head set (seq, hash) = (select seq, hash from midwatch.events order by seq desc limit 1)"
        ))
        .await;
        let found = verified().await.findings;
        assert!(found.iter().any(|f| f.contains("it was cut, or an older state was restored")), "{found:?}");
        desk.sql(restore).await;
        // Somebody else did it, and every hash is computed anew.
        forge_operator(&desk, run).await;
        let found = verified().await.findings;
        assert!(found.iter().any(|f| f.contains("its signature is not that of")), "{found:?}");
        assert!(
            found.iter().any(|f| f.contains("is not the one that was seen from this machine")),
            "{found:?}"
        );
        desk.sql(restore).await;
    }
    std::fs::write(&copy, kept).unwrap();
    assert_eq!(verified().await.findings, Vec::<String>::new());
}

async fn forge_operator(desk: &Desk, run: &str) {
    let mut owner = desk.owner().await;
    let all = "select coalesce(json_agg(json_build_object('seq', seq, 'at', at, 'run', run::text, 'kind', kind, 'body', body,
               'prev', prev, 'hash', hash) order by seq), '[]')::text from midwatch.events";
    let all = owner.fetch_value(all, &[]).await.unwrap().unwrap();
    let mut events: Vec<Event> = serde_json::from_str(&all).unwrap();
    let mut prev = String::new();
    let mut sql = String::from("set session_replication_role = replica;");
    for event in &mut events {
        if event.run.as_deref() == Some(run) {
            event.body = event.body.replace("dana@", "eve@");
        }
        event.prev = prev;
        event.hash = event.computed_hash();
        prev = event.hash.clone();
        let _ = write!(
            sql,
            "update midwatch.events set body = $b${}$b$, prev = '{}', hash = '{}' where seq = {};",
            event.body, event.prev, event.hash, event.seq
        );
    }
    let _ = write!(
        sql,
        "update midwatch.head set hash = '{prev}'; update midwatch.runs set operator = replace(operator, 'dana@', 'eve@') where id = {run}"
    );
    owner.execute_script(&sql).await.unwrap();
    owner.close().await;
}

/// At 4eabe32 `journal verify` ended with 0 after this, and the undo wrote each row's value into the other.
#[tokio::test]
async fn values_that_changed_places_are_not_written_by_an_undo() {
    let desk = Desk::new().await;
    let run = desk.applied("run.json", &["plan", "backfill", "--set", "limit=24"]);
    let run = run["id"].as_str().unwrap();
    let table = "select md5(string_agg(e::text, '' order by e.id)) from attendance_events e";
    let after = desk.value(table).await;
    desk.sql(
        "set session_replication_role = replica;
         with two as (select ctid as at, n from midwatch.image_blocks, lateral (select min(n) from generate_subscripts(before, 1) n
                      where before[n] is distinct from before[1]) o(n) where seqs is not null and n is not null limit 1)
         update midwatch.image_blocks t set before[1] = before[two.n], before[two.n] = before[1] from two where t.ctid = two.at",
    )
    .await;
    assert_eq!(desk.json(&["journal", "verify"]).0, 1);
    let inverse = desk.plan("undo.json", &["undo", run]);
    let images = inverse["preflight"].as_array().unwrap().iter().find(|p| p["id"] == "images").unwrap();
    assert_eq!(images["status"], "fail", "{images}");
    let (code, value) = desk.apply("undo.json", &inverse);
    assert_eq!((code, desk.value(table).await), (3, after), "{value:#}");
}

/// At 4eabe32 one bad cell ended the look (exit 5) and hid all the rest; so did a table that was gone.
#[tokio::test]
async fn what_cannot_be_read_hides_nothing() {
    let desk = Desk::new().await;
    desk.applied("first.json", &["plan", "backfill", "--set", "limit=8"]);
    desk.applied("second.json", &["plan", "backfill", "--set", "limit=8"]);
    desk.sql(
        "set session_replication_role = replica;
         update midwatch.runs set plan_text = 'no plan' where id = 1;
         update midwatch.runs set operator = 'eve@here' where id = 2;
         update midwatch.image_blocks set before = after where run = 2 and ctid = (select min(ctid) from midwatch.image_blocks where run = 2)",
    )
    .await;
    let (code, value) = desk.json(&["journal", "verify"]);
    let findings = value["journal"]["findings"].to_string();
    assert_eq!(code, 1, "{value:#}");
    for found in ["plan of run 1", "operator of run 2", "images of run 2"] {
        assert!(findings.contains(found), "{found}: {value:#}");
    }
    desk.sql("alter table midwatch.image_blocks rename to gone").await;
    let (code, value) = desk.json(&["journal", "verify"]);
    let findings = value["journal"]["findings"].to_string();
    assert_eq!(code, 1, "{value:#}");
    for found in ["table midwatch.image_blocks is missing", "operator of run 2"] {
        assert!(findings.contains(found), "{found}: {value:#}");
    }
}
