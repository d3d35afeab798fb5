//! Error objects as the Graph API writes them. Source: provider-contracts, "How refusals look",
//! and Meta's error code reference for the words.

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::exchange::Reply;

/// A refusal with an error object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GraphError {
    pub(crate) status: u16,
    pub(crate) code: i64,
    subcode: Option<i64>,
    kind: &'static str,
    message: String,
    details: Option<String>,
}

impl GraphError {
    /// What the provider says with this code.
    pub(crate) fn of_code(code: i64) -> Self {
        let (status, title) = words(code);
        Self {
            status,
            code,
            subcode: None,
            kind: "OAuthException",
            message: format!("(#{code}) {title}"),
            details: None,
        }
    }

    /// The status and the body, for an answer of another stand-in.
    pub(crate) fn into_reply(self) -> Reply {
        Reply::error(self.status, self.code, self.to_json())
    }

    pub(crate) fn with_subcode(self, subcode: Option<i64>) -> Self {
        Self { subcode, ..self }
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn with_details(self, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..self }
    }

    /// A parameter that the API does not take.
    pub(crate) fn parameter(details: impl Into<String>) -> Self {
        Self::of_code(100).with_details(details)
    }

    /// A required parameter is not there.
    pub(crate) fn missing(name: &str) -> Self {
        Self::of_code(131008).with_details(format!("Required parameter {name} is missing."))
    }

    /// A parameter has a value that is not allowed.
    pub(crate) fn value(details: impl Into<String>) -> Self {
        Self::of_code(131009).with_details(details)
    }

    /// A type of message that this simulator (or the provider) does not know.
    pub(crate) fn message_type(name: &str) -> Self {
        Self::of_code(131051).with_details(format!(
            "Message type {name:?} is not supported; this simulator takes text, templates and files."
        ))
    }

    /// The token is missing or wrong.
    pub(crate) fn token() -> Self {
        Self { message: "Invalid OAuth access token - Cannot parse access token".to_owned(), ..Self::of_code(190) }
    }

    /// The object in the URL is not there, or not ours to see, or takes no such method.
    pub(crate) fn no_such_object(method: &str, id: &str) -> Self {
        let message = format!(
            "Unsupported {} request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, or does not support this operation",
            method.to_ascii_lowercase()
        );
        Self { subcode: Some(33), kind: "GraphMethodException", message, ..Self::of_code(100) }
    }

    /// The URL is none of the API's.
    pub(crate) fn unknown_path(path: &str) -> Self {
        Self { message: format!("Unknown path components: {path}"), ..Self::of_code(2500) }
    }
}

impl GraphError {
    fn to_json(&self) -> Value {
        let mut error = json!({
            "message": self.message,
            "type": self.kind,
            "code": self.code,
            "fbtrace_id": format!("A{}", Uuid::new_v4().simple()),
        });
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        if let Some(details) = &self.details {
            error["error_data"] = json!({"messaging_product": "whatsapp", "details": details});
        }
        json!({"error": error})
    }
}

impl IntoResponse for GraphError {
    fn into_response(self) -> Response {
        self.into_reply().into_response()
    }
}

/// The usual HTTP status and title of a code.
fn words(code: i64) -> (u16, &'static str) {
    match code {
        0 => (401, "We were unable to authenticate the app user"),
        1 => (400, "Invalid request or possible server error"),
        2 => (503, "Temporary due to downtime or due to being overloaded"),
        3 => (500, "Capability or permissions issue"),
        4 => (400, "Application request limit reached"),
        10 => (403, "Permission is either not granted or has been removed"),
        33 => (400, "The business phone number has been deleted"),
        100 => (400, "Invalid parameter"),
        190 => (401, "Access token has expired"),
        200..=299 => (403, "Permission is either not granted or has been removed"),
        368 => (403, "Temporarily blocked for policies violations"),
        613 => (403, "Calls to this api have exceeded the rate limit"),
        2500 => (400, "Unknown path components"),
        80007 => (400, "The WhatsApp Business Account has reached its rate limit"),
        130403 => (403, "Recipient has been blocked by the business"),
        130429 => (400, "Rate limit hit"),
        130472 => (400, "User's number is part of an experiment"),
        130497 => (403, "Business account is restricted from messaging users in this country"),
        131000 => (500, "Something went wrong"),
        131005 => (403, "Access denied"),
        131008 => (400, "Required parameter is missing"),
        131009 => (400, "Parameter value is not valid"),
        131016 => (503, "Service unavailable"),
        131021 => (400, "Recipient cannot be sender"),
        131026 => (400, "Message undeliverable"),
        131030 => (400, "Recipient phone number not in allowed list"),
        131031 => (403, "Account has been locked"),
        131042 => (400, "Business eligibility payment issue"),
        131047 => (400, "Re-engagement message"),
        131048 => (400, "Spam rate limit hit"),
        131049 => (400, "This message was not delivered to maintain healthy ecosystem engagement"),
        131051 => (400, "Message type unknown or not supported"),
        131053 => (400, "Media upload error"),
        131056 => (400, "(Business Account, Consumer Account) pair rate limit hit"),
        131057 => (500, "Account in maintenance mode"),
        132000 => (400, "Number of parameters does not match the expected number of params"),
        132001 => (404, "Template name does not exist in the translation"),
        133004 => (503, "Server temporarily unavailable"),
        133010 => (400, "Phone number not registered"),
        _ => (400, "Refused by a fault that was asked for"),
    }
}
