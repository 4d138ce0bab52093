//! What a trigger's function does besides keeping the twin in step, as far as the tokens of its text tell.

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::engine::model::name::Relation;

/// Everything else that it may do: what cannot be read is named, too.
pub(crate) fn other_side_effects(text: &str, twin: &str, before: bool) -> Vec<String> {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize() else {
        return vec!["what cannot be read".into()];
    };
    let tokens: Vec<Token> = tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect();
    let twin = Relation::parse(twin).name;
    let mut out: Vec<String> = Vec::new();
    let prior = std::iter::once(None).chain(tokens.iter().map(Some));
    for (at, prior) in prior.enumerate() {
        let Some(what) = tokens.get(at..).and_then(|rest| body_effect(rest, prior, before)) else { continue };
        let what = match what {
            BodyEffect::Writes(table) if table == twin => continue,
            BodyEffect::Writes(table) => format!("writes {table}"),
            BodyEffect::Other(what) => what.to_owned(),
        };
        if !out.contains(&what) {
            out.push(what);
        }
    }
    out
}

enum BodyEffect {
    Writes(String),
    Other(&'static str),
}

fn word(token: Option<&Token>) -> String {
    match token {
        Some(Token::Word(w)) if w.quote_style.is_none() => w.value.to_lowercase(),
        _ => String::new(),
    }
}

/// What begins here.
fn body_effect(rest: &[Token], prior: Option<&Token>, before: bool) -> Option<BodyEffect> {
    let (one, two) = (word(rest.first()), word(rest.get(1)));
    match (one.as_str(), two.as_str()) {
        ("insert" | "merge", "into") | ("delete", "from") | ("truncate", "table") => target(rest.get(2..)?),
        ("truncate", _) => target(rest.get(1..)?),
        // ON CONFLICT DO UPDATE SET, FOR UPDATE, FOR NO KEY UPDATE.
        ("update", next) if next != "set" && !matches!(word(prior).as_str(), "for" | "key") => {
            target(rest.get(1..)?)
        }
        ("execute", _) => Some(BodyEffect::Other("runs statements that are made up at run time")),
        ("perform" | "call", _) => Some(BodyEffect::Other("calls other functions")),
        ("notify", _) => Some(BodyEffect::Other("notifies")),
        ("new", _)
            if before && rest.get(1) == Some(&Token::Period) && rest.get(3) == Some(&Token::Assignment) =>
        {
            Some(BodyEffect::Other("changes the row"))
        }
        _ => None,
    }
}

/// The bare name of the table that follows.
fn target(rest: &[Token]) -> Option<BodyEffect> {
    let rest = match rest {
        [first, table @ ..] if word(Some(first)) == "only" => table,
        _ => rest,
    };
    let named = |token: Option<&Token>| match token {
        Some(Token::Word(w)) if w.quote_style.is_some() => Some(w.value.clone()),
        Some(Token::Word(w)) => Some(w.value.to_lowercase()),
        _ => None,
    };
    let qualified = rest.get(1) == Some(&Token::Period);
    named(rest.get(if qualified { 2 } else { 0 })).map(BodyEffect::Writes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_the_twin_is_told() {
        let mirror = "begin insert into p.\"T\" (id) values (new.id) on conflict (id) do update set a = 1; \
                      -- insert into audit\n perform 1 from x for update; update only \"T\" set a = 'delete from x'; \
                      if tg_op = 'UPDATE' then delete from p.\"T\"; end if; return new; end";
        assert_eq!(other_side_effects(mirror, "p.\"T\"", true), ["calls other functions"]);
        let more =
            "begin new.a := 1; INSERT INTO Log values (1); truncate table t; execute 'x'; return new; end";
        let told = ["changes the row", "writes log", "runs statements that are made up at run time"];
        assert_eq!(other_side_effects(more, "t", true), told);
        assert_eq!(other_side_effects("insert into 'a", "t", true), ["what cannot be read"]);
    }
}
