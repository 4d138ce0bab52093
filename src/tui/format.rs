//! Numbers and times as people read them. Units once, thousands marked.

use chrono::{DateTime, Utc};

use super::theme::Glyphs;

/// `81220` → `81,220`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 row`, `2 rows`.
pub fn counted(n: u64, what: &str) -> String {
    format!("{} {what}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `1 row differs`, `2 rows differ`.
pub fn differ(n: u64, what: &str) -> String {
    format!("{what} {}", if n == 1 { "differs" } else { "differ" })
}

/// Seconds as the coarsest unit that still tells.
pub fn seconds(s: f64) -> String {
    let s = s.max(0.0);
    if s < 1.0 {
        format!("{:.0} ms", s * 1000.0)
    } else if s < 10.0 {
        format!("{s:.1} s")
    } else if s < 120.0 {
        format!("{s:.0} s")
    } else if s < 7_200.0 {
        format!("{:.0} min", s / 60.0)
    } else if s < 172_800.0 {
        format!("{:.0} h", s / 3600.0)
    } else {
        format!("{:.0} d", s / 86_400.0)
    }
}

/// Whole seconds in the coarsest unit that still tells.
pub fn whole(s: u64) -> String {
    match s {
        0..=119 => format!("{s} s"),
        120..=7_199 => format!("{} min", s / 60),
        7_200..=172_799 => format!("{} h", s / 3_600),
        _ => format!("{} d", s / 86_400),
    }
}

/// Seconds as a clock shows them: `14:52`, `1:02:03`.
pub fn clock(s: i64) -> String {
    let s = s.max(0);
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    if h > 0 { format!("{h}:{m:02}:{s:02}") } else { format!("{m:02}:{s:02}") }
}

/// How long ago; a clock that ran back reads as now.
pub fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let s = (now - then).num_seconds().max(0);
    match s {
        0 => "now".into(),
        1..=119 => format!("{s} s ago"),
        120..=7_199 => format!("{} min ago", s / 60),
        7_200..=172_799 => format!("{} h ago", s / 3600),
        _ => format!("{} d ago", s / 86_400),
    }
}

/// Values as bars, each against the largest; the newest stand right.
pub fn spark(values: &[u64], width: usize, glyphs: &Glyphs) -> String {
    let values = values.get(values.len().saturating_sub(width)..).unwrap_or_default();
    let max = values.iter().copied().max().unwrap_or(0);
    values
        .iter()
        .map(|v| {
            let level = if max == 0 { 0 } else { (v * 7).div_ceil(max) };
            glyphs.spark.get(usize::try_from(level).unwrap_or(0)).copied().unwrap_or_default()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::{Depth, Theme};

    #[test]
    fn thousands() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(counted(1, "row"), "1 row");
    }

    #[test]
    fn durations() {
        assert_eq!(seconds(0.0042), "4 ms");
        assert_eq!(seconds(9.05), "9.1 s");
        assert_eq!(seconds(119.0), "119 s");
        assert_eq!(seconds(600.0), "10 min");
        assert_eq!(seconds(1e6), "12 d");
    }

    #[test]
    fn clocks() {
        assert_eq!(clock(892), "14:52");
        assert_eq!(clock(3_723), "1:02:03");
        assert_eq!(clock(-1), "00:00");
    }

    #[test]
    fn sparks_scale_to_the_largest() {
        let glyphs = Theme::new(Depth::Mono, false).glyphs;
        assert_eq!(spark(&[0, 1, 7], 3, glyphs), "▁▂█");
        assert_eq!(spark(&[0, 0], 5, glyphs), "▁▁");
        assert_eq!(spark(&[1, 2, 3], 2, glyphs), "▆█");
    }
}
