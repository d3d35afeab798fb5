//! Which message is sent when, to whom, and with what text. Pure.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use uuid::Uuid;

use crate::api::Outgoing;

/// Length of a text: about what people write.
const TEXT: usize = 100;

/// Messages to one recipient, then others take their turn: the connector holds to the provider's limit of 45
/// messages ahead of one in six seconds, and some may be tried twice.
const EACH: u64 = 40;

/// Recipients that four digits tell apart.
const RECIPIENTS: u32 = 10_000;

/// Brazilian area codes.
const AREAS: [u64; 10] = [11, 21, 31, 41, 51, 61, 62, 71, 81, 91];

/// A fixed arrival rate over conversations of one recipient each: so many at a time, in turn, and then as
/// many others.
#[derive(Debug, Clone)]
pub struct Schedule {
    rate: u32,
    conversations: u32,
    /// Makes conversations, recipients and keys of this run its own.
    run: Uuid,
    case: String,
}

impl Schedule {
    /// `rate` messages a second over so many conversations at a time, at most 10,000. `run` must be new
    /// for each run, and `case`, letters and dashes, in it.
    pub fn new(case: &str, rate: u32, conversations: u32, run: Uuid) -> Self {
        Self { rate: rate.max(1), conversations: conversations.clamp(1, RECIPIENTS), run, case: case.to_owned() }
    }

    /// The numbers of all conversations that there can be.
    pub fn numbers(&self) -> std::ops::Range<u32> {
        0..self.conversations * self.turns()
    }

    /// Those that the first so many messages belong to.
    pub fn conversations(&self, messages: u64) -> Vec<String> {
        let turns = messages.div_ceil(u64::from(self.conversations) * EACH).max(1);
        let last = u64::from(self.conversations) * turns.min(u64::from(self.turns()));
        self.numbers().take_while(|n| u64::from(*n) < last).map(|n| self.conversation(n)).collect()
    }

    /// How often others take their turn before the first ones come again.
    fn turns(&self) -> u32 {
        RECIPIENTS / self.conversations
    }

    /// The recipient of a conversation, by its number.
    pub fn recipient(&self, conversation: u32) -> String {
        let mut hasher = DefaultHasher::new();
        (self.run, &self.case).hash(&mut hasher);
        // Brazilian mobile numbers: 55, area, 9 and eight digits. The area and three of them tell runs and
        // cases apart; the first of them is one of a mobile number also without the 9.
        let (area, run) = (hasher.finish() % 10, hasher.finish() / 10 % 1000);
        format!("whatsapp:+55{}99{run:03}{conversation:04}", AREAS[usize::try_from(area).unwrap_or_default()])
    }

    /// The name of a conversation, by its number.
    pub fn conversation(&self, n: u32) -> String {
        format!("e2e-{}-{}-{n}", self.case, self.run.simple())
    }

    /// When message `n` is due, from the start.
    pub(super) fn due(&self, n: u64) -> Duration {
        Duration::from_nanos(n.saturating_mul(1_000_000_000) / u64::from(self.rate))
    }

    /// Message `n`, and its number in its conversation.
    pub(super) fn message(&self, n: u64) -> (Outgoing, u64) {
        let conversations = u64::from(self.conversations);
        let (turn, n) = (n / (conversations * EACH), n % (conversations * EACH));
        let (lap, turn) = (turn / u64::from(self.turns()), turn % u64::from(self.turns()));
        let sequence = lap * EACH + n / conversations;
        // Below `RECIPIENTS`, so it fits.
        let conversation = u32::try_from(turn * conversations + n % conversations).unwrap_or_default();
        let name = self.conversation(conversation);
        let outgoing = Outgoing {
            recipient: self.recipient(conversation),
            content: format!("{:.<TEXT$}", format!("{name} number {sequence} ")),
            idempotency_key: format!("{name}-{sequence}"),
            conversation: name,
        };
        (outgoing, sequence)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn schedule() -> Schedule {
        Schedule::new("routers", 200, 250, Uuid::from_u128(0x1234))
    }

    #[test]
    fn messages_are_due_at_even_distances() {
        assert_eq!(schedule().due(0), Duration::ZERO);
        assert_eq!(schedule().due(1), Duration::from_millis(5));
        assert_eq!(schedule().due(200 * 3600), Duration::from_secs(3600));
    }

    #[test]
    fn every_conversation_gets_its_messages_in_turn_and_has_one_recipient() {
        let schedule = schedule();
        let messages: Vec<_> = (0..1000).map(|n| schedule.message(n)).collect();
        let pairs: HashSet<_> = messages.iter().map(|(m, _)| (m.conversation.clone(), m.recipient.clone())).collect();
        let recipients: HashSet<_> = messages.iter().map(|(m, _)| m.recipient.clone()).collect();
        assert_eq!((pairs.len(), recipients.len()), (250, 250));
        assert_eq!(messages.iter().map(|(_, sequence)| *sequence).collect::<HashSet<_>>(), HashSet::from([0, 1, 2, 3]));
        assert_eq!(schedule.conversations(1000).len(), 250);
    }

    #[test]
    fn nobody_is_sent_more_than_a_provider_takes_at_once_before_others_have_their_turn() {
        let schedule = schedule();
        let turn = 250 * EACH;
        let mut counts = std::collections::HashMap::new();
        for n in 0..2 * turn {
            *counts.entry(schedule.message(n).0.recipient).or_insert(0) += 1;
        }
        assert!(counts.len() == 500 && counts.values().all(|count| *count == EACH));
        assert_eq!((schedule.conversations(turn).len(), schedule.conversations(turn + 1).len()), (250, 500));
        // After all have had it, the first ones go on.
        let (again, sequence) = schedule.message(40 * turn);
        assert_eq!((again.conversation, sequence), (schedule.conversation(0), EACH));
        assert_eq!(schedule.conversations(u64::MAX).len(), schedule.numbers().len());
    }

    #[test]
    fn a_text_begins_with_its_conversation_and_a_key_is_used_once() {
        let (message, _) = schedule().message(260);
        assert_eq!(message.content.split(' ').next(), Some(message.conversation.as_str()));
        assert!(message.content.len() >= TEXT);
        let another_case = Schedule { case: "connectors".into(), ..schedule() };
        let keys = |schedule: Schedule| (0..1000).map(move |n| schedule.message(n).0.idempotency_key);
        assert_eq!(keys(schedule()).chain(keys(another_case)).collect::<HashSet<_>>().len(), 2000);
    }
}
