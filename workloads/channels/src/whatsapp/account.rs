//! The account: which number, which version of the API, which token. Read once at start.

use chat4all_message::credentials::ACCESS_TOKEN;
use http::{HeaderValue, Uri};
use serde::Deserialize;

use crate::base_url::BaseUrl;
use crate::registry::{ChannelConfig, Error};
use crate::secret::Secret;

const USUAL_BASE_URL: &str = "https://graph.facebook.com";
const EXAMPLE_ACCOUNT: &str = r#"{"phoneNumberId":"106540352242922","apiVersion":"v25.0"}"#;
/// Source: provider-contracts, "WhatsApp Business Cloud API".
const DEFAULT_VERSION: &str = "v25.0";

/// Everything that requests and webhooks of one number need. `Debug` shows no token.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) connector: String,
    pub(super) phone_number_id: String,
    pub(super) token: Secret,
    pub(super) messages_url: Uri,
    pub(super) authorization: HeaderValue,
}

/// `spec.connectors[].account` of a WhatsApp connector.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    phone_number_id: Option<String>,
    api_version: Option<String>,
}

impl Account {
    pub(super) fn open(config: &ChannelConfig) -> Result<Self, Error> {
        let fields: Fields = serde_json::from_str(&config.account)
            .map_err(|error| Error::Account { why: error.to_string(), example: EXAMPLE_ACCOUNT })?;
        let phone_number_id = phone_number_id(fields.phone_number_id)?;
        let version = version(fields.api_version)?;
        let messages_url = BaseUrl::of(config.base_url.as_deref(), USUAL_BASE_URL)?
            .join(&format!("/{version}/{phone_number_id}/messages"))?;
        let token = Secret::read(&config.credentials_dir, ACCESS_TOKEN)?;
        let authorization = bearer(&token).ok_or_else(|| Error::Unusable {
            path: config.credentials_dir.join(ACCESS_TOKEN),
            file: ACCESS_TOKEN.into(),
        })?;
        Ok(Self { connector: config.connector.clone(), phone_number_id, token, messages_url, authorization })
    }
}

fn phone_number_id(given: Option<String>) -> Result<String, Error> {
    let wrong = |why: &str| Error::AccountField {
        field: "phoneNumberId",
        why: why.to_owned(),
        example: r#""106540352242922""#,
    };
    match given {
        None => Err(wrong("is missing")),
        Some(id) if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => Ok(id),
        Some(id) => Err(wrong(&format!("is {id:?}, which is not a number's id (digits only; not the phone number)"))),
    }
}

fn version(given: Option<String>) -> Result<String, Error> {
    let version = given.unwrap_or_else(|| DEFAULT_VERSION.to_owned());
    let has_the_form = version.strip_prefix('v').and_then(|rest| rest.split_once('.')).is_some_and(|(major, minor)| {
        [major, minor].iter().all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    if has_the_form {
        Ok(version)
    } else {
        Err(Error::AccountField {
            field: "apiVersion",
            why: format!("is {version:?}, which is not a version of the Graph API"),
            example: r#""v25.0""#,
        })
    }
}

fn bearer(token: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}
