//! The console: keys become messages, messages change the state and ask for effects, the state is drawn.

pub mod app;
pub mod backend;
pub mod data;
pub mod dialog;
pub mod doc;
mod export;
pub mod failure;
pub mod format;
pub mod keymap;
pub mod list;
mod live;
pub mod model;
pub mod msg;
pub mod pane;
pub mod runtime;
pub mod screen;
mod terminal;
pub mod theme;
pub mod view;
mod widget;

use std::sync::Arc;

use crate::engine::model::error::Result;
use crate::engine::port::reader::Fut;
use crate::launch::Launch;
use crate::profile::Config;

/// Runs the console until it is left.
pub fn run(launch: Launch) -> Fut<'static, Result<()>> {
    Box::pin(async move {
        let mut console = launch.config.console.clone();
        console.input = Config::users_input_mode()?;
        let theme = terminal::theme(launch.no_color, console.ascii);
        let targets = launch.config.names();
        let backend = live::Live::new(launch.connect, launch.config, launch.overrides, launch.selected);
        terminal::serve(Arc::new(backend), theme, targets, &console).await
    })
}
