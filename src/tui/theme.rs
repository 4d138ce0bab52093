//! Colours and symbols by meaning. Status is word, symbol and colour: never colour alone.

use ratatui::style::{Color, Modifier, Style};

use crate::engine::model::report::{Severity, Status};
use crate::engine::model::target::Environment;

/// What a piece of text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Ordinary.
    #[default]
    Plain,
    /// Secondary.
    Dim,
    /// Emphasised.
    Strong,
    /// Looked at, fine.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
    /// Not known.
    Unknown,
    /// The one accent: where the eye may act.
    Accent,
}

/// How many colours there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None: `NO_COLOR`.
    Mono,
    /// The terminal's own sixteen.
    Sixteen,
    /// All colours that there are.
    True,
}

/// Symbols, or their ASCII stand-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyphs {
    /// Fine.
    pub ok: &'static str,
    /// To be looked at.
    pub warn: &'static str,
    /// Wrong.
    pub fail: &'static str,
    /// Not known.
    pub unknown: &'static str,
    /// Between parts of a line.
    pub dot: &'static str,
    /// A rule.
    pub rule: &'static str,
    /// A partition that is equal.
    pub equal: &'static str,
    /// A partition that differs.
    pub differs: &'static str,
    /// A partition found equal before and not written since.
    pub sealed: &'static str,
    /// A partition not compared.
    pub open: &'static str,
    /// A marked row.
    pub mark: &'static str,
    /// Both ways.
    pub both: &'static str,
    /// The cursor.
    pub cursor: &'static str,
    /// More to the right.
    pub more: &'static str,
    /// Up a tree.
    pub branch: &'static str,
    /// Enter.
    pub enter: &'static str,
    /// Going on.
    pub running: &'static str,
    /// The done part of a bar.
    pub full: &'static str,
    /// The rest of a bar.
    pub rest: &'static str,
    /// Levels of a sparkline.
    pub spark: [&'static str; 8],
}

static UNICODE: Glyphs = Glyphs {
    ok: "✓",
    warn: "▲",
    fail: "✖",
    unknown: "?",
    dot: "·",
    rule: "─",
    equal: "■",
    differs: "▣",
    sealed: "▪",
    open: "□",
    mark: "●",
    both: "⇄",
    cursor: "▌",
    more: "›",
    branch: "└ ",
    enter: "↵",
    running: "▸",
    full: "█",
    rest: "░",
    spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
};

static ASCII: Glyphs = Glyphs {
    ok: "+",
    warn: "!",
    fail: "x",
    unknown: "?",
    dot: "-",
    rule: "-",
    equal: "=",
    differs: "#",
    sealed: ":",
    open: "o",
    mark: "*",
    both: "<>",
    cursor: ">",
    more: ">",
    branch: "`-",
    enter: "Enter",
    running: ">",
    full: "#",
    rest: "-",
    spark: ["_", "_", ".", "-", "-", "=", "^", "^"],
};

/// How things look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    depth: Depth,
    /// Symbols.
    pub glyphs: &'static Glyphs,
}

impl Theme {
    /// A theme.
    pub fn new(depth: Depth, ascii: bool) -> Self {
        Self { depth, glyphs: if ascii { &ASCII } else { &UNICODE } }
    }

    /// The style of a meaning.
    pub fn tone(&self, tone: Tone) -> Style {
        let plain = Style::new();
        let pick = |true_color: (u8, u8, u8), sixteen: Color| match self.depth {
            Depth::Mono => plain,
            Depth::Sixteen => plain.fg(sixteen),
            Depth::True => plain.fg(Color::Rgb(true_color.0, true_color.1, true_color.2)),
        };
        match tone {
            Tone::Plain => plain,
            Tone::Dim => match self.depth {
                Depth::True => pick((132, 140, 150), Color::DarkGray),
                _ => plain.add_modifier(Modifier::DIM),
            },
            Tone::Strong => plain.add_modifier(Modifier::BOLD),
            Tone::Good => pick((115, 190, 120), Color::Green),
            Tone::Warn => pick((229, 182, 84), Color::Yellow),
            Tone::Bad => pick((240, 100, 95), Color::Red).add_modifier(Modifier::BOLD),
            Tone::Unknown => pick((190, 140, 230), Color::Magenta),
            Tone::Accent => pick((105, 180, 240), Color::Cyan),
        }
    }

    /// The row under the cursor.
    pub fn cursor(&self) -> Style {
        match self.depth {
            Depth::Mono => Style::new().add_modifier(Modifier::REVERSED),
            Depth::Sixteen => Style::new().bg(Color::DarkGray).add_modifier(Modifier::BOLD),
            Depth::True => Style::new().bg(Color::Rgb(38, 52, 68)),
        }
    }

    /// The environment's banner.
    pub fn banner(&self, environment: Environment) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let colour = match environment {
            Environment::Demo => Color::Cyan,
            Environment::Development | Environment::Testing => Color::Green,
            Environment::Staging => Color::Yellow,
            Environment::Production => Color::Red,
        };
        match self.depth {
            Depth::Mono => bold.add_modifier(Modifier::REVERSED),
            Depth::Sixteen | Depth::True => bold.fg(Color::Black).bg(colour),
        }
    }

    /// A status as tone, symbol and word.
    pub fn status(&self, status: &Status) -> (Tone, &'static str, &'static str) {
        match status {
            Status::Ok => (Tone::Good, self.glyphs.ok, "ok"),
            Status::Warn => (Tone::Warn, self.glyphs.warn, "warn"),
            Status::Fail => (Tone::Bad, self.glyphs.fail, "fail"),
            Status::Unknown { .. } => (Tone::Unknown, self.glyphs.unknown, "unknown"),
        }
    }

    /// A severity as tone, symbol and word.
    pub fn severity(&self, severity: Severity) -> (Tone, &'static str, &'static str) {
        match severity {
            Severity::Critical => (Tone::Bad, self.glyphs.fail, "critical"),
            Severity::Warning => (Tone::Warn, self.glyphs.warn, "warning"),
            Severity::Info => (Tone::Dim, self.glyphs.dot, "info"),
        }
    }
}
