//! Where bytes go: data to stdout, everything else to stderr.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::engine::model::error::{Error, Result};
use crate::report;
use crate::report::answer::Answer;
use crate::report::renderer::Renderer;
use crate::report::style::Style;

/// How this run speaks.
pub(super) struct Output {
    format: &'static dyn Renderer,
    colour: bool,
}

impl Output {
    /// In a format of [`report::ALL`], by its name; `None`: the one for people.
    pub(super) fn new(format: Option<&str>, no_color_flag: bool) -> Self {
        let colour = !no_color(no_color_flag) && std::io::stdout().is_terminal();
        Self { format: report::renderer(format), colour }
    }

    fn rendered(&self, answer: &Answer<'_>) -> String {
        self.format.render(answer, Style { colour: self.colour })
    }

    /// What a command answers.
    pub(super) fn answer(&self, answer: &Answer<'_>) -> Result<()> {
        self.text(&self.rendered(answer))
    }

    /// A failure that belongs to an answer, where the answer does not hold it.
    pub(super) fn failure(&self, e: &Error) {
        if !self.format.errors_are_data() {
            self.error(e);
        }
    }

    /// Data. A closed pipe (`| head`) is the reader's choice, not a failure.
    #[expect(clippy::unused_self, reason = "all output goes through the one Output")]
    pub(super) fn text(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::unobserved(format!("failed to write to stdout: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// Only for somebody who watches.
    pub(super) fn progress(text: &str) {
        let mut err = std::io::stderr();
        if err.is_terminal() {
            let _ = write!(err, "\r\x1b[K{text}");
            let _ = err.flush();
        }
    }

    pub(super) fn end_progress() {
        Self::progress("");
    }

    pub(super) fn error(&self, e: &Error) {
        Self::end_progress();
        let text = self.rendered(&Answer::Error(e));
        if self.format.errors_are_data() {
            let _ = self.text(&text);
        } else {
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}

/// `--help` and `--version`.
pub(super) fn help(e: &clap::Error) -> u8 {
    let _ = e.print();
    0
}

/// Wrong arguments. Where a failure is no data, clap says it better, with the usage.
pub(super) fn usage(e: &clap::Error, format: Option<&str>) -> u8 {
    let out = Output::new(format, true);
    if out.format.errors_are_data() {
        let text = e.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        out.error(&Error::usage(message).hint("midwatch --help"));
    } else {
        let _ = e.print();
    }
    2
}

/// `NO_COLOR` counts when it is set to anything but nothing.
pub(super) fn no_color(flag: bool) -> bool {
    flag || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
}

pub(super) fn is_terminal() -> bool {
    std::io::stdout().is_terminal() && std::io::stdin().is_terminal()
}

/// Written beside and renamed into place: a reader never meets half a file.
pub(super) fn save(path: &Path, text: &str, mode: u32) -> Result<()> {
    let fail = |e: std::io::Error| Error::usage(format!("failed to write {}: {e}", path.display()));
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(fail)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&part).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    std::fs::rename(&part, path).map_err(fail)
}
