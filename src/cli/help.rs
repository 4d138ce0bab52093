//! The help of operations and checks: `plan --help`, `help OPERATION` and `check --help`, from the registry.

use std::borrow::Cow;
use std::fmt::Write as _;

use textwrap::WordSplitter;

use crate::engine::model::param::{DefaultValue, ParamSpec};
use crate::engine::plan::operation::OpSpec;
use crate::features::{CHECKS, OPERATIONS};

/// Columns of the terminal that help is written for.
const WIDTH: usize = 80;
/// Where the text begins beside verbs and keys.
const TEXT: usize = 22;

/// The help of an operation, if there is one of that name.
pub(super) fn of_operation(verb: &str) -> Option<String> {
    specs().find(|s| s.verb == verb).map(operation)
}

/// The verbs of all operations.
pub(super) fn verbs() -> String {
    specs().map(|s| s.verb).collect::<Vec<_>>().join(" ")
}

fn specs() -> impl Iterator<Item = &'static OpSpec> {
    OPERATIONS.iter().map(|o| o.spec())
}

/// All operations, a line for each.
pub(super) fn brief() -> String {
    let mut text = String::from("Operations:\n");
    for spec in specs() {
        item(&mut text, 2, spec.verb, spec.about);
    }
    text + "\n`midwatch help OPERATION` shows the --set keys of one, `midwatch plan --help` of all."
}

/// All operations with their keys.
pub(super) fn full() -> String {
    let mut text = String::from("Operations and their --set keys:\n");
    for spec in specs() {
        text.push('\n');
        item(&mut text, 2, spec.verb, spec.about);
        keys(&mut text, spec.params);
        example(&mut text, spec);
    }
    text.trim_end().to_owned()
}

/// The kinds of checks, a line for each.
pub(super) fn checks() -> String {
    let mut text = String::from("Kinds:\n");
    for check in CHECKS {
        item(&mut text, 2, check.spec().kind, check.spec().about);
    }
    text + "\n`midwatch help check` shows their --set keys."
}

/// The kinds of checks with their keys.
pub(super) fn checks_with_keys() -> String {
    let mut text = String::from("Kinds and their --set keys:\n");
    for check in CHECKS {
        text.push('\n');
        item(&mut text, 2, check.spec().kind, check.spec().about);
        keys(&mut text, check.spec().params);
    }
    text.trim_end().to_owned()
}

/// One operation.
fn operation(spec: &OpSpec) -> String {
    let mut text = String::new();
    for line in wrapped(spec.about, WIDTH) {
        let _ = writeln!(text, "{line}");
    }
    let name = match (spec.bootstraps, spec.many) {
        (true, _) => "",
        (false, true) => " [NAME,…]",
        (false, false) => " [NAME]",
    };
    let set = if spec.params.is_empty() { "" } else { " [--set KEY=VALUE]…" };
    let _ = writeln!(text, "\nUsage: midwatch plan {}{name}{set} [--out FILE]", spec.verb);
    if !spec.params.is_empty() {
        text.push_str("\nKeys:\n");
        keys(&mut text, spec.params);
    }
    text.push_str("\nExample:\n");
    example(&mut text, spec);
    text
}

fn example(text: &mut String, spec: &OpSpec) {
    let line = format!("midwatch plan {} {}", spec.verb, spec.example);
    let _ = writeln!(text, "    $ {}", line.trim_end());
}

fn keys(text: &mut String, params: &[ParamSpec]) {
    for param in params {
        let key = format!("{}={}", param.name, param.takes.placeholder());
        item(text, 4, &key, &format!("{} {}", param.about, notes(param)));
    }
}

/// Type and default, in brackets.
fn notes(param: &ParamSpec) -> String {
    let kind = param.takes.type_name();
    match (param.default_text(), param.default) {
        (Some(default), _) => format!("[{kind}; default: {default}]"),
        (None, DefaultValue::Required) => format!("[{kind}; required]"),
        (None, DefaultValue::Or(other)) => format!("[{kind}; this or {other} is required]"),
        (None, _) => format!("[{kind}]"),
    }
}

/// A term and its text beside it, or below where the term is long.
fn item(text: &mut String, indent: usize, term: &str, about: &str) {
    let start = TEXT + indent;
    let head = format!("{:indent$}{term}", "");
    let mut lines = wrapped(about, WIDTH - start).into_iter();
    if head.chars().count() + 2 > start {
        let _ = writeln!(text, "{head}");
    } else {
        let _ = writeln!(text, "{head:<start$}{}", lines.next().unwrap_or_default());
    }
    for line in lines {
        let _ = writeln!(text, "{:start$}{line}", "");
    }
}

/// Words in lines of at most so many columns; a word stays whole.
fn wrapped(text: &str, width: usize) -> Vec<Cow<'_, str>> {
    let options = textwrap::Options::new(width).break_words(false).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a --set well-known=N|all x", 6), ["a", "--set", "well-known=N|all", "x"]);
        assert_eq!(wrapped("", 7), [""]);
    }

    #[test]
    fn no_word_of_help_is_lost() {
        let params = specs().flat_map(|s| s.params).chain(CHECKS.iter().flat_map(|c| c.spec().params));
        let params = params.map(|p| format!("{} {}", p.about, notes(p)));
        for text in specs().map(|s| s.about.to_owned()).chain(params) {
            for width in [WIDTH, WIDTH - TEXT - 4] {
                let lines = wrapped(&text, width);
                assert_eq!(lines.join(" "), text);
                assert!(lines.iter().all(|l| l.chars().count() <= width || !l.contains(' ')), "{lines:?}");
            }
        }
    }
}
