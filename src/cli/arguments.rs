//! What is wrong with arguments before their grammar is read: passwords, which every user of the machine can read there, and
//! bytes that are no text.

use std::ffi::{OsStr, OsString};

use crate::engine::model::error::Error;
use crate::engine::model::secret::holds_password;

/// An argument that holds a password is refused, whatever it is for, and shown nowhere.
pub(super) fn password_among(argv: &[OsString]) -> Option<Error> {
    let at = argv.iter().skip(1).position(|word| holds_password(&word.to_string_lossy()))? + 1;
    let what =
        format!("{} holds a password, which every user of this machine can read there", place(argv, at));
    Some(Error::usage(what).hint(
        "put the url into DATABASE_URL or midwatch.toml (url = \"env:NAME\"), a password into a file (~/.pgpass); \"$NAME\" in a \
         command is looked up in the environment",
    ))
}

/// The first argument that is no text, where one must be.
pub(super) fn not_utf8(argv: &[OsString]) -> Error {
    let broken = argv.iter().enumerate().find_map(|(at, word)| Some((at, invalid_byte(word)?)));
    let what = match broken {
        Some((at, byte)) => format!("{} is not UTF-8: byte {byte}", place(argv, at)),
        None => "an argument is not UTF-8".to_owned(),
    };
    Error::usage(what).hint("midwatch --help")
}

/// From 1.
fn invalid_byte(word: &OsStr) -> Option<usize> {
    std::str::from_utf8(word.as_encoded_bytes()).err().map(|e| e.valid_up_to() + 1)
}

/// `argument 3`, with the option that it belongs to.
fn place(argv: &[OsString], at: usize) -> String {
    let option = |word: &OsString| {
        let word = word.to_string_lossy();
        let name = word.split('=').next().unwrap_or_default();
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
        (name.starts_with("--") && name.len() > 2 && plain).then(|| name.to_owned())
    };
    let before = at.checked_sub(1).filter(|n| *n > 0).and_then(|n| argv.get(n));
    match argv.get(at).and_then(option).or_else(|| before.and_then(option)) {
        Some(option) => format!("argument {at} ({option})"),
        None => format!("argument {at}"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn argv(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn passwords_are_named_by_their_place() {
        for (words, place) in [
            (&["m", "check", "--target", "postgres://u:s3cret@h/d"][..], "argument 3 (--target)"),
            (&["m", "--target=postgres://u:s3 cret@h/d"], "argument 1 (--target)"),
            (&["m", "runs", "host=h password='s3cret'"], "argument 2"),
            (&["m", "plan", "switchover", "--set", "after=PGPASSWORD=s3cret psql"], "argument 4 (--set)"),
        ] {
            let e = password_among(&argv(words)).unwrap();
            assert!(e.message.starts_with(&format!("{place} holds a password")), "{}", e.message);
            assert!(!format!("{e:?}").contains("cret"), "{e:?}");
        }
        for words in [
            &["m", "check", "--target", "main", "--set", "limit=3"][..],
            &["m", "apply", "a:b", "--confirm", "apply 3 rows@main"],
            &["m", "--set", "before=psql postgres://u:$P@h/d", "postgres://u@h:5432/d", "env:NAME"],
        ] {
            assert!(password_among(&argv(words)).is_none(), "{words:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_place() {
        let mut words = argv(&["m", "runs"]);
        words.push(OsString::from_vec(b"a\xff".to_vec()));
        assert_eq!(not_utf8(&words).message, "argument 2 is not UTF-8: byte 2");
    }
}
