//! A terminal screen as an SVG picture: one text run per style, the same bytes for the same screen.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

const CELL: f32 = 8.4;
const LINE: f32 = 17.0;
const FONT: f32 = 14.0;
const MARGIN: f32 = 12.0;
const BACKGROUND: &str = "#0f141a";
const FOREGROUND: &str = "#d5dae0";

/// The picture.
pub(crate) fn render(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let width = f32::from(columns) * CELL + 2.0 * MARGIN;
    let height = f32::from(rows) * LINE + 2.0 * MARGIN;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.1} {height:.1}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"'DejaVu Sans Mono','Menlo','Consolas',monospace\" font-size=\"{FONT}\" xml:space=\"preserve\">\n"
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            column = run(&mut out, screen, row, column, columns);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

/// Draws the run of cells of one style that begins here; returns where the next one begins.
fn run(out: &mut String, screen: &Screen, row: u16, from: u16, columns: u16) -> u16 {
    let look = |column: u16| screen.cell(row, column).map(style).unwrap_or_default();
    let style = look(from);
    let mut to = from;
    let mut text = String::new();
    while to < columns && look(to) == style {
        if let Some(cell) = screen.cell(row, to).filter(|c| !c.is_wide_continuation()) {
            text.push_str(if cell.has_contents() { cell.contents() } else { " " });
        }
        to += 1;
    }
    let (x, y) = (MARGIN + f32::from(from) * CELL, MARGIN + f32::from(row) * LINE);
    let width = f32::from(to - from) * CELL;
    if let Some(background) = &style.background {
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{LINE}\" fill=\"{background}\"/>"
        );
    }
    if !text.trim().is_empty() {
        let weight = if style.bold { " font-weight=\"bold\"" } else { "" };
        let line = if style.underline { " text-decoration=\"underline\"" } else { "" };
        let opacity = if style.dim { " opacity=\"0.6\"" } else { "" };
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" fill=\"{}\"{weight}{line}{opacity}>{}</text>",
            y + 13.0,
            style.foreground,
            escape(&text)
        );
    }
    to
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Style {
    foreground: String,
    background: Option<String>,
    bold: bool,
    underline: bool,
    dim: bool,
}

fn style(cell: &Cell) -> Style {
    let mut foreground = colour(cell.fgcolor()).unwrap_or_else(|| FOREGROUND.to_owned());
    let mut background = colour(cell.bgcolor());
    if cell.inverse() {
        let swapped = background.unwrap_or_else(|| BACKGROUND.to_owned());
        background = Some(std::mem::replace(&mut foreground, swapped));
    }
    Style { foreground, background, bold: cell.bold(), underline: cell.underline(), dim: cell.dim() }
}

fn colour(color: Color) -> Option<String> {
    const SIXTEEN: [&str; 16] = [
        "#0f141a", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d5dae0", "#5c6370",
        "#f0645f", "#73be78", "#e5b654", "#69b4f0", "#be8ce6", "#7fd5e0", "#ffffff",
    ];
    match color {
        Color::Default => None,
        Color::Idx(i) => SIXTEEN.get(usize::from(i)).map(|c| (*c).to_owned()),
        Color::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
