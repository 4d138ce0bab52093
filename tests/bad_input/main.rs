//! Everything that can be wrong outside: a clear line, a hint, the right exit code, no secret, no panic.

#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;

mod connecting;
mod files;
mod interrupted;
mod pooler;
mod privileges;
mod secrets;

use common::{Run, on};

/// The same failure as text and as JSON.
fn refused(url: &str, args: &[&str], code: i32, message: &str, hint: &str) {
    let text = on(url, args);
    assert_eq!((text.code, text.stdout.as_str()), (code, ""), "{text:?}");
    assert!(text.stderr.starts_with("midwatch: ") && text.stderr.contains(message), "{message} in {text:?}");
    assert!(text.stderr.contains("hint: ") && text.stderr.contains(hint), "{hint} in {text:?}");
    no_panic(&text);
    let mut args = args.to_vec();
    args.push("--json");
    let json = on(url, &args);
    assert_eq!(json.code, code, "{json:?}");
    let error = &json.json()["error"];
    assert!(error["message"].as_str().unwrap().contains(message), "{json:?}");
    assert!(error["hint"].as_str().unwrap().contains(hint), "{json:?}");
    assert_eq!((&error["durable"], &error["ambiguous"]), (&false.into(), &false.into()));
    assert_eq!(error["class"], if code == 2 { "usage" } else { "unobserved" });
    no_panic(&json);
}

fn no_panic(run: &Run) {
    assert!(!run.stderr.contains("panicked"), "{run:?}");
}
