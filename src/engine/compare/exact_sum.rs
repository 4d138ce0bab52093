//! Sums of a column, exact, whatever it holds.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Whole millionths, and what is no number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    #[serde(with = "as_text")]
    millionths: i128,
    odd: BTreeSet<String>,
}

impl Sum {
    /// As the server writes it.
    pub fn parse(text: &str) -> Self {
        let odd = match text {
            "NaN" => "NaN",
            "Infinity" => "Infinity",
            "-Infinity" => "-Infinity",
            number => match number.parse() {
                Ok(millionths) => return Self { millionths, odd: BTreeSet::new() },
                Err(_) => "too large to add",
            },
        };
        Self { millionths: 0, odd: BTreeSet::from([odd.to_owned()]) }
    }

    /// Adds another, as long as there is room.
    pub fn add(&mut self, other: &Self) {
        match self.millionths.checked_add(other.millionths) {
            Some(sum) => self.millionths = sum,
            None => {
                self.odd.insert("too large to add".into());
            }
        }
        self.odd.extend(other.odd.iter().cloned());
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |word| self.odd.contains(word);
        if has("NaN") || has("Infinity") && has("-Infinity") {
            return f.write_str("NaN");
        }
        if let Some(odd) = self.odd.first() {
            return f.write_str(odd);
        }
        let (whole, part) = (self.millionths / 1_000_000, (self.millionths % 1_000_000).unsigned_abs());
        if part == 0 {
            return write!(f, "{whole}");
        }
        let sign = if self.millionths < 0 && whole == 0 { "-" } else { "" };
        f.write_str(format!("{sign}{whole}.{part:06}").trim_end_matches('0'))
    }
}

/// Numbers of more digits than JSON has.
pub mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// As text.
    pub fn serialize<S: Serializer>(value: &i128, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    /// From text.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i128, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_their_decimals() {
        for (millionths, written) in [("5000000", "5"), ("-250000", "-0.25"), ("-1250000", "-1.25")] {
            assert_eq!(Sum::parse(millionths).to_string(), written);
        }
    }

    #[test]
    fn what_is_no_number_stays_what_it_is() {
        let of = |parts: &[&str]| {
            let mut sum = Sum::default();
            for part in parts {
                sum.add(&Sum::parse(part));
            }
            sum.to_string()
        };
        let huge = "9".repeat(60);
        assert_eq!(of(&["1", "NaN"]), "NaN");
        assert_eq!(of(&["Infinity", "1"]), "Infinity");
        assert_eq!(of(&["Infinity", "-Infinity"]), "NaN");
        assert_eq!(of(&[huge.as_str(), "1"]), "too large to add");
        assert_eq!(of(&[&i128::MAX.to_string(), "1"]), "too large to add");
    }
}
