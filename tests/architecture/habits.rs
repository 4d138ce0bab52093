//! Habits of code: who prints, and examples that must not compile.

use crate::sources::{Tree, within};

fn printing(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for file in &tree.files {
        if ["report", "cli"].iter().any(|place| within(&file.path, place)) {
            continue;
        }
        for (name, line) in &file.macros {
            if matches!(name.as_str(), "println" | "print" | "eprintln" | "eprint" | "dbg") {
                found.push(format!("src/{}:{line} uses {name}!", file.path));
            }
        }
    }
    found
}

#[test]
fn only_reports_and_the_command_line_print() {
    let found = printing(Tree::src());
    assert!(found.is_empty(), "{found:#?}");
    let tree =
        Tree::of(&[("a.rs", "fn f() { if true { println!() } }"), ("cli/b.rs", "fn f() { print!() }")]);
    assert_eq!(printing(&tree), ["src/a.rs:1 uses println!"]);
}

/// The examples of a doc comment, in order: what stands behind the fence, and the code.
fn examples(comment: &[&str]) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in comment {
        match line.trim().strip_prefix("```") {
            Some(_) if open => open = false,
            Some(kind) => {
                open = true;
                blocks.push((kind.to_owned(), String::new()));
            }
            None if open => {
                if let Some((_, code)) = blocks.last_mut() {
                    *code += line;
                    *code += "\n";
                }
            }
            None => {}
        }
    }
    blocks
}

/// The doc comments of a file, without their slashes.
fn doc_comments(text: &str) -> Vec<Vec<&str>> {
    let docs = text.lines().map(|l| {
        let line = l.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
    });
    let mut comments = vec![Vec::new()];
    for line in docs {
        match line {
            Some(line) => comments.last_mut().unwrap().push(line),
            None => comments.push(Vec::new()),
        }
    }
    comments.retain(|c| !c.is_empty());
    comments
}

/// What an example names of the crate.
fn named(code: &str) -> Vec<&str> {
    let part = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    code.split(part).filter(|word| word.starts_with("midwatch::")).collect()
}

/// Examples that must not compile and have no twin of their own directly before or after them that compiles and names
/// something that they name too.
fn alone(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for file in &tree.files {
        for comment in doc_comments(&file.text) {
            let blocks = examples(&comment);
            let mut taken = vec![false; blocks.len()];
            for (at, (kind, code)) in blocks.iter().enumerate() {
                if !kind.starts_with("compile_fail") {
                    continue;
                }
                let twin = [at.checked_sub(1), Some(at + 1)].into_iter().flatten().find(|beside| {
                    blocks.get(*beside).is_some_and(|(kind, other)| {
                        matches!(kind.as_str(), "" | "rust" | "no_run")
                            && !taken[*beside]
                            && named(code).iter().any(|name| named(other).contains(name))
                    })
                });
                match twin {
                    Some(twin) => taken[twin] = true,
                    None => found.push(format!("src/{}: {}", file.path, code.trim())),
                }
            }
        }
    }
    found
}

/// An example may fail to compile for a wrong path as well: its twin shows that it does not.
#[test]
fn examples_that_must_not_compile_have_twins_that_do() {
    let src = Tree::src();
    let found = alone(src);
    assert!(found.is_empty(), "no twin that compiles beside:\n{}", found.join("\n"));
    let all = src.files.iter().map(|f| f.text.matches("/// ```compile_fail").count()).sum::<usize>();
    assert!(all >= 5, "only {all} were seen");

    let fails = "/// ```compile_fail,E0599\n/// midwatch::a(1);\n/// ```\n";
    let compiles = "/// ```\n/// midwatch::a();\n/// ```\n";
    let ignored = compiles.replace("```\n/// m", "```ignore\n/// m");
    let other = compiles.replace("::a", "::b");
    let count = |text: String| alone(&Tree::of(&[("a.rs", &(text + "pub struct A;\n"))])).len();
    assert_eq!(count(format!("{fails}///\n/// As here:\n///\n{compiles}")), 0);
    assert_eq!(count(format!("{compiles}{fails}{fails}{compiles}")), 0);
    assert_eq!(count(format!("{fails}{compiles}{fails}")), 1);
    assert_eq!(count(format!("{compiles}pub struct B;\n{fails}")), 1);
    assert_eq!(
        (count(fails.to_owned()), count(format!("{fails}{ignored}")), count(format!("{fails}{other}"))),
        (1, 1, 1)
    );
}
