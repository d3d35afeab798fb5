//! When the schema is ready, and what to do about its migration. Pure: a Job and the time in, a step
//! out. Knows no client; the Job itself is built in [`crate::build`].

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::build::ATTEMPT;

/// Wait after the first failed attempt; doubled after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait. A store that comes back is used within a minute.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What to do now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Step {
    /// Create the Job; this many attempts failed before.
    Start {
        /// Failed attempts before this one.
        attempt: u32,
    },
    /// It runs; look again when it changes.
    Running {
        /// Failed attempts before this one.
        attempt: u32,
    },
    /// The last attempt failed; wait this long for the next one.
    Wait {
        /// How long.
        remaining: Duration,
        /// Why it failed.
        failure: String,
    },
    /// The last attempt failed long enough ago: delete the Job and create it anew.
    Replace {
        /// Failed attempts so far.
        attempt: u32,
        /// Why the last one failed.
        failure: String,
    },
    /// Done; the workloads may be applied.
    Done,
}

/// Decides by the Job that there is, if any.
pub fn next(job: Option<&Job>, now: Timestamp) -> Step {
    let Some(job) = job else { return Step::Start { attempt: 0 } };
    if condition(job, "Complete").is_some() {
        return Step::Done;
    }
    let Some(failed) = condition(job, "Failed") else { return Step::Running { attempt: attempt_of(job) } };
    let attempt = attempt_of(job) + 1;
    let failure = failed.message.clone().or_else(|| failed.reason.clone()).unwrap_or_default();
    let failed_at = failed.last_transition_time.as_ref().map_or(now, |time| time.0);
    let since = Duration::try_from(now.duration_since(failed_at).max(SignedDuration::ZERO)).unwrap_or_default();
    match wait_after(attempt).checked_sub(since) {
        Some(remaining) if !remaining.is_zero() => Step::Wait { remaining, failure },
        _ => Step::Replace { attempt, failure },
    }
}

fn wait_after(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_WAIT)
}

fn attempt_of(job: &Job) -> u32 {
    let annotations = job.metadata.annotations.as_ref();
    annotations.and_then(|a| a.get(ATTEMPT)).and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn condition<'a>(job: &'a Job, type_: &str) -> Option<&'a k8s_openapi::api::batch::v1::JobCondition> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(yaml: &str) -> Job {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn failed(attempt: u32) -> Job {
        job(&format!(
            "metadata: {{annotations: {{chat4all.io/attempt: '{attempt}'}}}}
status:
  conditions:
  - {{type: Failed, status: 'True', reason: BackoffLimitExceeded, message: Job has reached the specified backoff limit, lastTransitionTime: '2026-01-01T00:00:00Z'}}"
        ))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_migration_that_was_never_run_is_started() {
        assert_eq!(next(None, at("2026-01-01T00:00:00Z")), Step::Start { attempt: 0 });
    }

    #[test]
    fn a_migration_without_an_end_is_running() {
        let running = job("status: {active: 1}");
        assert_eq!(next(Some(&running), at("2026-01-01T00:00:00Z")), Step::Running { attempt: 0 });
    }

    #[test]
    fn a_completed_migration_is_done() {
        let complete = job("status: {conditions: [{type: Complete, status: 'True'}]}");
        assert_eq!(next(Some(&complete), at("2026-01-01T00:00:00Z")), Step::Done);
    }

    #[test]
    fn a_failed_migration_is_replaced_after_a_wait_that_grows_to_a_minute() {
        let failure = "Job has reached the specified backoff limit".to_owned();
        let wait = |seconds| Step::Wait { remaining: Duration::from_secs(seconds), failure: failure.clone() };
        assert_eq!(next(Some(&failed(0)), at("2026-01-01T00:00:01Z")), wait(4));
        assert_eq!(
            next(Some(&failed(0)), at("2026-01-01T00:00:05Z")),
            Step::Replace { attempt: 1, failure: failure.clone() }
        );
        assert_eq!(next(Some(&failed(1)), at("2026-01-01T00:00:05Z")), wait(5));
        assert_eq!(next(Some(&failed(40)), at("2026-01-01T00:00:00Z")), wait(60));
    }

    #[test]
    fn a_clock_behind_the_api_servers_does_not_confuse_it() {
        assert!(matches!(next(Some(&failed(0)), at("2025-12-31T23:59:00Z")), Step::Wait { .. }));
    }
}
