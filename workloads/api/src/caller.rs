//! Who sent a request: taken from its bearer token.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::Api;
use crate::problem::{Kind, Problem};
use crate::users::{Role, User};

/// The user of a valid token. A user who was removed from `users.yaml` is refused at once.
pub(crate) struct Caller(pub(crate) User);

impl FromRequestParts<Arc<Api>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let refused = |detail: &str| Problem::new(Kind::Unauthorized, detail);
        let header = parts
            .headers
            .get(header::AUTHORIZATION)
            .ok_or_else(|| refused("send the access_token of POST /auth/token as `Authorization: Bearer <token>`"))?;
        let (scheme, token) = header.to_str().ok().and_then(|text| text.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(refused("the Authorization header is not `Bearer <token>`"));
        }
        let username = api.tokens.username(token.trim());
        let user = username.and_then(|name| api.users.named(&name).cloned());
        user.map(Caller)
            .ok_or_else(|| refused("the token is not valid or has expired; get another from POST /auth/token"))
    }
}

/// A caller who may work with what went wrong: dead letters, the ledger check, the journal.
pub(crate) struct Operator(pub(crate) User);

impl FromRequestParts<Arc<Api>> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let Caller(user) = Caller::from_request_parts(parts, api).await?;
        if user.role != Role::Operator {
            let detail = format!("{} has not the role operator; give it to this user in users.yaml", user.address);
            return Err(Problem::new(Kind::NotAnOperator, detail));
        }
        Ok(Self(user))
    }
}
