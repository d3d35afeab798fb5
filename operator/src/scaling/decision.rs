//! What was decided, with its inputs and its reason as values, so that the event, the condition, the
//! metrics and the tests say the same.

use std::fmt;
use std::time::Duration;

/// The outcome of one look.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// What was measured on the way.
    pub measures: Measures,
    /// Replicas that there should be now: the present count unless the verdict is to scale.
    pub desired: u32,
    /// What to do, and why.
    pub verdict: Verdict,
}

/// What the window says; none where it does not say it yet. All are finite and none is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// Records of work that arrive in a second.
    pub arrival: Option<f64>,
    /// Records of work that one busy replica finishes in a second.
    pub capacity: Option<f64>,
    /// Records of work that wait.
    pub backlog: Option<f64>,
    /// Seconds that a record which arrives now waits for those before it, at the present count.
    pub drain_seconds: Option<f64>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Change the count.
    Scale {
        /// The present count.
        from: u32,
        /// The count to set.
        to: u32,
        /// Why.
        need: Need,
    },
    /// The count is right, or as near to it as it may be.
    Keep {
        /// What holds it back, if anything does.
        limited: Option<Limit>,
    },
    /// The count stays although another one may be right.
    Hold(Hold),
}

/// Why more replicas than there are would not be given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limit {
    /// The need is above the largest count allowed.
    AtMaximum,
    /// One partition alone needs more than a replica can do.
    SkewLimited {
        /// The partition of messages.
        partition: i32,
    },
}

/// Why nothing is changed for now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hold {
    /// Kafka could not be asked.
    OffsetsUnreadable,
    /// What a replica can do is not known yet.
    Learning,
    /// Members or partitions of the group are changing.
    Rebalancing,
    /// The count was changed a short while ago.
    CoolingDown,
    /// Fewer would be enough but for the backlog that is being worked off.
    Draining,
    /// Fewer would be enough, but not for long enough yet.
    Stabilizing,
    /// Records wait and none is finished: more replicas cannot mend that.
    NotAdvancing,
    /// More replicas did not finish more: what is behind them is the limit.
    DownstreamBound {
        /// The count that finished as much.
        enough: u32,
    },
}

/// Why the count is changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The work needs another count.
    Work,
    /// The count lay outside of the bounds.
    Bounds,
    /// A smaller count finished as much.
    Downstream,
}

/// The inputs of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// What brought it about.
    pub cause: Cause,
    /// What was measured.
    pub measures: Measures,
    /// Replicas that the work needs, before bounds and rounding.
    pub replicas: Option<f64>,
    /// Partitions of the topic of messages.
    pub partitions: u32,
    /// Share of a replica's capacity that steady arrival may use.
    pub target_utilization: f64,
    /// Time in which a backlog is to be worked off.
    pub drain_target: Duration,
}

impl Verdict {
    /// The reason of the condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Scale { .. } | Self::Keep { limited: None } => "AsNeeded",
            Self::Keep { limited: Some(limit) } => limit.reason(),
            Self::Hold(hold) => hold.reason(),
        }
    }
}

impl Limit {
    /// The reason of the condition.
    pub fn reason(self) -> &'static str {
        match self {
            Self::AtMaximum => "AtMaximum",
            Self::SkewLimited { .. } => "SkewLimited",
        }
    }
}

impl Hold {
    /// The reason of the condition, and the label of the metric.
    pub fn reason(self) -> &'static str {
        match self {
            Self::OffsetsUnreadable => "OffsetsUnreadable",
            Self::Learning => "Learning",
            Self::Rebalancing => "Rebalancing",
            Self::CoolingDown => "CoolingDown",
            Self::Draining => "Draining",
            Self::Stabilizing => "Stabilizing",
            Self::NotAdvancing => "NotAdvancing",
            Self::DownstreamBound { .. } => "DownstreamBound",
        }
    }
}

/// The event's line.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scale { from, to, need } => write!(f, "routers {from} -> {to}: {need}"),
            other => f.write_str(other.reason()),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::Work => {}
            Cause::Bounds => f.write_str("the count lay outside of the bounds; ")?,
            Cause::Downstream => f.write_str("as much was finished with fewer; ")?,
        }
        let rate = |value: Option<f64>| value.map_or("unknown".to_owned(), |value| format!("{value:.0}/s"));
        write!(
            f,
            "arrival {}, capacity {} per busy replica, ",
            rate(self.measures.arrival),
            rate(self.measures.capacity)
        )?;
        match self.measures.backlog {
            Some(backlog) => write!(f, "backlog {backlog:.0} records, ")?,
            None => f.write_str("backlog unknown, ")?,
        }
        match self.replicas {
            Some(replicas) => write!(f, "need {replicas:.1} replicas ")?,
            None => f.write_str("need unknown ")?,
        }
        write!(
            f,
            "at {:.0} % utilization and {} s to drain, {} partitions",
            self.target_utilization * 100.0,
            self.drain_target.as_secs(),
            self.partitions
        )
    }
}
