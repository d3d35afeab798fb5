//! `POST /auth/token`: a password for a token.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::fields::Fields;
use crate::problem::{Document, Kind, Problem};
use crate::{Api, body, tokens};

/// Enough for any password; a larger one would only cost time.
const LARGEST_BODY: usize = 4 << 10;

/// A user's name and password.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the body, which is read field by field so that errors name the field")]
pub(crate) struct Credentials {
    #[schema(example = "ana")]
    username: String,
    password: String,
}

/// A bearer token.
#[derive(Serialize, ToSchema)]
pub(crate) struct Token {
    /// Send it as `Authorization: Bearer <access_token>`.
    access_token: String,
    /// Always `bearer`.
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Seconds until it expires.
    #[schema(example = 3600)]
    expires_in: i64,
}

/// Get a token for a user name and a password.
#[utoipa::path(
    post, path = "/auth/token", tag = "auth", request_body = Credentials,
    responses(
        (status = 200, body = Token, description = "A token"),
        (status = 400, body = Document, description = "A field is missing or has the wrong type", content_type = "application/problem+json"),
        (status = 401, body = Document, description = "The user name or the password is wrong", content_type = "application/problem+json"),
        (status = 503, body = Document, description = "Too many are logging in", content_type = "application/problem+json"),
    )
)]
pub(crate) async fn token(State(api): State<Arc<Api>>, headers: HeaderMap, body: Body) -> Result<Json<Token>, Problem> {
    let bytes = body::read(&headers, body, LARGEST_BODY).await?;
    let mut fields = Fields::of(&bytes)?;
    let (username, password) = (fields.text("username")?, fields.text("password")?);
    let verified = api.users.verify(&username, password).await;
    let verified = verified.map_err(|_busy| Problem::unavailable(5, "too many are logging in; try again"))?;
    let user =
        verified.ok_or_else(|| Problem::new(Kind::WrongCredentials, "no user has this name and this password"))?;
    let access_token = api.tokens.issue(&username, user.role, Timestamp::now());
    Ok(Json(Token { access_token, token_type: "bearer", expires_in: tokens::LIFETIME }))
}
