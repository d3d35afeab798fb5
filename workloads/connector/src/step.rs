//! What to do next with a delivery, by what the ledger says. Pure.

use chat4all_message::Effort;
use chat4all_store::{Attempt, LedgerEntry, Outcome};
use jiff::Timestamp;

use crate::policy::OnUnknownOutcome;

/// The next step of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Call the provider, not before `at`. `effort` is what was spent so far.
    Call { at: Timestamp, effort: Effort },
    /// A call was begun and its answer is not known; nothing more will be done.
    HoldBack { effort: Effort },
    /// It was done at `at`; tell of it (again).
    TellSent { at: Timestamp, provider_id: Option<String>, effort: Effort },
    /// It was given up at `at`; tell of it (again).
    TellFailed { at: Timestamp, code: String, reason: String, effort: Effort },
}

/// The next step for this entry. A call without an answer counts as an attempt: else a delivery over
/// which the process dies would be sent again with every restart. What was given up is tried anew by a record
/// with more replays than the entry knows, once for each replay: handled again, the entry knows it.
pub(crate) fn next(entry: Option<&LedgerEntry>, replays: u32, on_unknown: OnUnknownOutcome, max_attempts: u32) -> Step {
    let Some(LedgerEntry { effort, attempt, replays: known }) = entry.cloned() else {
        return Step::Call { at: Timestamp::MIN, effort: Effort::default() };
    };
    match attempt {
        Attempt::Attempting { .. } => {
            let effort = Effort { unknown_outcomes: effort.unknown_outcomes + 1, ..effort };
            match on_unknown {
                OnUnknownOutcome::Resend if effort.attempts < max_attempts => Step::Call { at: Timestamp::MIN, effort },
                OnUnknownOutcome::Resend | OnUnknownOutcome::Hold => Step::HoldBack { effort },
            }
        }
        Attempt::Ended { at, outcome } => match outcome {
            Outcome::Sent { provider_id } => Step::TellSent { at, provider_id, effort },
            Outcome::Failed { .. } if replays > known => {
                // Attempts begin at zero; a call whose answer never came may still have reached somebody.
                Step::Call { at: Timestamp::MIN, effort: Effort { attempts: 0, ..effort } }
            }
            Outcome::Failed { code, reason } => Step::TellFailed { at, code, reason, effort },
            Outcome::Retry { not_before, .. } => Step::Call { at: not_before, effort },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(entry: Option<&LedgerEntry>, on_unknown: OnUnknownOutcome) -> Step {
        super::next(entry, 0, on_unknown, 2)
    }

    const ONE: Effort = Effort { attempts: 1, unknown_outcomes: 0 };

    fn entry(attempt: Attempt) -> Option<LedgerEntry> {
        Some(LedgerEntry { effort: ONE, attempt, replays: 0 })
    }

    fn ended(outcome: Outcome) -> Option<LedgerEntry> {
        entry(Attempt::Ended { at: Timestamp::UNIX_EPOCH, outcome })
    }

    #[test]
    fn a_delivery_without_an_entry_is_called_at_once() {
        assert!(matches!(next(None, OnUnknownOutcome::Resend), Step::Call { effort: Effort { attempts: 0, .. }, .. }));
    }

    #[test]
    fn a_redelivered_record_with_an_outcome_is_not_sent_again() {
        let sent = ended(Outcome::Sent { provider_id: Some("wamid.1".into()) });
        assert!(matches!(next(sent.as_ref(), OnUnknownOutcome::Resend), Step::TellSent { .. }));
        let failed = ended(Outcome::Failed { code: "100".into(), reason: "bad".into() });
        assert!(matches!(next(failed.as_ref(), OnUnknownOutcome::Resend), Step::TellFailed { .. }));
    }

    #[test]
    fn an_attempt_without_an_outcome_is_counted_as_unknown_and_handled_by_policy() {
        let begun = entry(Attempt::Attempting { since: Timestamp::UNIX_EPOCH });
        let counted = Effort { attempts: 1, unknown_outcomes: 1 };
        assert_eq!(next(begun.as_ref(), OnUnknownOutcome::Resend), Step::Call { at: Timestamp::MIN, effort: counted });
        assert_eq!(next(begun.as_ref(), OnUnknownOutcome::Hold), Step::HoldBack { effort: counted });
    }

    #[test]
    fn the_last_attempt_without_an_outcome_is_not_followed_by_another() {
        let effort = Effort { attempts: 2, unknown_outcomes: 1 };
        let begun = LedgerEntry { effort, attempt: Attempt::Attempting { since: Timestamp::UNIX_EPOCH }, replays: 0 };
        let effort = Effort { attempts: 2, unknown_outcomes: 2 };
        assert_eq!(next(Some(&begun), OnUnknownOutcome::Resend), Step::HoldBack { effort });
    }

    #[test]
    fn a_retry_waits_for_its_time_also_after_a_restart() {
        let at = Timestamp::from_second(60).unwrap();
        let retry = ended(Outcome::Retry { not_before: at, code: "2".into(), reason: "away".into() });
        assert_eq!(next(retry.as_ref(), OnUnknownOutcome::Hold), Step::Call { at, effort: ONE });
    }

    #[test]
    fn a_replay_tries_what_failed_anew_and_once() {
        let failed = || Outcome::Failed { code: "100".into(), reason: "bad".into() };
        let effort = Effort { attempts: 2, unknown_outcomes: 1 };
        let entry = |outcome, replays| LedgerEntry {
            effort,
            attempt: Attempt::Ended { at: Timestamp::UNIX_EPOCH, outcome },
            replays,
        };
        let next = |entry, replays| super::next(Some(&entry), replays, OnUnknownOutcome::Resend, 2);
        let anew = Effort { attempts: 0, unknown_outcomes: 1 };
        assert_eq!(next(entry(failed(), 0), 1), Step::Call { at: Timestamp::MIN, effort: anew });
        assert!(matches!(next(entry(failed(), 1), 1), Step::TellFailed { .. }), "the replay itself, handled again");
        assert!(matches!(next(entry(failed(), 1), 0), Step::TellFailed { .. }), "the record before it, handled late");
        let sent = Outcome::Sent { provider_id: None };
        assert!(matches!(next(entry(sent, 0), 1), Step::TellSent { .. }), "what was sent is not sent again");
    }
}
