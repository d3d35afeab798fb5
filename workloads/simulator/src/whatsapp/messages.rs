//! `POST /{version}/{phone number id}/messages`: what to do with a request, and doing it.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde_json::{Value, json};

use super::check::{Message, Recipient, check};
use super::error::GraphError;
use super::mark;
use super::status::{Accepted, Status};
use super::wamid;
use crate::connection::Scissors;
use crate::exchange::{self, Reply};
use crate::fault::Fault;
use crate::log::Received;
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
    if json.get("status").is_some() {
        let verdict =
            permitted(&shared, &method, &version, &phone_number_id, &headers).and_then(|()| mark::check(&json));
        return mark::answer(&shared, &scissors, verdict).await;
    }
    let verdict = permitted(&shared, &method, &version, &phone_number_id, &headers)
        .and_then(|()| check(&json))
        .and_then(|message| shared.media.known(message))
        .and_then(|message| {
            let within = shared.limits.whatsapp(message.to.as_str());
            within
                .map(|()| message)
                .map_err(|too_much| GraphError::of_code(if too_much.for_the_recipient { 131056 } else { 130429 }))
        });
    let heard = heard(&json);
    let fault = shared.faults.strike(Instant::now(), heard.to.as_deref());
    let decision = decide(verdict, fault.as_ref(), || shared.place());
    let message_id = decision.taken.as_ref().map(|taken| taken.wamid.clone());
    exchange::note(&shared, Received { message_id, ..heard }, &decision.reply, fault.as_ref());
    if let Some(Taken { wamid, message, place: Some(place) }) = decision.taken {
        let accepted = Accepted { wamid, to: message.to, correlation: message.correlation };
        shared.tell(Status::first(accepted), place);
    }
    exchange::give(&scissors, decision.reply, fault).await
}

pub(super) fn permitted(
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
    reply: Reply,
    taken: Option<Taken>,
}

/// A message that counts as accepted, whatever the answer says.
struct Taken {
    wamid: String,
    message: Message,
    /// Absent where no webhooks are sent.
    place: Option<Place>,
}

/// Applies the fault to what the request deserves. `place` is asked only for a message that is to be taken.
fn decide(
    verdict: Result<Message, GraphError>,
    fault: Option<&Fault>,
    place: impl FnOnce() -> Result<Option<Place>, GraphError>,
) -> Decision {
    let takes = fault.is_none_or(Fault::takes);
    let outcome =
        verdict.and_then(|message| if takes { Ok((message, place()?)) } else { Err(GraphError::of_code(131016)) });
    let (usual, taken) = match outcome {
        Ok((message, place)) => {
            let wamid = wamid::new(message.to.as_str());
            (success(&wamid, &message.to), Some(Taken { wamid, message, place }))
        }
        Err(error) => (error.into_reply(), None),
    };
    let reply = match fault {
        Some(Fault { code: Some(code), status, .. }) => {
            let error = GraphError::of_code(*code);
            let error = match status {
                Some(status) => error.with_status(*status),
                None => error,
            };
            error.into_reply()
        }
        Some(Fault { status: Some(status), .. }) => Reply::page(*status),
        _ => usual,
    };
    Decision { reply, taken }
}

fn success(wamid: &str, to: &Recipient) -> Reply {
    let contact = match to {
        Recipient::Number(digits) => json!({"input": digits, "wa_id": digits}),
        Recipient::User(id) => json!({"input": id, "user_id": id}),
    };
    Reply::taken(json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": wamid}]}))
}

/// What the log says of a request, as far as it can be read.
fn heard(json: &Value) -> Received {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let file = &json[json["type"].as_str().unwrap_or_default()];
    Received {
        to: text(&json["to"]).or_else(|| text(&json["recipient"])),
        body: text(&json["text"]["body"]).or_else(|| text(&file["caption"])).or_else(|| text(&file["name"])),
        media: text(&file["link"]).or_else(|| text(&file["id"])),
        correlation: text(&json["biz_opaque_callback_data"]),
        ..Received::over("whatsapp")
    }
}
