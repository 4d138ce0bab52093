//! The worker of the table queue: takes what waits, and does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use crate::world::World;

/// At work until it is stopped; also over a restart of its server.
pub(crate) struct Worker {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Worker {
    pub(crate) fn start(world: &World) -> Self {
        let (rig, db) = (world.rig, world.db.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut session = None;
            let work = "update jobs set state = 'done', tries = tries + 1, tried_at = now() \
                        where id in (select id from jobs where state = 'waiting' order by id for update skip locked)";
            while !asked.load(Ordering::Acquire) {
                if session.is_none() {
                    session = rig.server.owner(&db).await.ok();
                    // Not held up by a standby that is not there.
                    if let Some(owner) = &mut session {
                        let _ = owner.execute_script("set synchronous_commit = local").await;
                    }
                }
                if let Some(owner) = &mut session
                    && owner.execute(work, &[]).await.is_err()
                {
                    session = None;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        });
        Self { stop, task }
    }

    /// Has taken all there was.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.task.await.unwrap();
    }
}
