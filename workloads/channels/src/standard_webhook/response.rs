//! What an endpoint's answer means; only its status counts. Every refusal concerns this endpoint alone.
//! Source: provider-contracts, "Generic webhook channel".

use std::time::Duration;

use chat4all_message::Delivery;
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::webhook_id;
use crate::answer::Answer;
use crate::refusal::{Cause, Kind, Refusal};
use crate::wait::Wait;

/// For an endpoint that does not say how long. With the usual six attempts it has six minutes to come
/// back: longer than a restart takes.
const UNTOLD: Duration = Duration::from_secs(1);
/// The longest pause that is not told.
const GROWN: Duration = Duration::from_secs(5 * 60);
/// No pause is believed beyond a day, so that a broken one cannot silence an endpoint.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(super) fn classify(delivery: &Delivery, status: StatusCode, headers: &HeaderMap) -> Answer {
    let (kind, reason) = match status.as_u16() {
        200..=299 => return Answer::Accepted { provider_id: Some(webhook_id(delivery)), aliases: Vec::new() },
        300..=399 => (Kind::Unavailable, "wants to send webhooks elsewhere, which is never followed"),
        410 => (Kind::Permanent(Cause::EndpointGone), "is gone and takes no webhooks any more"),
        429 | 502 | 504 => (busy(retry_after(headers).unwrap_or(UNTOLD)), "is overloaded"),
        _ => match retry_after(headers) {
            Some(pause) => (busy(pause), "wants to be called later"),
            None => (Kind::Unavailable, "did not take the webhook"),
        },
    };
    let code = format!("chat4all:http-{}", status.as_u16());
    Answer::Refused(Refusal::new(kind, code, format!("the endpoint answered {status}: it {reason}")))
}

/// At least as long as it was told, and longer each time, since each time counts.
fn busy(pause: Duration) -> Kind {
    Kind::Busy { wait: Wait::growing(pause, 4, GROWN.max(pause)) }
}

/// In seconds, or until an instant, which is reckoned from the answer's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let instant = |text: &str| rfc2822::parse(text).ok().map(|at| at.timestamp());
    let told = text(RETRY_AFTER)?;
    let pause = match told.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let now: Timestamp = instant(text(DATE)?)?;
            instant(told)?.duration_since(now).try_into().ok()?
        }
    };
    (!pause.is_zero()).then(|| pause.min(LONGEST))
}
