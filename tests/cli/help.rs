//! Help names every operation with its keys, from the registry.

use midwatch::engine::plan::operation::OpSpec;
use midwatch::features::{CHECKS, OPERATIONS};

use crate::common::{Database, on};

use super::alone;

/// Without line breaks and columns.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn printed(args: &[&str]) -> String {
    let run = alone(args);
    assert!(run.code == 0 && run.stderr.is_empty(), "{run:?}");
    flat(&run.stdout)
}

fn lists(text: &str, spec: &OpSpec) {
    let example = format!("$ midwatch plan {} {}", spec.verb, spec.example);
    assert!(text.contains(spec.about) && text.contains(example.trim_end()), "{}: {text}", spec.verb);
    for param in spec.params {
        let key = format!("{}={} {} [", param.name, param.takes.placeholder(), param.about);
        assert!(text.contains(&flat(&key)), "{} {key}: {text}", spec.verb);
        let (_, rest) = text.split_once(&flat(&key)).unwrap();
        let notes = rest.split_once(']').unwrap().0;
        assert!(notes.starts_with(&param.takes.type_name()), "{} {key}: {notes}", spec.verb);
        let default = param.default_text().map_or(String::new(), |d| format!("default: {d}"));
        assert!(notes.ends_with(&default), "{} {key}: {notes}", spec.verb);
    }
}

#[test]
fn every_operation_is_listed_with_its_keys() {
    let all = printed(&["plan", "--help"]);
    let brief = printed(&["plan", "-h"]);
    for operation in OPERATIONS {
        let spec = operation.spec();
        lists(&all, spec);
        lists(&printed(&["help", spec.verb]), spec);
        assert!(brief.contains(&format!("{} {}", spec.verb, spec.about)), "{brief}");
    }
    let check = printed(&["check", "--help"]);
    for kind in CHECKS {
        assert!(check.contains(&format!("{} {}", kind.spec().kind, kind.spec().about)), "{check}");
    }
}

#[test]
fn no_line_is_wider_than_a_terminal() {
    for operation in OPERATIONS {
        for line in alone(&["help", operation.spec().verb]).stdout.lines() {
            assert!(line.chars().count() <= 80 || line.contains("$ midwatch"), "{line}");
        }
    }
}

/// An example has keys of its operation, with values of their types.
#[test]
fn examples_are_accepted() {
    for operation in OPERATIONS {
        let spec = operation.spec();
        for set in spec.example.split("--set ").skip(1) {
            let (key, value) = set.split_once('=').unwrap();
            let param = spec.params.iter().find(|p| p.name == key);
            let param = param.unwrap_or_else(|| panic!("{}: {}", spec.verb, spec.example));
            param.check(value.split(" --").next().unwrap().trim()).unwrap();
        }
        for param in spec.params {
            let unset = param.default_text().filter(|d| !d.contains(' '));
            unset.map_or(Ok(()), |d| param.check(&d)).unwrap();
        }
    }
}

#[test]
fn help_of_a_command_is_its_own() {
    for args in [&["check"][..], &["plan"], &["config"], &["config", "example"], &["journal", "verify"], &[]]
    {
        assert_eq!(printed(&[&["help"], args].concat()), printed(&[args, &["--help"]].concat()), "{args:?}");
    }
    for args in [&["help", "nonsense"][..], &["help", "backfill", "x"], &["help", "config", "x"]] {
        let run = alone(args);
        assert!(run.code == 2 && run.stdout.is_empty() && run.stderr.contains("operations: init"), "{run:?}");
        assert_eq!(alone(&[args, &["--json"]].concat()).json()["error"]["class"], "usage");
    }
}

#[tokio::test]
async fn an_unknown_key_names_the_known_ones() {
    let database = Database::empty().await;
    for operation in OPERATIONS {
        let spec = operation.spec();
        let known: Vec<_> = spec.params.iter().map(|p| p.name).collect();
        let run = on(&database.url(), &["plan", spec.verb, "--set", "nonsense=1"]);
        let says = format!("{} has no key nonsense; its keys: {}", spec.verb, known.join(", "));
        assert!(run.code == 2 && run.stderr.contains(&says), "{run:?}");
    }
    let run = on(&database.url(), &["plan", "watch", "--set", "off=maybe"]);
    assert!(run.code == 2 && run.stderr.contains("off=maybe: yes or no"), "{run:?}");
}
