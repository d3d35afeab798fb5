//! The bot: its token, and the URLs that the token is a part of. Read once at start.

use std::fmt;

use chat4all_message::MediaKind;
use chat4all_message::credentials::BOT_TOKEN;
use http::Uri;
use serde::Deserialize;

use crate::base_url::BaseUrl;
use crate::registry::{ChannelConfig, Error};
use crate::secret::Secret;

const USUAL_BASE_URL: &str = "https://api.telegram.org";

/// Everything that requests of one bot need. `Debug` shows no token, so no URL either.
pub(super) struct Account {
    pub(super) token: Secret,
    text: Uri,
    image: Uri,
    video: Uri,
    audio: Uri,
    document: Uri,
}

/// `spec.connectors[].account` of a Telegram connector: the token says which bot it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {}

impl Account {
    pub(super) fn open(config: &ChannelConfig) -> Result<Self, Error> {
        let Fields {} = serde_json::from_str(&config.account)
            .map_err(|error| Error::Account { why: error.to_string(), example: "{}" })?;
        let base = BaseUrl::of(config.base_url.as_deref(), USUAL_BASE_URL)?;
        let token = Secret::read(&config.credentials_dir, BOT_TOKEN)?;
        if !has_the_form(token.expose()) {
            return Err(Error::Unusable { path: config.credentials_dir.join(BOT_TOKEN), file: BOT_TOKEN.into() });
        }
        let url = |method: &str| base.join(&format!("/bot{}/{method}", token.expose()));
        Ok(Self {
            text: url("sendMessage")?,
            image: url("sendPhoto")?,
            video: url("sendVideo")?,
            audio: url("sendAudio")?,
            document: url("sendDocument")?,
            token,
        })
    }

    /// The URL of the method that sends this kind of file, or a text.
    pub(super) fn url(&self, media: Option<MediaKind>) -> Uri {
        match media {
            None => &self.text,
            Some(MediaKind::Image) => &self.image,
            Some(MediaKind::Video) => &self.video,
            Some(MediaKind::Audio) => &self.audio,
            Some(MediaKind::Document) => &self.document,
        }
        .clone()
    }
}

/// `<bot id>:<secret>`. Checked because a token of another form would make another URL.
fn has_the_form(token: &str) -> bool {
    token.split_once(':').is_some_and(|(bot, secret)| {
        !bot.is_empty()
            && bot.bytes().all(|b| b.is_ascii_digit())
            && !secret.is_empty()
            && secret.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    })
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("host", &self.text.host()).finish_non_exhaustive()
    }
}
