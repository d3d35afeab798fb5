//! Messenger: texts and files by URL; knows one page. That something was read is told by a watermark,
//! which names no message. Source: provider-contracts, "Messenger".

use chat4all_message::{Channel as Kind, MediaKind};
use serde::Deserialize;

use crate::base_url::BaseUrl;
use crate::capabilities::{Capabilities, MediaRule};
use crate::limit::Limit;
use crate::meta::account;
use crate::meta::dialog::Dialog;
use crate::registry::{ChannelConfig, Error};

const USUAL_BASE_URL: &str = "https://graph.facebook.com";
const EXAMPLE_ACCOUNT: &str = r#"{"pageId":"106540352242922","apiVersion":"v25.0"}"#;

/// What Messenger can carry. Source: provider-contracts, "Messenger".
pub const CAPABILITIES: Capabilities = Capabilities {
    channel: Kind::Messenger,
    text: Limit::characters(2000),
    media: &[
        MediaRule { kind: MediaKind::Image, max_megabytes: Some(25), caption: None },
        MediaRule { kind: MediaKind::Video, max_megabytes: Some(25), caption: None },
        MediaRule { kind: MediaKind::Audio, max_megabytes: Some(25), caption: None },
        MediaRule { kind: MediaKind::Document, max_megabytes: Some(25), caption: None },
    ],
    media_by_id: false,
    template: false,
    reply: false,
    read_mark: false,
    tells_delivered: true,
    tells_read: true,
};

/// `spec.connectors[].account` of a Messenger connector.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    page_id: Option<String>,
    api_version: Option<String>,
}

/// Opens the channel of a page: reads it and the file `access-token`.
pub(crate) fn open(config: &ChannelConfig) -> Result<Dialog, Error> {
    let fields: Fields = config.account_fields(EXAMPLE_ACCOUNT)?;
    let page = account::id("pageId", "a page's id", fields.page_id)?;
    let version = account::version(fields.api_version)?;
    let base = BaseUrl::of(config.base_url.as_deref(), USUAL_BASE_URL)?;
    let (token, authorization) = account::token(config)?;
    Ok(Dialog {
        connector: config.connector.clone(),
        capabilities: &CAPABILITIES,
        object: "page",
        messages_url: base.join(&format!("/{version}/{page}/messages"))?,
        entry_id: page,
        token,
        authorization,
    })
}
