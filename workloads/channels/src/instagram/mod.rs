//! Instagram: texts and files by URL; knows one account, by Instagram Login or linked to a page. It tells
//! what was read, not what arrived. Source: provider-contracts, "Instagram".

use chat4all_message::{Channel as Kind, MediaKind};
use serde::Deserialize;

use crate::base_url::BaseUrl;
use crate::capabilities::{Capabilities, MediaRule};
use crate::limit::Limit;
use crate::meta::account;
use crate::meta::dialog::Dialog;
use crate::registry::{ChannelConfig, Error};

const LOGIN_BASE_URL: &str = "https://graph.instagram.com";
const PAGE_BASE_URL: &str = "https://graph.facebook.com";
const EXAMPLE_ACCOUNT: &str = r#"{"instagramId":"17841400000000000","apiVersion":"v25.0"}"#;

/// What Instagram can carry. Source: provider-contracts, "Instagram".
pub const CAPABILITIES: Capabilities = Capabilities {
    channel: Kind::Instagram,
    text: Limit::bytes(1000),
    media: &[
        MediaRule { kind: MediaKind::Image, max_megabytes: Some(8), caption: None },
        MediaRule { kind: MediaKind::Video, max_megabytes: Some(25), caption: None },
        MediaRule { kind: MediaKind::Audio, max_megabytes: Some(25), caption: None },
        MediaRule { kind: MediaKind::Document, max_megabytes: Some(25), caption: None },
    ],
    media_by_id: false,
    template: false,
    reply: false,
    read_mark: false,
    tells_delivered: false,
    tells_read: true,
};

/// `spec.connectors[].account` of an Instagram connector.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    /// Names the account in webhooks, and in URLs with Instagram Login.
    instagram_id: Option<String>,
    /// The page that the account is linked to; `None` with Instagram Login.
    page_id: Option<String>,
    api_version: Option<String>,
}

/// Opens the channel of an account: reads it and the file `access-token`.
pub(crate) fn open(config: &ChannelConfig) -> Result<Dialog, Error> {
    let fields: Fields = config.account_fields(EXAMPLE_ACCOUNT)?;
    let instagram = account::id("instagramId", "an Instagram account's id", fields.instagram_id)?;
    let page = fields.page_id.map(|page| account::id("pageId", "a page's id", Some(page))).transpose()?;
    let version = account::version(fields.api_version)?;
    let usual = if page.is_some() { PAGE_BASE_URL } else { LOGIN_BASE_URL };
    let base = BaseUrl::of(config.base_url.as_deref(), usual)?;
    let node = page.as_ref().unwrap_or(&instagram);
    let (token, authorization) = account::token(config)?;
    Ok(Dialog {
        connector: config.connector.clone(),
        capabilities: &CAPABILITIES,
        object: "instagram",
        messages_url: base.join(&format!("/{version}/{node}/messages"))?,
        entry_id: instagram,
        token,
        authorization,
    })
}
