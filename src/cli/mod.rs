//! The command line: one engine call per verb, one exit code per outcome.

mod args;
mod arguments;
mod change;
mod check;
mod config;
mod demo;
mod doctor;
mod help;
mod key;
mod output;
mod parts;
mod runs;

use std::ffi::OsString;

use clap::Parser as _;

use crate::engine::model::error::{Error, Result};
use crate::log;
use crate::stdio;

use args::{Cli, Command};
use output::Output;
use parts::{open_console, overrides, select};

pub use parts::Parts;

/// The grammar of the command line, for what is to hold for every argument.
pub fn grammar() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Runs a command line; the result is the process's exit code.
pub fn main(argv: impl IntoIterator<Item = OsString>, parts: &Parts) -> u8 {
    stdio::install_panic_hook();
    let argv: Vec<OsString> = argv.into_iter().collect();
    if let Some(e) = arguments::password_among(&argv) {
        let no_color = argv.iter().any(|a| a == "--no-color");
        Output::new(args::format_asked_in(&argv).as_deref(), no_color).error(&e);
        return e.exit_code();
    }
    let cli = match Cli::try_parse_from(&argv) {
        Ok(cli) => cli,
        Err(e) => {
            let no_color = argv.iter().any(|a| a == "--no-color");
            return if e.kind() == clap::error::ErrorKind::InvalidUtf8 {
                Output::new(args::format_asked_in(&argv).as_deref(), no_color)
                    .error(&arguments::not_utf8(&argv));
                2
            } else if e.use_stderr() {
                output::usage(&e, args::format_asked_in(&argv).as_deref(), no_color)
            } else {
                output::help(&e, no_color)
            };
        }
    };
    let out = Output::new(cli.global.format(), cli.global.no_color);
    if let Some(Command::Help(asked)) = &cli.command {
        return help_on(&asked.words, &out, cli.global.no_color);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(run(&cli, parts, &out));
            // A cancelled statement's clean-up may still be on its way to the server.
            runtime.shutdown_timeout(std::time::Duration::from_millis(500));
            result
        }
        Err(e) => Err(Error::unobserved(format!("failed to start: {e}"))),
    };
    match result {
        Ok(code) => code,
        Err(e) => {
            out.error(&e);
            e.exit_code()
        }
    }
}

async fn run(cli: &Cli, parts: &Parts, out: &Output) -> Result<u8> {
    log::start(cli.global.log_file.as_deref(), cli.global.verbose, cli.command.is_none())?;
    match &cli.command {
        None | Some(Command::Help(_)) => console(cli, parts).await,
        Some(Command::Check(args)) => {
            let engine = (parts.connect)(select(cli)?).await?;
            check::run(&engine, args, out).await
        }
        Some(Command::Plan(args)) => change::plan(&(parts.connect)(select(cli)?).await?, args, out).await,
        Some(Command::Undo(args)) => change::undo(&(parts.connect)(select(cli)?).await?, args, out).await,
        Some(Command::Apply(args)) => {
            // Whoever names no target means the plan's.
            let file = change::read(&args.plan)?;
            let config = parts::config(cli)?;
            let named = cli.global.target.as_deref();
            let of_plan = Some(file.target.as_str())
                .filter(|t| !config.environment_first() && config.targets.contains_key(*t));
            let named = named.or(of_plan);
            let selected = overrides(cli).apply(config.select(named)?);
            change::apply(&(parts.connect)(selected).await?, file, args, out).await
        }
        Some(Command::Resume(args)) => change::resume(&(parts.connect)(select(cli)?).await?, args, out).await,
        Some(Command::Runs(args)) => runs::list(&(parts.connect)(select(cli)?).await?, args, out).await,
        Some(Command::Journal(args)) => match args.command {
            args::JournalCommand::Verify => runs::verify(&(parts.connect)(select(cli)?).await?, out).await,
        },
        Some(Command::Key(args)) => key::run(cli, args, parts, out),
        Some(Command::Config(args)) => config::run(cli, args, parts, out).await,
        Some(Command::Doctor(args)) if args.grants => {
            let engine = (parts.connect)(select(cli)?).await?;
            let reader = args.reader.as_ref().or(engine.server().reader.as_ref());
            let reader = reader.map_or("midwatch_reader", String::as_str);
            out.text(&engine.grants(reader, &args.operator).await?)?;
            Ok(0)
        }
        Some(Command::Doctor(_)) => doctor::run(cli, parts, out).await,
        Some(Command::Demo(args)) => demo::run(cli, args, parts, out).await,
    }
}

/// `midwatch help [COMMAND… | OPERATION]`: an operation's help, else clap's own of the command.
fn help_on(words: &[String], out: &Output, no_color: bool) -> u8 {
    let operation = match words {
        [verb] => help::of_operation(verb),
        _ => None,
    };
    let line = ["midwatch".to_owned()].into_iter().chain(words.iter().cloned()).chain(["--help".to_owned()]);
    let result = match (operation, Cli::try_parse_from(line)) {
        (Some(text), _) => out.text(&text),
        (None, Err(e)) if !e.use_stderr() => return output::help(&e, no_color),
        (None, _) => Err(Error::usage(format!("no command or operation {}", words.join(" ")))
            .hint(format!("midwatch --help lists the commands; operations: {}", help::verbs()))),
    };
    if let Err(e) = &result {
        out.error(e);
    }
    result.map_or_else(|e| e.exit_code(), |()| 0)
}

async fn console(cli: &Cli, parts: &Parts) -> Result<u8> {
    let config = parts::config(cli)?;
    let selected = overrides(cli).apply(config.select(cli.global.target.as_deref())?);
    open_console(cli, parts, config, selected).await
}
