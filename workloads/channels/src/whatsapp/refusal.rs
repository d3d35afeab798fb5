//! The table of WhatsApp's error codes. Source: provider-contracts, "What each refusal means".

use std::time::Duration;

use http::{HeaderMap, StatusCode};

use crate::meta::error::{ErrorObject, hint, throttled};
use crate::refusal::{Cause, Kind, Refusal, Scope};
use crate::wait::Wait;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The number's throughput is measured by the second. Source: the table ("about 1 s").
const THROUGHPUT: Wait = Wait::of(SECOND);
/// The table says 4^X seconds without an end; an hour is more than the whole burst of 45 at one in
/// six seconds takes to be paid back.
const PAIR: Wait = Wait::growing(SECOND, 4, Duration::from_secs(3600));
/// The table says minutes; these windows are an hour long, so a quarter of it is the longest pause.
const CALL_LIMIT: Wait = Wait::growing(MINUTE, 2, Duration::from_secs(15 * 60));
/// Source: the table ("1 to 5 minutes").
const MAINTENANCE: Wait = Wait::growing(MINUTE, 2, Duration::from_secs(5 * 60));
/// The table says no fast retry; the provider judges over days, so from a quarter of an hour up to four.
const SPAM: Wait = Wait::growing(Duration::from_secs(15 * 60), 2, Duration::from_secs(4 * 3600));

/// What an error object that came with this status means.
pub(super) fn of(error: &ErrorObject, status: StatusCode, headers: &HeaderMap) -> Refusal {
    let listed = error.code.and_then(|code| by_code(code, error.subcode));
    let kind = match listed {
        _ if status == StatusCode::TOO_MANY_REQUESTS => throttle(listed, headers),
        Some(listed @ Kind::Throttled { .. }) => throttle(Some(listed), headers),
        Some(kind) => kind,
        None if status.is_server_error() => Kind::Unavailable,
        None => Kind::Permanent(Cause::Unlisted),
    };
    let code = error.code.map_or_else(|| format!("chat4all:http-{}", status.as_u16()), |code| code.to_string());
    Refusal::new(kind, code, error.text.clone())
}

/// A throttle: as long as the code's kind says, unless a hint says how long the account has to wait.
fn throttle(listed: Option<Kind>, headers: &HeaderMap) -> Kind {
    match listed {
        Some(pair @ Kind::Throttled { scope: Scope::Recipient, .. }) => pair,
        Some(restricted @ Kind::Restricted { .. }) => restricted,
        Some(Kind::Throttled { scope, wait }) => Kind::Throttled { scope, wait: hint(headers).unwrap_or(wait) },
        _ => throttled(headers),
    }
}

/// The table, row by row; `None` for a code that it does not list.
fn by_code(code: i64, subcode: Option<i64>) -> Option<Kind> {
    let throttled = |scope, wait| Kind::Throttled { scope, wait };
    Some(match code {
        2 | 131016 | 133004 => Kind::Unavailable,
        1 | 131000 => Kind::Unexplained,
        4 => throttled(Scope::App, CALL_LIMIT),
        // The Graph API's own limits beside WhatsApp's, with whichever status.
        17 | 32 | 613 | 80007 => throttled(Scope::Account, CALL_LIMIT),
        130429 => throttled(Scope::Account, THROUGHPUT),
        131056 => throttled(Scope::Recipient, PAIR),
        131048 | 131064 => Kind::Restricted { wait: SPAM },
        131057 => throttled(Scope::Account, MAINTENANCE),
        131047 => Kind::Permanent(Cause::WindowClosed),
        131026 => Kind::Permanent(Cause::RecipientUnreachable),
        131049 | 131050 | 130472 => Kind::Permanent(Cause::RecipientProtected),
        130403 | 131021 | 131030 => Kind::Permanent(Cause::RecipientNotAllowed),
        // How the Graph API says that the number in the URL is not there (or not ours to see).
        100 if subcode == Some(33) => Kind::AccountNeedsAttention,
        100 | 131008 | 131009 | 131051 | 135000 => Kind::Permanent(Cause::BadRequest),
        33 | 131037 | 131042 | 131045 | 133010 => Kind::AccountNeedsAttention,
        131053 => Kind::MediaNotTaken,
        132000 | 132001 | 132005 | 132007 | 132012 | 132015 | 132016 | 132068 | 132069 => {
            Kind::Permanent(Cause::Template)
        }
        0 | 3 | 10 | 190 | 200..=299 | 131005 => Kind::AccountDisconnected,
        368 | 131031 | 130497 => Kind::AccountSuspended,
        _ => return None,
    })
}
