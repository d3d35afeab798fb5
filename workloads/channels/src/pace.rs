//! How fast a provider lets an account call, as data. Who calls holds to it, so that the provider
//! need not refuse. Source: provider-contracts, the rates of each channel.

use std::time::Duration;

use chat4all_message::Address;

/// The limits of one account.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Calls a second of the whole account; `None` where the provider names no limit.
    pub account: Option<f64>,
    /// Calls a second that carry audio or video, where they are counted apart from all others.
    pub recordings: Option<f64>,
    /// What one recipient may be sent; `None` where the provider names no limit.
    pub recipient: fn(&Address) -> Option<PairLimit>,
}

/// One message in so much time, of which several may be sent ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PairLimit {
    /// Between two messages in the long run.
    pub every: Duration,
    /// How many may be sent at once, borrowed from the time to come; at least 1.
    pub burst: u32,
}

impl Pace {
    /// Of a provider that names no limits.
    pub const UNLIMITED: Self = Self { account: None, recordings: None, recipient: |_| None };

    /// With this many calls a second for the account; what is counted apart is slowed down to it, too.
    pub fn with_account(self, calls_per_second: f64) -> Self {
        let recordings = self.recordings.map(|recordings| recordings.min(calls_per_second));
        Self { account: Some(calls_per_second), recordings, ..self }
    }
}

#[cfg(test)]
mod tests {
    use chat4all_message::Channel as Kind;
    use rstest::rstest;

    use super::*;
    use crate::pace;

    #[rstest]
    #[case(Kind::Whatsapp, Some(80.0), None)]
    #[case(Kind::Telegram, Some(30.0), None)]
    #[case(Kind::Messenger, Some(300.0), Some(10.0))]
    #[case(Kind::Instagram, Some(300.0), Some(10.0))]
    #[case(Kind::Webhook, None, None)]
    fn each_channel_has_the_limits_of_its_provider(
        #[case] kind: Kind,
        #[case] account: Option<f64>,
        #[case] recordings: Option<f64>,
    ) {
        assert_eq!((pace(kind).account, pace(kind).recordings), (account, recordings));
    }

    #[rstest]
    #[case(Kind::Whatsapp, "whatsapp:+5562998765432", Some((6, 45)))]
    #[case(Kind::Telegram, "telegram:99", Some((1, 1)))]
    #[case(Kind::Telegram, "telegram:-99", Some((3, 1)))]
    #[case(Kind::Messenger, "messenger:99", None)]
    fn a_recipient_has_the_limit_of_its_channel_and_a_group_that_of_groups(
        #[case] kind: Kind,
        #[case] recipient: Address,
        #[case] limit: Option<(u64, u32)>,
    ) {
        let expected = limit.map(|(seconds, burst)| PairLimit { every: Duration::from_secs(seconds), burst });
        assert_eq!((pace(kind).recipient)(&recipient), expected);
    }

    #[test]
    fn an_account_that_is_slowed_down_is_slowed_down_for_recordings_too() {
        let slow = pace(Kind::Messenger).with_account(4.0);
        assert_eq!((slow.account, slow.recordings), (Some(4.0), Some(4.0)));
        let fast = pace(Kind::Whatsapp).with_account(1000.0);
        assert_eq!((fast.account, fast.recordings), (Some(1000.0), None));
    }
}
