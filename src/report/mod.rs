//! Engine data to bytes: one file per format. Nothing here looks at a database or a terminal.
//!
//! A new format of results is its file and its line in [`ALL`]; one of rows the same in [`table`].

pub mod answer;
mod change;
pub mod entry;
mod journal;
pub mod json;
pub mod logs;
pub mod renderer;
pub mod style;
pub mod table;
pub mod text;

use renderer::Renderer;

/// Every format of whole results; the first one is what people get.
pub const ALL: &[&dyn Renderer] = &[&text::Text, &json::Json];

/// A format by its name; the first of [`ALL`] where there is none of that name.
pub fn renderer(name: &str) -> &'static dyn Renderer {
    ALL.iter().copied().find(|r| r.name() == name).unwrap_or(&text::Text)
}

#[cfg(test)]
mod tests {
    use super::answer::Answer;
    use super::style::Style;
    use super::*;
    use crate::engine::model::error::Error;

    #[test]
    fn every_format_has_a_name_and_renders_whole_lines() {
        let names: std::collections::BTreeSet<_> = ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for format in ALL {
            assert_eq!(renderer(format.name()).name(), format.name());
            let text = format.render(&Answer::Error(&Error::usage("no")), Style { colour: false });
            assert!(text.contains("no") && text.ends_with('\n'), "{text}");
        }
    }
}
