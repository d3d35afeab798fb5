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
use crate::refusal::{Cause, Kind, Refusal, Scope};
use crate::wait::Wait;

/// For an endpoint that does not say how long: the longest is as long as a restart takes.
const UNTOLD: Wait = Wait::growing(Duration::from_secs(1), 2, Duration::from_secs(5 * 60));
/// No pause is believed beyond a day, so that a broken one cannot silence an endpoint.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(super) fn classify(delivery: &Delivery, status: StatusCode, headers: &HeaderMap) -> Answer {
    let (kind, reason) = match status.as_u16() {
        200..=299 => return Answer::Accepted { provider_id: Some(webhook_id(delivery)), aliases: Vec::new() },
        300..=399 => (Kind::Unavailable, "wants to send webhooks elsewhere, which is never followed"),
        410 => (Kind::Permanent(Cause::EndpointGone), "is gone and takes no webhooks any more"),
        429 | 502 | 504 => (throttled(retry_after(headers).unwrap_or(UNTOLD)), "is overloaded"),
        _ => match retry_after(headers) {
            Some(wait) => (throttled(wait), "wants to be called later"),
            None => (Kind::Unavailable, "did not take the webhook"),
        },
    };
    let code = format!("chat4all:http-{}", status.as_u16());
    Answer::Refused(Refusal::new(kind, code, format!("the endpoint answered {status}: it {reason}")))
}

fn throttled(wait: Wait) -> Kind {
    Kind::Throttled { scope: Scope::Recipient, wait }
}

/// In seconds, or until an instant, which is reckoned from the answer's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Wait> {
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
    (!pause.is_zero()).then(|| Wait::of(pause.min(LONGEST)))
}
