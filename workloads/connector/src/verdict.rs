//! What an answer comes to: for the ledger, for the account and for the recipient. Pure.

use std::time::Duration;

use chat4all_channels::{Answer, Kind, Refusal, Retry, Scope, Wait};
use chat4all_message::Effort;
use chat4all_store::Outcome;
use jiff::Timestamp;

use crate::breaker::Health;
use crate::policy::{OnUnknownOutcome, RetryPolicy};

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// For the ledger; `None` where the attempt stays open there, since nobody knows its outcome.
    pub(crate) outcome: Option<Outcome>,
    /// For the ledger: what was spent, this call included unless it is not counted.
    pub(crate) effort: Effort,
    /// For the breaker.
    pub(crate) health: Health,
    /// For the account: stay away for so long.
    pub(crate) pause: Option<Wait>,
    /// Whether this recipient alone was throttled.
    pub(crate) recipient_throttled: bool,
}

/// How long the account rests before one call tries whether somebody mended it.
const MENDING: Wait = Wait::of(Duration::from_secs(60));

/// How long a suspended account rests: each try costs the message that makes it.
const SUSPENDED: Wait = Wait::of(Duration::from_secs(15 * 60));

/// Calls with an uploaded file, after those by link.
const CALLS_BY_ID: u32 = 2;

/// The code of a delivery that was refused because its recipient has another address.
const MOVED: &str = "chat4all:moved";

/// What surrounds a call.
pub(crate) struct Call<'a> {
    /// What was spent before it.
    pub(crate) before: Effort,
    /// Refusals in a row for this recipient alone, before it.
    pub(crate) recipient_refusals: u32,
    pub(crate) retry: &'a RetryPolicy,
    pub(crate) on_unknown: OnUnknownOutcome,
    /// Whether a file whose link is refused can be uploaded.
    pub(crate) can_upload: bool,
    pub(crate) now: Timestamp,
    /// In 0..1.
    pub(crate) jitter: f64,
    /// Whether the message was sent; else its file could not be had.
    pub(crate) was_sent: bool,
    /// Whether a provider that fails uses up no attempt: nobody knows whether it is the message's fault.
    pub(crate) excused: bool,
}

/// Judges the answer to a call.
pub(crate) fn judge(answer: Answer, call: &Call<'_>) -> Verdict {
    let counted = Effort { attempts: call.before.attempts + 1, ..call.before };
    let refusal = match answer {
        Answer::Accepted { provider_id, .. } => {
            let outcome = Some(Outcome::Sent { provider_id });
            return Verdict { outcome, effort: counted, health: Health::Well, pause: None, recipient_throttled: false };
        }
        Answer::Moved { to } => {
            // At once, to where the recipient is now; counted, so that nothing goes round in circles.
            let refusal = Refusal::new(Kind::Unavailable, MOVED, format!("the recipient is {to} now"));
            let most = call.retry.max_attempts.max(2);
            let outcome =
                if counted.attempts >= most { failed(&refusal) } else { again(&refusal, Duration::ZERO, call.now) };
            let outcome = Some(outcome);
            return Verdict { outcome, effort: counted, health: Health::Well, pause: None, recipient_throttled: false };
        }
        Answer::Refused(refusal) => refusal,
    };
    // A call that the provider may have carried out is never free: it would be made again without end.
    let excused = call.excused && refusal.counts_for_breaker() && refusal.retry() != Retry::ByPolicy;
    let spent = if excused { call.before } else { counted };
    let at_most = |most: u32| if excused { u32::MAX } else { most.min(call.retry.max_attempts) };
    let (outcome, effort) = match refusal.retry() {
        // Counted as unknown when it is found open in the ledger.
        Retry::ByPolicy if call.on_unknown == OnUnknownOutcome::Hold => (None, counted),
        Retry::No => (Some(failed(&refusal)), counted),
        Retry::Backoff => (Some(again_or_failed(&refusal, spent.attempts, at_most(u32::MAX), call)), spent),
        Retry::AtMost(most) => {
            let uploads = call.can_upload && refusal.kind() == Kind::MediaNotTaken;
            let most = if uploads { most + CALLS_BY_ID } else { most };
            (Some(again_or_failed(&refusal, spent.attempts, at_most(most), call)), spent)
        }
        Retry::After(wait) if refusal.scope() == Some(Scope::Recipient) => {
            (Some(again(&refusal, wait.after(call.recipient_refusals), call.now)), call.before)
        }
        Retry::Later(wait) if counted.attempts < call.retry.max_attempts => {
            (Some(again(&refusal, wait.after(call.recipient_refusals), call.now)), counted)
        }
        Retry::Later(_) => (Some(failed(&refusal)), counted),
        // The account's pause says when; the refused attempt is not counted.
        Retry::After(_) | Retry::WhenMended => (Some(again(&refusal, Duration::ZERO, call.now)), call.before),
        Retry::ByPolicy => {
            let effort = Effort { unknown_outcomes: counted.unknown_outcomes + 1, ..counted };
            (Some(again_or_failed(&refusal, effort.attempts, at_most(u32::MAX), call)), effort)
        }
    };
    let pause = if refusal.pauses_the_account() {
        Some(if refusal.retry() == Retry::No { SUSPENDED } else { MENDING })
    } else if let (Retry::After(wait), Some(Scope::App | Scope::Account)) = (refusal.retry(), refusal.scope()) {
        Some(wait)
    } else {
        None
    };
    let health = match refusal.retry() {
        Retry::ByPolicy if refusal.counts_for_breaker() => Health::Silent,
        _ if refusal.counts_for_breaker() => Health::Unwell,
        // It works, and wants less of us or another account: no sign of either.
        Retry::After(_) | Retry::Later(_) | Retry::WhenMended => Health::NoSign,
        // Why a file cannot be fetched says nothing about who was not asked.
        _ if !call.was_sent => Health::NoSign,
        _ => Health::Well,
    };
    Verdict { outcome, effort, health, pause, recipient_throttled: refusal.scope() == Some(Scope::Recipient) }
}

fn failed(refusal: &Refusal) -> Outcome {
    Outcome::Failed { code: refusal.code().to_owned(), reason: refusal.reason().to_owned() }
}

fn again(refusal: &Refusal, pause: Duration, now: Timestamp) -> Outcome {
    let not_before = now.checked_add(pause).unwrap_or(Timestamp::MAX);
    Outcome::Retry { not_before, code: refusal.code().to_owned(), reason: refusal.reason().to_owned() }
}

fn again_or_failed(refusal: &Refusal, attempts: u32, most: u32, call: &Call<'_>) -> Outcome {
    if attempts >= most { failed(refusal) } else { again(refusal, call.retry.backoff(attempts, call.jitter), call.now) }
}

#[cfg(test)]
mod tests {
    use chat4all_channels::Cause;
    use rstest::rstest;

    use super::*;

    fn call<'a>(attempts: u32, retry: &'a RetryPolicy, on_unknown: OnUnknownOutcome) -> Call<'a> {
        Call {
            before: Effort { attempts, unknown_outcomes: 0 },
            recipient_refusals: 0,
            retry,
            on_unknown,
            can_upload: false,
            now: Timestamp::UNIX_EPOCH,
            jitter: 0.0,
            was_sent: true,
            excused: false,
        }
    }

    fn refused(kind: Kind, attempts: u32) -> Verdict {
        judge(
            Answer::Refused(Refusal::new(kind, "7", "why")),
            &call(attempts, &RetryPolicy::default(), OnUnknownOutcome::Resend),
        )
    }

    fn not_before(verdict: &Verdict) -> i64 {
        match &verdict.outcome {
            Some(Outcome::Retry { not_before, .. }) => not_before.as_second(),
            other => panic!("no retry: {other:?}"),
        }
    }

    #[test]
    fn an_accepted_message_is_sent_and_the_provider_is_well() {
        let answer = Answer::Accepted { provider_id: Some("wamid.1".into()), aliases: Vec::new() };
        let verdict = judge(answer, &call(0, &RetryPolicy::default(), OnUnknownOutcome::Resend));
        assert_eq!(verdict.outcome, Some(Outcome::Sent { provider_id: Some("wamid.1".into()) }));
        assert_eq!((verdict.effort.attempts, verdict.health), (1, Health::Well));
    }

    #[test]
    fn a_message_to_who_moved_is_sent_again_at_once_and_not_for_ever() {
        let moved = |attempts| {
            let answer = Answer::Moved { to: "telegram:-10099".parse().unwrap() };
            judge(answer, &call(attempts, &RetryPolicy::default(), OnUnknownOutcome::Resend))
        };
        let verdict = moved(0);
        assert_eq!((not_before(&verdict), verdict.effort.attempts, verdict.health), (0, 1, Health::Well));
        assert!(matches!(moved(5).outcome, Some(Outcome::Failed { .. })));
    }

    #[rstest]
    #[case(0, 1)]
    #[case(1, 2)]
    #[case(2, 4)]
    #[case(3, 8)]
    #[case(4, 16)]
    fn an_unavailable_provider_is_tried_again_after_1_2_4_8_16_seconds(#[case] attempts: u32, #[case] seconds: i64) {
        let verdict = refused(Kind::Unavailable, attempts);
        assert_eq!((not_before(&verdict), verdict.health), (seconds, Health::Unwell));
    }

    #[test]
    fn the_last_attempt_fails_with_the_providers_code() {
        let failed = Some(Outcome::Failed { code: "7".into(), reason: "why".into() });
        assert_eq!(refused(Kind::Unavailable, 5).outcome, failed);
        assert_eq!(refused(Kind::Unexplained, 2).outcome, failed);
        assert_eq!(refused(Kind::Permanent(Cause::BadRequest), 0).outcome, failed);
    }

    #[test]
    fn a_file_that_is_not_taken_by_link_gets_two_more_calls_where_it_can_be_uploaded() {
        let refused = |attempts, can_upload| {
            let retry = RetryPolicy::default();
            let call = Call { can_upload, ..call(attempts, &retry, OnUnknownOutcome::Resend) };
            judge(Answer::Refused(Refusal::new(Kind::MediaNotTaken, "131053", "media")), &call).outcome
        };
        assert!(matches!(refused(1, false), Some(Outcome::Failed { .. })));
        assert!(matches!(refused(2, true), Some(Outcome::Retry { .. })));
        assert!(matches!(refused(3, true), Some(Outcome::Failed { .. })));
    }

    #[test]
    fn a_file_that_cannot_be_had_does_not_say_that_the_provider_works() {
        let retry = RetryPolicy::default();
        let health = |kind, was_sent| {
            let call = Call { was_sent, ..call(1, &retry, OnUnknownOutcome::Resend) };
            judge(Answer::Refused(Refusal::new(kind, "7", "why")), &call).health
        };
        for kind in [Kind::MediaNotTaken, Kind::Permanent(Cause::BadRequest)] {
            assert_eq!((health(kind, true), health(kind, false)), (Health::Well, Health::NoSign), "{kind:?}");
        }
        assert_eq!(health(Kind::Unavailable, false), Health::Unwell, "an upload that it did not take does");
    }

    #[test]
    fn a_provider_that_fails_in_an_excused_call_uses_up_no_attempt_and_other_refusals_do() {
        let retry = RetryPolicy::default();
        let excused = |kind| {
            let call = Call { excused: true, ..call(5, &retry, OnUnknownOutcome::Resend) };
            judge(Answer::Refused(Refusal::new(kind, "7", "why")), &call)
        };
        for kind in [Kind::Unavailable, Kind::Unexplained] {
            let verdict = excused(kind);
            assert!(matches!(verdict.outcome, Some(Outcome::Retry { .. })), "{kind:?}");
            assert_eq!((verdict.effort.attempts, verdict.health), (5, Health::Unwell));
        }
        assert_eq!(excused(Kind::Permanent(Cause::BadRequest)).effort.attempts, 6);
    }

    #[test]
    fn an_excused_call_that_the_provider_may_have_carried_out_is_counted() {
        let retry = RetryPolicy::default();
        let call = Call { excused: true, ..call(5, &retry, OnUnknownOutcome::Resend) };
        let verdict = judge(Answer::Refused(Refusal::new(Kind::OutcomeUnknown, "7", "no answer")), &call);
        assert!(matches!(verdict.outcome, Some(Outcome::Failed { .. })), "it is not made again without end");
        assert_eq!(verdict.effort, Effort { attempts: 6, unknown_outcomes: 1 });
    }

    #[test]
    fn a_throttle_uses_up_no_attempt_and_does_not_count_for_the_breaker() {
        let wait = Wait::of(Duration::from_secs(7));
        for scope in [Scope::App, Scope::Account] {
            let verdict = refused(Kind::Throttled { scope, wait }, 4);
            assert_eq!((verdict.effort.attempts, verdict.health, verdict.pause), (4, Health::NoSign, Some(wait)));
        }
    }

    #[test]
    fn a_pair_refusal_delays_that_recipient_alone_by_4_to_the_x_seconds() {
        let wait = Wait::growing(Duration::from_secs(1), 4, Duration::from_secs(3600));
        let refusal = Refusal::new(Kind::Throttled { scope: Scope::Recipient, wait }, "131056", "pair rate");
        for (refusals, seconds) in [(0, 1), (1, 4), (2, 16)] {
            let retry = RetryPolicy::default();
            let call = Call { recipient_refusals: refusals, ..call(0, &retry, OnUnknownOutcome::Resend) };
            let verdict = judge(Answer::Refused(refusal.clone()), &call);
            assert_eq!((not_before(&verdict), verdict.pause, verdict.effort.attempts), (seconds, None, 0));
        }
    }

    #[test]
    fn an_endpoint_that_is_always_busy_is_given_up_after_the_last_attempt() {
        let wait = Wait::growing(Duration::from_secs(1), 4, Duration::from_secs(300));
        let (retry, refusal) = (RetryPolicy::default(), Refusal::new(Kind::Busy { wait }, "chat4all:http-429", "busy"));
        let at = |attempts, recipient_refusals| {
            let call = Call { recipient_refusals, ..call(attempts, &retry, OnUnknownOutcome::Resend) };
            judge(Answer::Refused(refusal.clone()), &call)
        };
        let pauses: Vec<i64> = (0..5).map(|n| not_before(&at(n, n))).collect();
        assert_eq!(pauses, [1, 4, 16, 64, 256]);
        assert_eq!((at(0, 0).effort.attempts, at(0, 0).pause), (1, None));
        assert!(matches!(at(5, 5).outcome, Some(Outcome::Failed { .. })));
    }

    #[rstest]
    #[case(Kind::AccountDisconnected)]
    #[case(Kind::AccountNeedsAttention)]
    fn a_disconnected_account_pauses_and_keeps_the_message(#[case] kind: Kind) {
        let verdict = refused(kind, 4);
        assert!(matches!(verdict.outcome, Some(Outcome::Retry { .. })));
        assert_eq!((verdict.effort.attempts, verdict.pause), (4, Some(MENDING)));
    }

    #[test]
    fn an_unknown_outcome_is_counted_and_resent_or_left_open_by_policy() {
        let retry = RetryPolicy::default();
        let unknown = || Answer::Refused(Refusal::new(Kind::OutcomeUnknown, "chat4all:http-200", "no JSON"));
        let resent = judge(unknown(), &call(0, &retry, OnUnknownOutcome::Resend));
        assert!(matches!(resent.outcome, Some(Outcome::Retry { .. })));
        assert_eq!(resent.effort, Effort { attempts: 1, unknown_outcomes: 1 });
        let held = judge(unknown(), &call(0, &retry, OnUnknownOutcome::Hold));
        assert_eq!((&held.outcome, held.effort), (&None, Effort { attempts: 1, unknown_outcomes: 0 }));
        for verdict in [resent, held] {
            assert_eq!(verdict.health, Health::Silent);
        }
    }
}
