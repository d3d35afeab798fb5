//! The provider's answer to a request: taken, refused, or not to be understood.

use chat4all_message::{Address, Delivery, Template};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::refusal;
use crate::answer::Answer;
use crate::meta::error::{ErrorObject, without_error_object};
use crate::refusal::{Cause, Kind, Refusal};
use crate::secret::Secret;

/// Classifies by the body's code first, since the HTTP status is unreliable; only 429 always
/// means throttled. Source: provider-contracts, "How refusals look".
pub(super) fn classify(
    token: &Secret,
    delivery: &Delivery,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Answer {
    let body: Option<Value> = serde_json::from_slice(body).ok();
    if let Some(error) = body.as_ref().and_then(ErrorObject::of) {
        let refusal = refusal::of(&error.redacted(token), status, headers);
        return Answer::Refused(match &delivery.template {
            Some(template) if refusal.kind() == Kind::Permanent(Cause::Template) => named(&refusal, template),
            _ => refusal,
        });
    }
    match body {
        Some(Value::Object(answer)) if status.is_success() => {
            Answer::Accepted { provider_id: provider_id(&answer), aliases: aliases(&delivery.recipient, &answer) }
        }
        _ => Answer::Refused(without_error_object(status, headers)),
    }
}

/// What is wrong with a template is mended there, so it is named.
fn named(refusal: &Refusal, Template { name, language, .. }: &Template) -> Refusal {
    Refusal::new(refusal.kind(), refusal.code(), format!("template {name} ({language}): {}", refusal.reason()))
}

/// `messages[0].id`; some answers hold `null` or nothing there.
fn provider_id(answer: &serde_json::Map<String, Value>) -> Option<String> {
    let id = answer.get("messages")?.get(0)?.get("id")?.as_str()?;
    (!id.is_empty()).then(|| id.to_owned())
}

/// Who received it, in the provider's words: their id at WhatsApp and, of those who have one, their
/// business-scoped id.
fn aliases(recipient: &Address, answer: &serde_json::Map<String, Value>) -> Vec<Address> {
    let contact = answer.get("contacts").and_then(|contacts| contacts.get(0)).unwrap_or(&Value::Null);
    let number = contact["wa_id"].as_str().map(|digits| format!("whatsapp:+{digits}"));
    let user = contact["user_id"].as_str().map(|user| format!("whatsapp:{user}"));
    let named = number.into_iter().chain(user).filter_map(|address| address.parse().ok());
    named.filter(|address| address != recipient).collect()
}
