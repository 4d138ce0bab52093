//! What the fences know of `src`: plain facts of each file, read once from its syntax tree. Tests are left out.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::collect::collect;

/// A name in a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Def {
    /// Defined here; `true`: a type, a trait, a module-like thing that `::` can follow.
    Item(bool),
    /// A child module.
    Module(String),
    /// Imported from this path.
    Use(Vec<String>),
}

/// How a path is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// In a private `use`.
    Import,
    /// In a `use` that others see.
    Reexport,
    /// In a type, an expression, a macro's tokens.
    Inline,
}

/// A path that a file names. A leading `::` is an empty first segment.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) module: String,
    pub(crate) path: Vec<String>,
    pub(crate) how: How,
}

/// A string literal outside attributes.
#[derive(Debug, Clone)]
pub(crate) struct Literal {
    pub(crate) text: String,
    pub(crate) line: usize,
    /// The argument of `include_str!`.
    pub(crate) included: bool,
    /// Something is decided by it: it is compared, or stands in a pattern.
    pub(crate) decides: bool,
    /// It is looked for in another text: at its start, its end, or anywhere.
    pub(crate) sought: bool,
}

/// The names of a module, of a file or inline.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    pub(crate) names: BTreeMap<String, Vec<Def>>,
    pub(crate) globs: Vec<Vec<String>>,
}

/// One file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    /// From `src`, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) module: String,
    /// Modules by their path from the crate; the root's is empty.
    pub(crate) scopes: BTreeMap<String, Scope>,
    pub(crate) references: Vec<Reference>,
    pub(crate) literals: Vec<Literal>,
    /// Macros called, by their last name, with the line.
    pub(crate) macros: Vec<(String, usize)>,
    /// Types that others see, with the line.
    pub(crate) types: Vec<(String, usize)>,
    /// All functions and methods, with the line.
    pub(crate) all_functions: Vec<(String, usize)>,
    /// Those that others see.
    pub(crate) functions: Vec<(String, usize)>,
    /// Traits implemented, by their last name.
    pub(crate) impls: Vec<String>,
    /// Modules declared here that have a file of their own, with the path that `#[path]` names.
    pub(crate) declared: Vec<(String, Option<String>)>,
    /// Modules declared for tests only.
    pub(crate) test_modules: Vec<String>,
    /// Lines without those of tests.
    pub(crate) code_lines: usize,
}

/// All files of a crate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<Source>,
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn walk(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        } else {
            out.push(path);
        }
    }
}

/// Where Rust stands.
const FOLDERS: [&str; 4] = ["src", "tests", "benches", "examples"];

/// Every Rust file, tests too: its path from the root, and its text.
pub(crate) fn all_files() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in FOLDERS {
        let mut paths = Vec::new();
        walk(&root().join(folder), &mut paths);
        paths.retain(|p| p.extension().is_some_and(|e| e == "rs"));
        assert!(!paths.is_empty(), "{folder} has no Rust");
        paths.sort();
        files.extend(paths.into_iter().map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            (name, std::fs::read_to_string(path).unwrap())
        }));
    }
    files
}

/// Does a path stand in a place: a folder, a file, or a module named without `.rs`? All stand in `""`.
pub(crate) fn within(path: &str, place: &str) -> bool {
    let place = place.trim_end_matches('/');
    place.is_empty()
        || path
            .strip_prefix(place)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == ".rs")
}

/// The module that a file is, by its path; that of `main.rs` is a root of its own.
pub(crate) fn module_of(path: &str) -> String {
    match path {
        "lib.rs" => String::new(),
        "main.rs" => "(main)".to_owned(),
        _ => {
            let stem = path.trim_end_matches(".rs");
            stem.strip_suffix("/mod").unwrap_or(stem).replace('/', "::")
        }
    }
}

impl Tree {
    /// The files of `src`.
    pub(crate) fn src() -> &'static Self {
        static TREE: OnceLock<Tree> = OnceLock::new();
        TREE.get_or_init(|| {
            let src = root().join("src");
            let mut paths = Vec::new();
            walk(&src, &mut paths);
            paths.retain(|p| p.extension().is_some_and(|e| e == "rs"));
            paths.sort();
            let files: Vec<(String, String)> = paths
                .iter()
                .map(|p| {
                    let name = p.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
                    (name, std::fs::read_to_string(p).unwrap())
                })
                .collect();
            assert!(files.len() > 50, "{}", files.len());
            Self::of(&files)
        })
    }

    /// A tree of texts.
    pub(crate) fn of(files: &[(impl AsRef<str>, impl AsRef<str>)]) -> Self {
        let parse = |module: &dyn Fn(&str) -> String| -> Vec<Source> {
            files
                .iter()
                .map(|(path, text)| collect(path.as_ref(), text.as_ref(), &module(path.as_ref())))
                .collect()
        };
        let mut sources = parse(&module_of);
        let mut moved = BTreeMap::new();
        for source in &sources {
            for (module, named) in &source.declared {
                if let Some(named) = named {
                    let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
                    moved.insert(join(folder, named), module.clone());
                }
            }
        }
        if !moved.is_empty() {
            sources = parse(&|path| moved.get(path).cloned().unwrap_or_else(|| module_of(path)));
        }
        let tests: Vec<String> = sources.iter().flat_map(|s| s.test_modules.clone()).collect();
        sources.retain(|s| !tests.iter().any(|t| s.module == *t || s.module.starts_with(&format!("{t}::"))));
        Self { files: sources }
    }

    /// A tree of texts to which the `mod` lines are added.
    pub(crate) fn declared(files: &[(&str, &str)]) -> Self {
        let mut texts: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        texts.entry("lib.rs".to_owned()).or_default();
        for (path, _) in files {
            let module = module_of(path);
            let mut folder = String::new();
            for name in module.split("::").filter(|n| !n.is_empty() && *n != "(main)") {
                let parent = match folder.as_str() {
                    "" => "lib.rs".to_owned(),
                    _ if texts.contains_key(&format!("{folder}.rs")) => format!("{folder}.rs"),
                    _ => format!("{folder}/mod.rs"),
                };
                let text = texts.entry(parent).or_default();
                if !text.contains(&format!("mod {name};")) {
                    text.extend(["\npub mod ", name, ";"]);
                }
                folder = join(&folder, name);
            }
        }
        Self::of(&texts.into_iter().collect::<Vec<_>>())
    }

    /// The file of a path.
    pub(crate) fn file(&self, path: &str) -> Option<&Source> {
        self.files.iter().find(|f| f.path == path)
    }

    /// Files within a place.
    pub(crate) fn within<'a>(&'a self, place: &'a str) -> impl Iterator<Item = &'a Source> {
        self.files.iter().filter(move |f| within(&f.path, place))
    }
}

/// A path relative to a folder, without `.` and `..`.
pub(crate) fn join(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn a_file_is_the_module_of_its_path() {
    assert_eq!(module_of("engine/mod.rs"), "engine");
    assert_eq!(module_of("engine/twin/away.rs"), "engine::twin::away");
    assert_eq!(module_of("lib.rs"), "");
    assert!(within("engine/plan.rs", "engine/plan") && within("engine/plan/diff.rs", "engine/plan"));
    assert!(!within("engine/planner.rs", "engine/plan") && !within("engine/plan.rs", "plan"));
    let tree = Tree::of(&[("a/mod.rs", "#[path = \"../b/other.rs\"] mod c;"), ("b/other.rs", "")]);
    assert_eq!(tree.file("b/other.rs").unwrap().module, "a::c");
}

#[test]
fn tests_are_left_out() {
    let tree = Tree::of(&[
        ("lib.rs", "mod a; #[cfg(test)] mod b;"),
        ("a.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n  const X: &str = \"select 1\";\n}\n"),
        ("b.rs", ""),
    ]);
    assert!(tree.file("b.rs").is_none());
    let a = tree.file("a.rs").unwrap();
    assert_eq!((a.literals.len(), a.code_lines), (0, 1));
}
