//! `midwatch demo`: private servers with the demo systems.

use std::sync::Arc;

use super::args::{Cli, DemoArgs};
use super::output;
use super::output::Output;
use super::parts::{Parts, open_console, overrides};
use crate::engine::model::error::{Error, Result};
use crate::profile::Config;
use crate::sandbox::Binaries;
use crate::sandbox::demo::{Demo, DemoOptions};
use crate::sandbox::postgres::fetch;
use crate::stop::Stop;

pub(super) async fn run(cli: &Cli, args: &DemoArgs, parts: &Parts, out: &Output) -> Result<u8> {
    if !args.no_ui && !output::is_terminal() {
        return Err(
            Error::usage("the console needs a terminal").hint("midwatch demo --no-ui serves without one")
        );
    }
    let mut stop = Stop::new()?;
    let binaries = binaries(args).await?;
    let options = DemoOptions {
        dir: args.dir.clone(),
        rows: args.rows,
        traffic: !args.no_traffic,
        binaries: Some(binaries),
    };
    let progress: Arc<dyn Fn(&str) + Send + Sync> =
        Arc::new(|text: &str| Output::progress(&format!("demo: {text}")));
    let demo = tokio::select! {
        demo = Demo::start(options, progress) => demo?,
        // Dropping the half-started demo stops its server.
        _ = stop.wait() => return Ok(0),
    };
    Output::end_progress();
    let outcome = if args.no_ui {
        out.text(&format!("{}\nready\n", demo.config_file().display()))?;
        stop.wait().await;
        Ok(0)
    } else {
        let config = Config::find(Some(&demo.config_file()))?.config;
        let selected = overrides(cli).apply(config.select(cli.global.target.as_deref())?);
        open_console(cli, parts, config, selected).await
    };
    demo.stop().await?;
    outcome
}

async fn binaries(args: &DemoArgs) -> Result<Binaries> {
    match Binaries::find() {
        Ok(found) => Ok(found),
        Err(_) if args.fetch_postgres => {
            Output::progress("demo: fetching PostgreSQL");
            tokio::task::spawn_blocking(|| fetch::fetch(&fetch::Consent::given()))
                .await
                .map_err(|e| Error::unobserved(format!("failed to fetch PostgreSQL: {e}")))?
        }
        Err(e) => Err(e),
    }
}
