//! The channels there are: one line for each in every function.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chat4all_message::Channel as Kind;
use serde::de::DeserializeOwned;

use crate::capabilities::Capabilities;
use crate::channel::Channel;
use crate::pace::Pace;
use crate::webhook::WebhookGate;
use crate::{instagram, messenger, meta, standard_webhook, telegram, whatsapp};

/// What a connector was given to reach its provider.
#[derive(Debug, Clone)]
pub struct ChannelConfig {
    /// The connector's name; statuses carry it.
    pub connector: String,
    /// The provider's base URL, without version and path; `None` for the usual one.
    pub base_url: Option<String>,
    /// `spec.connectors[].account` as JSON; its fields are the channel's own.
    pub account: String,
    /// The folder of the credentials Secret, one file for each key.
    pub credentials_dir: PathBuf,
}

impl ChannelConfig {
    /// The account as the channel's own fields; `example` is one that works, for the error.
    pub(crate) fn account_fields<T: DeserializeOwned>(&self, example: &'static str) -> Result<T, Error> {
        serde_json::from_str(&self.account).map_err(|error| Error::Account { why: error.to_string(), example })
    }
}

/// A channel cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such base URL.
    #[error(
        "base URL {value:?} is not usable: {why}; set baseUrl (CONNECTOR_BASE_URL) to the provider's scheme and host, such as {example}"
    )]
    BaseUrl {
        /// What was given.
        value: String,
        /// What is wrong with it.
        why: String,
        /// One that works.
        example: &'static str,
    },
    /// The account is no JSON object of the channel's fields.
    #[error("account cannot be read: {why}; set account (CONNECTOR_ACCOUNT) to JSON such as {example}")]
    Account {
        /// What is wrong with it.
        why: String,
        /// One that works.
        example: &'static str,
    },
    /// A field of the account is missing or wrong.
    #[error("account.{field} {why}; set it in account (CONNECTOR_ACCOUNT), for example {example}")]
    AccountField {
        /// Which one.
        field: &'static str,
        /// What is wrong with it.
        why: String,
        /// One that works.
        example: &'static str,
    },
    /// A file of the credentials Secret is missing or cannot be read.
    #[error("could not read credential file {}; add key {file} to the credentials Secret", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The Secret's key.
        file: Cow<'static, str>,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the credentials Secret holds nothing.
    #[error("credential file {} is empty; set key {file} of the credentials Secret", path.display())]
    Empty {
        /// Its path.
        path: PathBuf,
        /// The Secret's key.
        file: Cow<'static, str>,
    },
    /// A credential holds characters that cannot stand in a request.
    #[error("credential file {} holds characters that no {file} has; set key {file} of the credentials Secret anew", path.display())]
    Unusable {
        /// Its path.
        path: PathBuf,
        /// The Secret's key.
        file: Cow<'static, str>,
    },
}

/// Opens a channel with its account and credentials; reads files, calls nobody.
pub fn open(kind: Kind, config: &ChannelConfig) -> Result<Arc<dyn Channel>, Error> {
    Ok(match kind {
        Kind::Whatsapp => Arc::new(whatsapp::Whatsapp::open(config)?),
        Kind::Instagram => Arc::new(instagram::open(config)?),
        Kind::Messenger => Arc::new(messenger::open(config)?),
        Kind::Telegram => Arc::new(telegram::Telegram::open(config)?),
        Kind::Webhook => Arc::new(standard_webhook::StandardWebhook::open(config)?),
    })
}

/// Opens the gate of a connector's webhook with the files that the channel needs in `secrets`; see
/// [`chat4all_message::credentials::of_webhook`].
pub fn open_webhook_gate(kind: Kind, secrets: &Path) -> Result<Arc<dyn WebhookGate>, Error> {
    Ok(match kind {
        Kind::Whatsapp | Kind::Instagram | Kind::Messenger => Arc::new(whatsapp::Gate::open(secrets)?),
        Kind::Telegram => Arc::new(telegram::Gate::open(secrets)?),
        Kind::Webhook => Arc::new(standard_webhook::Gate),
    })
}

/// What a channel can carry; needs no account.
pub fn capabilities(kind: Kind) -> &'static Capabilities {
    match kind {
        Kind::Whatsapp => &whatsapp::CAPABILITIES,
        Kind::Instagram => &instagram::CAPABILITIES,
        Kind::Messenger => &messenger::CAPABILITIES,
        Kind::Telegram => &telegram::CAPABILITIES,
        Kind::Webhook => &standard_webhook::CAPABILITIES,
    }
}

/// How fast a channel's provider may be called, where the account has no other limit.
pub fn pace(kind: Kind) -> Pace {
    match kind {
        Kind::Whatsapp => whatsapp::PACE,
        Kind::Instagram | Kind::Messenger => meta::dialog::PACE,
        Kind::Telegram => telegram::PACE,
        Kind::Webhook => Pace::UNLIMITED,
    }
}
