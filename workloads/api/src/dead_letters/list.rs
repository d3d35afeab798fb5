//! `GET /v1/dead-letters`: what was given up, newest first.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chat4all_store::LetterCursor;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::filter;
use super::view::Letter;
use crate::Api;
use crate::caller::Operator;
use crate::problem::{Document, Kind, Problem};

const DEFAULT_LIMIT: usize = 50;
const LARGEST_LIMIT: usize = 200;

/// A page of letters.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetters)]
pub(crate) struct Letters {
    /// Newest first. May be fewer than asked for, even none, while there is a `next_cursor`: a request looks
    /// at 10,000 letters at most.
    letters: Vec<Letter>,
    /// Give it as `cursor` to get the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// List what was given up, newest first. For operators.
#[utoipa::path(
    get, path = "/v1/dead-letters", tag = "dead letters", security(("bearer" = [])),
    params(
        ("reason" = Option<String>, Query, description = "With this reason code"),
        ("connector" = Option<String>, Query, description = "Of this connector"),
        ("recipient_id" = Option<String>, Query, description = "For this recipient"),
        ("from" = Option<String>, Query, description = "Given up at this instant or later"),
        ("to" = Option<String>, Query, description = "Given up before this instant"),
        ("state" = Option<String>, Query, description = "open, replayed or discarded; all when left out"),
        ("limit" = Option<u32>, Query, description = "1 to 200; 50 when left out"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = Letters, description = "A page"),
        (status = 400, body = Document, description = "A parameter is wrong; `field` names it", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not an operator", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "The store is away; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn letters(
    State(api): State<Arc<Api>>,
    _: Operator,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Result<Json<Letters>, Problem> {
    let Query(query) = query.map_err(|error| Problem::new(Kind::InvalidRequest, error.body_text()))?;
    let filter = filter::of_query(&query)?;
    let limit = query.get("limit").map_or(Ok(DEFAULT_LIMIT), |text| {
        let wrong = || Problem::field("limit", format!("limit must be a number from 1 to {LARGEST_LIMIT}"));
        text.parse().ok().filter(|n| (1..=LARGEST_LIMIT).contains(n)).ok_or_else(wrong)
    })?;
    let before = query.get("cursor").map(|text| {
        let wrong = || Problem::field("cursor", "cursor must be a next_cursor of this list, unchanged");
        decode(text).ok_or_else(wrong)
    });
    let page = api.store.letters(&filter, before.transpose()?, limit).await?;
    let letters = page.letters.into_iter().map(Letter::of).collect();
    Ok(Json(Letters { letters, next_cursor: page.next.map(encode) }))
}

/// A cursor is opaque to clients: milliseconds and id.
fn encode(cursor: LetterCursor) -> String {
    let mut bytes = cursor.given_up_at.as_millisecond().to_be_bytes().to_vec();
    bytes.extend(cursor.id.as_uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<LetterCursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (at, id) = bytes.split_at_checked(8)?;
    let at = i64::from_be_bytes(at.try_into().ok()?);
    Some(LetterCursor { given_up_at: Timestamp::from_millisecond(at).ok()?, id: Uuid::from_slice(id).ok()?.into() })
}

#[cfg(test)]
mod tests {
    use chat4all_message::LetterId;

    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_given() {
        let given_up_at = "2026-11-25T10:00:00.123Z".parse().unwrap();
        let cursor = LetterCursor { given_up_at, id: LetterId::of("main-outbound", 0, 7) };
        assert_eq!(decode(&encode(cursor)), Some(cursor));
        assert_eq!(decode("7"), None);
    }
}
