//! Numbers and instants as people read them. A number that is none is a dash.

use jiff::{SignedDuration, Timestamp};

/// What stands where there is no number.
pub const NONE: &str = "–";

/// With a comma before each three digits.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with what it counts: `1 message`, `2 messages`.
pub fn counted(n: u64, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Seconds, with one decimal.
pub fn seconds(value: f64) -> String {
    if value.is_finite() { format!("{value:.1}") } else { NONE.to_owned() }
}

/// Milliseconds, with one decimal below 100.
pub fn millis(value: f64) -> String {
    match value {
        _ if !value.is_finite() => NONE.to_owned(),
        _ if value < 99.95 => format!("{value:.1}"),
        // Finite and positive: as an integer it loses only its decimals.
        _ => count(value.round() as u64),
    }
}

/// A day: `25 November 2026`.
pub fn day(at: Timestamp) -> String {
    at.strftime("%-d %B %Y").to_string()
}

/// A minute of a day: `2026-11-25 14:02`.
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time of day: `15:40`.
pub fn time(at: Timestamp) -> String {
    at.strftime("%H:%M").to_string()
}

/// A second of a day: `14:02:31`.
pub fn second(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// A duration in hours and minutes: `1 h 38 min`.
pub fn hours(duration: SignedDuration) -> String {
    let minutes = duration.as_mins().max(0);
    match minutes / 60 {
        0 => format!("{minutes} min"),
        hours => format!("{hours} h {} min", minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        let counts = [0, 999, 1_000, 105_311, 1_000_000].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "105,311", "1,000,000"]);
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "message")), ["0 messages", "1 message", "2 messages"]);
    }

    #[test]
    fn what_is_no_number_is_a_dash() {
        assert_eq!([seconds(f64::NAN), millis(f64::INFINITY)], [NONE, NONE]);
        assert_eq!([seconds(0.26), millis(99.94), millis(99.96), millis(1234.5)], ["0.3", "99.9", "100", "1,235"]);
    }

    #[test]
    fn a_duration_is_told_in_hours_and_minutes() {
        let told = [59, 60 * 38, 60 * 98].map(|s| hours(SignedDuration::from_secs(s)));
        assert_eq!(told, ["0 min", "38 min", "1 h 38 min"]);
    }
}
