//! A delivery as a request. Source: provider-contracts, "WhatsApp Business Cloud API".

use bytes::Bytes;
use chat4all_message::{Address, Correlation, Delivery};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use serde::Serialize;

use super::TEXT_LIMIT;
use super::account::Account;
use crate::channel::Unsendable;

#[derive(Serialize)]
struct Message<'a> {
    messaging_product: &'static str,
    recipient_type: &'static str,
    #[serde(flatten)]
    recipient: Recipient<'a>,
    biz_opaque_callback_data: Correlation,
    r#type: &'static str,
    text: Text<'a>,
}

/// The field names who receives it: a number, or a business-scoped user.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Recipient<'a> {
    To(&'a str),
    Recipient(&'a str),
}

#[derive(Serialize)]
struct Text<'a> {
    body: &'a str,
    preview_url: bool,
}

pub(super) fn of(account: &Account, delivery: &Delivery) -> Result<Request<Bytes>, Unsendable> {
    let message = Message {
        messaging_product: "whatsapp",
        recipient_type: "individual",
        recipient: recipient(account, delivery)?,
        biz_opaque_callback_data: Correlation::from(&delivery.reference),
        r#type: "text",
        text: text(account, delivery)?,
    };
    let body = serde_json::to_vec(&message).expect("strings and a bool always serialize");
    let mut request = Request::new(Bytes::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = account.messages_url.clone();
    request.headers_mut().insert(AUTHORIZATION, account.authorization.clone());
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

fn recipient<'a>(account: &Account, delivery: &'a Delivery) -> Result<Recipient<'a>, Unsendable> {
    match &delivery.recipient {
        Address::WhatsappNumber(digits) => Ok(Recipient::To(digits)),
        Address::WhatsappUser(id) => Ok(Recipient::Recipient(id)),
        Address::Local(_) => {
            Err(Unsendable::ForeignRecipient { recipient: delivery.recipient.clone(), channel: account.channel() })
        }
    }
}

fn text<'a>(account: &Account, delivery: &'a Delivery) -> Result<Text<'a>, Unsendable> {
    if delivery.file_id.is_some() {
        return Err(Unsendable::File { channel: account.channel() });
    }
    match TEXT_LIMIT.measure(&delivery.content) {
        0 => Err(Unsendable::EmptyText),
        size if size > TEXT_LIMIT.max => Err(Unsendable::TextTooLong { size, limit: TEXT_LIMIT }),
        _ => Ok(Text { body: &delivery.content, preview_url: false }),
    }
}
