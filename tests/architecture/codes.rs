//! SQLSTATEs are a dialect's: the engine decides by the cause of an error, not by its code.

use crate::{
    breaches::{Breach, hold},
    sources::Tree,
};

/// Five capital letters and digits, two digits among them: 42P01, 0A000, MW001. Or a class of them, 08 or 2B.
fn is_code(text: &str) -> bool {
    let code = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase();
    let digit = |c: char| c.is_ascii_digit();
    match text.len() {
        5 => text.chars().all(code) && text.chars().filter(|c| digit(*c)).count() >= 2,
        2 => {
            text.chars().all(code)
                && (text.starts_with(|c: char| matches!(c, '0' | '2'..='5')) || text == "P0" || text == "XX")
        }
        _ => false,
    }
}

/// The codes of a text: it is one, or has one in SQL's quotes.
fn codes(text: &str) -> Vec<&str> {
    let quoted = text.split('\'').skip(1).step_by(2).filter(|q| q.len() == 5);
    std::iter::once(text).chain(quoted).filter(|t| is_code(t)).collect()
}

fn breaches(tree: &Tree) -> Vec<Breach> {
    let mut found = Vec::new();
    for file in tree.within("engine") {
        for literal in file.literals.iter().filter(|l| !l.included) {
            for code in codes(&literal.text) {
                let place = format!("src/{}:{}", file.path, literal.line);
                found.push(Breach::new(format!("{} {code}", file.path), place));
            }
        }
    }
    found
}

#[test]
fn the_engine_names_no_sqlstate() {
    hold("codes", "no SQLSTATE in the engine", &breaches(Tree::src()));
}

#[test]
fn a_code_is_found() {
    let found = |code: &str| {
        breaches(&Tree::of(&[("engine/a.rs", format!("fn f() {{ {code} }}"))]))
            .into_iter()
            .map(|b| b.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found(r#"matches!(code, Some("55P03" | "40001"))"#),
        ["engine/a.rs 55P03", "engine/a.rs 40001"]
    );
    assert_eq!(found(r#"code.starts_with("08")"#), ["engine/a.rs 08"]);
    assert_eq!(found(r#"format!("raise exception using errcode = 'MW002'")"#), ["engine/a.rs MW002"]);
    for fine in [r#""FIRST""#, r#""55P03 is meant""#, r#""hello""#, r#""ab""#, r#""17""#] {
        assert!(found(fine).is_empty(), "{fine}");
    }
    assert!(breaches(&Tree::of(&[("dialect/a.rs", r#"const A: &str = "55P03";"#)])).is_empty());
}
