//! The provider's answer to a request: taken, refused, or not to be understood.

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::refusal;
use crate::answer::Answer;
use crate::meta::error::{ErrorObject, without_error_object};
use crate::refusal::{Cause, Kind, Refusal};
use crate::secret::Secret;

pub(super) fn classify(token: &Secret, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Answer {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    if let Some(error) = body.as_ref().and_then(ErrorObject::of) {
        return Answer::Refused(refusal::of(&error.redacted(token), status, headers));
    }
    match body {
        Some(Value::Object(answer)) if status.is_success() => {
            match answer.get("message_id").and_then(Value::as_str).filter(|id| !id.is_empty()) {
                Some(id) => Answer::Accepted { provider_id: Some(id.to_owned()), aliases: Vec::new() },
                None => Answer::Refused(Refusal::new(
                    Kind::Permanent(Cause::Unlisted),
                    "chat4all:unexpected-response",
                    format!("the provider answered {status} without a message_id"),
                )),
            }
        }
        _ => Answer::Refused(without_error_object(status, headers)),
    }
}
