//! Help names every operation with its keys, from the registry.

use midwatch::engine::model::param::{DefaultValue, ParamSpec};
use midwatch::engine::plan::operation::OpSpec;
use midwatch::features::{CHECKS, OPERATIONS};

use crate::common::{Database, midwatch, on, run};

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
    lists_keys(text, spec.verb, spec.params);
}

fn lists_keys(text: &str, of: &str, params: &[ParamSpec]) {
    for param in params {
        let key = format!("{}={} {} [", param.name, param.takes.placeholder(), param.about);
        assert!(text.contains(&flat(&key)), "{of} {key}: {text}");
        let (_, rest) = text.split_once(&flat(&key)).unwrap();
        let notes = rest.split_once(']').unwrap().0;
        let kind = flat(&param.takes.type_name());
        let left_out = match (param.default_text(), param.default) {
            (Some(default), _) => format!("; default: {default}"),
            (None, DefaultValue::Required) => "; required".to_owned(),
            (None, DefaultValue::Or(other)) => format!("; this or {other} is required"),
            (None, _) => String::new(),
        };
        assert_eq!(notes, flat(&(kind + &left_out)), "{of} {key}");
    }
}

/// What help says of a key that is left out has an example of each kind among the operations.
#[test]
fn some_keys_are_required_and_some_one_of_two() {
    let all = || OPERATIONS.iter().flat_map(|o| o.spec().params);
    let any = |wanted: fn(&ParamSpec) -> bool| all().any(wanted);
    assert!(any(|p| p.default_text().is_some()));
    assert!(any(|p| matches!(p.default, DefaultValue::Required)));
    assert!(any(|p| matches!(p.default, DefaultValue::Or(_))));
    assert!(any(|p| p.default_text().is_none() && matches!(p.default, DefaultValue::Nothing)));
    for param in all() {
        if let DefaultValue::Or(other) = param.default {
            assert!(all().any(|p| p.name == other), "{}: {other}", param.name);
        }
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
}

#[test]
fn every_check_is_listed_with_its_keys() {
    let (all, brief) = (printed(&["check", "--help"]), printed(&["check", "-h"]));
    for spec in CHECKS.iter().map(|c| c.spec()) {
        let line = format!("{} {}", spec.kind, spec.about);
        assert!(all.contains(&line) && brief.contains(&line), "{all} {brief}");
        let (_, of_it) = all.split_once(&line).unwrap();
        lists_keys(of_it, spec.kind, spec.params);
    }
    assert!(CHECKS.iter().any(|c| !c.spec().params.is_empty()));
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

#[tokio::test]
async fn a_key_that_no_chosen_check_has_names_the_known_ones() {
    let database = Database::empty().await;
    let home = tempfile::tempdir().unwrap();
    let sql =
        "create table a (id int primary key); create table b (id int primary key) partition by range (id)";
    database.owner().await.execute_script(sql).await.unwrap();
    let profile = "name = \"p\"\n[[twins]]\nname = \"pair\"\nlegacy = \"a\"\npartitioned = \"b\"\nkey = [\"id\"]\n\
        [[anomalies]]\nname = \"none\"\ntitle = \"none\"\nkey = [\"id\"]\nsql = \"select id from a\"\n";
    std::fs::write(home.path().join("p.toml"), profile).unwrap();
    let config = format!("[targets.main]\nurl = \"{}\"\nprofile = \"p.toml\"\n", database.url());
    std::fs::write(home.path().join("midwatch.toml"), config).unwrap();
    let checked = |args: &[&str]| run(midwatch(home.path()).arg("check").args(args));
    for (args, says) in [
        (&["--set", "x=1"][..], "check has no key x; its keys: quick, full, resume, self_test"),
        (&["parity/pair", "--set", "x=1"], "check parity/pair has no key x; its keys: quick,"),
        (&["anomalies", "--set", "full=yes"], "check anomalies has no key full; its keys: none"),
        (&["--set", "full=maybe"], "full=maybe: yes or no"),
        (&["--set", "self_test="], "self_test=: yes or no"),
        (&["--set", "full=no", "--full"], "--full and --set full=no: give one of them\n"),
        (&["--quick", "--set", "quick=yes"], "--quick and --set quick=yes: give one of them\n"),
        (
            &["--self-test", "--set", "self_test=yes"],
            "--self-test and --set self_test=yes: give one of them\n",
        ),
        (&["--set", "full=no", "--set", "full=yes"], "--set full is given twice: no and yes"),
        (&["--set", "full"], "KEY=VALUE is wanted"),
        (&["--set", "quick=yes", "--set", "resume=yes"], "quick=yes and resume=yes: "),
        (&["--set", "quick=yes", "--resume"], "quick=yes and resume=yes: "),
    ] {
        let refused = checked(args);
        assert!(refused.code == 2 && refused.stderr.contains(says), "{args:?}: {refused:?}");
        // Its hint speaks of values in a list, which flags have none of.
        let listed = refused.stderr.contains("comma separated");
        assert_eq!(listed, says.contains("given twice"), "{args:?}: {refused:?}");
    }
    // A key reaches the checks that have it, a flag as well; one that none of them has is a wish for nothing.
    for args in [&["--set", "quick=yes"][..], &["--quick"], &["anomalies", "--quick"]] {
        assert!([0, 1].contains(&checked(args).code), "{args:?}: {:?}", checked(args));
    }
}
