//! Error objects of the Graph API, and answers that are none. What a code means is for each channel.
//! Source: provider-contracts, "How refusals look".

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::refusal::{Cause, Kind, Refusal, Scope};
use crate::secret::Secret;
use crate::wait::Wait;

/// For a throttle that does not say how long: as a careful client backs off.
const UNTOLD: Wait = Wait::growing(Duration::from_secs(1), 2, Duration::from_secs(60));
/// No hint is believed beyond a day, so that a broken one cannot silence an account.
const LONGEST_HINT: Duration = Duration::from_secs(24 * 3600);

/// The provider's `error`, also as it stands in a failed status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorObject {
    pub(crate) code: Option<i64>,
    pub(crate) subcode: Option<i64>,
    pub(crate) text: String,
}

impl ErrorObject {
    /// The object under `error` of an answer.
    pub(crate) fn of(answer: &Value) -> Option<Self> {
        answer.get("error").filter(|error| error.is_object()).map(Self::read)
    }

    /// Reads what is there; anything may be missing or of another type.
    pub(crate) fn read(error: &Value) -> Self {
        let text = |value: Option<&Value>| {
            value.and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned)
        };
        let said = text(error.get("message")).or_else(|| text(error.get("title")));
        let details = text(error.get("error_data").and_then(|data| data.get("details")));
        let text = match (said, details) {
            (Some(said), Some(details)) if said != details => format!("{said}: {details}"),
            (Some(said), _) => said,
            (None, Some(details)) => details,
            (None, None) => "the provider gave no reason".to_owned(),
        };
        Self { code: number(error.get("code")), subcode: number(error.get("error_subcode")), text }
    }

    /// Without the token, which the provider repeats in some of its messages.
    pub(crate) fn redacted(mut self, token: &Secret) -> Self {
        self.text = token.redact(&self.text);
        self
    }
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A throttle of the account: for as long as the hint says, else as a careful client backs off.
pub(crate) fn throttled(headers: &HeaderMap) -> Kind {
    Kind::Throttled { scope: Scope::Account, wait: hint(headers).unwrap_or(UNTOLD) }
}

/// The longest `estimated_time_to_regain_access` (minutes) of `X-Business-Use-Case-Usage`:
/// `{"<business id>":[{"type":...,"estimated_time_to_regain_access":N}]}`.
pub(crate) fn hint(headers: &HeaderMap) -> Option<Wait> {
    let usage: Value = serde_json::from_slice(headers.get("x-business-use-case-usage")?.as_bytes()).ok()?;
    let minutes = usage
        .as_object()?
        .values()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|entry| entry.get("estimated_time_to_regain_access")?.as_u64())
        .max()
        .filter(|&minutes| minutes > 0)?;
    Some(Wait::of(Duration::from_secs(minutes.saturating_mul(60)).min(LONGEST_HINT)))
}

/// An answer without an error object, by its status alone.
pub(crate) fn without_error_object(status: StatusCode, headers: &HeaderMap) -> Refusal {
    let code = format!("chat4all:http-{}", status.as_u16());
    let reason = |what: &str| format!("the provider answered {status} {what}");
    match status {
        StatusCode::TOO_MANY_REQUESTS => Refusal::new(throttled(headers), code, reason("without an error object")),
        _ if status.is_success() => Refusal::new(
            Kind::OutcomeUnknown,
            code,
            reason("with a body that is not a JSON object, so nobody knows whether it took the message"),
        ),
        // A redirect comes from something in between; the provider has not seen the request.
        _ if status.is_server_error() || status.is_redirection() => {
            Refusal::new(Kind::Unavailable, code, reason("without an error object"))
        }
        _ => Refusal::new(Kind::Permanent(Cause::Unlisted), code, reason("without an error object")),
    }
}
