//! `POST /v1/dead-letters/{id}/discard`: leaves a letter for good, and says why.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use chat4all_store::{Closing, Deed, LetterState, StoredLetter};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::Letter;
use super::{find, is_open};
use crate::caller::Operator;
use crate::fields::Fields;
use crate::problem::{Document, Problem};
use crate::{Api, body};

const LARGEST_BODY: usize = 4 << 10;
/// In bytes of UTF-8.
const LONGEST_REASON: usize = 1000;

/// Why a letter is left.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field so that errors name the field")]
pub(crate) struct Discard {
    /// 1 to 1,000 bytes.
    #[schema(example = "the customer was called instead")]
    reason: String,
}

/// Leave a record that was given up. For operators.
#[utoipa::path(
    post, path = "/v1/dead-letters/{id}/discard", tag = "dead letters", request_body = Discard, security(("bearer" = [])),
    params(("id" = String, Path, description = "The letter")),
    responses(
        (status = 200, body = Letter, description = "It is discarded"),
        (status = 400, body = Document, description = "A field is wrong; `field` names it", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not an operator", content_type = "application/problem+json"),
        (status = 404, body = Document, description = "No such letter", content_type = "application/problem+json"),
        (status = 409, body = Document, description = "It was replayed or discarded already", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "The store is away; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn discard(
    State(api): State<Arc<Api>>,
    Operator(user): Operator,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Letter>, Problem> {
    let bytes = body::read(&headers, body, LARGEST_BODY).await?;
    let reason = Fields::of(&bytes)?.text("reason")?;
    if reason.is_empty() || reason.len() > LONGEST_REASON {
        return Err(Problem::field("reason", format!("reason must have 1 to {LONGEST_REASON} bytes")));
    }
    let (stored, _) = find(&api, &id).await?;
    is_open(&stored)?;
    let letter = stored.letter;
    let (at, by) = (Timestamp::now(), user.address.to_string());
    tracing::info!(letter = %letter.id, %by, reason, "discarding a dead letter");
    let deed = Deed { at, by: by.clone(), what: "discard".into(), detail: reason };
    api.store.note_deed(letter.id, &deed).await?;
    let closing = Closing { state: LetterState::Discarded, at, by };
    if !api.store.close_letter(letter.cursor(), &closing).await? {
        is_open(&find(&api, &id).await?.0)?;
    }
    Ok(Json(Letter::of(StoredLetter { letter, closed: Some(closing) })))
}
