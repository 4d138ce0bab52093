//! What an operation makes of its template when nothing happens to it.

use std::collections::HashMap;

use tokio::sync::Mutex;

use crate::ops::Op;
use crate::run_case::plan;
use crate::servers::Rig;
use crate::state::End;
use crate::worker::Worker;
use crate::world::World;

/// Pages of the before-images it keeps, and the end.
type Known = HashMap<(usize, &'static str), (u64, End)>;

async fn once(rig: &'static Rig, op: &'static Op) -> (u64, End) {
    static KNOWN: Mutex<Option<Known>> = Mutex::const_new(None);
    let mut known = KNOWN.lock().await;
    let known = known.get_or_insert_default();
    if let Some(end) = known.get(&(rig.number, op.name)) {
        return end.clone();
    }
    let world = World::new(rig, op.template).await;
    let worker = (op.name == "requeue jobs").then(|| Worker::start(&world));
    let planned = plan(&world, op.args, "plan.json").await;
    let end = world.midwatch(&planned.apply()).await;
    assert_eq!(end.code, 0, "{end:?}");
    if let Some(worker) = worker {
        worker.stop().await;
    }
    let pages =
        world.value("select pg_relation_size('midwatch.image_blocks')::text").await.parse::<u64>().unwrap()
            / 8_192;
    let end = (pages, End::read(&world, op).await);
    world.drop().await;
    known.insert((rig.number, op.name), end.clone());
    end
}

/// The state it leaves.
pub(crate) async fn end(rig: &'static Rig, op: &'static Op) -> End {
    once(rig, op).await.1
}

/// Pages of the images' table when it is done.
pub(crate) async fn image_pages(rig: &'static Rig, op: &'static Op) -> u64 {
    once(rig, op).await.0
}
