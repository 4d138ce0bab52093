//! Why a lint is not heeded: in a word, beside it; that a function is too long, never.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::sources::{all_files, root};

/// Lines of a function, as clippy counts them.
const FUNCTION: i64 = 60;
/// Clippy's lint for it, and the group that it is in.
const LENGTH: [&str; 2] = ["too_many_lines", "pedantic"];

/// The attributes of a file, those in macros too, each with its line. Comments and texts are none.
fn attributes(tokens: TokenStream, found: &mut Vec<(usize, TokenStream)>) {
    let mut before = ' ';
    for token in tokens {
        match token {
            // `#!` is as good as `#`.
            TokenTree::Punct(mark) if before == '#' && mark.as_char() == '!' => {}
            TokenTree::Punct(mark) => before = mark.as_char(),
            TokenTree::Group(group) => {
                if before == '#' && group.delimiter() == Delimiter::Bracket {
                    found.push((group.span_open().start().line, group.stream()));
                } else {
                    attributes(group.stream(), found);
                }
                before = ' ';
            }
            _ => before = ' ',
        }
    }
}

/// What an attribute says of lints, also within `cfg_attr`: the level, and the words behind it.
fn levels(attribute: TokenStream, found: &mut Vec<(String, Vec<String>)>) {
    let mut before = String::new();
    for token in attribute {
        if let TokenTree::Group(group) = token {
            if ["allow", "expect"].contains(&before.as_str()) {
                let words = group.stream().into_iter().filter_map(|t| match t {
                    TokenTree::Ident(word) => Some(word.to_string()),
                    _ => None,
                });
                found.push((before, words.collect()));
            } else {
                levels(group.stream(), found);
            }
            before = String::new();
        } else {
            before = token.to_string();
        }
    }
}

/// Each exception that is none of ours.
fn excuses(files: &[(String, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        let tokens: TokenStream = text.parse().unwrap_or_else(|e| panic!("{path}: {e}"));
        let mut all = Vec::new();
        attributes(tokens, &mut all);
        for (line, attribute) in all {
            let mut said = Vec::new();
            levels(attribute, &mut said);
            for (level, words) in said {
                let names = |word: &str| words.iter().any(|w| w == word);
                let why = match level.as_str() {
                    "allow" => "allows a lint",
                    _ if LENGTH.iter().any(|lint| names(lint)) => "excuses a long function",
                    _ if !names("reason") => "has no reason",
                    _ => continue,
                };
                found.push(format!("{path}:{line} {why}"));
            }
        }
    }
    found
}

#[test]
fn exceptions_to_lints_have_reasons() {
    assert_eq!(excuses(&all_files()), Vec::<String>::new());
}

/// What the sources cannot excuse, no configuration does.
#[test]
fn functions_stay_short() {
    let read =
        |file: &str| -> toml::Table { std::fs::read_to_string(root().join(file)).unwrap().parse().unwrap() };
    assert_eq!(read("clippy.toml")["too-many-lines-threshold"].as_integer(), Some(FUNCTION));
    let lints = &read("Cargo.toml")["lints"]["clippy"];
    assert_eq!(lints["pedantic"]["level"].as_str(), Some("warn"));
    assert!(lints.get("too_many_lines").is_none(), "{lints}");
}

#[test]
fn an_exception_that_is_none_of_ours_is_found() {
    let found = |code: &str| excuses(&[("a.rs".to_owned(), code.to_owned())]);
    for (code, why) in [
        ("#[allow(dead_code, reason = \"x\")] fn f() {}", "a.rs:1 allows a lint"),
        ("#![allow(dead_code)]", "a.rs:1 allows a lint"),
        ("#[cfg_attr(test, allow(dead_code))] fn f() {}", "a.rs:1 allows a lint"),
        ("\nmod m { #[expect(dead_code)] fn f() {} }", "a.rs:2 has no reason"),
        ("fn f() { m! { #[expect(dead_code)] let a = 1; } }", "a.rs:1 has no reason"),
        (
            "#[expect(clippy::too_many_lines, reason = \"one story\")]\nfn f() {}",
            "a.rs:1 excuses a long function",
        ),
        (
            "#![expect(dead_code, clippy::pedantic, reason = \"x\")] fn f() {}",
            "a.rs:1 excuses a long function",
        ),
    ] {
        assert_eq!(found(code), [why], "{code}");
    }
    for fine in [
        "#[expect(dead_code, reason = \"x\")] fn f() {}",
        "// #[allow(dead_code)]\nconst A: &str = \"#[allow(dead_code)]\";",
        "fn f() { let allow = [1]; g.expect(\"a\"); h.expect(dead_code); }",
        "#[should_panic(expected = \"x\")] fn f() {}",
    ] {
        assert_eq!(found(fine), Vec::<String>::new(), "{fine}");
    }
}
