//! What a simulator is told, and what can be wrong with it. The environment variables named in
//! errors are those of the `chat4all simulator` command.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Url;

/// The settings of a simulator.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The one business phone number that there is.
    pub phone_number_id: String,
    /// The bearer token that callers must show.
    pub access_token: Secret,
    /// Signs webhooks.
    pub app_secret: Secret,
    /// Where webhooks go; `None` sends none.
    pub webhook_url: Option<String>,
    /// Between acceptance and `sent`, between `sent` and `delivered`, and between that and `read`.
    pub webhook_delay: Duration,
    /// How long a webhook is tried before it is lost. The real provider tries for seven days.
    pub webhook_patience: Duration,
    /// Messages whose webhooks may be under way. When they are, further messages are refused with
    /// code 131016 (service unavailable), so that none is accepted whose webhooks would be lost.
    pub webhook_capacity: usize,
    /// Entries that the log keeps; beyond it the oldest are forgotten, which a reader sees as a gap
    /// in `seq`.
    pub log_capacity: usize,
    /// Whether the rates of the real providers are enforced.
    pub enforce_limits: bool,
    /// The other providers that there are.
    pub stand_ins: StandIns,
}

/// The providers beside WhatsApp; each is there when its credential is.
#[derive(Debug, Clone, Default)]
pub struct StandIns {
    /// The id of the one page with Messenger; its token is WhatsApp's.
    pub page_id: Option<String>,
    /// The id of the one Instagram account; its token is WhatsApp's.
    pub instagram_id: Option<String>,
    /// The token of the one Telegram bot.
    pub telegram_bot_token: Option<Secret>,
    /// `whsec_<base64>`, with which webhooks to any endpoint are signed.
    pub webhook_secret: Option<Secret>,
}

impl Config {
    /// The delay between webhooks where none is set: enough for the answer to be there first in
    /// nearly every case, as with the real provider.
    pub const WEBHOOK_DELAY: Duration = Duration::from_millis(50);
    /// How long webhooks are tried where nothing else is set.
    pub const WEBHOOK_PATIENCE: Duration = Duration::from_secs(15 * 60);
    /// Messages with webhooks under way where nothing else is set; about 60 MB.
    pub const WEBHOOK_CAPACITY: usize = 200_000;
    /// Log entries where nothing else is set; about 100 MB with short texts.
    pub const LOG_CAPACITY: usize = 250_000;

    pub(crate) fn webhook_target(&self) -> Result<Option<Url>, Error> {
        let Some(text) = &self.webhook_url else { return Ok(None) };
        let wrong = |why: String| Error::WebhookUrl { value: text.clone(), why };
        let url: Url = text.parse().map_err(|error| wrong(format!("{error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("it does not begin with http:// or https://".to_owned()));
        }
        Ok(Some(url))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let settings = [
            ("SIMULATOR_ACCESS_TOKEN", &self.access_token.0),
            ("SIMULATOR_APP_SECRET", &self.app_secret.0),
            ("SIMULATOR_PHONE_NUMBER_ID", &self.phone_number_id),
        ];
        match settings.into_iter().find(|(_, value)| value.is_empty()) {
            Some((setting, _)) => Err(Error::Empty { setting }),
            None => Ok(()),
        }
    }
}

/// A credential; `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(crate) String);

impl Secret {
    /// Takes a credential.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[credential]")
    }
}

/// The simulator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that must have a value has none.
    #[error("{setting} is empty; give it a value")]
    Empty {
        /// Its environment variable.
        setting: &'static str,
    },
    /// Webhooks cannot go there.
    #[error(
        "SIMULATOR_WEBHOOK_URL is {value:?}: {why}; set it to the API's webhook address, such as http://localhost:8080/webhooks/whatsapp"
    )]
    WebhookUrl {
        /// What was given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP client for webhooks cannot be made.
    #[error("could not make the HTTP client for webhooks (an https webhook URL needs the system's CA certificates)")]
    Client(#[source] reqwest::Error),
    /// The address cannot be listened on.
    #[error("could not listen on {address}; is something else using the port?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server ended.
    #[error("the server ended")]
    Serve(#[source] std::io::Error),
}
