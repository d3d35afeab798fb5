//! One request to a stand-in and its answer: the fault that stands, the log, the delay, the cut. Knows
//! no provider.

use std::time::{Duration, Instant};

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;
use serde_json::Value;

use crate::connection::Scissors;
use crate::fault::Fault;
use crate::log::{Answered, Received};
use crate::server::Shared;

/// An answer of a provider.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    status: u16,
    /// The code in its error object.
    code: Option<i64>,
    body: Body,
    /// Seconds.
    retry_after: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    Json(Value),
    /// No JSON: as from a gateway before the provider.
    Page,
    Empty,
}

impl Reply {
    /// What is answered to a message that is taken.
    pub(crate) fn taken(body: Value) -> Self {
        Self { status: 200, code: None, body: Body::Json(body), retry_after: None }
    }

    /// An error object.
    pub(crate) fn error(status: u16, code: i64, body: Value) -> Self {
        Self { status, code: Some(code), body: Body::Json(body), retry_after: None }
    }

    /// A page that is no JSON.
    pub(crate) fn page(status: u16) -> Self {
        Self { status, code: None, body: Body::Page, retry_after: None }
    }

    /// Nothing but a status.
    pub(crate) fn bare(status: u16) -> Self {
        Self { status, code: None, body: Body::Empty, retry_after: None }
    }

    /// With this `Retry-After`.
    pub(crate) fn retry_after(self, seconds: Option<u64>) -> Self {
        Self { retry_after: seconds, ..self }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let mut response = match self.body {
            Body::Json(body) => (status, Json(body)).into_response(),
            Body::Empty => status.into_response(),
            Body::Page => (status, Html(format!("<html><title>{status}</title></html>"))).into_response(),
        };
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A message that keeps the contract: what it would be called, and what would be answered.
pub(crate) struct Right {
    pub(crate) message_id: String,
    pub(crate) reply: Reply,
}

/// Answers a request. It is decided and logged at once; only the answer is delayed. `refusal` says how
/// the provider words a fault.
pub(crate) async fn answer(
    shared: &Shared,
    scissors: &Scissors,
    heard: Received,
    verdict: Result<Right, Reply>,
    refusal: impl FnOnce(&Fault) -> Reply,
) -> Response {
    let fault = shared.faults.strike(Instant::now(), heard.to.as_deref());
    let takes = fault.as_ref().is_none_or(Fault::takes);
    let (usual, message_id) = match verdict {
        Ok(right) => (right.reply, takes.then_some(right.message_id)),
        Err(reply) => (reply, None),
    };
    let reply = match &fault {
        Some(fault) if fault.refuses() => refusal(fault),
        _ => usual,
    };
    note(shared, Received { message_id, ..heard }, &reply, fault.as_ref());
    give(scissors, reply, fault).await
}

/// Writes into the log what was heard and what is answered.
pub(crate) fn note(shared: &Shared, heard: Received, reply: &Reply, fault: Option<&Fault>) {
    let dropped = fault.is_some_and(|fault| fault.drop_answer);
    let answer = Answered { status: reply.status, code: reply.code, dropped };
    shared.log.append(Timestamp::now(), Received { answer, ..heard });
}

/// Gives the answer as late as the fault says, or cuts the connection instead.
pub(crate) async fn give(scissors: &Scissors, reply: Reply, fault: Option<Fault>) -> Response {
    if let Some(fault) = fault {
        tokio::time::sleep(Duration::from_millis(fault.delay_millis)).await;
        if fault.drop_answer {
            scissors.cut();
        }
    }
    reply.into_response()
}
