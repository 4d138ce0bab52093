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

/// What people get who ask for no format.
const DEFAULT: &dyn Renderer = &text::Text;

/// Every format of whole results.
pub const ALL: &[&dyn Renderer] = &[DEFAULT, &json::Json];

/// The names of all formats, for who asks for one.
pub fn names() -> Vec<&'static str> {
    ALL.iter().map(|r| r.name()).collect()
}

/// A format by its name; the default where none is asked for or there is none of that name.
pub fn renderer(name: Option<&str>) -> &'static dyn Renderer {
    ALL.iter().copied().find(|r| Some(r.name()) == name).unwrap_or(DEFAULT)
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
        assert!(super::names().iter().all(|n| names.contains(n)));
        assert_eq!(renderer(None).name(), ALL[0].name());
        assert_eq!(renderer(Some("carrier pigeon")).name(), ALL[0].name());
        for format in ALL {
            assert_eq!(renderer(Some(format.name())).name(), format.name());
            let text = format.render(&Answer::Error(&Error::usage("no")), Style { colour: false });
            assert!(text.contains("no") && text.ends_with('\n'), "{text}");
        }
    }
}
