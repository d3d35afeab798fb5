//! `POST /{version}/{phone number id}/messages`: what to do with a request, and doing it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::{Message, Recipient, check};
use super::error::GraphError;
use super::status::{Accepted, Status};
use super::wamid;
use crate::connection::Scissors;
use crate::fault::Fault;
use crate::log::{Answered, Received};
use crate::outbox::Place;
use crate::server::Shared;

/// The handler. The request is decided, logged and taken at once; only the answer is delayed.
pub(crate) async fn handle(
    State(shared): State<Arc<Shared>>,
    Path((version, phone_number_id)): Path<(String, String)>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let json: Value = serde_json::from_slice(&body).unwrap_or_default();
    let verdict = permitted(&shared, &method, &version, &phone_number_id, &headers).and_then(|()| check(&json));
    let fault = shared.faults.strike(Instant::now());
    let decision = decide(verdict, fault.as_ref(), || shared.place());
    let answered = decision.answer.answered(fault.as_ref().is_some_and(|fault| fault.drop_answer));
    let wamid = decision.taken.as_ref().map(|taken| taken.wamid.clone());
    shared.log.append(Timestamp::now(), received(&json, wamid, answered));
    if let Some(Taken { wamid, message, place: Some(place) }) = decision.taken {
        let accepted = Accepted { wamid, to: message.to, correlation: message.correlation };
        shared.tell(Status::first(accepted), place);
    }
    if let Some(fault) = fault {
        tokio::time::sleep(Duration::from_millis(fault.delay_millis)).await;
        if fault.drop_answer {
            scissors.cut();
        }
    }
    decision.answer.into_response()
}

fn permitted(
    shared: &Shared,
    method: &Method,
    version: &str,
    phone_number_id: &str,
    headers: &HeaderMap,
) -> Result<(), GraphError> {
    if !is_version(version) {
        return Err(GraphError::unknown_path(&format!("/{version}/{phone_number_id}/messages")));
    }
    let expected = format!("Bearer {}", shared.config.access_token.0);
    if headers.get(AUTHORIZATION).is_none_or(|given| given.as_bytes() != expected.as_bytes()) {
        return Err(GraphError::token());
    }
    if method != Method::POST || phone_number_id != shared.config.phone_number_id {
        return Err(GraphError::no_such_object(method.as_str(), phone_number_id));
    }
    Ok(())
}

fn is_version(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix('v')
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// What happens with a request.
struct Decision {
    answer: Answer,
    taken: Option<Taken>,
}

/// A message that counts as accepted, whatever the answer says.
struct Taken {
    wamid: String,
    message: Message,
    /// Absent where no webhooks are sent.
    place: Option<Place>,
}

/// What is answered.
enum Answer {
    Success {
        wamid: String,
        to: Recipient,
    },
    Error(GraphError),
    /// No error object: as from a gateway before the provider.
    Page(u16),
}

/// Applies the fault to what the request deserves. `place` is asked only for a message that is to be taken.
fn decide(
    verdict: Result<Message, GraphError>,
    fault: Option<&Fault>,
    place: impl FnOnce() -> Result<Option<Place>, GraphError>,
) -> Decision {
    let takes = fault.is_none_or(|fault| fault.accept || !(fault.refuses() || fault.drop_answer));
    let outcome =
        verdict.and_then(|message| if takes { Ok((message, place()?)) } else { Err(GraphError::of_code(131016)) });
    let (usual, taken) = match outcome {
        Ok((message, place)) => {
            let wamid = wamid::new(message.to.as_str());
            (Answer::Success { wamid: wamid.clone(), to: message.to.clone() }, Some(Taken { wamid, message, place }))
        }
        Err(error) => (Answer::Error(error), None),
    };
    let answer = match fault {
        Some(Fault { code: Some(code), status, .. }) => {
            let error = GraphError::of_code(*code);
            Answer::Error(match status {
                Some(status) => error.with_status(*status),
                None => error,
            })
        }
        Some(Fault { status: Some(status), .. }) => Answer::Page(*status),
        _ => usual,
    };
    Decision { answer, taken }
}

impl Answer {
    fn answered(&self, dropped: bool) -> Answered {
        let (status, code) = match self {
            Answer::Success { .. } => (200, None),
            Answer::Error(error) => (error.status, Some(error.code)),
            Answer::Page(status) => (*status, None),
        };
        Answered { status, code, dropped }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Answer::Success { wamid, to } => {
                let contact = match to {
                    Recipient::Number(digits) => json!({"input": digits, "wa_id": digits}),
                    Recipient::User(id) => json!({"input": id, "user_id": id}),
                };
                Json(json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": wamid}]}))
                    .into_response()
            }
            Answer::Error(error) => error.into_response(),
            Answer::Page(status) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                (status, axum::response::Html(format!("<html><title>{status}</title></html>"))).into_response()
            }
        }
    }
}

/// What the log says of a request, as far as it can be read.
fn received(json: &Value, wamid: Option<String>, answer: Answered) -> Received {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let file = &json[json["type"].as_str().unwrap_or_default()];
    Received {
        message_id: wamid,
        to: text(&json["to"]).or_else(|| text(&json["recipient"])),
        body: text(&json["text"]["body"]).or_else(|| text(&file["caption"])),
        media: text(&file["link"]),
        correlation: text(&json["biz_opaque_callback_data"]),
        answer,
        ..Received::over("whatsapp")
    }
}
