//! Files that a configuration's connection string names.

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::syntax::{is_url, parse};

/// Parameters that name a file.
const FILES: [&str; 5] = ["sslrootcert", "sslcert", "sslkey", "sslcrl", "passfile"];

/// A connection string whose relative files start at `base`: a later parameter replaces an earlier one. One that cannot be read
/// stays as it is.
pub fn placed(text: &str, base: &Path) -> String {
    // A lone backslash at the end says nothing, and would quote what is added.
    let mut out = text.to_owned();
    if !is_url(text) && text.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1 {
        out.pop();
    }
    let pairs = parse(text).unwrap_or_default();
    for name in FILES {
        let file = pairs.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let Some(file) = file.filter(|f| !f.is_empty() && !is_no_path(name, f)) else { continue };
        let path = base.join(file).display().to_string();
        if path == file {
            continue;
        }
        // A url that names a file has parameters already.
        let more = if is_url(text) {
            format!("&{name}={}", utf8_percent_encode(&path, NON_ALPHANUMERIC))
        } else {
            format!(" {name}='{}'", path.replace('\\', "\\\\").replace('\'', "\\'"))
        };
        out.push_str(&more);
    }
    out
}

/// The roots of the operating system.
fn is_no_path(name: &str, value: &str) -> bool {
    name == "sslrootcert" && value == "system"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_files_start_at_the_base() {
        let last = |text: &str, name: &str| {
            let pairs = parse(&placed(text, Path::new("/a b'c"))).unwrap();
            pairs.into_iter().rfind(|(n, _)| n == name).map(|(_, value)| value)
        };
        for name in FILES {
            for text in [format!("postgres://u:a?b@h/d?{name}=f"), format!("host=h {name}=f")] {
                assert_eq!(last(&text, name).as_deref(), Some("/a b'c/f"), "{text}");
            }
            let absolute = format!("postgres://h/d?{name}=/f");
            assert_eq!(placed(&absolute, Path::new("/b")), absolute);
        }
        assert_eq!(
            placed(r"sslcert=/f sslkey=k\\ password=a\", Path::new("/b")),
            r"sslcert=/f sslkey=k\\ password=a sslkey='/b/k\\'"
        );
        for text in
            ["postgres://h/d?sslrootcert=system", "host=h passfile=''", "env:NAME", "postgres://u:?@h"]
        {
            assert_eq!(placed(text, Path::new("/b")), text);
        }
    }
}
