//! The applications at work while an operator looks: a few writes a second, on rows of their own.
//!
//! The planted problems must stay exactly findable, so nothing here touches a loaded row, and nothing
//! here commits a state that would itself be a finding.

use crate::sandbox::demo::traffic::app::Application;
mod app;
mod attendance;
mod money;
mod worker;

use std::path::PathBuf;
use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};

use crate::dialect::postgres::owner::Owner;
use crate::sandbox::Server;

/// Running applications; they end when this is dropped.
#[derive(Debug, Default)]
pub struct Traffic {
    tasks: JoinSet<()>,
}

impl Traffic {
    /// At once: what was not committed is gone.
    pub async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }

    pub(super) fn hithonix(&mut self, server: &Server) {
        self.start(server, attendance::Office::default());
        self.start(server, worker::Worker::default());
    }

    pub(super) fn hospitality(&mut self, server: &Server) {
        self.start(server, money::Hotel::default());
    }

    fn start<A: Application>(&mut self, server: &Server, app: A) {
        self.tasks.spawn(serve(server.socket_dir(), server.user().to_owned(), app));
    }
}

/// Survives restarts of the server, as an application's pool would.
async fn serve<A: Application>(socket_dir: PathBuf, user: String, mut app: A) {
    const LONGEST: Duration = Duration::from_secs(2);
    let mut wait = Duration::from_millis(100);
    loop {
        if let Ok(mut owner) = Owner::connect(&socket_dir, &user, A::DATABASE).await {
            loop {
                match app.step(&mut owner).await {
                    Ok(()) => wait = Duration::from_millis(100),
                    Err(error) => {
                        tracing::debug!(database = A::DATABASE, %error, "the demo's traffic met an error");
                        break;
                    }
                }
                sleep(A::PAUSE).await;
            }
        }
        sleep(wait).await;
        wait = LONGEST.min(wait * 2);
    }
}
