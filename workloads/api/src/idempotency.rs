//! What to do with a request that carries an `Idempotency-Key`, and how many of them at once.

use axum::http::HeaderMap;
use chat4all_message::MessageId;
use chat4all_store::{Claim, ClaimState, IdempotencyKeys, RequestKey};
use jiff::Timestamp;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::problem::{Kind, Problem};

pub(crate) const HEADER: &str = "idempotency-key";
const LONGEST_KEY: usize = 255;

/// After so many seconds a claim that is still in flight counts as one whose maker died: it answers within 11 s (the
/// producer's bound) plus what the store takes. With a slow store it may still be at work, and then both put the same
/// message id into Kafka, which is harmless (see [`Step::TakeOver`]); a wait would be in vain more often.
pub(crate) const DEAD_AFTER: i64 = 15;

/// How many requests with a key are claimed at once. A claim is a conditional write; with more of them a slow store only
/// makes all of them late, and what clients then repeat keeps it slow after it has recovered.
pub(crate) const AT_ONCE: usize = 256;

/// Seconds until one that had no turn comes again: thousands may wait for the store to come back.
const RETRY_AFTER: u64 = 2;

/// Turns for requests with a key.
#[derive(Debug)]
pub(crate) struct Turns(Semaphore);

/// To be held until the request is claimed.
pub(crate) type Turn<'a> = SemaphorePermit<'a>;

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Turns {
    /// A turn, or what to tell when all are taken.
    pub(crate) fn take(&self) -> Result<Turn<'_>, Problem> {
        self.0.try_acquire().map_err(|_none_left| {
            let detail = "too many requests with an Idempotency-Key are waiting for the store; nothing was accepted, send this one again";
            Problem::unavailable(RETRY_AFTER, detail)
        })
    }
}

/// Who answers a request with a key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// This request; the message's id is that of the claim.
    Ours(Claim),
    /// An earlier one did: give its answer again.
    Replay(MessageId),
}

/// Claims a key for a request with this fingerprint, or takes a claim over that nobody is at any more.
pub(crate) async fn claim(
    keys: &(impl IdempotencyKeys + ?Sized),
    key: &RequestKey,
    fingerprint: [u8; 32],
) -> Result<Claimed, Problem> {
    loop {
        let since = Timestamp::now();
        let claim = Claim { fingerprint, message_id: MessageId::now(), since, state: ClaimState::InFlight };
        let Some(standing) = keys.claim(key, &claim).await? else { return Ok(Claimed::Ours(claim)) };
        match step(&standing, &fingerprint, since) {
            Step::Refuse(problem) => return Err(problem),
            Step::Replay(id) => return Ok(Claimed::Replay(id)),
            Step::TakeOver(message_id) => {
                let claim = Claim { message_id, ..claim };
                if keys.settle(key, &claim).await? {
                    return Ok(Claimed::Ours(claim));
                }
                // Its maker was slow and not dead, and has given the key back meanwhile.
            }
        }
    }
}

/// What a standing claim means for a request with the same key.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// It was accepted: give the first answer again.
    Replay(MessageId),
    /// Its maker gave it up or died over it. Go on with the same message id: should the record be in Kafka
    /// already, the router writes the same rows again and makes the same deliveries, and the
    /// ledger skips those that were sent.
    TakeOver(MessageId),
    /// It is refused.
    Refuse(Problem),
}

/// The value of the header, if there is one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if visible && (1..=LONGEST_KEY).contains(&text.len()) => Ok(Some(text.to_owned())),
        _ => Err(Problem::field("Idempotency-Key", "Idempotency-Key must be 1 to 255 visible ASCII characters")),
    }
}

fn step(standing: &Claim, fingerprint: &[u8; 32], now: Timestamp) -> Step {
    if standing.fingerprint != *fingerprint {
        let detail = "the first request with this Idempotency-Key had another body; use a new key for a new message";
        return Step::Refuse(Problem::new(Kind::KeyReused, detail));
    }
    let age = now.duration_since(standing.since).as_secs();
    match standing.state {
        ClaimState::Accepted => Step::Replay(standing.message_id),
        ClaimState::Unknown => Step::TakeOver(standing.message_id),
        ClaimState::InFlight if age >= DEAD_AFTER => Step::TakeOver(standing.message_id),
        ClaimState::InFlight => {
            let detail = "the first request with this Idempotency-Key is still at work; ask again";
            let wait = u64::try_from(DEAD_AFTER - age).unwrap_or(1).clamp(1, DEAD_AFTER as u64);
            Step::Refuse(Problem::new(Kind::KeyInFlight, detail).retry_after(wait))
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use axum::http::HeaderValue;
    use chat4all_store::Memory;
    use jiff::SignedDuration;
    use rstest::rstest;

    use super::*;

    fn claim(state: ClaimState) -> Claim {
        Claim { fingerprint: [1; 32], message_id: MessageId::now(), since: Timestamp::UNIX_EPOCH, state }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn an_accepted_request_is_replayed_for_as_long_as_it_is_remembered() {
        let claim = claim(ClaimState::Accepted);
        assert_eq!(step(&claim, &[1; 32], at(80_000)), Step::Replay(claim.message_id));
    }

    #[rstest]
    #[case(ClaimState::Accepted)]
    #[case(ClaimState::InFlight)]
    #[case(ClaimState::Unknown)]
    fn another_body_is_refused_whatever_became_of_the_first(#[case] state: ClaimState) {
        let Step::Refuse(problem) = step(&claim(state), &[2; 32], at(100)) else { panic!() };
        assert_eq!(problem.kind, Kind::KeyReused);
    }

    #[test]
    fn a_claim_in_flight_is_left_alone_until_its_maker_must_be_dead() {
        let claim = claim(ClaimState::InFlight);
        for now in [-5, 0, DEAD_AFTER - 1] {
            let Step::Refuse(problem) = step(&claim, &[1; 32], at(now)) else { panic!("at {now}") };
            assert_eq!(problem.kind, Kind::KeyInFlight);
        }
        assert_eq!(step(&claim, &[1; 32], at(DEAD_AFTER)), Step::TakeOver(claim.message_id));
    }

    #[test]
    fn a_claim_that_its_maker_gave_up_is_taken_over_at_once() {
        let claim = claim(ClaimState::Unknown);
        assert_eq!(step(&claim, &[1; 32], at(0)), Step::TakeOver(claim.message_id));
    }

    /// The maker of the standing claim gives the key back as soon as somebody has seen the claim.
    struct GivenBack(Memory);

    #[async_trait]
    impl IdempotencyKeys for GivenBack {
        async fn claim(&self, key: &RequestKey, claim: &Claim) -> chat4all_store::Result<Option<Claim>> {
            let standing = self.0.claim(key, claim).await?;
            if let Some(standing) = &standing {
                self.0.withdraw(key, standing).await?;
            }
            Ok(standing)
        }
        async fn settle(&self, key: &RequestKey, claim: &Claim) -> chat4all_store::Result<bool> {
            self.0.settle(key, claim).await
        }
        async fn give_up(&self, key: &RequestKey, claim: &Claim) -> chat4all_store::Result<()> {
            self.0.give_up(key, claim).await
        }
        async fn withdraw(&self, key: &RequestKey, claim: &Claim) -> chat4all_store::Result<()> {
            self.0.withdraw(key, claim).await
        }
    }

    #[tokio::test]
    async fn a_claim_that_is_given_back_while_it_is_taken_over_leaves_one_that_stands() {
        let (keys, key) = (GivenBack(Memory::new()), RequestKey { user: "ana".into(), key: "k1".into() });
        let slow = Claim { since: at(0), ..claim(ClaimState::InFlight) };
        assert_eq!(keys.0.claim(&key, &slow).await.unwrap(), None);
        let Claimed::Ours(ours) = super::claim(&keys, &key, [1; 32]).await.unwrap() else { panic!("replayed") };
        assert_ne!(ours.message_id, slow.message_id, "the first request was told that nothing came of it");
        let another = claim(ClaimState::InFlight);
        let standing = keys.0.claim(&key, &another).await.unwrap().unwrap();
        assert_eq!(standing.message_id, ours.message_id, "a repetition finds it");
    }

    #[rstest]
    #[case("")]
    #[case("two words")]
    #[case("tab\there")]
    #[case("ação")]
    fn a_key_of_other_characters_is_refused(#[case] text: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(text.as_bytes()).unwrap());
        assert!(key(&headers).is_err());
    }

    #[test]
    fn a_key_has_at_most_255_characters() {
        let headers = |n| HeaderMap::from_iter([(HEADER.parse().unwrap(), "k".repeat(n).parse().unwrap())]);
        assert!(key(&headers(255)).unwrap().is_some());
        assert!(key(&headers(256)).is_err());
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
    }
}
