//! The two pages of the matrix, and the counts of both at the head of the first.
//!
//! The head counts what the pages say, never what was just run: a run of one page leaves what is true of the other.

use std::fmt::{self, Write as _};
use std::path::Path;

pub(crate) const FIRST: &str = "fault-matrix.md";
pub(crate) const SECOND: &str = "fault-matrix-switch.md";

/// The first line of the head's table, which ends with an empty line.
const HEAD: &str = "| page | cases | passed | failed | not run |";

/// What became of cases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) not_run: usize,
}

impl Counts {
    fn cases(self) -> usize {
        self.passed + self.failed + self.not_run
    }

    fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            not_run: self.not_run + other.not_run,
        }
    }

    /// All that a page counts; nothing where it counts nothing, or not as it is written here.
    fn of_page(page: &str) -> Option<Self> {
        let mut all: Option<Self> = None;
        let parts: Vec<&str> = page.split(" cases: ").collect();
        for around in parts.windows(2) {
            let cases = around[0].rsplit(|c: char| !c.is_ascii_digit()).next()?;
            let text = around[1].split('.').next()?;
            let numbers: Vec<usize> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            let [passed, failed, not_run] = numbers[..] else { continue };
            let counts = Self { passed, failed, not_run };
            if format!("{cases} cases: {text}.") == counts.to_string() {
                all = Some(all.unwrap_or_default().and(counts));
            }
        }
        all
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, not_run } = self;
        write!(f, "{} cases: {passed} passed, {failed} failed, {not_run} not run.", self.cases())
    }
}

/// The first page with the counts of both below its title; those that it has are replaced.
fn with_head(first: &str, second: &str) -> String {
    let (title, mut rest) = first.split_once("\n\n").unwrap();
    if rest.starts_with(HEAD) {
        rest = rest.split_once("\n\n").unwrap().1;
    }
    let (here, there) = (Counts::of_page(rest), Counts::of_page(second));
    let mut head = format!("{HEAD}\n|---|---|---|---|---|\n");
    let both = here.zip(there).map(|(here, there)| here.and(there));
    let switch = format!("[switchover, rollback, definitions of triggers]({SECOND})");
    for (page, counts) in [("this page", here), (switch.as_str(), there), ("both", both)] {
        let cells = counts.map_or("not counted | | |".to_owned(), |c| {
            format!("{} | {} | {} | {}", c.cases(), c.passed, c.failed, c.not_run)
        });
        let _ = writeln!(head, "| {page} | {cells} |");
    }
    format!("{title}\n\n{head}\n{rest}")
}

/// A page, where all of its cases were run, and the head that counts it; of a choice of cases nothing is kept.
pub(crate) fn write(page: &str, text: &str) {
    if std::env::var("MIDWATCH_FAULTS").is_ok_and(|w| w == "all") {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        keep(&docs, page, text);
    } else {
        println!("{text}");
    }
}

fn keep(docs: &Path, page: &str, text: &str) {
    std::fs::write(docs.join(page), text).unwrap();
    let read = |page: &str| std::fs::read_to_string(docs.join(page)).unwrap_or_default();
    let first = read(FIRST);
    if !first.is_empty() {
        std::fs::write(docs.join(FIRST), with_head(&first, &read(SECOND))).unwrap();
    }
}

#[test]
fn the_head_counts_both_pages_as_they_are() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let [first, second] = [FIRST, SECOND].map(|page| std::fs::read_to_string(docs.join(page)).unwrap());
    assert!(with_head(&first, &second) == first, "the head of {FIRST} is not what both pages count");
    let counted = Counts::of_page(&first).unwrap().and(Counts::of_page(&second).unwrap());
    assert!(counted.cases() > 1_000 && counted.passed > 1_000, "{counted}");
}

#[test]
fn each_page_that_is_kept_leaves_the_counts_of_the_other() {
    let docs = tempfile::tempdir().unwrap();
    let head = || {
        let text = std::fs::read_to_string(docs.path().join(FIRST)).unwrap();
        let rows: Vec<String> = text.lines().filter(|l| l.starts_with("| ")).map(str::to_owned).collect();
        let numbers = |row: &String| -> Vec<usize> {
            row.split(" | ").filter_map(|cell| cell.trim_end_matches(" |").parse().ok()).collect()
        };
        rows[1..].iter().map(numbers).collect::<Vec<_>>()
    };
    let page = |counts: &str| format!("# A page\n\nIts text.\n\n{counts}\n\n1. a reason: 2 cases\n");
    let counts = |passed, failed, not_run| Counts { passed, failed, not_run }.to_string();
    // Without a first page there is no head.
    keep(docs.path(), SECOND, &page(&counts(1, 0, 1)));
    assert!(!docs.path().join(FIRST).exists());
    keep(docs.path(), FIRST, &page(&counts(5, 1, 4)));
    assert_eq!(head(), [[10, 5, 1, 4], [2, 1, 0, 1], [12, 6, 1, 5]]);
    let two = format!("Switches: {} Definitions: {}", counts(3, 0, 2), counts(7, 0, 0));
    keep(docs.path(), SECOND, &page(&two));
    assert_eq!(head(), [[10, 5, 1, 4], [12, 10, 0, 2], [22, 15, 1, 6]]);
    keep(docs.path(), FIRST, &page(&counts(6, 0, 4)));
    assert_eq!(head(), [[10, 6, 0, 4], [12, 10, 0, 2], [22, 16, 0, 6]]);
    // A page that counts nothing has no counts, and both have none.
    keep(docs.path(), SECOND, &page("3 cases: 9 passed, 0 failed, 0 not run."));
    assert_eq!(head(), [vec![10, 6, 0, 4], vec![], vec![]]);
}
