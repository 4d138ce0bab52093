//! Every operation hurt at every step, on real servers, with the real program; and the signals that slow it down.
//!
//! The steps are hit without any hook in the program: triggers that the test owns, on tables that the step writes,
//! hold it or fail (`fault.sql`); locks that others hold; a standby that never answers.

#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;

mod application;
mod case;
mod defining;
mod disk;
mod inject;
mod matrix;
mod ops;
mod pages;
mod program;
mod run_case;
mod servers;
#[cfg(feature = "tui")]
mod standby;
mod state;
mod switch;
mod switch_table;
mod switching;
mod table_roles;
#[cfg(feature = "tui")]
mod throttle;
mod undisturbed;
mod worker;
mod world;

use case::{Case, Fault, Step};
use ops::Op;
use servers::{Template, lasting, mortal};
use world::{POLICY, World};

/// One operation, each fault at one step.
async fn survives(name: &str) {
    matrix::all_pass(&matrix::run(case::chosen(Op::named(name))).await);
}

#[tokio::test]
async fn definitions_of_triggers_survive() {
    matrix::all_pass(&matrix::run(defining::chosen()).await);
}

#[tokio::test]
async fn a_switchover_is_whole_or_has_not_happened() {
    matrix::all_pass(&matrix::run(switch::chosen(switch::Op::Switchover)).await);
}

#[tokio::test]
async fn a_rollback_is_whole_or_has_not_happened() {
    matrix::all_pass(&matrix::run(switch::chosen(switch::Op::Rollback)).await);
}

macro_rules! operations {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                survives($name).await;
            }
        )*

        #[test]
        fn every_operation_has_its_test() {
            let mut tested = vec![$($name),*];
            let mut there: Vec<&str> = ops::ALL.iter().map(|o| o.name).collect();
            tested.sort_unstable();
            there.sort_unstable();
            assert_eq!(tested, there);
        }
    };
}

operations! {
    a_backfill_in_place_survives: "backfill in_place",
    a_backfill_by_repairs_survives: "backfill repairs",
    a_backfill_with_the_replica_role_survives: "backfill replica_role",
    a_fix_by_compensation_survives: "fix duplicate_clock_in",
    a_fix_by_computation_survives: "fix status_mismatch",
    a_resolution_survives: "resolve keka-sync",
    a_requeue_survives: "requeue jobs",
    a_repair_survives: "repair",
    a_copy_of_missing_rows_survives: "copy-missing",
    an_undo_survives: "undo of a backfill",
    init_survives: "init",
}

#[tokio::test]
async fn functions_in_public_do_not_stand_in_for_the_servers_own() {
    let world = World::new(lasting(), Template::Ready).await;
    world
        .execute(
            "create function public.pg_try_advisory_lock(int, int) returns bool language sql as 'select false';
             create function public.pg_backend_pid() returns int language sql as 'select 0'",
        )
        .await;
    world.apply_now(&["plan", "backfill", "--set", "limit=24"]).await;
    world.drop().await;
}

#[tokio::test]
async fn a_server_that_starts_again_is_asked_what_became_of_the_batch() {
    let (rig, _alone) = mortal(0).await;
    let world = World::new(rig, Template::Ready).await;
    world.policy(&POLICY.replace("reconnect_s = 0", "reconnect_s = 120"));
    let planned = world.plan(&["plan", "backfill", "--set", "limit=24"], "p.json").await;
    let case = Case {
        op: Op::named("backfill in_place"),
        step: Step::Commit,
        batch: Some(2),
        fault: Fault::ServerKilled,
    };
    let (program, held) = inject::hold(&world, &case, || world.start(&planned.apply())).await;
    rig.server.kill9().unwrap();
    rig.server.restart().await.unwrap();
    let end = program.end().await;
    held.release(&world).await;
    assert_eq!(end.code, 7, "{end:?}");
    let run = &end.json()["run"];
    assert_eq!((&run["outcome"], &run["resumable"]), (&"partial".into(), &true.into()), "{end:?}");
    let resumed = world.midwatch(&["resume", run["id"].as_str().unwrap(), "--json"]).await;
    assert_eq!(resumed.code, 0, "{resumed:?}");
    assert_eq!(resumed.json()["run"]["rows_applied"], planned.rows);
    world.drop().await;
}

/// `make faults`: everything, and the table of it.
#[tokio::test]
#[ignore = "takes minutes: make faults"]
async fn the_whole_matrix() {
    let verdicts = matrix::run(matrix::wanted(case::all())).await;
    pages::write(pages::FIRST, &matrix::table(&verdicts));
    matrix::all_pass(&verdicts);
}

/// `make faults`: the same of switchovers and their way back.
#[tokio::test]
#[ignore = "takes minutes: make faults"]
async fn the_whole_matrix_of_switches() {
    let verdicts = matrix::run(matrix::wanted(switch::all())).await;
    let defined = matrix::run(matrix::wanted(defining::all())).await;
    pages::write(pages::SECOND, &switch_table::table(&verdicts, &defined));
    // Words may leave one of them empty, not both.
    if !verdicts.is_empty() {
        matrix::all_pass(&verdicts);
    }
    if verdicts.is_empty() || !defined.is_empty() {
        matrix::all_pass(&defined);
    }
}
