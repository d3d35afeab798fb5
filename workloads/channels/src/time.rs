//! Instants as providers write them.

use jiff::Timestamp;
use serde_json::Value;

/// From here on a number of time means milliseconds: as seconds it would lie in the year 5138, as
/// milliseconds it lies in 1973, before there was anything to tell.
const FIRST_MILLIS: i64 = 100_000_000_000;

/// Unix time in seconds or milliseconds, as a number or as text; the time of arrival where there is
/// none. An error says what is wrong.
pub(crate) fn instant(value: &Value, received_at: Timestamp) -> Result<Timestamp, String> {
    let number = match value {
        Value::Null => return Ok(received_at),
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let at = match number {
        Some(seconds @ 1..FIRST_MILLIS) => Timestamp::from_second(seconds).ok(),
        Some(millis @ FIRST_MILLIS..) => Timestamp::from_millisecond(millis).ok(),
        Some(_) | None => None,
    };
    at.ok_or_else(|| format!("timestamp {value} is no Unix time in seconds or milliseconds"))
}
