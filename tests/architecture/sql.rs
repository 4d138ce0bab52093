//! SQL text stands only where a dialect's text belongs.

use std::collections::BTreeSet;

use crate::{
    breaches::{Breach, hold},
    sources::{Def, Literal, Source, Tree, root, within},
    statements::{is_fragment, is_statement, names_catalog},
};

/// Places that are a dialect's as a whole.
const PLACES: [&str; 4] = ["dialect", "sandbox", "features/parity/pair", "features/switchover"];
/// Folders with a folder for each dialect.
const DIALECTS: [&str; 1] = ["dialect"];
/// What SQL dialects share stands beside them.
const SHARED: &str = "sql";

fn is_sql(literal: &Literal, journal: &BTreeSet<String>) -> bool {
    if literal.included {
        return std::path::Path::new(&literal.text).extension().is_some_and(|e| e == "sql");
    }
    is_statement(&literal.text) || names_catalog(&literal.text, journal)
}

/// The journal's tables, by its own files.
fn journal_tables() -> BTreeSet<String> {
    let mut files = Vec::new();
    crate::sources::walk(&root().join("migrations/midwatch"), &mut files);
    let mut tables = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap().to_lowercase();
        for rest in text.split("create table ").skip(1) {
            let name = rest.trim_start_matches("if not exists ").split([' ', '(']).next().unwrap_or_default();
            tables.extend(name.strip_prefix("midwatch.").map(str::to_owned));
        }
    }
    tables
}

/// The dialects that have a folder.
fn dialects(tree: &Tree) -> BTreeSet<&str> {
    let below = |path: &'_ str| -> Option<String> {
        let rest = DIALECTS.iter().find_map(|d| path.strip_prefix(d)?.strip_prefix('/'))?;
        Some(rest.split_once('/')?.0.to_owned())
    };
    tree.files
        .iter()
        .filter_map(|f| {
            let name = below(&f.path)?;
            f.path.split('/').find(|part| *part == name && name != SHARED)
        })
        .collect()
}

/// May SQL stand in a file?
fn allowed(path: &str, dialects: &BTreeSet<&str>) -> bool {
    // features/<feature>/<dialect>, a file or a folder.
    let own = path.strip_prefix("features/").and_then(|rest| rest.split('/').nth(1));
    PLACES.iter().any(|p| within(path, p))
        || own.is_some_and(|d| dialects.contains(d.trim_end_matches(".rs")))
}

fn breaches(tree: &Tree, wanted: &dyn Fn(&Literal) -> bool) -> Vec<Breach> {
    let dialects = dialects(tree);
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|f| !allowed(&f.path, &dialects)) {
        for literal in file.literals.iter().filter(|l| wanted(l)) {
            let text: String =
                literal.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect();
            found.push(Breach::new(file.path.clone(), format!("src/{}:{} {text}", file.path, literal.line)));
        }
    }
    found
}

/// The types of statements.
const STATEMENTS: [&str; 2] = ["Sql", "ProfileSql"];
/// What makes a statement of any text.
const ANY_TEXT: [&str; 2] = ["new", "over_rows"];
/// How a statement is made that is the profile's from end to end, and where: no text of ours gets in there.
const OF_PROFILE: &str = "of_profile";
const PROFILES: [&str; 1] = ["engine/check/paging"];

/// Does a file name such a function of a type of statements, also where the type was imported under another name?
fn names(file: &Source, function: &str) -> bool {
    let is_statement = |name: &str| STATEMENTS.contains(&name);
    let renamed = |module: &str, name: &str| {
        let defs = file.scopes.get(module).and_then(|scope| scope.names.get(name));
        let target = |def: &Def| match def {
            Def::Use(path) => path.last().is_some_and(|last| is_statement(last)),
            _ => false,
        };
        defs.is_some_and(|defs| defs.iter().any(target))
    };
    file.references.iter().any(|r| match r.path.as_slice() {
        [.., of, last] if last == function => is_statement(of) || renamed(&r.module, of),
        _ => false,
    })
}

fn makes_any(file: &Source) -> bool {
    ANY_TEXT.iter().any(|maker| names(file, maker))
}

/// Where else than with a dialect does text become a statement?
fn made_elsewhere(tree: &Tree) -> Vec<String> {
    let dialects = dialects(tree);
    let new = tree.files.iter().filter(|f| !allowed(&f.path, &dialects) && makes_any(f));
    let profile = tree.files.iter().filter(|f| !PROFILES.iter().any(|p| within(&f.path, p)));
    new.chain(profile.filter(|f| names(f, OF_PROFILE))).map(|f| f.path.clone()).collect()
}

/// How a place of SQL says, once and at its root, that statements may be made there: clippy.toml refuses it elsewhere.
const MARK: &str = "#![expect(clippy::disallowed_methods, reason = \"SQL stands here\")]";

/// Files that speak of clippy's lint and are no root of a place of SQL, and files that make statements below no root
/// that does.
fn marks(tree: &Tree) -> (Vec<&str>, Vec<&str>) {
    let dialects = dialects(tree);
    let place = |path: &str| path.trim_end_matches(".rs").trim_end_matches("/mod").to_owned();
    let is_root = |place: &str| {
        PLACES.contains(&place)
            || matches!(*place.split('/').collect::<Vec<_>>(), ["features", _, d] if dialects.contains(d))
    };
    let speaking = tree.files.iter().filter(|f| f.text.contains("disallowed_methods"));
    let (good, wrong): (Vec<_>, Vec<_>) = speaking.partition(|f| {
        is_root(&place(&f.path))
            && f.text.lines().any(|l| l == MARK)
            && f.text.matches("disallowed_methods").count() == 1
    });
    let missing = tree
        .files
        .iter()
        .filter(|f| makes_any(f) && !good.iter().any(|root| within(&f.path, &place(&root.path))));
    (wrong.iter().map(|f| f.path.as_str()).collect(), missing.map(|f| f.path.as_str()).collect())
}

/// What clippy lets pass is what this file allows. A mark that is not needed is found by clippy itself.
#[test]
fn clippy_allows_statements_in_the_same_places() {
    assert_eq!(marks(Tree::src()), (vec![], vec![]));
    let clippy: toml::Table = std::fs::read_to_string(root().join("clippy.toml")).unwrap().parse().unwrap();
    let refused = clippy["disallowed-methods"].as_array().unwrap();
    for maker in ["Sql::new", "Sql::over_rows", "ProfileSql::new"] {
        let path = format!("midwatch::engine::model::query::{maker}");
        assert!(refused.iter().any(|m| m["path"].as_str() == Some(&path)), "{path}");
    }
}

#[test]
fn a_mark_in_a_wrong_place_is_found() {
    let code = "fn f() { let _ = Sql::new(text()); }";
    let marked = format!("{MARK}\n{code}");
    let tree = Tree::of(&[
        ("dialect/postgres/mod.rs", code),
        ("dialect/mod.rs", &marked),
        ("features/queue/postgres.rs", &marked),
        ("features/queue/check.rs", &marked),
        ("features/parity/postgres/mod.rs", &code.replace("Sql", "ProfileSql")),
        ("features/parity/postgres/rows.rs", &marked),
        ("sandbox/mod.rs", &format!("{marked}\n#[allow(clippy::disallowed_methods)] fn g() {{}}")),
    ]);
    let (wrong, missing) = marks(&tree);
    assert_eq!(wrong, ["features/queue/check.rs", "features/parity/postgres/rows.rs", "sandbox/mod.rs"]);
    assert_eq!(
        missing,
        [
            "features/queue/check.rs",
            "features/parity/postgres/mod.rs",
            "features/parity/postgres/rows.rs",
            "sandbox/mod.rs"
        ]
    );
}

#[test]
fn statements_are_made_with_their_dialect() {
    assert_eq!(made_elsewhere(Tree::src()), Vec::<String>::new());
    let code = "fn f() { let _ = Sql::new(text()); }";
    let tree = Tree::of(&[("engine/a.rs", code), ("dialect/postgres/b.rs", code), ("lib.rs", "")]);
    assert_eq!(made_elsewhere(&tree), ["engine/a.rs"]);
    let found = |path: &str, code: &str| {
        let tree = Tree::of(&[(path, code), ("dialect/postgres/b.rs", ""), ("lib.rs", "")]);
        made_elsewhere(&tree).len()
    };
    for bad in [
        "fn f() { let _ = ProfileSql::new(text()); }",
        "fn f() { let _ = Sql::over_rows(text()); }",
        "fn f() { let _ = texts().map(query::ProfileSql::new); }",
        "use crate::engine::model::query::Sql as S; fn f() { let _ = S::new(text()); }",
        "fn f() { use crate::engine::model::query::{ProfileSql as Asked, Sql}; let _ = Asked::new(text()); }",
        "mod inner { use super::query::Sql as S; fn f() { let _ = vec![S::new(text())]; } }",
    ] {
        assert_eq!((found("engine/a.rs", bad), found("engine/check/paging.rs", bad)), (1, 1), "{bad}");
        assert_eq!((found("features/queue/postgres.rs", bad), found("sandbox/a.rs", bad)), (0, 0), "{bad}");
    }
    let profile = "use query::ProfileSql as P; fn f() { let _ = P::of_profile(text()); }";
    assert_eq!((found("engine/check/paging.rs", profile), found("engine/check/pages.rs", profile)), (0, 1));
    assert_eq!(found("dialect/postgres/a.rs", profile), 1, "a dialect has `new`");
    assert_eq!(found("engine/a.rs", "use query::Param as P; fn f() { let _ = P::new(text()); }"), 0);
}

#[test]
fn sql_stands_with_its_dialect() {
    let journal = journal_tables();
    assert!(journal.contains("runs"), "{journal:?}");
    let found = breaches(Tree::src(), &|l| is_sql(l, &journal));
    hold("sql", "SQL text only with its dialect", &found);
}

/// Pieces have a list of their own: a statement is easier to see, and goes first.
#[test]
fn pieces_of_sql_stand_with_their_dialect() {
    let journal = journal_tables();
    let pieces = |l: &Literal| !l.included && !is_sql(l, &journal) && is_fragment(&l.text);
    hold("sql_fragments", "pieces of SQL only with their dialect", &breaches(Tree::src(), &pieces));
}

/// Statements in what features say to people, also where the rest of a feature is a place of SQL. A sentence may name a
/// catalog.
fn in_texts(tree: &Tree) -> Vec<String> {
    let texts = |path: &str| {
        let own = path.strip_prefix("features/").and_then(|rest| rest.split('/').nth(1));
        own.is_some_and(|part| part.trim_end_matches(".rs") == "texts")
    };
    let literals = tree
        .files
        .iter()
        .filter(|f| texts(&f.path))
        .flat_map(|f| f.literals.iter().map(move |l| (f, l)))
        .filter(|(_, l)| l.included || is_statement(&l.text) || is_fragment(&l.text));
    literals.map(|(f, l)| format!("src/{}:{}", f.path, l.line)).collect()
}

#[test]
fn texts_hold_no_statement() {
    assert_eq!(in_texts(Tree::src()), Vec::<String>::new());
    let code = r#"const A: &str = "select 1 from t"; fn f() { format!("{}::{}", 1, 2); "pg_get_serial_sequence is NULL"; }"#;
    let tree = Tree::of(&[
        ("features/switchover/texts/steps.rs", code),
        ("features/queue/texts.rs", code),
        ("features/switchover/plan/steps.rs", code),
    ]);
    let place = |file: &str| [format!("src/features/{file}:1"), format!("src/features/{file}:1")];
    assert_eq!(in_texts(&tree), [place("switchover/texts/steps.rs"), place("queue/texts.rs")].concat());
}

#[test]
fn sql_in_a_macro_is_found() {
    let journal = BTreeSet::new();
    let count = |path: &str, code: &str| {
        let tree = Tree::of(&[(path, code), ("dialect/postgres/mod.rs", ""), ("dialect/sql/mod.rs", "")]);
        breaches(&tree, &|l| is_sql(l, &journal)).len()
    };
    let code = r#"fn f() { let a = format!("select {} from t", 1); let b = concat!("lock table ", "t"); let c = include_str!("x.sql"); }
        #[cfg(test)] mod tests { const A: &str = "select 1"; }
        /// select 1 from t
        #[doc = "select 1 from t"] struct S;"#;
    assert_eq!(count("engine/a.rs", code), 3);
    assert_eq!(count("features/queue/texts.rs", code), 3);
    assert_eq!(count("features/queue/check/postgres.rs", code), 3);
    for place in [
        "dialect/postgres/a.rs",
        "features/queue/postgres.rs",
        "features/queue/postgres/rows.rs",
        "features/parity/pair/catalog.rs",
        "features/switchover/plan/swap.rs",
        "sandbox/a.rs",
    ] {
        assert_eq!(count(place, code), 0, "{place}");
    }
}
