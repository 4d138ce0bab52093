//! What the owner of a type defines as a cast is called by no statement of ours.
//!
//! At commit 4eabe32, and after our statements had a path of their own: the casts ran as superuser in every check of a table
//! with such a column, in the console's start, and in each plan and apply; a before-image held what the cast said.

use super::World;
use crate::common::on;

pub(super) const CASTS: &str = include_str!("casts.sql");

impl World {
    /// A command that names the cast, and calls it not.
    fn refused(&self, args: &[&str], cast: &str) {
        let run = self.run(args);
        assert!((2..=5).contains(&run.code), "{args:?} {run:?}");
        assert!(format!("{}{}", run.stdout, run.stderr).contains(cast), "{args:?} {run:?}");
    }
}

/// Of whoever defined it.
const THEIRS: &str = "of role hostile_";

#[tokio::test]
async fn casts_of_others_are_named_and_not_called() {
    let world = World::new().await;
    world.done(&["init"]);
    let run = world.done(&["backfill", "bymood"]);
    let file = world.path("planned.json");
    let plan = world.json(&["plan", "copy-missing", "vold", "--out", &file]);
    let phrase = plan["plan"]["phrase"].as_str().unwrap().to_owned();
    world.value(&format!("alter table public.old owner to {}", world.role())).await;
    world.plant(CASTS).await;
    world.value("select state::text from public.jobs limit 1").await;
    assert_eq!(world.called(), "mood_text", "the attack itself");

    world.run(&["check"]);
    world.refused(&["check", "queue/jobs"], THEIRS);
    world.refused(&["check", "queue/stamped"], "timestamp");
    world.refused(&["check", "parity/vold"], THEIRS);
    for finding in ["sad_jobs", "moods"] {
        let error = world.rows("anomalies", finding).await.unwrap_err();
        assert!(error.message.contains(THEIRS), "{error:?}");
        assert_eq!(world.called(), "", "{finding}");
    }
    let out = world.path("out.json");
    for args in [
        &["plan", "backfill", "bymood"][..],
        &["plan", "repair", "vold"],
        &["plan", "copy-missing", "vold"],
        &["plan", "watch", "vold"],
        &["plan", "requeue", "jobs", "--set", "finding=exhausted"],
        &["undo", &run],
    ] {
        world.refused(&[args, &["--out", &out]].concat(), THEIRS);
    }
    // Its type has a cast inside, and `plan` would show a value of a table that it does not write.
    let error = world.rows("anomalies", "boxes").await.unwrap_err();
    assert!(error.message.contains(THEIRS), "{error:?}");
    for plan in [["plan", "backfill", "shows"], ["plan", "fix", "names"]] {
        world.refused(&[&plan[..], &["--out", &out]].concat(), THEIRS);
    }
    // Without a profile the histories of other tools are looked for.
    let seen = on(&world.database.url(), &["check", "--json"]);
    assert_eq!(world.called(), "", "{seen:?}");
    assert!(seen.stdout.contains(THEIRS), "{seen:?}");
    // What was planned before is not applied.
    let before = "select count(*)::text from public.vnew";
    let rows = world.value(before).await;
    world.refused(&["apply", &file, "--confirm", &phrase], THEIRS);
    assert_eq!(world.value(before).await, rows);
    // Tables without such a column are as they were: that a row could be cast changes nothing.
    world.value("select o::text from public.old o limit 1").await;
    assert_eq!(world.called(), "row_text", "the attack itself");
    world.json(&["check", "parity/old"]);
    world.done(&["repair", "old"]);
    world.done(&["watch", "old"]);
    world.done(&["backfill", "byname"]);
}

/// A cast of the operator's own calls nobody else's program, and yet decides what is read: an undo would write what it said.
#[tokio::test]
async fn a_value_that_a_cast_makes_another_is_not_planned_with() {
    let world = World::new().await;
    world.done(&["init"]);
    let ours = "create function public.translated(public.mood) returns text language sql immutable as
                  $$ select case $1 when 'sad' then 'traurig' else 'froh' end $$;
                create cast (public.mood as text) with function public.translated(public.mood)";
    world.database.owner().await.execute_script(ours).await.unwrap();
    world.refused(&["plan", "backfill", "bymood", "--out", &world.path("p.json")], "public.translated(");
    // Into another type than the text in which values are kept.
    let whole = "drop cast (public.mood as text);
                 create function public.number(public.mood) returns int language sql immutable as 'select 1';
                 create cast (public.mood as int) with function public.number(public.mood)";
    world.database.owner().await.execute_script(whole).await.unwrap();
    world.done(&["backfill", "bymood"]);
}
