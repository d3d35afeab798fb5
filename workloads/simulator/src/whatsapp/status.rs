//! What the provider tells about an accepted message, and the webhook that tells it.
//! Source: provider-contracts, "Webhooks that come in".

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::check::Recipient;

/// An accepted message.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) wamid: String,
    pub(crate) to: Recipient,
    pub(crate) correlation: Option<String>,
}

/// A status that is to be told.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    message: Arc<Accepted>,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Sent,
    Delivered,
    Read,
}

impl Status {
    /// The first one of a message.
    pub(crate) fn first(message: Accepted) -> Self {
        Self { message: Arc::new(message), step: Step::Sent }
    }

    /// The one that follows; `None` after the last.
    pub(crate) fn next(self) -> Option<Self> {
        let step = match self.step {
            Step::Sent => Step::Delivered,
            Step::Delivered => Step::Read,
            Step::Read => return None,
        };
        Some(Self { step, ..self })
    }

    fn to_json(&self, at: Timestamp) -> Value {
        let mut status = json!({
            "id": self.message.wamid,
            "status": match self.step {
                Step::Sent => "sent",
                Step::Delivered => "delivered",
                Step::Read => "read",
            },
            "timestamp": at.as_second().to_string(),
        });
        match &self.message.to {
            Recipient::Number(digits) => status["recipient_id"] = json!(digits),
            Recipient::User(id) => status["recipient_user_id"] = json!(id),
        }
        if let Some(correlation) = &self.message.correlation {
            status["biz_opaque_callback_data"] = json!(correlation);
        }
        status
    }
}

impl Status {
    /// Whom it concerns; stands beside the statuses, in their order.
    fn contact(&self) -> Value {
        match &self.message.to {
            Recipient::Number(digits) => json!({"wa_id": digits, "profile": {"name": "A customer"}}),
            Recipient::User(id) => json!({"user_id": id, "profile": {"name": "A customer"}}),
        }
    }
}

/// The body of a webhook that tells these statuses, as the provider writes it: ASCII only.
pub(crate) fn webhook(phone_number_id: &str, statuses: &[Status]) -> String {
    let now = Timestamp::now();
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{
            "id": "102290129340398",
            "changes": [{
                "field": "messages",
                "value": {
                    "messaging_product": "whatsapp",
                    "metadata": {"display_phone_number": "15550100000", "phone_number_id": phone_number_id},
                    "contacts": statuses.iter().map(Status::contact).collect::<Vec<_>>(),
                    "statuses": statuses.iter().map(|status| status.to_json(now)).collect::<Vec<_>>(),
                },
            }],
        }],
    });
    escaped(&body.to_string())
}

/// JSON with everything outside ASCII escaped.
fn escaped(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ascii_is_escaped_and_means_the_same() {
        let status = Status::first(Accepted {
            wamid: "wamid.1".into(),
            to: Recipient::Number("5562998765432".into()),
            correlation: Some("café 🙂".into()),
        });
        let body = webhook("106", &[status]);
        assert!(body.is_ascii() && body.contains(r"caf\u00e9 \ud83d\ude42"));
        let body: Value = serde_json::from_str(&body).unwrap();
        let told = &body["entry"][0]["changes"][0]["value"]["statuses"][0];
        assert_eq!(told["biz_opaque_callback_data"], "café 🙂");
        assert_eq!(told["recipient_id"], "5562998765432");
    }
}
