//! The grammar of the command line (CONSOLE.md, "Command line").

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use super::help;
use crate::report;

/// A console for database maintenance windows. Without a command it opens on the target.
#[derive(Debug, Parser)]
#[command(name = "midwatch", version, about, long_about = None, after_help = AFTER, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

const AFTER: &str = "\
Without a configuration, DATABASE_URL (or PGSERVICE, PGHOST, …) is the target.

Exit codes: 0 ok · 1 findings · 2 usage or configuration · 3 refused by a guard · 4 plan stale or expired
            5 cannot connect or observe · 6 failed, nothing changed · 7 failed, part applied · 8 outcome ambiguous";

#[derive(Debug, Args)]
pub(super) struct Global {
    /// Configuration file [default: `MIDWATCH_CONFIG`, ./midwatch.toml once it is trusted, the user's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Target of the configuration
    #[arg(long, global = true, value_name = "NAME")]
    pub(super) target: Option<String>,
    /// Profile by name or file, instead of the configured or detected one
    #[arg(long, global = true, value_name = "NAME|FILE")]
    pub(super) profile: Option<String>,
    /// Nothing may be changed
    #[arg(long, global = true)]
    pub(super) read_only: bool,
    /// Machine-readable output, errors included: short for `-o json`
    #[arg(long, global = true, conflicts_with = "format")]
    pub(super) json: bool,
    /// How results are written
    #[arg(short = 'o', long, global = true, value_name = "FORMAT", value_parser = PossibleValuesParser::new(report::names()))]
    pub(super) format: Option<String>,
    /// No colours (as `NO_COLOR` does)
    #[arg(long, global = true)]
    pub(super) no_color: bool,
    /// Write the log to a file
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) log_file: Option<PathBuf>,
    /// More log; twice for all of it
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

impl Global {
    /// The format of results that the flags ask for; `None`: the one for people.
    pub(super) fn format(&self) -> Option<&str> {
        if self.json { Some("json") } else { self.format.as_deref() }
    }
}

/// The same of words that could not be understood as a whole. The grammar reads them and ignores what is wrong; as it stops
/// at the first mistake, the rest is read again from each later word.
pub(super) fn format_asked_in(argv: &[OsString]) -> Option<String> {
    let grammar = Cli::command().ignore_errors(true).no_binary_name(true);
    let end = argv.iter().position(|word| word == "--").unwrap_or(argv.len());
    let words = argv.get(1..end)?;
    (0..words.len()).find_map(|from| {
        let found = grammar.clone().try_get_matches_from(words.iter().skip(from)).ok()?;
        let json = found.get_one::<bool>("json").is_some_and(|json| *json);
        if json { Some("json".into()) } else { found.get_one::<String>("format").cloned() }
    })
}

// Only the command that is called is built, with its lists: those of `plan` and `check` cost more than all the rest.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Run checks once
    Check(CheckArgs),
    /// Show what an operation would do, row by row; changes nothing
    Plan(PlanArgs),
    /// Do exactly what a plan says
    Apply(ApplyArgs),
    /// Plan the inverse of a run
    Undo(UndoArgs),
    /// Go on with an unfinished run
    Resume(ResumeArgs),
    /// What was done on the target, newest first
    Runs(RunsArgs),
    /// The journal itself
    Journal(JournalArgs),
    /// Keys that sign the journal: this installation's, and those of others
    Key(KeyArgs),
    /// Private servers with the demo systems, then the console on them
    Demo(DemoArgs),
    /// What works here and what does not: terminal, configuration, targets, PostgreSQL binaries
    Doctor(DoctorArgs),
    /// The configuration: an example, a check, what is in force
    Config(ConfigArgs),
    /// Help on a command or an operation
    Help(HelpArgs),
}

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Print a script of GRANTs for a role that reads the target and one that changes it; nothing is changed
    #[arg(long)]
    pub grants: bool,
    /// The role that reads, in the script; else the target's, or one named after midwatch
    #[arg(long, value_name = "ROLE", requires = "grants")]
    pub reader: Option<String>,
    /// The role that changes, in the script; else one named after midwatch
    #[arg(long, value_name = "ROLE", requires = "grants", default_value = "midwatch_operator")]
    pub operator: String,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
#[command(after_help = help::checks(), after_long_help = help::checks_with_keys())]
pub(super) struct CheckArgs {
    /// What to check: a kind or one check of it; all by default
    #[arg(value_name = "KIND[/NAME]")]
    pub(super) checks: Vec<String>,
    /// Write the JSON envelope to a file as well
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// A key of the checks, for those that have it; may be given several times, each key once
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Counts and sums only: leave out what reads whole tables row by row
    #[arg(long)]
    pub(super) quick: bool,
    /// Plant differences in a private copy and see that parity finds them, else it is untrusted
    #[arg(long)]
    pub(super) self_test: bool,
    /// Read again what was found equal before and not written since
    #[arg(long)]
    pub(super) full: bool,
    /// Go on with a comparison that was not finished; its parts name their own snapshots
    #[arg(long, conflicts_with = "quick")]
    pub(super) resume: bool,
}

#[derive(Debug, Args)]
pub(super) struct HelpArgs {
    /// A command, or an operation of `plan`
    #[arg(value_name = "COMMAND|OPERATION")]
    pub(super) words: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = help::brief(), after_long_help = help::full())]
pub(super) struct PlanArgs {
    /// One of the operations below
    #[arg(value_name = "OPERATION")]
    pub(super) operation: String,
    /// On what, as in the profile; left out: the only one it has
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// A key of the operation; may be given several times, each key once
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) set: Vec<(String, String)>,
    /// Write the plan to a file, and all its rows to FILE.rows
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("KEY=VALUE is wanted, e.g. limit=100".into()),
    }
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// As `plan --out` wrote it
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    /// The plan's phrase, byte for byte
    #[arg(long, value_name = "PHRASE")]
    pub(super) confirm: Option<String>,
    /// The database's name, for irreversible work
    #[arg(long, value_name = "DATABASE")]
    pub(super) confirm_target: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// The run's number
    #[arg(value_name = "RUN")]
    pub(super) run: String,
    /// Write the inverse plan to a file, and all its rows to FILE.rows
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The run's number
    #[arg(value_name = "RUN")]
    pub(super) run: String,
    /// The plan's phrase, byte for byte, where another installation has made the plan
    #[arg(long, value_name = "PHRASE")]
    pub(super) confirm: Option<String>,
    /// The database's name, where the plan asks for it: irreversible work on staging and production
    #[arg(long, value_name = "DATABASE")]
    pub(super) confirm_target: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct RunsArgs {
    /// One run, with its entries
    #[arg(value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Runs listed at most; how many there are in all is said
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) limit: u32,
    /// Only runs before this one: the next page
    #[arg(long, value_name = "RUN", conflicts_with = "run")]
    pub(super) before: Option<String>,
    /// Write the run's logs into a directory: all that happened, and the counts of each stage
    #[arg(long, value_name = "DIR", requires = "run")]
    pub(super) logs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct JournalArgs {
    #[command(subcommand)]
    pub(super) command: JournalCommand,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum JournalCommand {
    /// Look whether entries were altered, removed or cut off
    Verify,
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(subcommand)]
    pub(super) command: KeyCommand,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum KeyCommand {
    /// Show the public half of this installation's key, to be compared on another machine
    Export,
    /// Believe what this key signs
    Trust {
        /// All of it, as `key export` shows it on its machine
        #[arg(value_name = "FINGERPRINT")]
        fingerprint: String,
    },
    /// Believe it no more, for example because it was stolen
    Untrust {
        /// All of it, as `key list` shows it
        #[arg(value_name = "FINGERPRINT")]
        fingerprint: String,
    },
    /// Make a new key, signed by the old one: from its first entry in a journal on the old one counts no more there
    Rotate,
    /// Keys that were seen here, and how far they are believed
    List,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Holds everything of the demo; created when missing, emptied on leaving
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// Rows in each system's largest tables
    #[arg(long, value_name = "N", default_value_t = 50_000)]
    pub(super) rows: u64,
    /// No console: print the configuration's path and `ready`, then serve until SIGINT or SIGTERM
    #[arg(long)]
    pub(super) no_ui: bool,
    /// The applications stand still
    #[arg(long)]
    pub(super) no_traffic: bool,
    /// Fetch PostgreSQL binaries (12 MB, pinned version and checksum) if none are installed
    #[arg(long)]
    pub(super) fetch_postgres: bool,
}

#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub(super) command: ConfigCommand,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ExampleOf {
    /// midwatch.toml
    Config,
    /// What to watch on a kind of system
    Profile,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print a commented example, of the configuration or of a profile
    Example {
        /// Of what
        #[arg(value_enum, default_value_t = ExampleOf::Config)]
        of: ExampleOf,
    },
    /// Read and validate the configuration and the profiles it names; with --target, also ask that database which functions
    /// the SQL of its profile may call that are not the server's own
    Check,
    /// Print what is in force, without secrets, and where each value comes from
    Show,
    /// Let a file of a working directory take effect, as it is now
    Trust {
        /// The file
        #[arg(value_name = "FILE", default_value = "midwatch.toml")]
        file: PathBuf,
    },
    /// Let it have no effect any more
    Untrust {
        /// The file
        #[arg(value_name = "FILE", default_value = "midwatch.toml")]
        file: PathBuf,
    },
    /// Files that are trusted
    List,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_format_is_found_beside_mistakes() {
        let asked = |line: &str| {
            let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            format_asked_in(&argv)
        };
        for line in [
            "midwatch --nope --json",
            "midwatch -o=json --nope",
            "midwatch -vo json --nope",
            "midwatch --nope -vo json",
            "midwatch --nope -vvojson chekc",
            "midwatch check --nope --format=json",
            "midwatch chekc --format json",
            "midwatch --nope --help -o json",
        ] {
            assert_eq!(asked(line).as_deref(), Some("json"), "{line}");
        }
        for line in ["midwatch", "midwatch --nope", "midwatch -o prose", "midwatch check --nope -- --json"] {
            assert_eq!(asked(line), None, "{line}");
        }
        assert_eq!(asked("midwatch -o text --nope").as_deref(), Some("text"));
    }
}
