//! What a migration file creates and drops, from its tokens: good enough to ask the catalog whether it ran.

use crate::engine::model::script::{Object, Script};
use sha2::{Digest, Sha256};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

/// Reads a file.
pub(crate) fn parse(text: &str) -> Result<Script, String> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize().map_err(|e| e.to_string())?;
    let mut script = Script { fingerprint: fingerprint(&tokens), ..Script::default() };
    let tokens: Vec<Token> = tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect();
    for statement in tokens.split(|t| *t == Token::SemiColon) {
        Statement { tokens: statement, at: 0 }.read(&mut script);
    }
    Ok(script)
}

/// The statements of a file, each as it stands there; what is only comment is left out.
pub(crate) fn statements(text: &str) -> Result<Vec<String>, String> {
    let tokens =
        Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().map_err(|e| e.to_string())?;
    let lines: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .chain([text.len()])
        .collect();
    let offset = |line: u64, column: u64| -> usize {
        let line = usize::try_from(line).unwrap_or(1).saturating_sub(1);
        let start = lines.get(line).copied().unwrap_or(text.len());
        let skip = usize::try_from(column).unwrap_or(1).saturating_sub(1);
        let at = text.get(start..).and_then(|line| line.char_indices().nth(skip));
        at.map_or(text.len(), |(at, _)| start + at)
    };
    let statement = |start: usize, end: usize| text.get(start..end).map(|s| s.trim_end().to_owned());
    let (mut out, mut begun): (Vec<String>, Option<usize>) = (Vec::new(), None);
    for token in &tokens {
        match &token.token {
            Token::Whitespace(_) => {}
            Token::SemiColon => {
                let end = offset(token.span.start.line, token.span.start.column);
                out.extend(begun.take().and_then(|start| statement(start, end)));
            }
            _ => {
                begun.get_or_insert_with(|| offset(token.span.start.line, token.span.start.column));
            }
        }
    }
    out.extend(begun.and_then(|start| statement(start, text.len())));
    Ok(out)
}

fn fingerprint(tokens: &[Token]) -> String {
    let mut hash = Sha256::new();
    for token in tokens {
        let text = match token {
            Token::Whitespace(
                Whitespace::Space
                | Whitespace::Newline
                | Whitespace::Tab
                | Whitespace::SingleLineComment { .. }
                | Whitespace::MultiLineComment(_),
            ) => continue,
            Token::Word(w) if w.quote_style.is_none() => w.value.to_lowercase(),
            other => other.to_string(),
        };
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}

struct Statement<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Statement<'_> {
    fn word(&self) -> Option<String> {
        match self.tokens.get(self.at) {
            Some(Token::Word(w)) if w.quote_style.is_none() => Some(w.value.to_lowercase()),
            _ => None,
        }
    }

    /// Steps over these words if they stand here.
    fn accept_words(&mut self, words: &[&str]) -> bool {
        let start = self.at;
        for w in words {
            if self.word().as_deref() != Some(w) {
                self.at = start;
                return false;
            }
            self.at += 1;
        }
        true
    }

    /// A name with its schema, as the catalog's `to_reg…` functions read it.
    fn name(&mut self) -> Option<String> {
        let mut out = self.part()?;
        while self.tokens.get(self.at) == Some(&Token::Period) {
            self.at += 1;
            out.push('.');
            out.push_str(&self.part()?);
        }
        Some(out)
    }

    fn names(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        while let Some(name) = self.name() {
            out.push(name);
            if self.tokens.get(self.at) != Some(&Token::Comma) {
                break;
            }
            self.at += 1;
        }
        out
    }

    fn part(&mut self) -> Option<String> {
        let Some(Token::Word(w)) = self.tokens.get(self.at) else { return None };
        self.at += 1;
        Some(if w.quote_style.is_some() { w.to_string() } else { w.value.to_lowercase() })
    }

    /// Moves behind the next such word.
    fn seek(&mut self, word: &str) -> bool {
        while self.at < self.tokens.len() {
            if self.accept_words(&[word]) {
                return true;
            }
            self.at += 1;
        }
        false
    }

    fn read(&mut self, script: &mut Script) {
        if self.accept_words(&["create"]) {
            self.create(script);
        } else if self.accept_words(&["alter", "table"]) {
            self.alter_table(script);
        } else if self.accept_words(&["drop"]) {
            self.drop(script);
        } else if self.accept_words(&["grant"]) {
            self.grant(script);
        }
    }

    fn create(&mut self, script: &mut Script) {
        let replace = self.accept_words(&["or", "replace"]);
        for noise in ["unique", "unlogged", "constraint", "materialized", "recursive", "temporary", "temp"] {
            self.accept_words(&[noise]);
        }
        let Some(what) = self.word() else { return };
        self.at += 1;
        self.accept_words(&["concurrently"]);
        let lenient = self.accept_words(&["if", "not", "exists"]) || replace;
        let kind = match what.as_str() {
            "table" | "view" | "index" | "sequence" => "relation",
            "type" | "domain" => "type",
            "function" | "procedure" => "function",
            "trigger" => "trigger",
            "schema" => "schema",
            "extension" => "extension",
            "role" | "user" => "role",
            _ => return,
        };
        // CREATE INDEX ON t: a name that only the server knows.
        if what == "index" && self.word().as_deref() == Some("on") {
            return;
        }
        let Some(mut name) = self.name() else { return };
        let of = match kind {
            _ if what == "index" => {
                let table = self.index_table();
                // An index lies in its table's schema.
                if let Some((schema, _)) = table.rsplit_once('.').filter(|_| !name.contains('.')) {
                    name = format!("{schema}.{name}");
                }
                table
            }
            "trigger" => {
                if !self.seek("on") {
                    return;
                }
                self.name().unwrap_or_default()
            }
            "function" => self.body(),
            _ => String::new(),
        };
        script.creates.push(Object { kind, name, of, lenient });
    }

    fn index_table(&mut self) -> String {
        self.seek("on");
        self.accept_words(&["only"]);
        self.name().unwrap_or_default()
    }

    fn body(&self) -> String {
        self.tokens
            .iter()
            .rev()
            .find_map(|t| match t {
                Token::DollarQuotedString(d) => Some(d.value.clone()),
                _ => None,
            })
            .unwrap_or_default()
    }

    fn alter_table(&mut self, script: &mut Script) {
        self.accept_words(&["if", "exists"]);
        self.accept_words(&["only"]);
        let Some(table) = self.name() else { return };
        while self.at < self.tokens.len() {
            if self.accept_words(&["add"]) {
                let kind = if self.accept_words(&["constraint"]) { "constraint" } else { "column" };
                let explicit = self.accept_words(&["column"]);
                let lenient = self.accept_words(&["if", "not", "exists"]);
                let table_constraint = ["primary", "foreign", "unique", "check", "exclude"];
                let unnamed = kind == "column"
                    && !explicit
                    && self.word().is_some_and(|w| table_constraint.contains(&w.as_str()));
                if let (false, Some(name)) = (unnamed, self.name()) {
                    script.creates.push(Object { kind, name, of: table.clone(), lenient });
                }
            } else if self.accept_words(&["drop"]) {
                let kind = if self.accept_words(&["constraint"]) { "constraint" } else { "column" };
                self.accept_words(&["column"]);
                self.accept_words(&["if", "exists"]);
                if let Some(name) = self.name() {
                    script.drops.push(Object { kind, name, of: table.clone(), lenient: false });
                }
            } else if self.accept_words(&["rename", "to"]) {
                script.drops.push(Object {
                    kind: "relation",
                    name: table.clone(),
                    of: String::new(),
                    lenient: false,
                });
            } else {
                self.at += 1;
            }
        }
    }

    fn drop(&mut self, script: &mut Script) {
        self.accept_words(&["materialized"]);
        let Some(what) = self.word() else { return };
        self.at += 1;
        self.accept_words(&["concurrently"]);
        self.accept_words(&["if", "exists"]);
        let kind = match what.as_str() {
            "table" | "view" | "index" | "sequence" => "relation",
            "type" | "domain" => "type",
            "function" | "procedure" => "function",
            "trigger" => "trigger",
            "schema" => "schema",
            "extension" => "extension",
            _ => return,
        };
        while let Some(name) = self.name() {
            let of = if kind == "trigger" && self.accept_words(&["on"]) {
                self.name().unwrap_or_default()
            } else {
                String::new()
            };
            script.drops.push(Object { kind, name, of, lenient: false });
            if self.tokens.get(self.at) != Some(&Token::Comma) {
                break;
            }
            self.at += 1;
        }
    }

    /// `GRANT SELECT, UPDATE (a, b) ON t TO r`: one object per privilege and column.
    fn grant(&mut self, script: &mut Script) {
        let mut privileges: Vec<String> = Vec::new();
        while let Some(privilege) = self.word() {
            self.at += 1;
            if privilege == "on" {
                break;
            }
            if self.tokens.get(self.at) == Some(&Token::LParen) {
                self.at += 1;
                while let Some(column) = self.part() {
                    privileges.push(format!("{privilege} {column}"));
                    let last = self.tokens.get(self.at) != Some(&Token::Comma);
                    self.at += 1;
                    if last {
                        break;
                    }
                }
            } else {
                privileges.push(privilege);
            }
            if self.tokens.get(self.at) == Some(&Token::Comma) {
                self.at += 1;
            }
        }
        let kinds = ["schema", "sequence", "function", "database", "all", "type", "language"];
        if self.word().is_some_and(|w| kinds.contains(&w.as_str())) {
            return;
        }
        self.accept_words(&["table"]);
        let tables = self.names();
        if !self.seek("to") {
            return;
        }
        let Some(role) = self.name() else { return };
        for table in &tables {
            for privilege in privileges.iter().filter(|p| !p.starts_with("all")) {
                let name = format!("{privilege}|{table}");
                script.creates.push(Object { kind: "grant", name, of: role.clone(), lenient: false });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_stand_as_they_are() {
        let text =
            "-- one\nCREATE TABLE ä (x text DEFAULT 'a;b'); -- tail\n\nSELECT $$ ; $$;\n  GRANT x TO y";
        assert_eq!(
            statements(text).unwrap(),
            ["CREATE TABLE ä (x text DEFAULT 'a;b')", "SELECT $$ ; $$", "GRANT x TO y"]
        );
    }

    fn created(sql: &str) -> Vec<(String, String, String)> {
        parse(sql).unwrap().creates.into_iter().map(|o| (o.kind.into(), o.name, o.of)).collect()
    }

    fn of(kind: &str, name: &str, of: &str) -> (String, String, String) {
        (kind.into(), name.into(), of.into())
    }

    #[test]
    fn the_usual_statements() {
        let sql =
            "CREATE TABLE IF NOT EXISTS app.T1 (a int); create unique index concurrently i on app.t1 (a);
                   ALTER TABLE t1 ADD COLUMN b int, ADD CONSTRAINT c CHECK (b > 0), ADD PRIMARY KEY (a);
                   CREATE TRIGGER g BEFORE UPDATE OF a ON t1 FOR EACH ROW EXECUTE FUNCTION f();
                   CREATE OR REPLACE FUNCTION f() RETURNS trigger AS $$begin; end$$ LANGUAGE plpgsql;";
        assert_eq!(
            created(sql),
            [
                of("relation", "app.t1", ""),
                of("relation", "app.i", "app.t1"),
                of("column", "b", "t1"),
                of("constraint", "c", "t1"),
                of("trigger", "g", "t1"),
                of("function", "f", "begin; end"),
            ]
        );
    }

    #[test]
    fn grants_are_asked_for_one_by_one() {
        assert_eq!(
            created("GRANT SELECT, UPDATE (a, b) ON TABLE t TO w; GRANT INSERT ON u, v TO w;"),
            [
                of("grant", "select|t", "w"),
                of("grant", "update a|t", "w"),
                of("grant", "update b|t", "w"),
                of("grant", "insert|u", "w"),
                of("grant", "insert|v", "w")
            ]
        );
    }

    #[test]
    fn comments_and_blanks_do_not_change_the_fingerprint() {
        let a = parse("create table a ( x int ); -- note").unwrap().fingerprint;
        assert_eq!(a, parse("CREATE TABLE a(x INT);\n/* other */").unwrap().fingerprint);
        assert_ne!(a, parse("create table b (x int);").unwrap().fingerprint);
        assert_ne!(parse("select 'A'").unwrap().fingerprint, parse("select 'a'").unwrap().fingerprint);
    }

    #[test]
    fn odd_files_do_not_panic() {
        assert!(parse("create table 'unterminated").is_err());
        assert!(parse("").unwrap().creates.is_empty());
        assert!(parse("create").unwrap().creates.is_empty());
        assert!(parse("grant select on").unwrap().creates.is_empty());
    }
}
