//! What a fence finds, and how it fails. There is no list of exceptions: any breach fails.
//!
//! `MIDWATCH_FENCES=show` with `--nocapture` prints every breach with its line.

/// A place where a rule is broken.
#[derive(Debug, Clone)]
pub(crate) struct Breach {
    /// What is broken, and where.
    pub(crate) key: String,
    /// For who reads a failure: line and text.
    pub(crate) shown: String,
}

impl Breach {
    pub(crate) fn new(key: impl Into<String>, shown: impl Into<String>) -> Self {
        Self { key: key.into(), shown: shown.into() }
    }
}

/// Every breach, a line each.
fn lines(breaches: &[Breach]) -> String {
    breaches.iter().fold(String::new(), |all, b| all + &b.key + ": " + &b.shown + "\n")
}

/// Fails if there is a breach.
pub(crate) fn hold(fence: &str, rule: &str, breaches: &[Breach]) {
    if std::env::var("MIDWATCH_FENCES").is_ok_and(|mode| mode == "show") {
        print!("{fence}: {rule}: {} breaches\n{}", breaches.len(), lines(breaches));
    }
    assert!(breaches.is_empty(), "{fence}: {rule}\n{}", lines(breaches));
}

#[test]
fn no_breach_is_excused() {
    hold("example", "nothing is broken", &[]);
    let broken = [Breach::new("a.rs -> b.rs", "uses b"), Breach::new("a.rs -> b.rs", "uses b::c")];
    let failed = std::panic::catch_unwind(|| hold("example", "nothing is broken", &broken)).unwrap_err();
    let message = failed.downcast_ref::<String>().unwrap();
    assert_eq!(message, "example: nothing is broken\na.rs -> b.rs: uses b\na.rs -> b.rs: uses b::c\n");
    let kept = crate::sources::root().join("tests/architecture");
    let lists = std::fs::read_dir(kept).unwrap().map(|e| e.unwrap().path());
    let lists: Vec<_> = lists.filter(|p| p.extension().is_none_or(|e| e != "rs")).collect();
    assert!(lists.is_empty(), "only fences are here, no list of exceptions: {lists:?}");
}
