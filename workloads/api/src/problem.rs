//! Every error that a client sees: an RFC 9457 problem document with a stable type. Knows no
//! store and no Kafka; the cause of a 5xx goes into the log and not to the client.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The kinds of errors. Their slugs are part of the API: clients tell errors apart by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    InvalidRequest,
    WrongCredentials,
    Unauthorized,
    NotTheSender,
    NotAMember,
    NotAnOperator,
    RangeTooLarge,
    LetterNotFound,
    LetterClosed,
    ConversationNotFound,
    MessageNotFound,
    ConnectorNotFound,
    RouteNotFound,
    MethodNotAllowed,
    BodyTooSlow,
    KeyInFlight,
    BodyTooLarge,
    KeyReused,
    ForgedWebhook,
    HandshakeRefused,
    Unavailable,
    Internal,
}

impl Kind {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Kind::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid-request", "The request is not valid"),
            Kind::WrongCredentials => {
                (StatusCode::UNAUTHORIZED, "wrong-credentials", "The user name or the password is wrong")
            }
            Kind::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A valid bearer token is needed"),
            Kind::NotTheSender => (StatusCode::FORBIDDEN, "not-the-sender", "The sender is somebody else"),
            Kind::NotAMember => (StatusCode::FORBIDDEN, "not-a-member", "The conversation is not yours"),
            Kind::NotAnOperator => (StatusCode::FORBIDDEN, "not-an-operator", "Only operators may do this"),
            Kind::RangeTooLarge => {
                (StatusCode::UNPROCESSABLE_ENTITY, "range-too-large", "The range holds too much for one check")
            }
            Kind::LetterNotFound => (StatusCode::NOT_FOUND, "letter-not-found", "There is no such dead letter"),
            Kind::LetterClosed => {
                (StatusCode::CONFLICT, "letter-closed", "The dead letter was replayed or discarded already")
            }
            Kind::ConversationNotFound => {
                (StatusCode::NOT_FOUND, "conversation-not-found", "There is no such conversation")
            }
            Kind::MessageNotFound => (StatusCode::NOT_FOUND, "message-not-found", "There is no such message"),
            Kind::ConnectorNotFound => (StatusCode::NOT_FOUND, "connector-not-found", "There is no such connector"),
            Kind::RouteNotFound => (StatusCode::NOT_FOUND, "route-not-found", "There is nothing at this path"),
            Kind::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This path does not take this method")
            }
            Kind::BodyTooSlow => (StatusCode::REQUEST_TIMEOUT, "body-too-slow", "The body did not arrive in time"),
            Kind::KeyInFlight => (
                StatusCode::CONFLICT,
                "idempotency-key-in-flight",
                "The first request with this key is not answered yet",
            ),
            Kind::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Kind::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "This key belongs to a request with another body",
            ),
            Kind::ForgedWebhook => {
                (StatusCode::UNAUTHORIZED, "forged-webhook", "The webhook is not signed as it must be")
            }
            Kind::HandshakeRefused => (StatusCode::FORBIDDEN, "handshake-refused", "The webhook handshake is refused"),
            Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Try again later"),
            Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong here"),
        }
    }
}

/// An error on its way to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    detail: String,
    field: Option<&'static str>,
    retry_after: Option<u64>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), field: None, retry_after: None }
    }

    /// A field of the request is wrong.
    pub(crate) fn field(field: &'static str, detail: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(Kind::InvalidRequest, detail) }
    }

    /// Something that this service needs is away; worth another try in so many seconds.
    pub(crate) fn unavailable(retry_after: u64, detail: impl Into<String>) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(Kind::Unavailable, detail) }
    }

    /// What is wrong, and the remedy.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Names when to come again.
    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }
}

/// The store did not answer. Nothing was accepted, so the same request may be sent again.
impl From<chat4all_store::Error> for Problem {
    fn from(error: chat4all_store::Error) -> Self {
        tracing::warn!(error = %error, cause = %error.source, "the store did not answer a request");
        Self::unavailable(STORE_RETRY_AFTER, "the store is not reachable; send the request again")
    }
}

/// Seconds until a store that was restarted answers again, roughly.
const STORE_RETRY_AFTER: u64 = 5;

/// RFC 9457 problem document.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document {
    /// Stable; tells what kind of error it is.
    #[schema(example = "https://chat4all.io/problems/invalid-request")]
    r#type: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 400)]
    status: u16,
    /// What is wrong with this request, and the remedy.
    detail: String,
    /// The field, header or parameter that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, slug, title) = self.kind.parts();
        let document = Document {
            r#type: format!("https://chat4all.io/problems/{slug}"),
            title,
            status: status.as_u16(),
            detail: self.detail,
            field: self.field,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.kind == Kind::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
