//! The provider's answer to a request: taken, moved, refused, or not to be understood.

use chat4all_message::Address;
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::provider_id;
use super::refusal::{ErrorAnswer, without_error_answer};
use crate::answer::Answer;
use crate::refusal::{Cause, Kind, Refusal};
use crate::secret::Secret;

pub(super) fn classify(
    token: &Secret,
    recipient: &Address,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match answer["ok"].as_bool() {
        Some(true) => taken(recipient, &answer["result"]),
        Some(false) => {
            let error = ErrorAnswer::read(&answer, token);
            match error.moved_to {
                Some(chat) if Address::Telegram(chat) != *recipient => Answer::Moved { to: Address::Telegram(chat) },
                _ => Answer::Refused(error.refusal(status, headers)),
            }
        }
        None => Answer::Refused(without_error_answer(status, headers)),
    }
}

/// The id is unique within its chat only. Message ids begin at 1: 0 stands for a message that was not
/// made (case 18).
fn taken(recipient: &Address, message: &Value) -> Answer {
    let asked = if let Address::Telegram(chat) = recipient { Some(*chat) } else { None };
    let chat = message["chat"]["id"].as_i64().or(asked);
    match (chat, message["message_id"].as_i64()) {
        (Some(chat), Some(id @ 1..)) => {
            Answer::Accepted { provider_id: Some(provider_id(chat, id)), aliases: Vec::new() }
        }
        (_, Some(_)) => Answer::Refused(Refusal::new(
            Kind::Permanent(Cause::BadRequest),
            "chat4all:no-message",
            "the provider made no message of it: its content cannot be shown",
        )),
        _ => Answer::Accepted { provider_id: None, aliases: Vec::new() },
    }
}
