//! Where a typed phrase differs from the one that is asked for.

/// Says where a wrong phrase differs.
pub fn differs(phrase: &str, typed: &str) -> String {
    if typed.is_empty() {
        return "the phrase is missing: the plan says what must be typed".to_owned();
    }
    let same = phrase.chars().zip(typed.chars()).take_while(|(a, b)| a == b).count();
    let here: String = typed.chars().skip(same).take(12).collect();
    let there: String = phrase.chars().skip(same).take(12).collect();
    match (here.is_empty(), there.is_empty()) {
        (true, _) => format!("the phrase ends too early: {there:?} is missing"),
        (_, true) => format!("the phrase goes on too long: {here:?} is too much"),
        _ => format!("the phrase differs at character {}: {here:?} instead of {there:?}", same + 1),
    }
}

pub(crate) fn tries(attempts: impl Into<u64>) -> String {
    match attempts.into() {
        1 => "1 attempt".into(),
        n => format!("{n} attempts"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_beginning_ends_too_early_and_more_is_too_much(phrase in ".{1,30}", more in ".{1,10}") {
            let whole = format!("{phrase}{more}");
            let short = differs(&whole, &phrase);
            prop_assert!(short.starts_with("the phrase ends too early"), "{}", short);
            let long = differs(&phrase, &whole);
            prop_assert!(long.starts_with("the phrase goes on too long"), "{}", long);
        }

        #[test]
        fn the_first_character_that_differs_is_told(phrase in "[a-z ]{1,30}", place in 0_usize..30) {
            let place = place % phrase.len();
            let typed: String =
                phrase.chars().enumerate().map(|(i, c)| if i == place { 'É' } else { c }).collect();
            let text = differs(&phrase, &typed);
            prop_assert!(text.starts_with(&format!("the phrase differs at character {}:", place + 1)), "{}", text);
        }
    }
}
