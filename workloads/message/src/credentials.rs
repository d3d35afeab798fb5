//! The keys of a connector's Secret. The operator checks that they are there and mounts each where
//! it is used, the workloads read them as files; both must say the same.

use crate::address::Channel;

/// What a connector for Meta's channels sends with.
pub const ACCESS_TOKEN: &str = "access-token";
/// What the signatures of Meta's webhooks are checked with.
pub const APP_SECRET: &str = "app-secret";
/// What the handshake of Meta's webhooks is answered with.
pub const VERIFY_TOKEN: &str = "verify-token";
/// What a connector for Telegram sends with.
pub const BOT_TOKEN: &str = "bot-token";
/// What Telegram shows with each webhook.
pub const SECRET_TOKEN: &str = "secret-token";

/// The keys that the connector itself needs; for webhooks there is one more for each endpoint, of the
/// endpoint's name.
pub fn of_connector(channel: Channel) -> &'static [&'static str] {
    match channel {
        Channel::Whatsapp | Channel::Instagram | Channel::Messenger => &[ACCESS_TOKEN],
        Channel::Telegram => &[BOT_TOKEN],
        Channel::Webhook => &[],
    }
}

/// The keys that the API needs to check the connector's webhooks.
pub fn of_webhook(channel: Channel) -> &'static [&'static str] {
    match channel {
        Channel::Whatsapp | Channel::Instagram | Channel::Messenger => &[APP_SECRET, VERIFY_TOKEN],
        Channel::Telegram => &[SECRET_TOKEN],
        Channel::Webhook => &[],
    }
}
