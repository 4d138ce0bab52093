//! What libpq calls a connection string: a URL or `key=value` pairs. Only the syntax; what a name means stands in the
//! dialect's `parameters`. No error quotes a value: it may be a password.

use percent_encoding::percent_decode_str;

/// A name and its value, in the order in which they are written: a later one replaces an earlier one.
pub type Pairs = Vec<(String, String)>;

/// Why a text is no connection string, without any of its values.
pub(super) type Parsed<T> = std::result::Result<T, String>;

/// Is it meant to be a list of `key=value` pairs?
pub fn is_pairs(text: &str) -> bool {
    !is_url(text) && text.contains('=')
}

/// Does it begin with a scheme?
pub fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|s| s.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)))
}

/// A connection string as it is spelled.
pub(super) enum Spelling {
    /// What stands before the `?`, and the parameters behind it.
    Url(Pairs, Pairs),
    /// `key=value`
    Pairs(Pairs),
}

/// The pairs of a URL or of a list of them; else why it is neither, without any of its values.
pub fn parse(text: &str) -> std::result::Result<Pairs, String> {
    Ok(match parts(text)? {
        Spelling::Url(mut before, parameters) => {
            before.extend(parameters);
            before
        }
        Spelling::Pairs(pairs) => pairs,
    })
}

/// The same with its form.
pub(super) fn parts(text: &str) -> Parsed<Spelling> {
    match ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme)) {
        Some(rest) => url(rest),
        None if is_pairs(text) => pairs(text).map(Spelling::Pairs),
        None => Err("it does not begin with postgres:// and holds no key=value".into()),
    }
}

/// `[user[:password]@][host[:port][,…]][/database][?name=value[&…]]`, as libpq splits it.
fn url(rest: &str) -> Parsed<Spelling> {
    let (mut out, mut parameters) = (Pairs::new(), Pairs::new());
    let mut rest = rest;
    let end = rest.find(['@', '/']).filter(|at| rest.get(*at..).is_some_and(|r| r.starts_with('@')));
    if let Some((who, after)) = end.and_then(|at| rest.split_at_checked(at)) {
        let (user, password) = who.split_once(':').map_or((who, None), |(u, p)| (u, Some(p)));
        push(&mut out, "user", decoded(user, "user")?);
        push(&mut out, "password", decoded(password.unwrap_or_default(), "password")?);
        rest = after.strip_prefix('@').unwrap_or(after);
    }
    // What was meant for the password would be taken for a host and looked up, or quoted.
    if rest.contains('@') {
        return Err(
            "there is another @: in a user's name, a password or a parameter it is written %40".into()
        );
    }
    let (places, rest) = rest.split_at_checked(authority(rest)).unwrap_or((rest, ""));
    hosts(places, &mut out)?;
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    push(&mut out, "dbname", decoded(path.strip_prefix('/').unwrap_or(path), "dbname")?);
    for parameter in query.into_iter().flat_map(|q| q.split('&')).filter(|p| !p.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or("a parameter behind ? has no value")?;
        let name = decoded(name, "a parameter's name")?;
        if value.contains('=') {
            return Err(format!("parameter {name} has a second =: it is written %3D in a url"));
        }
        let value = decoded(value, &name)?;
        // As in JDBC's URLs.
        let jdbc = name == "ssl" && value == "true";
        parameters.push(if jdbc { ("sslmode".into(), "require".into()) } else { (name, value) });
    }
    Ok(Spelling::Url(out, parameters))
}

/// How long hosts and ports are.
fn authority(text: &str) -> usize {
    text.find(['/', '?']).unwrap_or(text.len())
}

fn hosts(text: &str, out: &mut Pairs) -> Parsed<()> {
    let (mut hosts, mut ports) = (vec![], vec![]);
    for one in text.split(',') {
        let (host, port) = match one.strip_prefix('[') {
            Some(v6) => {
                let (host, after) = v6.split_once(']').ok_or("an IPv6 address has no closing ]")?;
                let port = if after.is_empty() {
                    ""
                } else {
                    after.strip_prefix(':').ok_or("an IPv6 address is followed by neither : nor /")?
                };
                (host, port)
            }
            None => one.split_once(':').unwrap_or((one, "")),
        };
        hosts.push(decoded(host, "host")?);
        ports.push(decoded(port, "port")?);
    }
    for (name, values) in [("host", hosts), ("port", ports)] {
        if values.iter().any(|v| !v.is_empty()) {
            out.push((name.into(), values.join(",")));
        }
    }
    Ok(())
}

fn push(out: &mut Pairs, name: &str, value: String) {
    if !value.is_empty() {
        out.push((name.into(), value));
    }
}

/// `%40` → `@`. What is no encoding is an error, as in libpq; so is a zero byte.
fn decoded(text: &str, what: &str) -> Parsed<String> {
    for after in text.split('%').skip(1) {
        let hex = after.get(..2).filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
        match hex {
            None => {
                return Err(format!(
                    "{what} has a % that no two hexadecimal digits follow (% is written %25)"
                ));
            }
            Some("00") => return Err(format!("{what} has a zero byte")),
            Some(_) => {}
        }
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| format!("{what} is not UTF-8"))?;
    Ok(text.into_owned())
}

/// `name = value`, `name='a value'`; a backslash takes the next character as it is.
fn pairs(text: &str) -> Parsed<Pairs> {
    let mut out = Pairs::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or("the last name has no = behind it")?;
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err("a name has no = behind it".into());
        }
        let (value, left) = value(after.trim_start(), name)?;
        out.push((name.to_owned(), value));
        rest = left.trim_start();
    }
    Ok(out)
}

/// One value, and what follows it.
fn value<'t>(text: &'t str, name: &str) -> Parsed<(String, &'t str)> {
    let quoted = text.strip_prefix('\'');
    let mut rest = quoted.unwrap_or(text).chars();
    let mut out = String::new();
    loop {
        let before = rest.as_str();
        match rest.next() {
            None if quoted.is_some() => return Err(format!("the value of {name} has no closing '")),
            None => return Ok((out, "")),
            Some('\'') if quoted.is_some() => return Ok((out, rest.as_str())),
            Some('\\') => out.extend(rest.next()),
            Some(c) if quoted.is_none() && c.is_whitespace() => return Ok((out, before)),
            Some(c) => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Ok(pairs) => pairs.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "),
            Err(why) => format!("! {why}"),
        }
    }

    #[test]
    fn urls_are_split_as_libpq_splits_them() {
        for (url, expected) in [
            ("postgres://", ""),
            ("postgresql:///d", "dbname=d"),
            (
                "postgres://u:p%40@h:1/d?sslmode=require",
                "user=u password=p@ host=h port=1 dbname=d sslmode=require",
            ),
            ("postgres://u@/d?host=/sock", "user=u dbname=d host=/sock"),
            ("postgres://a:1,b/d", "host=a,b port=1, dbname=d"),
            ("postgres://[::1]:7/d", "host=::1 port=7 dbname=d"),
            ("postgres://%2Fvar%2Frun/d", "host=/var/run dbname=d"),
            ("postgres://h?ssl=true", "host=h sslmode=require"),
            ("postgres://h/a b", "host=h dbname=a b"),
            ("postgres://h/d?a=b=c", "! parameter a has a second =: it is written %3D in a url"),
            ("postgres://h/d?a", "! a parameter behind ? has no value"),
            (
                "postgres://u:s3cr%t@h/d",
                "! password has a % that no two hexadecimal digits follow (% is written %25)",
            ),
            ("postgres://h/%00", "! dbname has a zero byte"),
            (
                "postgres://u:se@kret@h/d",
                "! there is another @: in a user's name, a password or a parameter it is written %40",
            ),
            (
                "postgres://u:12/secret@h",
                "! there is another @: in a user's name, a password or a parameter it is written %40",
            ),
            ("host=h password=a://b", "host=h password=a://b"),
            ("postgres://[::1/d", "! an IPv6 address has no closing ]"),
            ("h/d", "! it does not begin with postgres:// and holds no key=value"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn pairs_are_read_as_libpq_reads_them() {
        for (text, expected) in [
            ("host=a  port = 1", "host=a port=1"),
            (r"password='a b\'c\\' user=u\ v", r"password=a b'c\ user=u v"),
            ("host='' dbname=d", "host= dbname=d"),
            ("host", "! it does not begin with postgres:// and holds no key=value"),
            ("host=a port", "! the last name has no = behind it"),
            ("host a=b", "! a name has no = behind it"),
            ("password='s3cret", "! the value of password has no closing '"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }
}
