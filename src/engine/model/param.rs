//! `--set` keys: their types and defaults, and the readers that hold to both.

use std::collections::BTreeMap;

use crate::engine::model::error::{Error, Result};

/// A parameter, given as `--set key=value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamSpec {
    /// The key.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What applies when it is left out.
    pub default: DefaultValue,
}

/// How it was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(pub BTreeMap<String, String>);

impl Params {
    /// A key that says yes, and nothing else.
    pub fn yes(spec: &ParamSpec) -> Self {
        Self(BTreeMap::from([(spec.name.to_owned(), "yes".to_owned())]))
    }

    /// An unknown key must not be taken for one that was meant; a value is of its key's type. `owner` has these specs, as
    /// it is written on the command line, and `help` is where its keys are listed.
    pub fn accept(&self, specs: &[ParamSpec], owner: &str, help: &str) -> Result<()> {
        for (key, value) in &self.0 {
            let mut named = specs.iter().filter(|p| p.name == key).peekable();
            if named.peek().is_none() {
                let known: Vec<_> = specs.iter().map(|p| p.name).collect();
                let known = if known.is_empty() { "none".into() } else { known.join(", ") };
                let what = format!("{owner} has no key {key}; its keys: {known}");
                return Err(Error::usage(what).hint(format!("midwatch help {help}")));
            }
            named.try_for_each(|p| p.check(value))?;
        }
        Ok(())
    }

    /// A value, if given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number, if given.
    pub fn number(&self, name: &str) -> Result<Option<u64>> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| Error::usage(format!("{name}={text}: {name} takes a whole number")))
            })
            .transpose()
    }

    /// How many rows at most, if given.
    pub fn limit(&self) -> Result<Option<u64>> {
        self.number("limit")
    }

    /// Exact keys, comma separated, if given.
    pub fn ids(&self) -> Option<Vec<String>> {
        self.get("ids")
            .map(|text| text.split(',').map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect())
    }
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A whole number between two limits, and its unit.
    Number {
        /// `rows`, `milliseconds`.
        unit: &'static str,
        /// The least.
        from: u64,
        /// The most.
        to: u64,
    },
    /// A number of rows, or `all`.
    RowsOrAll,
    /// A duration between two limits in seconds: `90`, `30s`, `10m`, `2h`.
    Duration {
        /// The least.
        from: u64,
        /// The most.
        to: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, or one that the profile declares.
    ChoiceOrProfile(&'static [&'static str]),
    /// `yes` or `no`.
    Flag,
    /// Several of what is named here, comma separated: `KEY`, `ROLE`.
    List(&'static str),
    /// Text of the kind named here: `TEXT`, `COMMAND`.
    Text(&'static str),
}

/// What applies when a key is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// This number, in the unit of the key (a duration: seconds).
    Number(u64),
    /// This word.
    Word(&'static str),
    /// A value that depends on the target or the profile, in words.
    Depends(&'static str),
    /// Nothing: what the key asks for is not done.
    Nothing,
    /// It must be given.
    Required,
    /// It or this other key must be given.
    Or(&'static str),
}

/// No limit.
pub const ANY: u64 = u64::MAX;

impl Takes {
    /// A whole number of a unit, without limits.
    pub const fn any(unit: &'static str) -> Self {
        Self::Number { unit, from: 0, to: ANY }
    }

    /// A duration without limits.
    pub const fn duration() -> Self {
        Self::Duration { from: 0, to: ANY }
    }

    /// What stands for the value in `--set key=value`.
    pub fn placeholder(&self) -> String {
        match self {
            Self::Number { .. } => "N".into(),
            Self::RowsOrAll => "N|all".into(),
            Self::Duration { .. } => "DURATION".into(),
            Self::Choice(words) => words.join("|"),
            Self::ChoiceOrProfile(words) => format!("{}|NAME", words.join("|")),
            Self::Flag => "yes|no".into(),
            Self::List(item) => format!("{item},…"),
            Self::Text(what) => (*what).into(),
        }
    }

    /// The type and its limits, in words.
    pub fn type_name(&self) -> String {
        match *self {
            Self::Number { unit, from, to } => format!("{unit}{}", limits(from, to, ANY)),
            Self::RowsOrAll => "rows, or all".into(),
            Self::Duration { from: 0, to: ANY } => "30s, 10m, 2h".into(),
            Self::Duration { from, to } => format!("30s, 10m, 2h{} seconds", limits(from, to, ANY)),
            Self::Choice(_) => "one of these words".into(),
            Self::ChoiceOrProfile(_) => "one of these words or the profile's own".into(),
            Self::Flag => "yes or no".into(),
            Self::List(_) => "comma separated".into(),
            Self::Text(_) => "text".into(),
        }
    }
}

fn limits(from: u64, to: u64, any: u64) -> String {
    match (from, to) {
        (0, most) if most == any => String::new(),
        (least, most) if most == any => format!(", {least} or more"),
        (least, most) => format!(", {least} to {most}"),
    }
}

impl ParamSpec {
    /// What applies when it is left out, as it would be written; nothing where nothing does.
    pub fn default_text(&self) -> Option<String> {
        match (self.default, self.takes) {
            (DefaultValue::Number(n), Takes::Duration { .. }) => Some(duration_text(n)),
            (DefaultValue::Number(n), _) => Some(n.to_string()),
            (DefaultValue::Word(text) | DefaultValue::Depends(text), _) => Some(text.into()),
            (DefaultValue::Nothing | DefaultValue::Required | DefaultValue::Or(_), _) => None,
        }
    }

    fn wrong(&self, value: &str, why: &str) -> Error {
        Error::usage(format!("{}={value}: {why}", self.name))
    }

    /// Is this a value of its type? What depends on the profile or the database is judged by the operation.
    pub fn check(&self, value: &str) -> Result<()> {
        match self.takes {
            Takes::Number { .. } => self.number(value).map(drop),
            Takes::RowsOrAll if value == "all" => Ok(()),
            Takes::RowsOrAll => self.parse(value, "rows, or all").map(drop),
            Takes::Duration { .. } => self.seconds(value).map(drop),
            Takes::Choice(words) if !words.contains(&value) => Err(self.wrong(value, &either(words))),
            Takes::Flag if !["yes", "no"].contains(&value) => Err(self.wrong(value, "yes or no")),
            Takes::Choice(_) | Takes::Flag | Takes::ChoiceOrProfile(_) | Takes::List(_) | Takes::Text(_) => {
                Ok(())
            }
        }
    }

    fn parse(&self, value: &str, unit: &str) -> Result<u64> {
        let name = self.name;
        value.parse().map_err(|_| self.wrong(value, &format!("{name} takes a whole number of {unit}")))
    }

    fn number(&self, value: &str) -> Result<u64> {
        let Takes::Number { unit, from, to } = self.takes else { return self.parse(value, "rows") };
        let n = self.parse(value, unit)?;
        if (from..=to).contains(&n) {
            return Ok(n);
        }
        if (n, unit) == (0, "rows") && to == ANY {
            return Err(self.wrong(value, "no row would be planned").hint("leave it out for all rows"));
        }
        let limits = if to == ANY { format!("at least {from}") } else { format!("between {from} and {to}") };
        Err(self.wrong(value, &format!("{limits} {unit}")))
    }

    fn seconds(&self, value: &str) -> Result<u64> {
        let n = duration(value).ok_or_else(|| self.wrong(value, "a duration is written 30s, 10m or 2h"))?;
        match self.takes {
            Takes::Duration { from, to } if !(from..=to).contains(&n) => {
                Err(self.wrong(value, &format!("between {from} and {to} seconds")))
            }
            _ => Ok(n),
        }
    }
}

fn either(words: &[&str]) -> String {
    match words {
        [one] => format!("only {one} is a value of it"),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
        [] => "it takes no value".into(),
    }
}

impl Params {
    /// The number that a key has, or its default.
    pub fn number_of(&self, spec: &ParamSpec) -> Result<u64> {
        match (self.get(spec.name), spec.default) {
            (Some(value), _) => spec.number(value),
            (None, DefaultValue::Number(n)) => Ok(n),
            (None, _) => Ok(0),
        }
    }

    /// The seconds that a key has, or its default.
    pub fn seconds_of(&self, spec: &ParamSpec) -> Result<u64> {
        match (self.get(spec.name), spec.default) {
            (Some(value), _) => spec.seconds(value),
            (None, DefaultValue::Number(n)) => Ok(n),
            (None, _) => Ok(0),
        }
    }

    /// The word that a key has, or its default.
    pub fn word_of(&self, spec: &ParamSpec) -> Result<Option<&str>> {
        match (self.get(spec.name), spec.default) {
            (Some(value), _) => spec.check(value).map(|()| Some(value)),
            (None, DefaultValue::Word(word)) => Ok(Some(word)),
            (None, _) => Ok(None),
        }
    }

    /// Does a key say yes?
    pub fn flag_of(&self, spec: &ParamSpec) -> Result<bool> {
        Ok(self.word_of(spec)? == Some("yes"))
    }
}

/// `90`, `90s`, `10m`, `10min`, `2h` in seconds. Not by a library: humantime reads `10M` as ten months and takes no number
/// alone, and it would print `1h 30m` for `90m`.
fn duration(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let factor = match text.strip_prefix(digits)? {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// Seconds in the largest unit that holds them whole.
fn duration_text(seconds: u64) -> String {
    match seconds {
        s if s > 0 && s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s > 0 && s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every spelling that was ever accepted.
    #[test]
    fn durations_are_written_as_people_do() {
        for (text, seconds) in [
            ("90", 90),
            ("30s", 30),
            ("10m", 600),
            ("10min", 600),
            ("2h", 7_200),
            ("0", 0),
            ("0s", 0),
            ("+5", 5),
            ("007m", 420),
        ] {
            assert_eq!(duration(text), Some(seconds), "{text}");
            assert_eq!(duration(&duration_text(seconds)), Some(seconds), "{text}");
        }
        for wrong in
            ["", "s", "10 m", "1d", "-3", "1.5h", "10M", "2H", "1h30m", "500ms", "99999999999999999999h"]
        {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_are_printed_in_one_unit() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (90, "90s"), (600, "10m"), (5_400, "90m"), (7_200, "2h")]
        {
            assert_eq!(duration_text(seconds), text);
        }
    }

    #[test]
    fn values_outside_of_a_type_are_refused() {
        let spec = |takes| ParamSpec { name: "k", about: "", takes, default: DefaultValue::Nothing };
        let most = Takes::Number { unit: "rows", from: 1, to: 9 };
        for (takes, good, wrong) in [
            (most, "9", "k=10: between 1 and 9 rows"),
            (most, "1", "k=x: k takes a whole number of rows"),
            (Takes::RowsOrAll, "all", "k=some: k takes a whole number of rows, or all"),
            (Takes::Duration { from: 1, to: 600 }, "10m", "k=11m: between 1 and 600 seconds"),
            (Takes::duration(), "2h", "k=1d: a duration is written 30s, 10m or 2h"),
            (Takes::Choice(&["a", "b"]), "b", "k=c: a or b"),
            (Takes::Choice(&["make"]), "make", "k=c: only make is a value of it"),
            (Takes::Flag, "no", "k=: yes or no"),
        ] {
            let spec = spec(takes);
            spec.check(good).unwrap();
            let value = wrong.split(['=', ':']).nth(1).unwrap();
            assert_eq!(spec.check(value).unwrap_err().message, wrong);
        }
    }
}
