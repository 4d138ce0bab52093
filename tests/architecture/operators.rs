//! Values of users' columns are compared by a named operator: what takes one by the search path stands in no statement of rows.
//! A bare operator is found where it is sent: `security/planted/statements`.

use crate::sources::all_files;

/// What the parser resolves by the path, and without a way to name the operator.
const BY_PATH: [&str; 4] = ["distinct from", " in (", " using (", "row() ="];

/// What has it and compares no value of a user's column.
const NAMED: [(&str, &str); 14] = [
    ("row_sql/change.rs", "is not distinct from planned.old_"), // for people
    ("row_sql/batch.rs", "p.unit is distinct from f.unit"),     // the journal's numbers
    ("compare_sql/key_ranges.rs", "{} in ({})"),                // numbers of ranges
    ("compare_sql/key_ranges.rs", "(a, b, key) in (number()"),  // a test
    ("compare_sql/column.rs", "t.typname in ("),                // the catalog
    ("row_sync.rs", "row({}) is distinct from row({})"),        // under our own path
    ("pair/catalog.rs", "a.attname is distinct from $2"),       // the catalog
    ("pair/trigger_function.rs", "r.rolname in ($2"),           // the catalog
    ("pair/change_capture.rs", "p.oid in (select fn"),          // the catalog
    ("pair/change_capture.rs", "({old}) is distinct from ({new})"), // texts, under the function's own path
    ("pair/partitions.rs", "({expression}) in ({})"),           // numbers of buckets
    ("pair/partitions.rs", "FOR VALUES IN ("),                  // read from the catalog
    ("pair/partitions.rs", "format!(\"in ({values})\")"),       // arrays, under our own path
    ("pair/partitions.rs", "in ('a', NULL)"),                   // a test
];

fn breaches<'f>(files: impl Iterator<Item = (&'f str, &'f str)>) -> Vec<String> {
    let rows = |path: &str| {
        [
            "dialect/postgres/row_sql/",
            "dialect/postgres/compare_sql/",
            "dialect/postgres/writer",
            "/row_sync.rs",
            "features/parity/pair/",
        ]
        .iter()
        .any(|part| path.contains(part))
    };
    let named =
        |path: &str, line: &str| NAMED.iter().any(|(file, text)| path.ends_with(file) && line.contains(text));
    let by_path = |line: &str| {
        let line = line.to_lowercase();
        BY_PATH.iter().any(|word| line.contains(word)) && !line.trim_start().starts_with("//")
    };
    files
        .filter(|(path, _)| rows(path))
        .flat_map(|(path, text)| text.lines().map(move |line| (path, line)))
        .filter(|(path, line)| by_path(line) && !named(path, line))
        .map(|(path, line)| format!("{path}: {}", line.trim()))
        .collect()
}

#[test]
fn rows_are_compared_by_named_operators() {
    let files = all_files();
    assert_eq!(breaches(files.iter().map(|(p, t)| (p.as_str(), t.as_str()))), Vec::<String>::new());
    let planted = |text| breaches([("src/dialect/postgres/row_sql/x.rs", text)].into_iter()).len();
    assert_eq!(planted("format!(\"t.{} is not distinct from {}\")"), 1);
    assert_eq!(planted("// t.a is distinct from b"), 0);
}
