//! Files stay small.

use crate::{
    breaches::{Breach, hold},
    sources::{Tree, all_files, root},
};

const LINES: usize = 600;
/// Lines of ARCHITECTURE.md.
const PAGE: usize = 150;
/// Lines without inline tests, in `SHARE` of 100 files.
const CODE: usize = 400;
const SHARE: usize = 95;

fn longer(files: &[(String, String)], limit: usize) -> Vec<String> {
    let counted = files.iter().map(|(path, text)| (path, text.lines().count()));
    counted
        .filter(|(_, lines)| *lines > limit)
        .map(|(path, lines)| format!("{path} has {lines} lines"))
        .collect()
}

#[test]
fn files_stay_small() {
    assert_eq!(longer(&all_files(), LINES), Vec::<String>::new());
    let planted = |lines: usize| longer(&[("a.rs".to_owned(), "\n".repeat(lines))], LINES);
    assert_eq!((planted(LINES), planted(LINES + 1)), (vec![], vec!["a.rs has 601 lines".to_owned()]));
}

/// A page that is read as a whole.
#[test]
fn the_page_of_the_architecture_stays_short() {
    let page = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert_eq!(longer(&[("ARCHITECTURE.md".to_owned(), page)], PAGE), Vec::<String>::new());
}

/// Those over the limit are listed only if they are too many.
fn large(tree: &Tree) -> Vec<Breach> {
    let large: Vec<Breach> = tree
        .files
        .iter()
        .filter(|f| f.code_lines > CODE)
        .map(|f| Breach::new(f.path.clone(), format!("{} lines of code", f.code_lines)))
        .collect();
    if large.len() * 100 > tree.files.len() * (100 - SHARE) { large } else { Vec::new() }
}

#[test]
fn most_code_is_smaller() {
    hold(
        "large_files",
        "code without its tests is at most 400 lines in 95 of 100 files",
        &large(Tree::src()),
    );
}

#[test]
fn too_many_large_files_are_found() {
    let long = "const X: u8 = 0;\n".repeat(CODE + 1);
    let few: Vec<(String, &str)> = (0..20).map(|n| (format!("f{n}.rs"), "")).collect();
    let with = |n: usize| {
        let mut files = few.clone();
        files.iter_mut().take(n).for_each(|f| f.1 = &long);
        large(&Tree::of(&files)).len()
    };
    assert_eq!((with(1), with(2)), (0, 2));
}
