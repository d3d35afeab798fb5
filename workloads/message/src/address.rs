//! Who a message goes to or comes from: `channel:value`, or a bare user id for a local user.
//! Forms per channel: provider-contracts, "Addresses".

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way to reach people that some provider offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// WhatsApp Business Cloud API.
    Whatsapp,
    /// Instagram messaging.
    Instagram,
    /// Messenger of Facebook pages.
    Messenger,
    /// Telegram Bot API.
    Telegram,
    /// Signed webhooks to endpoints of others.
    Webhook,
}

impl Channel {
    /// Every channel, in the order of the documentation.
    pub const ALL: [Channel; 5] =
        [Channel::Whatsapp, Channel::Instagram, Channel::Messenger, Channel::Telegram, Channel::Webhook];

    /// The channel's name, as it stands in addresses and in the resource.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Whatsapp => "whatsapp",
            Channel::Instagram => "instagram",
            Channel::Messenger => "messenger",
            Channel::Telegram => "telegram",
            Channel::Webhook => "webhook",
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Channel {
    type Err = NotAnAddress;
    fn from_str(name: &str) -> Result<Self, NotAnAddress> {
        Self::ALL.into_iter().find(|c| c.name() == name).ok_or_else(|| NotAnAddress::UnknownChannel(name.to_owned()))
    }
}

/// A participant of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Address {
    /// A user of this deployment, who reads through the API: 1 to 128 letters, digits, `.`, `_`, `@` or `-`.
    Local(String),
    /// A WhatsApp phone number in E.164 digits, without the `+`.
    WhatsappNumber(String),
    /// A WhatsApp business-scoped user id, such as `US.1349`.
    WhatsappUser(String),
    /// A person as one Instagram account knows them (IGSID).
    Instagram(String),
    /// A person as one page knows them (PSID).
    Messenger(String),
    /// A Telegram chat id: positive for a person, negative for a group.
    Telegram(i64),
    /// The name of a configured endpoint.
    Webhook(String),
}

/// The text is no address; says which form was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// The part before the colon names no channel.
    #[error("unknown channel {0:?}; known channels: {known}, or write a bare user id", known = known_channels())]
    UnknownChannel(String),
    /// Neither a phone number nor a business-scoped id.
    #[error(
        "{0:?} is not a WhatsApp address; write whatsapp:+<country code and number, 7 to 15 digits> or whatsapp:<CC>.<id>"
    )]
    Whatsapp(String),
    /// Not a person's number at Meta.
    #[error("{0:?} is not a person's address on {1}; write {1}:<the person's id at the account, digits only>")]
    Scoped(String, Channel),
    /// Not a chat's number.
    #[error("{0:?} is not a Telegram address; write telegram:<chat id>, such as telegram:133 or telegram:-1001234")]
    Telegram(String),
    /// Not the name of an endpoint.
    #[error(
        "{0:?} is not a webhook address; write webhook:<endpoint>, 1 to 63 lower-case letters, digits or dashes, as in the connector's account"
    )]
    Webhook(String),
    /// A local user id with characters that are not allowed.
    #[error("{0:?} is not a user id; a user id is 1 to 128 letters, digits or . _ @ -")]
    Local(String),
}

impl Address {
    /// The channel that reaches this address; `None` for a local user.
    pub fn channel(&self) -> Option<Channel> {
        match self {
            Address::Local(_) => None,
            Address::WhatsappNumber(_) | Address::WhatsappUser(_) => Some(Channel::Whatsapp),
            Address::Instagram(_) => Some(Channel::Instagram),
            Address::Messenger(_) => Some(Channel::Messenger),
            Address::Telegram(_) => Some(Channel::Telegram),
            Address::Webhook(_) => Some(Channel::Webhook),
        }
    }
}

fn known_channels() -> String {
    Channel::ALL.map(Channel::name).join(", ")
}

impl FromStr for Address {
    type Err = NotAnAddress;
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        match text.split_once(':') {
            None if is_user_id(text) => Ok(Address::Local(text.to_owned())),
            None => Err(NotAnAddress::Local(text.to_owned())),
            Some((channel, value)) => match channel.parse()? {
                Channel::Whatsapp => whatsapp(value),
                Channel::Instagram if is_scoped_id(value) => Ok(Address::Instagram(value.to_owned())),
                Channel::Messenger if is_scoped_id(value) => Ok(Address::Messenger(value.to_owned())),
                scoped @ (Channel::Instagram | Channel::Messenger) => {
                    Err(NotAnAddress::Scoped(value.to_owned(), scoped))
                }
                Channel::Telegram => telegram(value),
                Channel::Webhook if is_endpoint(value) => Ok(Address::Webhook(value.to_owned())),
                Channel::Webhook => Err(NotAnAddress::Webhook(value.to_owned())),
            },
        }
    }
}

fn whatsapp(value: &str) -> Result<Address, NotAnAddress> {
    if let Some(digits) = value.strip_prefix('+')
        && (7..=15).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0')
    {
        return Ok(Address::WhatsappNumber(digits.to_owned()));
    }
    if let Some((country, id)) = value.split_once('.')
        && country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return Ok(Address::WhatsappUser(value.to_owned()));
    }
    Err(NotAnAddress::Whatsapp(value.to_owned()))
}

/// Read back as it is written, so that one chat has one address: no `+`, no leading zeros.
fn telegram(value: &str) -> Result<Address, NotAnAddress> {
    match value.parse::<i64>() {
        Ok(chat) if chat != 0 && chat.to_string() == value => Ok(Address::Telegram(chat)),
        _ => Err(NotAnAddress::Telegram(value.to_owned())),
    }
}

/// Ids of people are numbers too large to reckon with.
fn is_scoped_id(value: &str) -> bool {
    (1..=64).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit())
}

/// Whether an endpoint can have this name: it is also the key of its secret.
pub fn is_endpoint(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn is_user_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._@-".contains(c))
}

impl TryFrom<String> for Address {
    type Error = NotAnAddress;
    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Local(user) => f.write_str(user),
            Address::WhatsappNumber(digits) => write!(f, "whatsapp:+{digits}"),
            Address::WhatsappUser(id) => write!(f, "whatsapp:{id}"),
            Address::Instagram(id) => write!(f, "instagram:{id}"),
            Address::Messenger(id) => write!(f, "messenger:{id}"),
            Address::Telegram(chat) => write!(f, "telegram:{chat}"),
            Address::Webhook(endpoint) => write!(f, "webhook:{endpoint}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("whatsapp:+5562998765432", Address::WhatsappNumber("5562998765432".into()))]
    #[case("whatsapp:US.1349", Address::WhatsappUser("US.1349".into()))]
    #[case("instagram:17841400000000001", Address::Instagram("17841400000000001".into()))]
    #[case("messenger:7001", Address::Messenger("7001".into()))]
    #[case("telegram:133", Address::Telegram(133))]
    #[case("telegram:-1001234567890", Address::Telegram(-1001234567890))]
    #[case("webhook:orders", Address::Webhook("orders".into()))]
    #[case("maria", Address::Local("maria".into()))]
    fn each_form_is_understood(#[case] text: &str, #[case] address: Address) {
        assert_eq!(text.parse(), Ok(address));
    }

    #[rstest]
    #[case("", "user id")]
    #[case("a b", "user id")]
    #[case("whatsapp:", "7 to 15 digits")]
    #[case("whatsapp:5562998765432", "7 to 15 digits")]
    #[case("whatsapp:+0562998765432", "7 to 15 digits")]
    #[case("whatsapp:+123456", "7 to 15 digits")]
    #[case("whatsapp:+1234567890123456", "7 to 15 digits")]
    #[case("whatsapp:us.1349", "7 to 15 digits")]
    #[case("instagram:", "instagram:<the person's id")]
    #[case("messenger:maria", "messenger:<the person's id")]
    #[case("telegram:", "telegram:<chat id>")]
    #[case("telegram:0", "telegram:<chat id>")]
    #[case("telegram:+133", "telegram:<chat id>")]
    #[case("telegram:0133", "telegram:<chat id>")]
    #[case("telegram:@maria", "telegram:<chat id>")]
    #[case("telegram:9223372036854775808", "telegram:<chat id>")]
    #[case("webhook:", "webhook:<endpoint>")]
    #[case("webhook:https://a.example", "webhook:<endpoint>")]
    #[case("webhook:-a", "webhook:<endpoint>")]
    #[case("pigeon:7", "known channels: whatsapp, instagram, messenger, telegram, webhook")]
    fn a_wrong_address_says_what_is_expected(#[case] text: &str, #[case] hint: &str) {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }

    proptest! {
        #[test]
        fn an_address_reads_back_as_it_was_written(text in "(whatsapp:\\+[1-9][0-9]{6,14}|whatsapp:[A-Z]{2}\\.[A-Za-z0-9]{1,128}|(instagram|messenger):[0-9]{1,64}|telegram:-?[1-9][0-9]{0,17}|webhook:[a-z0-9]{1,63}|[A-Za-z0-9._@-]{1,128})") {
            let address: Address = text.parse().unwrap();
            prop_assert_eq!(address.to_string(), text);
        }

        #[test]
        fn no_text_makes_parsing_panic(text in "\\PC*") {
            let _ = text.parse::<Address>();
        }
    }
}
