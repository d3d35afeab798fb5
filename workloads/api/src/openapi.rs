//! `GET /openapi.json`: the description of what clients use, made from the code.

use axum::Json;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::dead_letters::{discard, list, replay, show, sweep};
use crate::{channels, conversation, ledger, login, read, reparse, send};

#[derive(OpenApi)]
#[openapi(
    info(title = "Chat4All", description = "Messages to customers over the channels they use."),
    paths(login::token, send::message, read::read, conversation::messages, channels::channels, list::letters,
        show::letter, replay::replay, sweep::sweep, discard::discard, ledger::check, reparse::webhooks),
    modifiers(&Bearer)
)]
struct Description;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        openapi.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
    }
}

pub(crate) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(Description::openapi())
}
