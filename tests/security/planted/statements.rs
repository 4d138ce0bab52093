//! Every statement that is sent under a profile's path, as the server's log has it: what is ours in it names functions,
//! operators and types with their schema. Whatever a statement is made of, and wherever, it comes by here.

use std::collections::{BTreeSet, HashMap};

use super::World;
use crate::common::shared_server;

/// Words that stand before a bracket and are no function that a path finds.
const GRAMMAR: &str = "select in any all exists values array coalesce case when and or not as over filter from where with on \
    by row rows distinct lateral into table set if nullif greatest least then else end extract within group having limit \
    materialized operator unique index key references check primary numeric varchar char character varying do union using \
    range for to of is returning join left insert update batch run run_rows changed kept work moved interval";
/// Types that the grammar itself knows: their names are not looked up.
const TYPES: &str =
    "bigint integer smallint boolean numeric character timestamp time date interval real double";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// In quotes, or with them.
    Name,
    Literal,
    Operator(String),
    Sign(char),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = vec![];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let mut word = String::from(c);
        let mut take = |fits: &dyn Fn(char) -> bool| {
            while let Some(next) = rest.next_if(|c| fits(*c)) {
                word.push(next);
            }
        };
        match c {
            '\'' | '"' => {
                while let Some(next) = rest.next() {
                    if next == c && rest.next_if_eq(&c).is_none() {
                        break;
                    }
                }
                out.push(if c == '"' { Token::Name } else { Token::Literal });
            }
            _ if c.is_alphabetic() || c == '_' => {
                take(&|c| c.is_alphanumeric() || c == '_');
                out.push(Token::Word(word.to_lowercase()));
            }
            _ if c.is_ascii_digit() || c == '$' => {
                take(&|c| c.is_ascii_digit() || c == '.');
                out.push(Token::Literal);
            }
            _ if "+-*/<>=~!@#%^&|`?:".contains(c) => {
                take(&|c| "+-*/<>=~!@#%^&|`?:".contains(c));
                out.push(Token::Operator(word));
            }
            _ if c.is_whitespace() => {}
            _ => out.push(Token::Sign(c)),
        }
    }
    out
}

/// What a path would resolve.
fn by_path(text: &str) -> Vec<String> {
    let all = tokens(text);
    let word = |at: Option<usize>| match at.and_then(|at| all.get(at)) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    let sign = |at: Option<usize>, c: char| at.and_then(|at| all.get(at)) == Some(&Token::Sign(c));
    let listed = |list: &str, found: &str| list.split_whitespace().any(|w| w == found);
    let (mut out, mut sets) = (vec![], false);
    for (at, token) in all.iter().enumerate() {
        let (before, after) = (at.checked_sub(1), Some(at + 1));
        match token {
            Token::Word(found) => {
                if found == "set" || found == "from" || found == "where" {
                    sets = found == "set";
                }
                let called = sign(after, '(') && !sign(before, '.') && !listed(GRAMMAR, found);
                // The alias of a FROM item that names its columns.
                let alias = matches!(word(before), "as") || sign(before, ')');
                // With its columns behind it, or the name of a WITH.
                let named = matches!(word(before), "into" | "with" | "recursive") || word(after) == "as";
                if called && !alias && !named {
                    out.push(format!("{found}("));
                }
                if found == "distinct" && matches!(word(before), "is" | "not") {
                    out.push("is distinct".into());
                }
                if matches!(found.as_str(), "like" | "ilike" | "between" | "similar" | "overlaps") {
                    out.push(found.clone());
                }
            }
            Token::Operator(found) if found == "::" => {
                let type_name = word(after);
                let whole = sign(Some(at + 2), '.') || type_name.is_empty() || listed(TYPES, type_name);
                if !whole {
                    out.push(format!("::{type_name}"));
                }
            }
            // A count of everything, a list of all columns, what is assigned.
            Token::Operator(found)
                if found == "*" && !matches!(all.get(at + 1), Some(Token::Literal | Token::Name)) => {}
            Token::Operator(found) if found == "=" && sets => {}
            // Of an operator with its schema.
            Token::Operator(_) if sign(before, '.') => {}
            Token::Operator(found) => out.push(found.clone()),
            _ => {}
        }
    }
    out
}

#[test]
fn what_a_path_would_resolve_is_found() {
    let found = |text: &str| by_path(text).join(" ");
    assert_eq!(
        found("select pg_catalog.count(*) from \"a\".\"b\" t where t.x operator(pg_catalog.=) 'a = b'"),
        ""
    );
    assert_eq!(found("update \"t\" set \"a\" = b.\"c\", d = e from x where a.b = c"), "=");
    assert_eq!(found("select count(*), x::text, y::pg_catalog.text, z::bigint"), "count( ::text");
    assert_eq!(
        found("where row(a) is distinct from row(b) or a is not distinct from b or x || y"),
        "is distinct is distinct ||"
    );
}

/// Statements of one database under another path than ours, each once.
fn under_a_profile(log: &str) -> BTreeSet<String> {
    let mut entries: Vec<(&str, String)> = vec![];
    for line in log.lines() {
        let pid = line.split_once(" [").and_then(|(_, rest)| rest.split_once("] "));
        match pid {
            Some((pid, rest)) if !line.starts_with('\t') => entries.push((pid, rest.to_owned())),
            _ => {
                if let Some((_, entry)) = entries.last_mut() {
                    entry.push_str(line);
                }
            }
        }
    }
    let mut paths: HashMap<&str, bool> = HashMap::new();
    let mut out = BTreeSet::new();
    for (pid, entry) in &entries {
        let Some(sent) = entry.strip_prefix("LOG:  ") else { continue };
        let Some((_, text)) =
            sent.split_once(": ").filter(|(k, _)| *k == "statement" || k.starts_with("execute "))
        else {
            continue;
        };
        if let Some((_, path)) = text.rsplit_once("set local search_path = ") {
            paths.insert(*pid, !path.starts_with("pg_catalog") && !path.ends_with("commit"));
        } else if text.starts_with("begin") || text.starts_with("rollback") {
            paths.insert(*pid, false);
        } else if paths.get(pid).copied().unwrap_or_default() {
            out.insert(text.to_owned());
        }
    }
    out
}

/// What stands in the profile itself, or is said by us under its path on purpose.
fn is_known(text: &str) -> bool {
    text.starts_with("set ") || text.starts_with("fetch 1 from midwatch_columns")
}

#[tokio::test]
async fn under_a_profiles_path_everything_of_ours_names_its_schema() {
    let world = World::new().await;
    let logged = format!("alter database {} set log_statement = 'all'", world.database.name);
    world.value(&logged).await;
    world.done(&["init"]);
    world.run(&["check"]);
    world.rows("anomalies", "moods").await.unwrap();
    let run = world.done(&["backfill", "bymood"]);
    world.undone(&run);
    world.done(&["copy-missing", "vold"]);
    let run = world.done(&["repair", "vold"]);
    world.undone(&run);
    world.json(&["plan", "requeue", "jobs", "--set", "finding=exhausted", "--out", &world.path("q.json")]);
    let log = std::fs::read_to_string(shared_server().log_file()).unwrap();
    let sent = under_a_profile(&log);
    assert!(sent.len() > 20, "{sent:#?}");
    let breaches: Vec<_> = sent
        .iter()
        .filter(|text| !is_known(text))
        // A type by the name under which the path leads to it.
        .map(|text| (by_path(&text.replace("::mood", "")), text))
        .filter(|(found, _)| !found.is_empty())
        .collect();
    assert!(breaches.is_empty(), "{breaches:#?}");
}
