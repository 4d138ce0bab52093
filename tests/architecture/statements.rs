//! What SQL looks like: statements, catalogs, pieces. Where it may stand is in `sql.rs`.

use std::collections::BTreeSet;

/// Words that begin like a catalog and are a program or a role.
const NO_CATALOGS: [&str; 15] = [
    "pg_basebackup",
    "pg_checkpoint",
    "pg_config",
    "pg_ctl",
    "pg_dump",
    "pg_dumpall",
    "pg_hba",
    "pg_isready",
    "pg_monitor",
    "pg_read_all_data",
    "pg_read_all_settings",
    "pg_read_all_stats",
    "pg_restore",
    "pg_service",
    "pg_signal_backend",
];
/// What can be created, altered and dropped.
const OBJECTS: &[&str] = &[
    "aggregate",
    "cast",
    "collation",
    "constraint",
    "database",
    "default",
    "domain",
    "event",
    "extension",
    "foreign",
    "function",
    "global",
    "group",
    "index",
    "local",
    "materialized",
    "operator",
    "or",
    "owned",
    "policy",
    "procedure",
    "publication",
    "role",
    "rule",
    "schema",
    "sequence",
    "server",
    "statistics",
    "subscription",
    "system",
    "table",
    "tablespace",
    "temp",
    "temporary",
    "trigger",
    "type",
    "unique",
    "unlogged",
    "user",
    "view",
];

/// A word as it is compared: small, without what clings to it.
fn plain(word: &str) -> String {
    word.trim_end_matches([';', ',']).to_lowercase()
}

/// Is it more than an English word: a placeholder, a quoted or qualified name, a list?
fn technical(word: &str) -> bool {
    word.contains(['{', '"', '$', '(', '_', '*', '\'']) || word.trim_end_matches('.').contains('.')
}

/// A text's words.
struct Words<'t> {
    text: &'t str,
    all: Vec<&'t str>,
}

impl<'t> Words<'t> {
    fn of(text: &'t str) -> Self {
        let begun = text.trim_start_matches(|c: char| c.is_whitespace() || c == '(');
        Self { text, all: begun.split_whitespace().collect() }
    }

    fn raw(&self, at: usize) -> &'t str {
        self.all.get(at).copied().unwrap_or_default()
    }

    fn plain(&self, at: usize) -> String {
        plain(self.raw(at))
    }

    fn is(&self, at: usize, among: &[&str]) -> bool {
        among.contains(&self.plain(at).as_str())
    }

    /// After the first one.
    fn has(&self, wanted: &str) -> bool {
        self.all.iter().skip(1).any(|w| plain(w) == wanted)
    }

    fn count(&self) -> usize {
        self.all.len()
    }
}

/// Does a text begin like a statement?
pub(crate) fn is_statement(text: &str) -> bool {
    let words = Words::of(text);
    [reads_rows, writes_rows, defines, keeps_up, bounds_a_transaction, asks_the_server]
        .iter()
        .any(|kind| kind(&words))
}

fn reads_rows(words: &Words<'_>) -> bool {
    match words.plain(0).as_str() {
        "select" => {
            let listed =
                ["exists", "distinct", "count", "case", "not", "null", "true", "false", "current_user"];
            words.has("from")
                || words.has("as")
                || technical(words.raw(1))
                || words.raw(1).ends_with(',')
                || words.plain(1).parse::<i64>().is_ok()
                || words.is(1, &listed)
        }
        "with" => words.is(1, &["recursive"]) || words.has("as") && words.text.contains('('),
        "values" => words.raw(1).starts_with('(') || words.raw(0).contains('('),
        "union" => words.is(1, &["all", "select"]),
        "perform" => words.has("from"),
        "declare" => words.has("cursor") || words.text.contains(';'),
        "fetch" => technical(words.raw(1)) || words.is(1, &["forward", "next", "all"]),
        first => first.starts_with("select(") || first.starts_with("values("),
    }
}

fn writes_rows(words: &Words<'_>) -> bool {
    match words.plain(0).as_str() {
        "insert" => words.is(1, &["into"]),
        "delete" => words.is(1, &["from"]),
        "update" => words.has("set") || words.raw(1).contains(['{', '"']),
        "copy" => {
            (words.has("from") || words.has("to"))
                && (technical(words.raw(1)) || words.has("stdin") || words.has("stdout"))
        }
        "truncate" => words.is(1, &["table"]) || words.count() > 1 && technical(words.raw(1)),
        _ => false,
    }
}

fn defines(words: &Words<'_>) -> bool {
    match words.plain(0).as_str() {
        "create" | "drop" => words.is(1, OBJECTS) && words.count() > 2,
        "alter" => words.is(1, OBJECTS),
        "grant" | "revoke" => {
            words.has("on") && (words.has("to") || words.has("from"))
                || words.raw(1).contains('{')
                || words.is(1, &["select", "all", "usage", "execute"])
        }
        "comment" => words.is(1, &["on"]) && words.is(2, OBJECTS),
        "reassign" => words.is(1, &["owned"]),
        _ => false,
    }
}

fn keeps_up(words: &Words<'_>) -> bool {
    match words.plain(0).as_str() {
        "analyze" | "vacuum" | "reindex" | "cluster" => {
            words.count() > 1 && (technical(words.raw(1)) || words.is(1, &["table", "index"]))
        }
        "refresh" => words.is(1, &["materialized"]),
        _ => false,
    }
}

fn bounds_a_transaction(words: &Words<'_>) -> bool {
    let ended = words.raw(0).ends_with(';');
    match words.plain(0).as_str() {
        "begin" => {
            words.count() == 1
                || words.text.contains(';') && words.has("end")
                || words.is(1, &["transaction", "isolation", "read", "work"])
        }
        "start" => words.is(1, &["transaction"]),
        "commit" => words.count() == 1 || ended || words.is(1, &["prepared"]),
        "rollback" => ended || words.is(1, &["to", "prepared"]),
        "savepoint" => words.count() == 2,
        "release" => words.is(1, &["savepoint"]),
        "lock" => {
            words.is(1, &["table"]) || words.raw(1).contains('{') && (words.has("in") || words.count() == 2)
        }
        _ => false,
    }
}

fn asks_the_server(words: &Words<'_>) -> bool {
    match words.plain(0).as_str() {
        "set" => {
            let scopes = ["local", "session", "constraints", "transaction", "role"];
            words.is(1, &scopes) && !words.plain(2).is_empty()
                || words.is(2, &["=", "to"]) && (words.count() <= 4 || words.raw(3).starts_with(['{', '\'']))
        }
        "reset" => words.is(1, &["all", "role"]) || technical(words.raw(1)),
        "discard" => words.is(1, &["all"]),
        "show" => words.count() == 2 && technical(words.raw(1)),
        "explain" => {
            let explained = ["select", "analyze", "insert", "update", "delete", "verbose"];
            words.count() > 1 && (technical(words.raw(1)) || words.is(1, &explained))
        }
        "do" => words.raw(1).starts_with('$'),
        "call" => words.raw(1).contains('('),
        _ => false,
    }
}

/// Does a text name a catalog, or a table of the journal?
pub(crate) fn names_catalog(text: &str, journal: &BTreeSet<String>) -> bool {
    let lower = text.to_lowercase();
    lower.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.')).any(|word| {
        let mut parts = word.split('.');
        parts.clone().any(|part| {
            part == "information_schema"
                || part.strip_prefix("to_").unwrap_or(part).strip_prefix("reg").is_some_and(|kind| {
                    ["class", "proc", "procedure", "type", "namespace", "role", "operator"].contains(&kind)
                })
                || part.len() > 3 && part.starts_with("pg_") && !NO_CATALOGS.contains(&part)
        }) || parts.next() == Some("midwatch") && parts.next().is_some_and(|table| journal.contains(table))
    })
}

/// Is a text a piece of SQL: a cast, a subquery, a comparison that only SQL has?
pub(crate) fn is_fragment(text: &str) -> bool {
    let lower = text.to_lowercase();
    let cast = lower.match_indices("::").any(|(at, _)| {
        let before = lower.get(..at).and_then(|b| b.chars().next_back());
        let after = lower.get(at + 2..).unwrap_or_default();
        before.is_some_and(|c| matches!(c, ')' | '}' | '\'' | ']'))
            || ["text", "bigint", "int", "oid", "json", "numeric", "float8", "bool"]
                .iter()
                .any(|t| after.starts_with(t))
    });
    let marks = [
        "(select ",
        "is distinct from",
        "is not distinct from",
        "} where ",
        " order by ",
        "for values from",
        " share update exclusive",
    ];
    cast || lower.starts_with("order by ") || marks.iter().any(|m| lower.contains(m))
}

#[test]
fn pieces_are_told_from_sentences() {
    for piece in [
        "{}::{}",
        "({m})::text as message",
        "exists (select from {} x)",
        "{RUNS} where r.id < $1",
        "order by {} limit 1",
    ] {
        assert!(is_fragment(piece), "{piece}");
    }
    for text in ["std::fs", "rows where {}", "in order", "from {} to {}"] {
        assert!(!is_fragment(text), "{text}");
    }
}

#[test]
fn statements_are_told_from_sentences() {
    for sql in [
        "select 1",
        "  (select count(*) from x",
        "select a, b from t",
        "insert into {} values ($1)",
        "DELETE FROM {table}",
        "update \"a\" set b = 1",
        "with x as (select 1) select * from x",
        "with recursive tree(oid) as (",
        "create unique index on t (a)",
        "alter table {} rename to {}",
        "drop function if exists x",
        "lock table {} in share mode",
        "set local lock_timeout = 5",
        "set search_path to pg_temp",
        "begin",
        "commit;",
        "copy {t} from stdin",
        "truncate {t}",
        "grant select on t to r",
        "explain (format json) {sql}",
        "values (1)",
        "show server_version",
    ] {
        assert!(is_statement(sql), "{sql}");
    }
    for sentence in [
        "select rows with space",
        "update failed",
        "with a reason",
        "with it as ever",
        "create the journal first",
        "drop it",
        "lock wait timeout",
        "set a password first",
        "begin again",
        "begin a range; again: mark it",
        "commit lost",
        "rollback",
        "copy the file",
        "lock {} on {}: {held}",
        "set migrations = \"FOLDER\" for this target",
        "grant pg_monitor",
        "delete",
        "explain",
        "values differ",
        "show all rows",
    ] {
        assert!(!is_statement(sentence), "{sentence}");
    }
}

#[test]
fn catalogs_are_known() {
    let journal = BTreeSet::from(["runs".to_owned()]);
    for sql in [
        "join pg_class c",
        "to_regclass($1)",
        "$1::regclass",
        "pg_catalog.now()",
        "x from midwatch.runs",
        "information_schema.tables",
    ] {
        assert!(names_catalog(sql, &journal), "{sql}");
    }
    for text in ["pg_dump is missing", "grant pg_monitor", "midwatch.toml", "midwatch runs", "regular"] {
        assert!(!names_catalog(text, &journal), "{text}");
    }
}
