//! How much a provider takes, where the simulator is told to enforce it: per account and per recipient,
//! each by a bucket that holds what may come at once. By a library that no connector uses.
//! Source: provider-contracts, the rates of each channel.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

type Instant = <DefaultClock as governor::clock::Clock>::Instant;

/// The limits that are enforced, if any.
#[derive(Debug, Default)]
pub(crate) struct Limits(Option<Enforced>);

#[derive(Debug)]
struct Enforced {
    number: DefaultDirectRateLimiter,
    pairs: DefaultKeyedRateLimiter<String>,
    /// Of Messenger's page and of the Instagram account: texts, and audio and video.
    dialogs: [Dialog; 2],
    bot: DefaultDirectRateLimiter,
    chats: DefaultKeyedRateLimiter<i64>,
    groups: DefaultKeyedRateLimiter<i64>,
}

#[derive(Debug)]
struct Dialog {
    messages: DefaultDirectRateLimiter,
    recordings: DefaultDirectRateLimiter,
}

/// Too much of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMuch {
    /// Whether it is too much for one recipient and not of the account.
    pub(crate) for_the_recipient: bool,
    /// How long until there is room again.
    pub(crate) wait: Duration,
}

const fn of(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("no limit is 0")
}

impl Limits {
    /// Enforces the limits of all providers.
    pub(crate) fn enforced() -> Self {
        let per_second = |count| RateLimiter::direct(Quota::per_second(of(count)));
        let dialog = || Dialog { messages: per_second(300), recordings: per_second(10) };
        let pair = Quota::with_period(Duration::from_secs(6)).expect("six seconds are more than none");
        Self(Some(Enforced {
            number: per_second(80),
            pairs: RateLimiter::keyed(pair.allow_burst(of(45))),
            dialogs: [dialog(), dialog()],
            bot: per_second(30),
            chats: RateLimiter::keyed(Quota::per_second(of(1))),
            groups: RateLimiter::keyed(Quota::per_minute(of(20))),
        }))
    }

    /// A message of the number to someone.
    pub(crate) fn whatsapp(&self, to: &str) -> Result<(), TooMuch> {
        let Some(limits) = &self.0 else { return Ok(()) };
        check(limits.number.check(), false)?;
        check(limits.pairs.check_key(&to.to_owned()), true)
    }

    /// A message of Messenger's page or of the Instagram account.
    pub(crate) fn dialog(&self, messenger: bool, recording: bool) -> Result<(), TooMuch> {
        let Some(limits) = &self.0 else { return Ok(()) };
        let dialog = &limits.dialogs[usize::from(messenger)];
        check(if recording { &dialog.recordings } else { &dialog.messages }.check(), false)
    }

    /// A message of the bot to a chat; groups have negative ids.
    pub(crate) fn telegram(&self, chat: i64) -> Result<(), TooMuch> {
        let Some(limits) = &self.0 else { return Ok(()) };
        check(limits.bot.check(), false)?;
        if chat < 0 {
            check(limits.groups.check_key(&chat), true)?;
        }
        check(limits.chats.check_key(&chat), true)
    }
}

fn check<P>(taken: Result<P, NotUntil<Instant>>, for_the_recipient: bool) -> Result<(), TooMuch> {
    let too_much = |until: NotUntil<Instant>| TooMuch {
        for_the_recipient,
        wait: until.wait_time_from(DefaultClock::default().now()),
    };
    taken.map(|_| ()).map_err(too_much)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many come through at once.
    fn taken(count: usize, send: impl Fn(usize) -> Result<(), TooMuch>) -> usize {
        (0..count).filter(|n| send(*n).is_ok()).count()
    }

    #[test]
    fn a_number_takes_80_at_once_and_45_for_one_person() {
        let limits = Limits::enforced();
        let over = taken(200, |n| limits.whatsapp(&n.to_string()));
        assert!((80..=100).contains(&over), "{over}, on a machine that is slow");
        let limits = Limits::enforced();
        assert_eq!(taken(60, |_| limits.whatsapp("5562998765432")), 45);
        assert!(limits.whatsapp("5562998765432").unwrap_err().for_the_recipient);
        assert!(limits.whatsapp("5562998765433").is_ok());
    }

    #[test]
    fn a_bot_takes_one_for_a_chat_and_a_page_counts_recordings_apart() {
        let limits = Limits::enforced();
        assert_eq!(taken(3, |_| limits.telegram(7)), 1);
        assert!(limits.telegram(7).unwrap_err().wait > Duration::ZERO);
        let recordings = taken(20, |_| limits.dialog(true, true));
        assert!((10..=12).contains(&recordings), "{recordings}");
        assert!(limits.dialog(true, false).is_ok() && limits.dialog(false, true).is_ok());
    }

    #[test]
    fn nothing_is_enforced_where_nobody_asks_for_it() {
        assert_eq!(taken(500, |_| Limits::default().whatsapp("5562998765432")), 500);
    }
}
