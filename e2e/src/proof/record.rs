//! What a run of the proof found, as it is kept and as the report reads it. Instants are UTC.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::commands::Ledger;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// When it began.
    pub began: Timestamp,
    /// When its last fault was reckoned.
    pub ended: Timestamp,
    /// What it ran on.
    pub machine: Machine,
    /// The commit that was proved.
    pub commit: String,
    /// Messages a second that were sent.
    pub rate: u32,
    /// How much was to be done.
    pub wanted: Wanted,
    /// One after another.
    pub faults: Vec<Fault>,
}

/// How much a run was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// How many faults there are, whether they were chosen for the run or not.
    pub faults: u32,
    /// How often each was to be made.
    pub rounds: u32,
}

/// What a run ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The name of its processor.
    pub processor: String,
    /// Cores.
    pub cores: u32,
    /// Memory, in GiB.
    pub memory_gib: u32,
    /// The operating system.
    pub system: String,
}

/// A fault that was made several times under one load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What was done, in words: "router pods killed".
    pub name: String,
    /// When the load began.
    pub began: Timestamp,
    /// When everything was reckoned.
    pub ended: Timestamp,
    /// Each time that it was done.
    pub rounds: Vec<Round>,
    /// What became of the messages.
    pub messages: Messages,
    /// How the API answered.
    pub api: Api,
    /// The hub's own check of its ledger.
    pub ledger: Ledger,
    /// The load, second by second.
    pub timeline: Vec<Second>,
    /// What speaks against it, a line each; empty when all is well.
    pub violations: Vec<String>,
}

/// One time that a fault was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// When.
    pub at: Timestamp,
    /// What it was done to: a pod, a node, the provider.
    pub victim: String,
    /// How long the fault was kept up, in seconds; 0 for a deletion.
    pub kept_s: f64,
    /// The longest standstill of a partition with work after it, in seconds.
    pub longest_pause_s: f64,
    /// From `at` until messages of every partition went all the way again, every message that was refused
    /// meanwhile had been accepted, and the resource was ready, in seconds: at least `kept_s`.
    pub normal_after_s: f64,
}

/// What became of the messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Accepted by the API.
    pub accepted: u64,
    /// Accepted and not delivered.
    pub lost: u64,
    /// Held twice by the store.
    pub stored_twice: u64,
    /// Received again by the provider.
    pub duplicated: u64,
    /// Those of them that the ledger had named as unknown outcomes.
    pub of_them_named: u64,
    /// Overtook an earlier one of their conversation.
    pub out_of_order: u64,
}

/// How the API answered. Latencies are counted from the intended time of sending, in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Api {
    /// Requests that were answered otherwise than with 202, or not at all, and were repeated.
    pub repeated: u64,
    /// Of half of the messages.
    pub p50_ms: f64,
    /// Of 95 of 100.
    pub p95_ms: f64,
    /// Of 99 of 100.
    pub p99_ms: f64,
    /// How many messages took at most so long, and longer than the bucket before.
    pub latencies: Vec<Bucket>,
}

/// Messages that took at most so long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Milliseconds; the last bucket has none.
    pub up_to_ms: Option<f64>,
    /// How many.
    pub messages: u64,
}

/// One second of the load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// When it ended.
    pub at: Timestamp,
    /// Messages that were accepted in it.
    pub accepted: u32,
    /// Messages that reached the provider in it.
    pub delivered: u32,
    /// Messages that were accepted and have not reached the provider.
    pub waiting: u64,
    /// Router pods that were ready; absent where the cluster could not be asked.
    pub routers: Option<u32>,
}
