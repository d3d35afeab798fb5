//! Read marks on messages that customers wrote, at the URL of messages.
//! Source: provider-contracts, "WhatsApp Business Cloud API".

use axum::response::Response;
use serde_json::{Value, json};

use super::check::{only, required};
use super::error::GraphError;
use crate::connection::Scissors;
use crate::exchange::{self, Reply, Right};
use crate::fault::Fault;
use crate::log::Received;
use crate::server::Shared;

/// Reads a mark; gives the id of the marked message.
pub(super) fn check(body: &Value) -> Result<String, GraphError> {
    let fields = body.as_object().ok_or_else(|| GraphError::parameter("The request body must be a JSON object."))?;
    only(fields, &["messaging_product", "status", "message_id", "typing_indicator"], "the request")?;
    if required(fields, "messaging_product")? != "whatsapp" || required(fields, "status")? != "read" {
        return Err(GraphError::value("messaging_product must be whatsapp and status must be read."));
    }
    if fields.get("typing_indicator").is_some_and(|typing| *typing != json!({"type": "text"})) {
        return Err(GraphError::value("typing_indicator.type must be text."));
    }
    match required(fields, "message_id")?.as_str() {
        Some(id) if id.starts_with("wamid.") => Ok(id.to_owned()),
        _ => Err(GraphError::value("message_id must be the id of a message.")),
    }
}

/// Answers a mark. It stands in the log with the message that it marks as its body.
pub(super) async fn answer(shared: &Shared, scissors: &Scissors, verdict: Result<String, GraphError>) -> Response {
    let heard = Received { body: verdict.as_ref().ok().cloned(), ..Received::over("whatsapp-mark") };
    let right = |message_id| Right { message_id, reply: Reply::taken(json!({"success": true})) };
    exchange::answer(shared, scissors, heard, verdict.map(right).map_err(GraphError::into_reply), refusal).await
}

/// A fault in the provider's words.
pub(super) fn refusal(fault: &Fault) -> Reply {
    match fault.code {
        Some(code) => GraphError::of_code(code).into_reply(),
        None => Reply::page(fault.status.unwrap_or(503)),
    }
}
