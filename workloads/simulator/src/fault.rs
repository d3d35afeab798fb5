//! Misbehaviour on demand: one fault at a time, for a while or for some requests.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How to misbehave, as `PUT /fault` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    /// Answer with this HTTP status, 200 to 599. With neither status nor code the answer is the usual one.
    pub(crate) status: Option<u16>,
    /// Answer with the provider's error object of this code; without it, with a page that is no JSON.
    pub(crate) code: Option<i64>,
    /// With a code of the Graph API: its subcode.
    pub(crate) subcode: Option<i64>,
    /// With a code: `Retry-After` in seconds, where the provider says such a thing.
    pub(crate) retry_after: Option<u64>,
    /// With Telegram's code 400: the group has this id now.
    pub(crate) migrate_to_chat_id: Option<i64>,
    /// Answer after so many milliseconds.
    #[serde(default)]
    pub(crate) delay_millis: u64,
    /// Reset the connection instead of answering.
    #[serde(default)]
    pub(crate) drop_answer: bool,
    /// Take the message (if it is right) although the answer refuses it or never comes.
    #[serde(default)]
    pub(crate) accept: bool,
    /// Only for requests to this recipient, as the request names it.
    pub(crate) to: Option<String>,
    /// Until so many seconds have passed.
    pub(crate) for_seconds: Option<u64>,
    /// For so many requests.
    pub(crate) times: Option<u64>,
}

/// A fault that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Senseless {
    #[error("status {0} is no final HTTP status; give one from 200 to 599")]
    Status(u16),
    #[error("{0} is 0; give at least 1, or DELETE /fault to end a fault")]
    Zero(&'static str),
    #[error("delayMillis {0} is more than an hour (3600000)")]
    Delay(u64),
    #[error("this fault changes nothing; set status, code, delayMillis or dropAnswer")]
    Nothing,
}

impl Fault {
    pub(crate) fn check(&self) -> Result<(), Senseless> {
        match self {
            Fault { status: Some(status), .. } if !(200..600).contains(status) => Err(Senseless::Status(*status)),
            Fault { for_seconds: Some(0), .. } => Err(Senseless::Zero("forSeconds")),
            Fault { times: Some(0), .. } => Err(Senseless::Zero("times")),
            Fault { delay_millis, .. } if *delay_millis > 3_600_000 => Err(Senseless::Delay(*delay_millis)),
            Fault { status: None, code: None, delay_millis: 0, drop_answer: false, .. } => Err(Senseless::Nothing),
            _ => Ok(()),
        }
    }

    /// Whether the answer says something other than usual.
    pub(crate) fn refuses(&self) -> bool {
        self.status.is_some() || self.code.is_some()
    }

    /// Whether a message that keeps the contract counts as accepted all the same.
    pub(crate) fn takes(&self) -> bool {
        self.accept || !(self.refuses() || self.drop_answer)
    }
}

/// The fault that stands, if any.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Option<Standing>>);

#[derive(Debug)]
struct Standing {
    fault: Fault,
    until: Option<Instant>,
    left: Option<u64>,
}

impl Faults {
    pub(crate) fn set(&self, fault: Fault, now: Instant) {
        let until = fault.for_seconds.and_then(|seconds| now.checked_add(Duration::from_secs(seconds)));
        let left = fault.times;
        *self.lock() = Some(Standing { fault, until, left });
    }

    pub(crate) fn clear(&self) {
        *self.lock() = None;
    }

    /// The fault for a request to this recipient that arrives now; counts it.
    pub(crate) fn strike(&self, now: Instant, to: Option<&str>) -> Option<Fault> {
        let mut standing = self.lock();
        let current = standing.as_mut().filter(|s| s.is_on(now) && s.is_for(to))?;
        if let Some(left) = &mut current.left {
            *left -= 1;
        }
        Some(current.fault.clone())
    }

    /// The fault as it stands now, with what is left of its time and number.
    pub(crate) fn current(&self, now: Instant) -> Option<Fault> {
        let standing = self.lock();
        let current = standing.as_ref().filter(|s| s.is_on(now))?;
        let remaining = current.until.map(|until| until.saturating_duration_since(now));
        Some(Fault {
            for_seconds: remaining.map(|remaining| remaining.as_secs_f64().ceil() as u64),
            times: current.left,
            ..current.fault.clone()
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn is_for(&self, to: Option<&str>) -> bool {
        self.fault.to.is_none() || self.fault.to.as_deref() == to
    }

    fn is_on(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until) && self.left != Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_fault_for_two_requests_strikes_twice() {
        let faults = Faults::default();
        let now = Instant::now();
        faults.set(fault(r#"{"status":503,"times":2}"#), now);
        assert!(faults.strike(now, None).is_some());
        assert_eq!(faults.current(now).unwrap().times, Some(1));
        assert!(faults.strike(now, None).is_some());
        assert_eq!(faults.strike(now, None), None);
        assert_eq!(faults.current(now), None);
    }

    #[test]
    fn a_fault_for_one_recipient_strikes_nobody_else() {
        let (faults, now) = (Faults::default(), Instant::now());
        faults.set(fault(r#"{"status":503,"to":"5562998765432","times":1}"#), now);
        assert_eq!(faults.strike(now, Some("5562998765433")), None);
        assert!(faults.strike(now, Some("5562998765432")).is_some());
        assert_eq!(faults.strike(now, Some("5562998765432")), None);
    }

    #[test]
    fn a_fault_for_a_while_ends_with_it() {
        let faults = Faults::default();
        let now = Instant::now();
        faults.set(fault(r#"{"status":503,"forSeconds":30}"#), now);
        assert!(faults.strike(now + Duration::from_secs(29), None).is_some());
        assert_eq!(faults.current(now + Duration::from_secs(20)).unwrap().for_seconds, Some(10));
        assert_eq!(faults.strike(now + Duration::from_secs(30), None), None);
    }

    #[test]
    fn a_fault_without_an_end_stands_until_it_is_cleared() {
        let faults = Faults::default();
        let now = Instant::now();
        faults.set(fault(r#"{"dropAnswer":true}"#), now);
        assert!(faults.strike(now + Duration::from_secs(86400), None).is_some());
        faults.clear();
        assert_eq!(faults.strike(now, None), None);
    }

    #[test]
    fn a_fault_that_makes_no_sense_says_why() {
        for (json, says) in [
            (r#"{"status":99}"#, "200 to 599"),
            (r#"{"status":600}"#, "200 to 599"),
            (r#"{"status":503,"times":0}"#, "times is 0"),
            (r#"{"status":503,"forSeconds":0}"#, "forSeconds is 0"),
            (r#"{"delayMillis":3600001}"#, "hour"),
            ("{}", "changes nothing"),
            (r#"{"accept":true}"#, "changes nothing"),
        ] {
            assert!(fault(json).check().unwrap_err().to_string().contains(says), "{json}");
        }
        assert!(serde_json::from_str::<Fault>(r#"{"stauts":503}"#).is_err());
    }
}
