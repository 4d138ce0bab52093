//! Text that must not be seen.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// A url or password. Its only way out is [`Secret::expose`], used where a connection is made.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for making a connection.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The password of a url, if it carries one. What is written wrongly must not show either: everything up to the
/// last `@`, and what stands in a port's place without being one.
fn password_in(url: &str) -> Option<&str> {
    // Where a url is to be found, not what it is.
    if ["env:", "service:"].iter().any(|place| url.starts_with(place)) {
        return None;
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    if let Some((userinfo, _)) = rest.rsplit_once('@') {
        return userinfo.split_once(':').map(|(_, p)| p).filter(|p| !p.is_empty());
    }
    let authority = rest.split(['/', '?']).next()?;
    let port = authority.rsplit_once(':')?.1;
    (!port.is_empty() && !port.bytes().all(|b| b.is_ascii_digit())).then_some(port)
}

/// A part of a url as it is understood: `%40` → `@`.
pub fn percent_decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A text without the password that `url` carries, in its authority or as a parameter.
pub fn scrub(text: &str, url: &str) -> String {
    let parameter = url.split_once("password=").map(|(_, p)| p.split('&').next().unwrap_or_default());
    let mut out = text.to_owned();
    // The parameter first: an `@` in it makes the other too long to be found.
    for written in [parameter, password_in(url)].into_iter().flatten().filter(|p| !p.is_empty()) {
        // A driver's message may quote the password as it understood it.
        for password in [written, &percent_decoded(written)] {
            out = out
                .replace(&format!(":{password}@"), ":***@")
                .replace(&format!("password={password}"), "password=***");
            if password.len() > 3 {
                out = out.replace(password, "***");
            }
        }
    }
    out
}

/// Parameters of a url in any text that hold no secret; what is not known may be one. Of a url that is opened, `conninfo::shown`
/// tells more.
const HARMLESS: [&str; 9] = [
    "host",
    "port",
    "dbname",
    "user",
    "sslmode",
    "sslrootcert",
    "application_name",
    "connect_timeout",
    "options",
];

/// A url without its password and without the values of parameters that may hold one.
pub fn redact(url: &str) -> String {
    if !url.contains("://") && url.contains('=') {
        return redact_pairs(url);
    }
    let out = scrub(url, url);
    let Some((head, parameters)) = out.split_once('?') else { return out };
    let shown: Vec<String> = parameters
        .split('&')
        .map(|p| match p.split_once('=') {
            Some((name, _)) if HARMLESS.contains(&name) => p.to_owned(),
            Some((name, _)) => format!("{name}=***"),
            None => "***".to_owned(),
        })
        .collect();
    format!("{head}?{}", shown.join("&"))
}

/// `host=… password=…` the same way. A piece of a quoted value may be part of a password.
fn redact_pairs(pairs: &str) -> String {
    let shown = pairs.split_whitespace().map(|word| match word.split_once('=') {
        Some((name, value)) if HARMLESS.contains(&name) && !value.contains('\'') => word.to_owned(),
        Some((name, _)) if name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => format!("{name}=***"),
        _ => "***".to_owned(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// A text of any kind (a command, what it said) without the passwords that can be told: in urls, and where a name says
/// that a value is one. `$NAME` is where one is to be found, not what it is.
pub fn without_passwords(text: &str) -> String {
    let (mut follows, mut named, mut quote) = (false, false, None);
    let mut one = |word: &str| {
        let bare = word.trim();
        // A quoted value goes on to its end.
        if let Some(open) = quote {
            quote =
                quote.filter(|_| bare.trim_end_matches([';', ',', ')', '}']).strip_suffix(open).is_none());
            return if bare.is_empty() { word.to_owned() } else { word.replace(bare, "***") };
        }
        if let Some((at, open)) = opened_quote(bare) {
            quote = Some(open);
            return word.replace(bare.get(at..).unwrap_or(bare), "***");
        }
        let hidden = follows && is_plain(bare) && !bare.starts_with('-');
        if hidden {
            quote = opens(bare);
        }
        if !bare.is_empty() {
            // `password= x`, `password = x`
            let ends = bare == "=" && named || bare.strip_suffix('=').is_some_and(tells);
            follows = bare == "--password" || ends;
            named = tells(bare);
        }
        if hidden { word.replace(bare, "***") } else { concealed(word) }
    };
    text.split_inclusive(char::is_whitespace).map(&mut one).collect()
}

/// Where the value of a name that tells begins with a quote which this word does not close.
fn opened_quote(word: &str) -> Option<(usize, char)> {
    let mut start = 0;
    while let Some((name, value)) = word.get(start..)?.split_once(['=', ':']) {
        start += name.len() + 1;
        if tells(name.rsplit(['?', '&']).next().unwrap_or(name)) {
            return opens(value).map(|open| (start, open));
        }
    }
    None
}

/// The quote that a value begins with, and does not end with.
fn opens(value: &str) -> Option<char> {
    let open = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let closed = value.len() > 1 && value.trim_end_matches([';', ',', ')', '}']).ends_with(open);
    (!closed).then_some(open)
}

/// One word of it.
fn concealed(word: &str) -> String {
    let bare = word.trim_end().trim_matches(['"', '\'', ';', ',', ')', '}']);
    if let Some((scheme, rest)) = bare.split_once("://")
        && let Some(password) =
            rest.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).map(|(_, p)| p)
        && is_plain(password)
    {
        return word.replace(&format!("{scheme}://{rest}"), &redact(bare));
    }
    // A url has its parameters behind it.
    let pieces: Vec<&str> = if bare.contains("://") { bare.split(['?', '&']).collect() } else { vec![bare] };
    pieces
        .into_iter()
        .filter_map(value_told)
        .fold(word.to_owned(), |shown, value| shown.replace(value, "***"))
}

/// The value of `NAME=VALUE` or `NAME:VALUE`, where the name tells that it is a secret; the pair may be another's value.
fn value_told(mut text: &str) -> Option<&str> {
    while let Some((name, value)) = text.split_once(['=', ':']) {
        if tells(name.rsplit(['?', '&']).next().unwrap_or(name)) {
            return Some(value.trim_matches(['"', '\''])).filter(|value| is_plain(value));
        }
        text = value;
    }
    None
}

/// Does a text hold a password that can be told, as a url or under a name? `$NAME` is none.
pub fn holds_password(text: &str) -> bool {
    let in_url = || {
        let (_, rest) = text.split_once("://")?;
        rest.rsplit_once('@')
            .and_then(|(user, _)| user.split_once(':'))
            .map(|(_, p)| p)
            .filter(|p| is_plain(p))
    };
    without_passwords(text) != text || in_url().is_some()
}

fn is_plain(value: &str) -> bool {
    !value.is_empty() && value != "***" && !is_placeholder(value)
}

/// `$NAME` or `${NAME}`, whole.
fn is_placeholder(value: &str) -> bool {
    let Some(name) = value.strip_prefix('$') else { return false };
    let name = name.strip_prefix('{').map_or(Some(name), |n| n.strip_suffix('}'));
    name.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
}

/// Does a name tell that its value is a secret?
fn tells(name: &str) -> bool {
    let name = name.to_lowercase();
    ["password", "passwd", "pwd", "secret", "token"].iter().any(|n| name.ends_with(n))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        assert_eq!(redact("postgres://u:s3cr@t@h:5432/d"), "postgres://u:***@h:5432/d");
        assert_eq!(
            redact("postgres://u@h/d?password=s3cret&host=/x"),
            "postgres://u@h/d?password=***&host=/x"
        );
        assert_eq!(
            redact("postgres://u@h/d?sslmode=require&token=abc&sslpassword=x%20y&abc"),
            "postgres://u@h/d?sslmode=require&token=***&sslpassword=***&***"
        );
        assert_eq!(redact("postgres://u@h/d"), "postgres://u@h/d");
        assert_eq!(redact("postgres://a:a@h/a"), "postgres://a:***@h/a");
        assert_eq!(redact("postgres://h:5432/d"), "postgres://h:5432/d");
        assert_eq!(redact("env:DATABASE_URL"), "env:DATABASE_URL");
        assert_eq!(redact("host=h password='s3 cret' user=u s3=x"), "host=h password=*** *** user=u ***");
    }

    #[test]
    fn passwords_written_wrongly_are_not_shown_either() {
        for url in
            ["postgres://u:s3/cret@h/d", "postgres://u:s3?cret@h/d", "postgres://u:s3cret", "u:s3@cret@h"]
        {
            assert!(!redact(url).contains("cret"), "{}", redact(url));
        }
        for (text, shown) in [
            ("psql postgres://u:s3cr3t@h/db -c 'select 1'", "psql postgres://u:***@h/db -c 'select 1'"),
            ("PGPASSWORD=s3cr3t psql", "PGPASSWORD=*** psql"),
            ("after=PGPASSWORD=s3cr3t psql", "after=PGPASSWORD=*** psql"),
            ("PGPASSWORD='s3cr3t' psql", "PGPASSWORD='***' psql"),
            ("url=\"postgres://u:s3cr3t@h/db\"\nnext", "url=\"postgres://u:***@h/db\"\nnext"),
            ("psql 'host=h password=s3cr3t'", "psql 'host=h password=***'"),
            ("flag --password  s3cr3t on", "flag --password  *** on"),
            (
                "in postgres://u@h/d?sslmode=require&password=s3cr3t&host=/x:",
                "in postgres://u@h/d?sslmode=require&password=***&host=/x:",
            ),
            ("flag --password=s3cr3t on", "flag --password=*** on"),
            ("host=h password= s3cr3t", "host=h password= ***"),
            ("host=h password = s3cr3t on", "host=h password = *** on"),
            ("password='$a s3cr3t b' user=u", "password=*** *** *** user=u"),
            ("password = 's3 cr3t' user=u", "password = *** *** user=u"),
            ("psql postgres://u:$P-s3cr3t@h/d", "psql postgres://u:***@h/d"),
        ] {
            assert_eq!(without_passwords(text), shown);
        }
        for text in [
            "PGPASSWORD=$P psql postgres://u@h:5432/d",
            "psql postgres://u:$P@h/d",
            "psql postgres://u:${P}@h/d",
            "echo a=b c://d",
            "psql --password -h h",
        ] {
            assert_eq!(without_passwords(text), text);
        }
        assert_eq!(scrub("not s3 cret", "postgres://u:s3%20cret@h/d"), "not ***");
    }

    /// As the url has it, each byte in hexadecimal where it has a meaning there.
    fn encoded(password: &str) -> String {
        let one = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        password.bytes().map(one).collect()
    }

    proptest! {
        #[test]
        fn a_password_is_scrubbed_as_written_and_as_understood(
            password in "[a-zA-Z0-9!@#$%^&/?:=+é ]{8,20}", before in "[a-z :@]{0,10}", after in "[a-z :@]{0,10}",
        ) {
            let written = encoded(&password);
            for url in [
                format!("postgres://u:{written}@h:5432/d"),
                format!("postgres://u@h/d?host=/x&password={written}&sslmode=require"),
            ] {
                for text in [&password, &written, &url] {
                    let shown = scrub(&format!("{before}{text}{after}"), &url);
                    prop_assert!(!shown.contains(&password) && !shown.contains(&written), "{}", shown);
                }
                let shown = redact(&url);
                prop_assert!(!shown.contains(&password) && !shown.contains(&written), "{}", shown);
            }
        }

        #[test]
        fn a_password_that_was_not_encoded_is_not_shown_either(password in "[a-zA-Z0-9!@#$%^&/?:=+]{8,20}") {
            let shown = redact(&format!("postgres://u:{password}@h:5432/d"));
            prop_assert!(!shown.contains(&password), "{}", shown);
        }
    }
}
