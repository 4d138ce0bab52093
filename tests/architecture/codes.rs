//! SQLSTATEs are a dialect's: the engine decides by the cause of an error, not by its code.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Item, Member,
    visit::{self, Visit},
};

use crate::{
    breaches::{Breach, hold},
    collect::{attributes, for_tests},
    sources::Tree,
};

/// Where an error keeps its code, and the one place that takes it from there, to write it into the journal.
const KEEPS: &str = "engine/model/error.rs";
const STORES: (&str, &str) = ("engine/run/executor.rs", "recorded_code");

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

/// Lines of a file that read a code: the field, by name or in a pattern, or what gives it out.
#[derive(Default)]
struct Reads {
    field: Vec<usize>,
    given: Vec<usize>,
}

impl Reads {
    fn note(&mut self, name: &proc_macro2::Ident, field: bool) {
        let line = name.span().start().line;
        if field && name == "code" {
            self.field.push(line);
        } else if name == STORES.1 {
            self.given.push(line);
        }
    }

    /// What a macro is given is no syntax yet; a call has its arguments after the name.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(name) => {
                    let dot = at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(p) if p.as_char() == '.');
                    let called = matches!(tokens.get(at + 1), Some(TokenTree::Group(_)));
                    self.note(name, dot && !called);
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Reads {
    fn visit_item(&mut self, item: &'ast Item) {
        if !for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_expr_field(&mut self, read: &'ast syn::ExprField) {
        if let Member::Named(name) = &read.member {
            self.note(name, true);
        }
        visit::visit_expr_field(self, read);
    }

    fn visit_field_pat(&mut self, pattern: &'ast syn::FieldPat) {
        if let Member::Named(name) = &pattern.member {
            self.note(name, true);
        }
        visit::visit_field_pat(self, pattern);
    }

    fn visit_ident(&mut self, name: &'ast proc_macro2::Ident) {
        self.note(name, false);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.scan(call.tokens.clone());
    }
}

/// Codes that are read: a decision by one would be of one server.
fn read(tree: &Tree) -> Vec<Breach> {
    let mut found = Vec::new();
    for file in tree.within("engine").filter(|f| f.path != KEEPS) {
        let mut reads = Reads::default();
        reads.visit_file(&syn::parse_file(&file.text).unwrap());
        let given = if file.path == STORES.0 { vec![] } else { reads.given };
        for line in reads.field.into_iter().chain(given) {
            found.push(Breach::new(
                format!("{} reads a code", file.path),
                format!("src/{}:{line}", file.path),
            ));
        }
    }
    found
}

#[test]
fn the_engine_reads_no_code() {
    hold("codes", "no code of an error is read in the engine", &read(Tree::src()));
}

#[test]
fn a_code_that_is_read_is_found() {
    let lines = |path: &str, text: &str| {
        read(&Tree::of(&[(path, text)])).into_iter().map(|b| b.shown).collect::<Vec<_>>()
    };
    let found = |body: &str| lines("engine/a.rs", &format!("fn f(e: E) {{\n{body}\n}}"));
    for decides in [
        "if e.code.is_some() {}",
        "match e { E { code: Some(_), .. } => {}, _ => {} }",
        "let E { code, .. } = e;",
        "assert!(matches!(e.code, None));",
        "let c = e.recorded_code();",
        "let c = e.as_ref().and_then(E::recorded_code);",
    ] {
        assert_eq!(found(decides), ["src/engine/a.rs:2"], "{decides}");
    }
    for fine in ["e.code(\"x\", cause)", "E { code: None, ..e }", "let code = 1;", "d.code(cause)"] {
        assert!(found(fine).is_empty(), "{fine}");
    }
    assert!(found("}\n#[cfg(test)] mod tests { fn g(e: E) { e.code; }").is_empty());
    assert!(lines(KEEPS, "fn f(e: E) { e.code; }").is_empty());
    assert!(lines(STORES.0, "fn f(e: E) { e.recorded_code(); }").is_empty());
    assert_eq!(lines(STORES.0, "fn f(e: E) { e.code; }").len(), 1);
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
