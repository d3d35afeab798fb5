//! The table of codes and subcodes of Messenger and Instagram.
//! Source: provider-contracts, "What each refusal means".

use http::{HeaderMap, StatusCode};

use crate::meta::error::{ErrorObject, throttled};
use crate::refusal::{Cause, Kind, Refusal};

/// What an error object that came with this status means.
pub(super) fn of(error: &ErrorObject, status: StatusCode, headers: &HeaderMap) -> Refusal {
    let kind = match error.code.map(|code| by_code(code, error.subcode)) {
        _ if status == StatusCode::TOO_MANY_REQUESTS => throttled(headers),
        Some(Row::Throttled) => throttled(headers),
        Some(Row::Means(kind)) => kind,
        Some(Row::Unlisted) | None if status.is_server_error() => Kind::Unavailable,
        Some(Row::Unlisted) | None => Kind::Permanent(Cause::Unlisted),
    };
    let code = match (error.code, error.subcode) {
        (Some(code), Some(subcode)) => format!("{code}/{subcode}"),
        (Some(code), None) => code.to_string(),
        (None, _) => format!("chat4all:http-{}", status.as_u16()),
    };
    Refusal::new(kind, code, error.text.clone())
}

enum Row {
    Throttled,
    Means(Kind),
    Unlisted,
}

/// The table, row by row. Where it lists a code with certain subcodes only, the rest means what the
/// Graph API means by it everywhere.
fn by_code(code: i64, subcode: Option<i64>) -> Row {
    Row::Means(match (code, subcode.unwrap_or_default()) {
        (1200 | 2, _) => Kind::Unexplained,
        (4 | 17 | 32 | 613 | 80001 | 80002 | 80006, _) => return Row::Throttled,
        (10, 2018278 | 2534022) => Kind::Permanent(Cause::WindowClosed),
        (10, 2018108) | (200, 1545041) | (551, _) => Kind::Permanent(Cause::ContactStopped),
        // A page that is restricted has refused this message and would refuse the others.
        (10, 1893063) => Kind::AccountSuspended,
        (100, 2018001) => Kind::Permanent(Cause::RecipientUnreachable),
        (100, 2018109) | (36000, _) => Kind::Permanent(Cause::TooLarge),
        // How the Graph API says that the object in the URL is not there (or not ours to see).
        (100, 33) => Kind::AccountNeedsAttention,
        (100, _) => Kind::Permanent(Cause::BadRequest),
        (190, _) | (200, 2018028) | (0 | 3 | 10 | 200..=299, 0) => Kind::AccountDisconnected,
        // A subcode that the table does not list may be about this message or about the account. Taken
        // for the account's, one message would stop it for ever; taken for the message's, an account
        // without permission would fail them all. So it is tried three times and counts for the
        // breaker: a message of its own gives way, and an account that refuses everything pauses.
        (0 | 3 | 10 | 200..=299, _) => Kind::Unexplained,
        (368, _) => Kind::AccountSuspended,
        _ => return Row::Unlisted,
    })
}
