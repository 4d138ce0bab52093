//! Schema midwatch is read and written only where no role with less rights could have something run there: it may have been
//! there before midwatch, or belong to a role that wants more.
//!
//! At commit 4eabe32, and in every build up to ec6755a, names alone were compared. A superuser who opened the console, or
//! ran `doctor`, `runs` or `journal verify`, ran the functions of whoever had made a schema of that name; `apply` fired its
//! triggers.

use midwatch::dialect::postgres::journal::{install, objects};
use midwatch::dialect::postgres::owner::Owner;
use midwatch::sandbox::{Options, Server};

use crate::common::binaries_18;
use crate::owners::Shop;

/// The journal, as the tables' owner makes it.
async fn of_the_owner(shop: &Shop, then: &str) {
    shop.by(shop.owner(), &format!("{};\n{then}", install::script().unwrap())).await;
}

/// `seized()` runs as who reads: `from` comes first, whatever else is in the query.
const SEIZED: &str = "create function midwatch.seized() returns text language plpgsql as $$
                      begin perform shop.seize('{owner}'); return 'x'; end $$;";

/// At 4eabe32 `plan watch` ran the function as the superuser, and at ec6755a, which knows all the files of this schema,
/// already `doctor`.
#[tokio::test]
async fn views_in_the_journals_place_are_not_read() {
    let shop = Shop::without_journal().await;
    let views = "alter table midwatch.events drop constraint events_run_fkey;
        alter table midwatch.runs drop constraint runs_undoes_fkey;
        alter table midwatch.runs rename to kept;
        create view midwatch.runs as select k.* from midwatch.seized() s left join midwatch.kept k on true;
        drop table midwatch.marks;
        create view midwatch.marks as select null::xid8 as xid, null::oid as relation, s as op, null::text[] as key, null::text[] as part
          from midwatch.seized() s;
        drop table midwatch.installations;
        create view midwatch.installations as select s as fingerprint, s as public_key, s as name, s as first_seen, s as replaces, s as proof, s as signature
          from midwatch.seized() s;
        create trigger marks_append_only before delete on midwatch.head execute function midwatch.append_only();
        create trigger installations_append_only before delete on midwatch.head execute function midwatch.append_only();";
    of_the_owner(&shop, &format!("{SEIZED}{views}")).await;
    for args in [
        &["doctor"][..],
        &["runs"],
        &["journal", "verify"],
        &["check"],
        &["plan", "watch"],
        &["plan", "switchover"],
        &["resume", "1"],
        &["undo", "1"],
    ] {
        let run = shop.run(args);
        shop.unseized(&format!("{args:?} {run:?}")).await;
        assert_ne!(run.code, 0, "{args:?} {run:?}");
    }
    let said = shop.run(&["doctor"]);
    assert!(said.stdout.contains(&format!("belongs to role {}", shop.owner())), "{said:?}");
    assert!(said.stdout.contains("midwatch.runs is no table"), "{said:?}");
}

/// At 4eabe32 a schema with the record of the first file was gone on with: `init` wrote the other records there, and a
/// trigger of its owner ran as the superuser.
#[tokio::test]
async fn a_schema_that_another_began_is_not_gone_on_with() {
    let shop = Shop::without_journal().await;
    let begun = include_str!("../../migrations/midwatch/postgres/001_migrations.sql");
    let seizing = "insert into midwatch.migrations (folder, file, checksum, normalised) values ('midwatch', '001_migrations.sql', 'x', 'x');
        create trigger seizing before insert on midwatch.migrations for each row execute function shop.seizing();";
    shop.by(shop.owner(), &format!("{begun}\n{seizing}")).await;
    let (code, plan) = shop.plan(&["init"]);
    if code == 0 {
        shop.apply(&plan);
    }
    shop.unseized("init").await;
    assert_eq!(code, 3, "{plan:#}");
    assert_eq!(shop.value("select count(*)::text from midwatch.migrations").await, "1");
}

const TAKEN_OVER: &str = "alter schema midwatch owner to current_user; alter function midwatch.append_only() owner to current_user;
    do $$ declare r record; begin
      for r in select c.oid::regclass as name from pg_class c where c.relnamespace = 'midwatch'::regnamespace
               and c.relkind in ('r', 'v', 'S') and c.relname <> 'runs_id_seq'
      loop execute format('alter table %s owner to current_user', r.name); end loop; end $$";

/// At ec6755a a journal that a role had made for itself served a superuser too: the role's trigger on its tables ran with
/// the superuser's rights in the next `apply`. At 4eabe32 the same where the role only may make triggers there.
#[tokio::test]
async fn triggers_of_others_on_the_journal_do_not_run_as_the_operator() {
    let shop = Shop::without_journal().await;
    let seizing = "create trigger seizing before insert on midwatch.events for each row execute function shop.seizing()";
    of_the_owner(&shop, seizing).await;
    let admit = ["init", "--set", &format!("operators={}", shop.owner())];
    let (code, plan) = shop.plan(&admit);
    if code == 0 {
        shop.apply(&plan);
    }
    shop.unseized("the owner's journal").await;
    assert_eq!(code, 3, "{plan:#}");
    // What is planted is still there when a superuser has taken the tables over.
    shop.sql(TAKEN_OVER).await;
    let (code, plan) = shop.plan(&admit);
    if code == 0 {
        shop.apply(&plan);
    }
    shop.unseized("the owner's journal, taken over").await;
    assert_eq!(code, 3, "{plan:#}");
    assert!(plan.to_string().contains("trigger seizing of midwatch.events runs shop.seizing()"), "{plan:#}");
    let shop = Shop::new().await;
    shop.sql(&format!(
        "grant usage on schema midwatch to {0}; grant trigger on midwatch.events to {0}",
        shop.owner()
    ))
    .await;
    let admit = ["init", "--set", &format!("operators={}", shop.owner())];
    let (code, plan) = shop.plan(&admit);
    shop.by(shop.owner(), seizing).await;
    if code == 0 {
        shop.apply(&plan);
    }
    shop.unseized("a trigger on our journal").await;
    assert_eq!(code, 3, "{plan:#}");
}

const MORE: &str = "trigger midwatch.planned_rows.more was added";

/// What a superuser did to the journal, how it is undone, and what of it is found.
const ALTERED: [(&str, &str, &str); 11] = [
    (
        "alter table midwatch.events disable trigger events_append_only",
        "alter table midwatch.events enable trigger events_append_only",
        "trigger midwatch.events.events_append_only was altered",
    ),
    (
        "create or replace function midwatch.append_only() returns trigger language plpgsql as 'begin return null; end'",
        "",
        "function midwatch.append_only() was altered",
    ),
    (
        "create function public.other() returns trigger language plpgsql as 'begin return new; end';
         create trigger more before insert on midwatch.planned_rows for each row execute function public.other()",
        "drop function public.other() cascade",
        MORE,
    ),
    (
        "create rule less as on insert to midwatch.images do instead nothing",
        "drop rule less on midwatch.images",
        "midwatch.images has rule less",
    ),
    (
        "create policy few on midwatch.runs using (false)",
        "drop policy few on midwatch.runs",
        "midwatch.runs has policy few",
    ),
    (
        "alter table midwatch.events enable row level security",
        "alter table midwatch.events disable row level security",
        "midwatch.events has row security",
    ),
    (
        "create table public.more () inherits (midwatch.planned_rows)",
        "drop table public.more",
        "public.more inherits from midwatch.planned_rows",
    ),
    (
        "alter table midwatch.runs alter outcome set default 'applied'",
        "alter table midwatch.runs alter outcome set default 'running'",
        "column midwatch.runs.outcome was altered",
    ),
    (
        "alter table midwatch.images add column note text default clock_timestamp()",
        "alter table midwatch.images drop column note",
        "column midwatch.images.note was added",
    ),
    (
        "alter table midwatch.head add constraint small check (seq < 1000)",
        "alter table midwatch.head drop constraint small",
        "constraint midwatch.head.small was added",
    ),
    (
        "create index more on midwatch.events (lower(kind))",
        "drop index midwatch.more",
        "index midwatch.events.more was added",
    ),
];

/// At 4eabe32 `journal verify` said of each of them that nothing was altered, and changes went on.
#[tokio::test]
async fn what_is_not_as_it_was_made_is_found_and_nothing_is_changed_over_it() {
    let shop = Shop::new().await;
    let made = shop.value("select pg_get_functiondef('midwatch.append_only()'::regprocedure)").await;
    let admit = ["init", "--set", &format!("operators={}", shop.owner())];
    for (sql, back, expected) in ALTERED {
        shop.sql(sql).await;
        let verified = shop.run(&["journal", "verify"]);
        assert!(verified.code == 1 && verified.stdout.contains(expected), "{sql}: {verified:?}");
        // A trigger more is a superuser's own here.
        if expected != MORE {
            let (code, plan) = shop.plan(&admit);
            assert!(code == 3 || plan["plan"]["preflight"].to_string().contains("fail"), "{sql}: {plan:#}");
        }
        shop.sql(if back.is_empty() { &made } else { back }).await;
    }
    let verified = shop.run(&["journal", "verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

/// A journal of 4eabe32, with a run: its three files.
fn earlier() -> String {
    let files = install::FILES.iter().take(3).map(|(name, text)| {
        format!("{text};\ninsert into midwatch.migrations (folder, file, checksum, normalised) values ('midwatch', '{name}', 'x', 'x');\n")
    });
    let run = "insert into midwatch.runs (operation, name, target, plan, plan_text, digest, operator, fence, planned)
               values ('backfill', 'x', 'x', '{}', '{}', 'x', 'dana@here', 1, 0);
               insert into midwatch.events (seq, at, run, kind, body, prev, hash) values (1, '', 1, 'note', '{}', '', 'x');
               update midwatch.head set seq = 1, hash = 'x';";
    files.collect::<String>() + run
}

/// At 03c73d6 a role that reads the journal of an earlier version could not read it any more once that was brought up to
/// date ("lacks SELECT on midwatch.installations"), and an operator who wanted to do it read that it needs CREATE on the
/// database, with which it could not either.
#[tokio::test]
async fn a_journal_that_is_brought_up_to_date_is_read_by_who_read_it() {
    let shop = Shop::without_journal().await;
    shop.sql(&earlier()).await;
    let (reader, operator) = (shop.planter(), shop.owner());
    shop.sql(&format!(
        "grant usage on schema midwatch to {reader}, {operator}; grant select on all tables in schema midwatch to {reader}, {operator};
         grant insert on midwatch.events, midwatch.runs, midwatch.images, midwatch.planned_rows to {operator}; grant select on midwatch.events to public"
    ))
    .await;
    let (code, refused) = shop.plan_as(&operator, &["init"]);
    let said = refused.to_string();
    assert!(said.contains(&format!("role {operator} does not own schema midwatch")), "{code} {refused:#}");
    assert!(!said.contains("GRANT CREATE"), "{refused:#}");
    shop.done(&["init"]);
    for table in ["installations", "image_blocks", "planned_blocks"] {
        for role in [&reader, &operator] {
            let may = format!("select has_table_privilege('{role}', 'midwatch.{table}', 'select')::text");
            assert_eq!(shop.value(&may).await, "true", "{role} {table}");
        }
        let writes = format!("select has_table_privilege('{reader}', 'midwatch.{table}', 'insert')::text");
        assert_eq!(shop.value(&writes).await, "false", "{table}");
    }
    let public = "select has_table_privilege('public', 'midwatch.installations', 'select')::text || has_table_privilege('public', 'midwatch.image_blocks', 'select')";
    assert_eq!(shop.value(public).await, "truefalse");
    let runs = shop.run_as(&reader, &["runs"]);
    assert!(runs.code == 0 && runs.stdout.contains("backfill"), "{runs:?}");
}

/// The list of what the journal consists of, on both ends of the versions: `MIDWATCH_PIN=write` makes it anew.
#[tokio::test]
async fn the_list_of_objects_is_what_the_files_make() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialect/postgres/journal/objects.txt");
    let shop = Shop::without_journal().await;
    let found = objects_of(&mut shop.database.owner().await).await;
    if std::env::var("MIDWATCH_PIN").is_ok_and(|v| v == "write") {
        std::fs::write(path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(path).unwrap());
    let newest = Server::start(Options { memory: true, binaries: Some(binaries_18()), ..Options::default() });
    let newest = newest.await.unwrap();
    assert_eq!(found, objects_of(&mut newest.owner("postgres").await.unwrap()).await);
}

async fn objects_of(owner: &mut Owner) -> String {
    owner.execute_script(&install::script().unwrap()).await.unwrap();
    owner.execute_script("set search_path = pg_catalog, pg_temp").await.unwrap();
    let names =
        "select array_agg(c.relname)::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
                 where n.nspname = 'midwatch' and c.relkind in ('r', 'v', 'S')";
    let names = owner.fetch_value(names, &[]).await.unwrap().unwrap();
    let mut lines: Vec<String> = owner
        .fetch_text(objects::OBJECTS, &[&names])
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join("\t"))
        .collect();
    lines.sort();
    lines.join("\n") + "\n"
}
