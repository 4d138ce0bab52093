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
