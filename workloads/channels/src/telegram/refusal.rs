//! The table of Telegram's refusals. They have no codes beyond the HTTP status, so a 400 is told by
//! its words. Source: provider-contracts, "What each refusal means".

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::refusal::{Cause, Kind, Refusal, Scope};
use crate::secret::Secret;
use crate::wait::Wait;

/// For a 429 that does not say how long: as a careful client backs off.
const UNTOLD: Wait = Wait::growing(Duration::from_secs(1), 2, Duration::from_secs(60));
/// The bot waits exactly as long as it is told, up to a week: 10,072 s were seen, and a number beyond
/// that is a fault which must not silence it for ever.
const LONGEST: u64 = 7 * 24 * 3600;

/// What an answer with `"ok":false` says.
pub(super) struct ErrorAnswer {
    code: Option<u16>,
    text: String,
    retry_after: Option<u64>,
    /// A group became a supergroup with this id.
    pub(super) moved_to: Option<i64>,
}

impl ErrorAnswer {
    /// Reads what is there; anything may be missing or of another type.
    pub(super) fn read(answer: &Value, token: &Secret) -> Self {
        let text = answer["description"].as_str().map(str::trim).filter(|text| !text.is_empty());
        let parameters = &answer["parameters"];
        Self {
            code: answer["error_code"].as_u64().and_then(|code| code.try_into().ok()),
            text: token.redact(text.unwrap_or("the provider gave no reason")),
            retry_after: parameters["retry_after"].as_u64(),
            moved_to: parameters["migrate_to_chat_id"].as_i64().filter(|chat| *chat != 0),
        }
    }

    /// What it means.
    pub(super) fn refusal(&self, status: StatusCode, headers: &HeaderMap) -> Refusal {
        let code = self.code.unwrap_or(status.as_u16());
        let kind = match code {
            _ if status == StatusCode::TOO_MANY_REQUESTS => throttled(self.retry_after, headers),
            400 => bad_request(&self.text),
            401 | 404 | 409 | 421 => Kind::AccountNeedsAttention,
            403 => Kind::Permanent(Cause::ContactStopped),
            429 => throttled(self.retry_after, headers),
            500..=599 => Kind::Unavailable,
            _ if status.is_server_error() => Kind::Unavailable,
            _ => Kind::Permanent(Cause::Unlisted),
        };
        Refusal::new(kind, code.to_string(), self.text.clone())
    }
}

/// An answer that is not one of the Bot API's, by its status alone.
pub(super) fn without_error_answer(status: StatusCode, headers: &HeaderMap) -> Refusal {
    let (kind, what) = match status.as_u16() {
        200..=299 => {
            (Kind::OutcomeUnknown, "with a body that is not the Bot API's, so nobody knows whether it took the message")
        }
        429 => (throttled(None, headers), "without saying why"),
        // A redirect comes from something in between; the provider has not seen the request.
        300..=399 | 500..=599 => (Kind::Unavailable, "without saying why"),
        401 | 404 | 409 | 421 => (Kind::AccountNeedsAttention, "without saying why; are baseUrl and bot-token right?"),
        _ => (Kind::Permanent(Cause::Unlisted), "without saying why"),
    };
    Refusal::new(kind, format!("chat4all:http-{}", status.as_u16()), format!("the provider answered {status} {what}"))
}

/// The bot waits, and for as long as it was told: an attempt before that lengthens the pause.
fn throttled(told: Option<u64>, headers: &HeaderMap) -> Kind {
    let header = || headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok();
    let seconds = told.or_else(header).filter(|&seconds| seconds > 0);
    let wait = seconds.map_or(UNTOLD, |seconds| Wait::of(Duration::from_secs(seconds.min(LONGEST))));
    Kind::Throttled { scope: Scope::Account, wait }
}

/// The words are those of the Bot API's server; what is not among them is a request that it does not take.
fn bad_request(description: &str) -> Kind {
    let description = description.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| description.contains(words));
    if says(&["chat not found", "user not found", "peer_id_invalid"]) {
        Kind::Permanent(Cause::RecipientUnreachable)
    } else if says(&["failed to get http url content", "wrong type of the web page content", "wrong file identifier"]) {
        Kind::MediaNotTaken
    } else if says(&["not enough rights", "have no rights", "chat_write_forbidden"]) {
        Kind::Permanent(Cause::RecipientNotAllowed)
    } else {
        Kind::Permanent(Cause::BadRequest)
    }
}
