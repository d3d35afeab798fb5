//! An example of what a run might find, always the same: six faults of ten rounds each, which are all, and all is well.

use std::time::Duration;

use jiff::Timestamp;

use crate::proof::record::{Api, Bucket, Fault, Ledger, Machine, Messages, Proof, Round, Second, Wanted};

const RATE: u32 = 50;
const ROUNDS: u32 = 10;
const ROUTERS: u32 = 3;

/// What a fault does, in seconds and shares.
struct Kind {
    name: &'static str,
    victim: &'static str,
    kept_s: f64,
    /// The shortest pause, and how much longer the longest is.
    pause_s: (f64, f64),
    /// The part of the messages that stand still.
    standing: f64,
    /// Whether the API stands still too.
    api: bool,
    /// Whether a router is away.
    router: bool,
    duplicated: u64,
}

const QUIET: Kind = Kind {
    name: "",
    victim: "",
    kept_s: 0.0,
    pause_s: (0.3, 0.5),
    standing: 0.3,
    api: false,
    router: false,
    duplicated: 0,
};

const KINDS: [Kind; 6] = [
    Kind { name: "router pods deleted", victim: "router-a", router: true, ..QUIET },
    Kind { name: "router pods killed", victim: "router-b", pause_s: (2.2, 5.0), router: true, duplicated: 4, ..QUIET },
    Kind { name: "Kafka pod killed", victim: "kafka-0", pause_s: (9.0, 7.0), standing: 1.0, api: true, ..QUIET },
    Kind {
        name: "network cut between router and Cassandra, 60 s",
        victim: "router-c",
        kept_s: 60.0,
        pause_s: (61.0, 9.0),
        ..QUIET
    },
    Kind {
        name: "provider takes messages and does not answer, 10 s",
        victim: "provider",
        kept_s: 10.0,
        pause_s: (10.2, 2.0),
        standing: 1.0,
        duplicated: 33,
        ..QUIET
    },
    Kind { name: "rolling upgrade to another image", victim: "sample", pause_s: (0.5, 1.5), router: true, ..QUIET },
];

/// The example.
pub fn proof() -> Proof {
    let began: Timestamp = "2026-11-25T14:02:00Z".parse().unwrap();
    let mut next = began;
    let mut chance = Chance(7);
    let faults: Vec<Fault> = KINDS
        .iter()
        .map(|kind| {
            let fault = fault(kind, next, &mut chance);
            next = fault.ended + Duration::from_secs(20);
            fault
        })
        .collect();
    let machine = Machine {
        processor: "Example processor at 3 GHz".to_owned(),
        cores: 2,
        memory_gib: 8,
        system: "Linux 6.12".to_owned(),
    };
    let commit = "0123456789abcdef0123456789abcdef01234567".to_owned();
    let wanted = Wanted { faults: KINDS.len() as u32, rounds: ROUNDS };
    Proof { began, ended: next, machine, commit, rate: RATE, wanted, faults }
}

fn fault(kind: &Kind, began: Timestamp, chance: &mut Chance) -> Fault {
    let apart = 25.0 + 2.0 * kind.kept_s + kind.pause_s.0;
    let rounds: Vec<Round> = (0..ROUNDS)
        .map(|n| {
            let longest_pause_s = hundredths(kind.pause_s.0 + kind.pause_s.1 * chance.draw().powi(3));
            Round {
                at: began + Duration::from_secs_f64(15.0 + apart * f64::from(n)),
                victim: kind.victim.to_owned(),
                kept_s: kind.kept_s,
                longest_pause_s,
                normal_after_s: hundredths(longest_pause_s + 4.0 + 6.0 * chance.draw()),
            }
        })
        .collect();
    let seconds = (15.0 + apart * f64::from(ROUNDS)) as u64;
    let timeline = timeline(kind, began, seconds, &rounds, chance);
    let accepted: u64 = timeline.iter().map(|second| u64::from(second.accepted)).sum();
    Fault {
        name: kind.name.to_owned(),
        began,
        ended: began + Duration::from_secs(seconds + 10),
        rounds,
        messages: Messages {
            accepted,
            duplicated: kind.duplicated,
            of_them_named: kind.duplicated,
            ..Messages::default()
        },
        api: api(accepted, kind.api),
        ledger: Ledger { accepted, ..Ledger::default() },
        timeline,
        violations: Vec::new(),
    }
}

fn timeline(kind: &Kind, began: Timestamp, seconds: u64, rounds: &[Round], chance: &mut Chance) -> Vec<Second> {
    let mut waiting = 0;
    let mut unsent = 0;
    (1..=seconds)
        .map(|second| {
            let at = began + Duration::from_secs(second);
            let within = |after: fn(&Round) -> f64| {
                rounds.iter().any(|round| (0.0..after(round)).contains(&at.duration_since(round.at).as_secs_f64()))
            };
            let standing = within(|round| round.longest_pause_s);
            let due = RATE - 3 + (7.0 * chance.draw()) as u32;
            let sent = if standing && kind.api { 0 } else { due + unsent };
            unsent = if sent == 0 { unsent + due } else { 0 };
            waiting += u64::from(sent);
            let can = if standing { f64::from(RATE) * (1.0 - kind.standing) } else { f64::from(RATE) * 5.0 };
            let delivered = waiting.min(can as u64);
            waiting -= delivered;
            let away = kind.router && within(|round| round.normal_after_s);
            Second {
                at,
                accepted: sent,
                delivered: delivered as u32,
                waiting,
                routers: Some(ROUTERS - u32::from(away)),
            }
        })
        .collect()
}

fn api(accepted: u64, stood_still: bool) -> Api {
    let bounds = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, 2e4];
    // In 10,000.
    let shares = match stood_still {
        false => [0, 40, 5200, 3700, 800, 180, 50, 20, 10, 0, 0, 0, 0, 0],
        true => [0, 20, 2900, 2700, 900, 180, 150, 150, 200, 300, 500, 800, 1000, 200],
    };
    let mut latencies: Vec<Bucket> = std::iter::zip(bounds, shares)
        .map(|(ms, share)| Bucket { up_to_ms: Some(ms), messages: accepted * share / 10_000 })
        .collect();
    let counted: u64 = latencies.iter().map(|bucket| bucket.messages).sum();
    // What rounding left over.
    latencies[2].messages += accepted - counted;
    latencies.push(Bucket { up_to_ms: None, messages: 0 });
    let (repeated, [p50_ms, p95_ms, p99_ms]) =
        if stood_still { (412, [8.9, 8_120.0, 13_400.5]) } else { (0, [4.9, 17.2, 48.6]) };
    Api { repeated, p50_ms, p95_ms, p99_ms, latencies }
}

/// What is measured is not finer.
fn hundredths(seconds: f64) -> f64 {
    (seconds * 100.0).round() / 100.0
}

/// Numbers from 0 to 1 that look like chance, and are always the same.
struct Chance(u64);

impl Chance {
    fn draw(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1_u64 << 24) as f64
    }
}
