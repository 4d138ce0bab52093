//! Where bytes go: data to stdout, everything else to stderr.

use std::io::IsTerminal as _;
use std::path::Path;

use crate::disk;
use crate::engine::model::clean;
use crate::engine::model::error::{Error, Result};
use crate::engine::model::secret::without_passwords;
use crate::report;
use crate::report::answer::Answer;
use crate::report::renderer::Renderer;
use crate::report::style::Style;
use crate::stdio::Stream;

/// How this run speaks.
pub(super) struct Output {
    format: &'static dyn Renderer,
    no_color: bool,
}

impl Output {
    /// In a format of [`report::ALL`], by its name; `None`: the one for people.
    pub(super) fn new(format: Option<&str>, no_color: bool) -> Self {
        Self { format: report::renderer(format), no_color }
    }

    /// An answer as a stream takes it.
    fn put(&self, answer: &Answer<'_>, stream: Stream) -> std::io::Result<()> {
        let colour = colours(self.no_color, stream);
        stream.write(&self.format.render(answer, Style { colour }), colour)
    }

    /// What a command answers.
    pub(super) fn answer(&self, answer: &Answer<'_>) -> Result<()> {
        written(self.put(answer, Stream::Out))
    }

    /// A failure that belongs to an answer, where the answer does not hold it.
    pub(super) fn failure(&self, e: &Error) {
        if !self.format.errors_are_data() {
            self.error(e);
        }
    }

    /// Data.
    #[expect(clippy::unused_self, reason = "all output goes through the one Output")]
    pub(super) fn text(&self, text: &str) -> Result<()> {
        written(Stream::Out.write(text, false))
    }

    /// Only for somebody who watches.
    pub(super) fn progress(text: &str) {
        // A dumb terminal would show the sequence that clears the line.
        if Stream::Err.is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb") {
            let _ = Stream::Err.rewrite_line(text);
        }
    }

    pub(super) fn end_progress() {
        Self::progress("");
    }

    pub(super) fn error(&self, e: &Error) {
        Self::end_progress();
        let answer = Answer::Error(e);
        if self.format.errors_are_data() {
            let _ = self.answer(&answer);
        } else {
            let _ = self.put(&answer, Stream::Err);
        }
    }
}

/// A closed pipe (`| head`) is the reader's choice, not a failure.
fn written(outcome: std::io::Result<()>) -> Result<()> {
    match outcome {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::unobserved(format!("failed to write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

/// `--help` and `--version`.
pub(super) fn help(e: &clap::Error, no_color: bool) -> u8 {
    print(e, no_color, Stream::Out);
    0
}

/// Wrong arguments. Where a failure is no data, clap says it better, with the usage.
pub(super) fn usage(e: &clap::Error, format: Option<&str>, no_color: bool) -> u8 {
    let out = Output::new(format, no_color);
    if out.format.errors_are_data() {
        let text = e.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        out.error(&Error::usage(message).hint("midwatch --help"));
    } else {
        print(e, no_color, Stream::Err);
    }
    2
}

/// What clap says, with colours where this program has them.
fn print(e: &clap::Error, no_color: bool, stream: Stream) {
    // What it quotes of an argument would pass as a colour of ours.
    let quotes = std::env::args_os().any(|word| word.to_string_lossy().contains(clean::harms));
    let (text, colours) = (e.render(), colours(no_color, stream) && !quotes);
    let text = if colours { text.ansi().to_string() } else { text.to_string() };
    let _ = stream.write(&without_passwords(&text), colours);
}

/// Does a stream get colours? The choice is made here and not by a stream that takes escape sequences out: data goes
/// through as it is.
pub(super) fn colours(no_color: bool, stream: Stream) -> bool {
    let wishes = Wishes {
        no_color: no_color || anstyle_query::no_color(),
        forced: anstyle_query::clicolor_force()
            && std::env::var_os("CLICOLOR_FORCE").is_some_and(|v| v != "0"),
        disabled: anstyle_query::clicolor() == Some(false),
        able: anstyle_query::term_supports_color(),
    };
    wishes.colours(stream.is_terminal())
}

/// What was said about colours.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a variable of the environment")]
struct Wishes {
    /// `--no-color`, or `NO_COLOR` is not empty.
    no_color: bool,
    /// `CLICOLOR_FORCE` is neither empty nor 0.
    forced: bool,
    /// `CLICOLOR` is 0.
    disabled: bool,
    /// `TERM` is set, and not to `dumb`.
    able: bool,
}

impl Wishes {
    /// The first that speaks decides: `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, the terminal.
    fn colours(self, terminal: bool) -> bool {
        !self.no_color && (self.forced || terminal && !self.disabled && self.able)
    }
}

pub(super) fn is_terminal() -> bool {
    Stream::Out.is_terminal() && std::io::stdin().is_terminal()
}

/// A file that an argument names. Its directory is made where it is missing.
pub(super) fn save(path: &Path, text: &str) -> Result<()> {
    let fail = |e: std::io::Error| Error::usage(format!("failed to write {}: {e}", path.display()));
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        disk::directory(dir).map_err(fail)?;
    }
    disk::save(path, text.as_bytes()).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wish_that_speaks_decides() {
        let plain = Wishes { no_color: false, forced: false, disabled: false, able: true };
        for (wishes, on_a_terminal, in_a_pipe) in [
            (plain, true, false),
            (Wishes { no_color: true, ..plain }, false, false),
            (Wishes { no_color: true, forced: true, ..plain }, false, false),
            (Wishes { forced: true, ..plain }, true, true),
            (Wishes { forced: true, disabled: true, able: false, ..plain }, true, true),
            (Wishes { disabled: true, ..plain }, false, false),
            (Wishes { able: false, ..plain }, false, false),
        ] {
            assert_eq!(
                (wishes.colours(true), wishes.colours(false)),
                (on_a_terminal, in_a_pipe),
                "{wishes:?}"
            );
        }
    }
}
