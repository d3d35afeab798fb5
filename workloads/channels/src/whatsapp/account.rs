//! The account: which number, which version of the API, which token. Read once at start.

use http::{HeaderValue, Uri};
use ipnet::IpNet;
use serde::Deserialize;

use crate::base_url::BaseUrl;
use crate::guard::Guard;
use crate::meta::account;
use crate::registry::{ChannelConfig, Error};
use crate::secret::Secret;

const USUAL_BASE_URL: &str = "https://graph.facebook.com";
const EXAMPLE_ACCOUNT: &str = r#"{"phoneNumberId":"106540352242922","apiVersion":"v25.0"}"#;

/// Everything that requests and webhooks of one number need. `Debug` shows no token.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) connector: String,
    pub(super) phone_number_id: String,
    pub(super) token: Secret,
    pub(super) messages_url: Uri,
    pub(super) media_url: Uri,
    pub(super) media_guard: Guard,
    pub(super) authorization: HeaderValue,
}

/// `spec.connectors[].account` of a WhatsApp connector.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    phone_number_id: Option<String>,
    api_version: Option<String>,
    /// Where files may be fetched from for an upload, besides public addresses.
    #[serde(default)]
    allowed_networks: Vec<IpNet>,
}

impl Account {
    pub(super) fn open(config: &ChannelConfig) -> Result<Self, Error> {
        let fields: Fields = config.account_fields(EXAMPLE_ACCOUNT)?;
        let phone_number_id = account::id("phoneNumberId", "a phone number's id", fields.phone_number_id)?;
        let version = account::version(fields.api_version)?;
        let base = BaseUrl::of(config.base_url.as_deref(), USUAL_BASE_URL)?;
        let messages_url = base.join(&format!("/{version}/{phone_number_id}/messages"))?;
        let media_url = base.join(&format!("/{version}/{phone_number_id}/media"))?;
        let media_guard = Guard::with(fields.allowed_networks);
        let (token, authorization) = account::token(config)?;
        Ok(Self {
            connector: config.connector.clone(),
            phone_number_id,
            token,
            messages_url,
            media_url,
            media_guard,
            authorization,
        })
    }
}
