//! What the operator says of a decision in its event. Pure.

use crate::kube::Event;
use crate::need::Work;

/// The reason of the event.
pub const REASON: &str = "ScaledRouters";

/// A change of the count, with the inputs that the operator tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The count before.
    pub from: u32,
    /// The count that was set.
    pub to: u32,
    /// Arrival, capacity and backlog.
    pub work: Work,
    /// Routers that the work needs, before rounding.
    pub need: f64,
}

/// The event is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event does not say {missing:?} followed by a number: {line}")]
pub struct Unclear {
    missing: &'static str,
    line: String,
}

/// The changes among these events, oldest first.
pub fn changes(events: &[Event]) -> impl DoubleEndedIterator<Item = &Event> {
    events.iter().filter(|event| event.reason == REASON)
}

/// Reads the line of an event.
pub fn told(line: &str) -> Result<Told, Unclear> {
    let number = |missing: &'static str| {
        let digits = line.split_once(missing).map(|(_, rest)| rest);
        let digits =
            digits.map(|rest| rest.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default());
        digits.and_then(|digits| digits.parse::<f64>().ok()).ok_or_else(|| Unclear { missing, line: line.to_owned() })
    };
    Ok(Told {
        from: whole(number("routers ")?),
        to: whole(number("-> ")?),
        work: Work { arrival: number("arrival ")?, capacity: number("capacity ")?, backlog: number("backlog ")? },
        need: number("need ")?,
    })
}

/// Counts of pods are small and whole.
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inputs_of_a_decision_are_read_from_its_line() {
        let line = "routers 1 -> 6: arrival 850/s, capacity 200/s per busy replica, backlog 42000 records, need 5.4 replicas at 70 % utilization and 120 s to drain, 12 partitions";
        let work = Work { arrival: 850.0, capacity: 200.0, backlog: 42_000.0 };
        assert_eq!(told(line), Ok(Told { from: 1, to: 6, work, need: 5.4 }));
    }

    #[test]
    fn an_input_that_is_missing_is_named() {
        let unclear = told("routers 1 -> 6: arrival unknown, capacity unknown per busy replica").unwrap_err();
        assert!(unclear.to_string().contains("\"arrival \""), "{unclear}");
    }
}
