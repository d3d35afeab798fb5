//! What may be wrong between a connector and its provider, in words for people. Pure.

use crate::trouble::Trouble;

/// What is wrong; the worse, the greater.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Ailment {
    /// Again and again deliveries are given up.
    DeadLettersGrowing,
    /// The provider fails, and is left alone for a while.
    BreakerOpen,
    /// The provider holds the account back for what it has sent.
    AccountRestricted,
    /// Somebody has to mend the account at the provider.
    AccountNeedsAttention,
    /// The account may not send as it is.
    AccountDisconnected,
    /// The account's token is not valid any more.
    TokenExpired,
    /// The provider locked the account.
    AccountSuspended,
}

impl Ailment {
    /// The reason of the condition.
    pub fn reason(self) -> &'static str {
        match self {
            Self::DeadLettersGrowing => "DeadLettersGrowing",
            Self::BreakerOpen => "BreakerOpen",
            Self::AccountRestricted => "AccountRestricted",
            Self::AccountNeedsAttention => "AccountNeedsAttention",
            Self::AccountDisconnected => "AccountDisconnected",
            Self::TokenExpired => "TokenExpired",
            Self::AccountSuspended => "AccountSuspended",
        }
    }

    /// What it is and what to do, without numbers that would change all the time.
    pub fn trouble(self) -> Trouble {
        let (message, remedy) = match self {
            Self::DeadLettersGrowing => (
                "deliveries are given up again and again",
                "look at why with `chat4all dlq list`, and replay them when that is put right",
            ),
            Self::BreakerOpen => (
                "the provider fails and is called only to see if it works again; messages wait in Kafka and use up no attempts",
                "nothing need be done here when the provider is down; else look at baseUrl and the log of the connector",
            ),
            Self::AccountRestricted => (
                "the provider holds the account back for what it has sent; messages wait in Kafka",
                "look at the quality of the account at the provider, and send less",
            ),
            Self::AccountNeedsAttention => (
                "the account cannot send until it is mended at the provider; messages wait in Kafka",
                "look at the log of the connector for the provider's words, and mend number, name, billing or token there; it is tried again every minute",
            ),
            Self::AccountDisconnected => (
                "the provider does not let the account send; messages wait in Kafka",
                "give the token the permission that it lacks, or put another one into the Secret of credentialsSecretRef, which takes effect by itself",
            ),
            Self::TokenExpired => (
                "the account's token is not valid any more; messages wait in Kafka",
                "put a new one into the Secret of credentialsSecretRef, which takes effect by itself",
            ),
            Self::AccountSuspended => (
                "the provider has locked the account; messages wait in Kafka",
                "settle it with the provider; it is tried again every quarter of an hour",
            ),
        };
        Trouble { reason: self.reason(), message: message.to_owned(), remedy }
    }
}
