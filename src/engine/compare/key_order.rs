//! The order in which keys are shown.

use std::cmp::Ordering;

/// The digits that a text begins with, and what follows them.
fn leading_digits(text: &str) -> (&str, &str) {
    let count = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(count).unwrap_or(("", text))
}

/// Numbers by value, whatever stands between them as text.
pub fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left, right);
    loop {
        let ((one, ours), (other, theirs)) = (leading_digits(left), leading_digits(right));
        let order = if !one.is_empty() && !other.is_empty() {
            (left, right) = (ours, theirs);
            let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
            one.len().cmp(&other.len()).then_with(|| one.cmp(other))
        } else {
            let (mut rest, mut others) = (left.chars(), right.chars());
            let (one, other) = (rest.next(), others.next());
            if one.is_none() && other.is_none() {
                return Ordering::Equal;
            }
            (left, right) = (rest.as_str(), others.as_str());
            one.cmp(&other)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_of_their_numbers() {
        let mut keys = ["1008", "95", "1190", "473", "id=9 x", "id=10 a", "007", "b", ""];
        keys.sort_by(|a, b| natural(a, b));
        assert_eq!(keys, ["", "007", "95", "473", "1008", "1190", "b", "id=9 x", "id=10 a"]);
    }
}
