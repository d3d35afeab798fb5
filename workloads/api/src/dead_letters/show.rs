//! `GET /v1/dead-letters/{id}`: a letter with its record and its history.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};

use super::find;
use super::view::Whole;
use crate::Api;
use crate::caller::Operator;
use crate::problem::{Document, Problem};

/// See a record that was given up. For operators.
#[utoipa::path(
    get, path = "/v1/dead-letters/{id}", tag = "dead letters", security(("bearer" = [])),
    params(("id" = String, Path, description = "The letter")),
    responses(
        (status = 200, body = Whole, description = "The letter with its record and what was done with it"),
        (status = 400, body = Document, description = "This is no letter's id", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "No valid token", content_type = "application/problem+json"),
        (status = 403, body = Document, description = "Not an operator", content_type = "application/problem+json"),
        (status = 404, body = Document, description = "No such letter", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "The store is away; see Retry-After", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn letter(
    State(api): State<Arc<Api>>,
    _: Operator,
    Path(id): Path<String>,
) -> Result<Json<Whole>, Problem> {
    let (stored, body) = find(&api, &id).await?;
    let deeds = api.store.deeds(stored.letter.id).await?;
    Ok(Json(Whole::of(stored, body, deeds)))
}
