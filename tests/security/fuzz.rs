//! Texts that others may have written, spoiled at random from a fixed seed: each is read or refused, none ends the program and
//! none holds it up. `make fuzz` runs many more than a test does, and prints how many.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use midwatch::engine::model::identity::Identity;
use midwatch::engine::model::stored::StoredPlan;
use midwatch::engine::port::journal_copy::JournalCopy as _;
use midwatch::features::VERDICTS;
use midwatch::profile::{Config, EXAMPLE, EXAMPLE_PROFILE, Library};
use midwatch::store::JournalCopyFiles;

use crate::common::{Database, midwatch, run};

/// Inputs of each target, unless `MIDWATCH_FUZZ` says how many.
const INPUTS: usize = 1_500;
/// Longer than any of these takes on a machine that does other work, too.
const HANGS: Duration = Duration::from_mins(1);
const SEED: u64 = 0x6d69_6477_6174_6368;

/// A generator of numbers, the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

/// What the readers of these formats have a meaning for, and what none has.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "'''",
    "[",
    "]]",
    "{",
    "}",
    "=",
    ":",
    ",",
    ".",
    "\\",
    "\n",
    "\r",
    "\t",
    "\0",
    "\u{1b}",
    "\u{202e}",
    "\u{feff}",
    "null",
    "true",
    "-1",
    "9223372036854775808",
    "1e999",
    "NaN",
    "\\u0000",
    "\\ud800",
    "é",
    "日",
    "%00",
    "--",
    "--json",
    "--set",
    "-",
    "a=b",
    "[[[[[[[[",
    "{\"a\":{\"a\":{\"a\":",
    "extends = \"",
    "url",
    "env:",
    "service:",
];

fn spoil(random: &mut Random, valid: &[u8]) -> Vec<u8> {
    let mut bytes = valid.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(40)).min(bytes.len());
        match random.below(7) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].bytes())),
            3 => {
                let copied = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                drop(bytes.splice(to..to, copied));
            }
            4 if at < bytes.len() => bytes[at] = u8::try_from(random.below(256)).unwrap(),
            5 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ => drop(bytes.splice(at..end, PIECES[random.below(PIECES.len())].bytes())),
        }
    }
    bytes
}

/// Reads spoiled inputs; prints how many were read and how many refused.
fn fuzz(target: &str, valid: &[Vec<u8>], read: impl Fn(&[u8]) -> bool + Send + 'static) {
    let count = std::env::var("MIDWATCH_FUZZ").map_or(INPUTS, |n| n.parse().unwrap());
    let (sender, news) = channel();
    let inputs = valid.to_vec();
    let reader = std::thread::spawn(move || {
        let mut random = Random(SEED);
        for n in 0..count {
            let input = spoil(&mut random, &inputs[n % inputs.len()]);
            sender.send((input.clone(), None)).unwrap();
            let outcome = catch_unwind(AssertUnwindSafe(|| read(&input)));
            sender.send((input, Some(outcome.ok()))).unwrap();
        }
    });
    let (mut accepted, mut refused, mut last) = (0_u64, 0_u64, Vec::new());
    loop {
        match news.recv_timeout(HANGS) {
            Ok((input, None)) => last = input,
            Ok((_, Some(Some(true)))) => accepted += 1,
            Ok((_, Some(Some(false)))) => refused += 1,
            Ok((input, Some(None))) => panic!("{target} panics: {:?}", String::from_utf8_lossy(&input)),
            Err(RecvTimeoutError::Timeout) => panic!("{target} hangs: {:?}", String::from_utf8_lossy(&last)),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    reader.join().unwrap();
    println!("fuzz {target}: {count} inputs, {accepted} read, {refused} refused, 0 panics, 0 hangs");
    assert!(accepted > 0 && refused > 0, "{target}: {accepted} read, {refused} refused");
}

#[test]
fn configurations() {
    fuzz("configuration", &[EXAMPLE.into()], |input| {
        Config::parse("c.toml", &String::from_utf8_lossy(input)).is_ok()
    });
}

#[test]
fn profiles() {
    let built_in =
        std::fs::read_dir("assets/profiles").unwrap().map(|e| std::fs::read(e.unwrap().path()).unwrap());
    let valid: Vec<Vec<u8>> = built_in.chain([EXAMPLE_PROFILE.into()]).collect();
    let nowhere = tempfile::tempdir().unwrap();
    let library = Library::new(nowhere.path(), VERDICTS);
    fuzz("profile", &valid, move |input| library.build("p.toml", &String::from_utf8_lossy(input)).is_ok());
}

/// A plan file and a copy of the journal, as the program writes them.
#[tokio::test(flavor = "multi_thread")]
async fn plans_and_journal_lines() {
    let database = Database::empty().await;
    let home = tempfile::tempdir().unwrap();
    let on = |args: &[&str]| run(midwatch(home.path()).env("DATABASE_URL", database.url()).args(args));
    let planned = on(&["plan", "init", "--out", "p.json", "--json"]).json();
    let applied = on(&["apply", "p.json", "--confirm", planned["plan"]["phrase"].as_str().unwrap()]);
    assert_eq!(applied.code, 0, "{applied:?}");
    let plan = std::fs::read(home.path().join("p.json")).unwrap();
    fuzz("plan file", &[plan], |input| {
        let Ok(mut envelope) = serde_json::from_slice::<serde_json::Value>(input) else { return false };
        let plan = envelope.get_mut("plan").map(serde_json::Value::take).unwrap_or_default();
        StoredPlan::read(plan).is_ok_and(|plan| {
            // An altered one is found, or is what was planned.
            let _ = plan.is_unaltered();
            plan.into_known_plan().is_ok()
        })
    });

    let journal = home.path().join(".local/state/midwatch/journal");
    let mut files = std::fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|e| e == "jsonl")).unwrap();
    let lines = std::fs::read(&file).unwrap();
    let fuzzed = tempfile::tempdir().unwrap();
    let copy = JournalCopyFiles::new(Some(fuzzed.path().to_owned()));
    let target = Identity { database: "d".into(), ..Identity::default() };
    let path = fuzzed.path().join("journal/unknown-none-d.jsonl");
    std::fs::create_dir(fuzzed.path().join("journal")).unwrap();
    fuzz("journal copy", &[lines], move |input| {
        let _dir = &fuzzed;
        std::fs::write(&path, input).unwrap();
        copy.read(&target).is_ok_and(|events| events.is_some_and(|copied| !copied.entries.is_empty()))
    });
}

#[test]
fn arguments() {
    let lines = [
        "midwatch check parity/revenues --set table=a --quick --json",
        "midwatch plan backfill business_date --set limit=100 --out p.json -vv",
        "midwatch apply p.json --confirm phrase --confirm-target db",
        "midwatch runs 12 --logs dir --limit 100 -o json",
        "midwatch --target main --config c.toml --profile p config example profile",
        "midwatch demo --rows 10 --no-ui --dir d",
    ];
    let valid: Vec<Vec<u8>> = lines.iter().map(|l| l.as_bytes().to_vec()).collect();
    fuzz("arguments", &valid, |input| {
        use std::os::unix::ffi::OsStringExt as _;
        let words = input.split(|b| *b == b' ').map(|word| std::ffi::OsString::from_vec(word.to_vec()));
        midwatch::cli::grammar().try_get_matches_from(words).is_ok()
    });
}
