//! A connection string without its secrets: where it leads is shown whole, since a person decides by it.
//!
//! It is written anew from what it was read as, so that nothing hides behind an encoding, a quote or a value that looks like
//! another parameter.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::keywords::find;
use super::syntax::{Pairs, Spelling, parts};
use crate::engine::model::secret::{redact, without_passwords};

const HIDDEN: &str = "***";
/// What stands in a name as it is.
const WORD: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// The same in an IPv6 address.
const ADDRESS: &AsciiSet = &WORD.remove(b':');
/// The same in the value of a parameter.
const VALUE: &AsciiSet = &WORD.remove(b'/').remove(b':').remove(b',').remove(b'*').remove(b'+');

/// A url as it is shown. One that cannot be read, and opens nothing, without whatever may be a password.
pub fn shown(text: &str) -> String {
    if is_reference(text) {
        return without_passwords(text);
    }
    match parts(text) {
        Ok(Spelling::Url(before, parameters)) => url(&before, &parameters),
        Ok(Spelling::Pairs(pairs)) => {
            pairs.iter().map(|pair| pair_shown(pair, quoted)).collect::<Vec<_>>().join(" ")
        }
        Err(_) => redact(text),
    }
}

/// The secrets of a url that are not shown, each with its parameter's name.
pub fn hidden(text: &str) -> Pairs {
    let pairs = match parts(text) {
        _ if is_reference(text) => return Pairs::new(),
        Ok(Spelling::Url(before, parameters)) => before.into_iter().chain(parameters).collect(),
        Ok(Spelling::Pairs(pairs)) => pairs,
        Err(_) if redact(text) == text => return Pairs::new(),
        Err(_) => return vec![("password".into(), text.to_owned())],
    };
    pairs.into_iter().filter(|(name, value)| is_hidden(name, value)).collect()
}

/// Where a url is to be found, not what it is.
fn is_reference(text: &str) -> bool {
    ["env:", "service:"].iter().any(|place| text.starts_with(place))
}

/// What is not known may be a secret, and so may a port that is no number: of a url whose `@host` was forgotten it is the
/// password.
fn is_hidden(name: &str, value: &str) -> bool {
    find(name).is_none_or(|keyword| keyword.secret || name == "port" && !value.split(',').all(is_number))
}

fn pair_shown((name, value): &(String, String), written: impl Fn(&str) -> String) -> String {
    // A name that is no word may be a piece of a password.
    let plain = name.len() <= 40 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let name = if plain { name } else { HIDDEN };
    if is_hidden(name, value) { format!("{name}={HIDDEN}") } else { format!("{name}={}", written(value)) }
}

fn quoted(value: &str) -> String {
    let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '\'' || c == '\\');
    if plain { value.to_owned() } else { format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")) }
}

fn encoded(text: &str, kept: &'static AsciiSet) -> String {
    utf8_percent_encode(text, kept).to_string()
}

fn url(before: &Pairs, parameters: &Pairs) -> String {
    let of = |wanted: &str| before.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let mut out = "postgres://".to_owned();
    let (user, password) = (of("user"), of("password"));
    if user.is_some() || password.is_some() {
        out += &encoded(user.unwrap_or_default(), WORD);
        out += if password.is_some() { ":***@" } else { "@" };
    }
    out += &hosts(of("host").unwrap_or_default(), of("port").unwrap_or_default());
    out.extend(of("dbname").map(|name| format!("/{}", encoded(name, WORD))));
    let shown: Vec<_> =
        parameters.iter().map(|pair| pair_shown(pair, |value| encoded(value, VALUE))).collect();
    if of("dbname").is_none() && !shown.is_empty() {
        out += "/";
    }
    if shown.is_empty() { out } else { format!("{out}?{}", shown.join("&")) }
}

/// Each host with its port; one port is that of all.
fn hosts(hosts: &str, ports: &str) -> String {
    let (hosts, ports): (Vec<&str>, Vec<&str>) = (hosts.split(',').collect(), ports.split(',').collect());
    let one = |n: usize| {
        let host = hosts.get(n).copied().unwrap_or_default();
        let host =
            if host.contains(':') { format!("[{}]", encoded(host, ADDRESS)) } else { encoded(host, WORD) };
        let port = ports.get(if ports.len() == 1 { 0 } else { n }).copied().unwrap_or_default();
        match port {
            "" => host,
            port if is_number(port) => format!("{host}:{port}"),
            _ => format!("{host}:{HIDDEN}"),
        }
    };
    (0..hosts.len().max(ports.len())).map(one).collect::<Vec<_>>().join(",")
}

fn is_number(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::syntax::parse;
    use super::*;

    #[test]
    fn where_it_leads_is_shown_and_no_secret() {
        for (url, expected) in [
            ("postgres://u:s3cret@h:5432/d", "postgres://u:***@h:5432/d"),
            ("postgres://u:s3cret", "postgres://u:***"),
            ("postgres://u:h@h/d?host=evil", "postgres://u:***@h/d?host=evil"),
            ("postgresql://a:1,b/d?sslmode=require", "postgres://a:1,b/d?sslmode=require"),
            ("postgres://[::1]:7/d", "postgres://[::1]:7/d"),
            ("postgres://[::1%25eth0]/d", "postgres://[::1%25eth0]/d"),
            ("postgres://%2Fvar%2Frun/d", "postgres://%2Fvar%2Frun/d"),
            ("postgres:///?h%6Fst=%2Fs&password=s3cret", "postgres:///?host=/s&password=***"),
            ("postgres://h/d%3Fhost%3Dx", "postgres://h/d%3Fhost%3Dx"),
            ("postgres://h/d?s3c%20ret=s3cret&unknown=s3cret", "postgres://h/d?***=***&unknown=***"),
            ("host = h password='s3cret it' options='-c a=\\'b'", "host=h password=*** options='-c a=\\'b'"),
            ("env:DATABASE_URL", "env:DATABASE_URL"),
            ("service:main", "service:main"),
            ("postgres://u:s3@cret@h/d", "postgres://u:***@h/d"),
            ("redis://:s3cret@h/0", "redis://:***@h/0"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
        assert_eq!(
            hidden("postgres://u:p@h/d?sslpassword=q"),
            [("password".to_owned(), "p".to_owned()), ("sslpassword".to_owned(), "q".to_owned())]
        );
        assert_eq!(hidden("postgres://u@h/d?hostaddr=::1"), []);
    }

    proptest! {
        /// What is shown is read as the same, but for the secrets.
        #[test]
        fn what_is_shown_means_the_same(
            names in proptest::collection::vec((0..super::super::KEYWORDS.len(), "[ -~é]{1,12}"), 1..6)
        ) {
            let pairs: Pairs = names
                .into_iter()
                .map(|(n, value)| (super::super::KEYWORDS[n].name.to_owned(), value))
                .collect();
            let expected: Pairs = pairs
                .iter()
                .map(|(name, value)| (name.clone(), if is_hidden(name, value) { HIDDEN.into() } else { value.clone() }))
                .collect();
            let parameters = pairs.iter().map(|(n, v)| format!("{n}={}", encoded(v, NON_ALPHANUMERIC)));
            let url = format!("postgres://h/d?{}", parameters.collect::<Vec<_>>().join("&"));
            let read = parse(&shown(&url)).unwrap();
            prop_assert_eq!(&read[2..], &expected[..]);
            let written = pairs.iter().map(|(n, v)| format!("{n}={}", quoted(v))).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(parse(&shown(&written)).unwrap(), expected);
        }
    }
}
