//! What the table says of the memory of each process, and what speaks against it. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::flat::{Growth, LONG_ENOUGH, Point, WARM_UP};
use super::process::Process;
use super::watch::Seen;

/// A process in a pod. The names of the fields are the headings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryRow {
    /// What it is.
    pub process: &'static str,
    /// Its pod.
    pub pod: String,
    /// For how long it was followed, without its warm-up, in minutes.
    pub minutes: f64,
    /// What it held in the first third of that time, in MiB.
    pub first_mib: f64,
    /// What it held in the last third, in MiB.
    pub last_mib: f64,
    /// By how much that is more, in percent of the first.
    pub growth_percent: f64,
    /// Whether that is flat; absent where it was too short, and where it is told of only.
    pub flat: Option<bool>,
}

/// A row for each pod that lived longer than its warm-up, at this rate of messages a second.
pub fn rows(seen: &Seen, rate: u32) -> Vec<MemoryRow> {
    let row = |((process, pod), points): (&(Process, String), &Vec<Point>)| {
        let judged = process.warm_up(rate);
        let growth = Growth::of(points, judged.unwrap_or(WARM_UP))?;
        Some(MemoryRow {
            process: process.name(),
            pod: pod.clone(),
            minutes: tenths(growth.length.as_secs_f64() / 60.0),
            first_mib: tenths(growth.first_mib),
            last_mib: tenths(growth.last_mib),
            growth_percent: tenths(growth.part() * 100.0),
            flat: judged.and_then(|_| growth.is_flat()),
        })
    };
    seen.memory.iter().filter_map(row).collect()
}

/// What speaks against it after a soak of so long, a line each: what grows, and what could not be judged although there
/// was time for it.
pub fn violations(rows: &[MemoryRow], lasted: Duration) -> Vec<String> {
    let grows = rows.iter().filter(|row| row.flat == Some(false)).map(|row| {
        let MemoryRow { process, pod, minutes, first_mib, last_mib, growth_percent, .. } = row;
        format!(
            "memory: {process} {pod} grew by {growth_percent} % in {minutes} min: {first_mib} MiB, then {last_mib} MiB"
        )
    });
    let judged: BTreeSet<&str> = rows.iter().filter(|row| row.flat.is_some()).map(|row| row.process).collect();
    let unknown = Process::WORKLOADS.into_iter().map(Process::name).filter(|name| !judged.contains(name));
    // A look more than what is needed: the first and the last lie within the time.
    let had_time = lasted > WARM_UP + LONG_ENOUGH;
    let unknown = unknown.filter(|_| had_time);
    grows.chain(unknown.map(|name| format!("memory: no {name} was followed for long enough to be judged"))).collect()
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn follow(seen: &mut Seen, process: Process, minutes: u64, mib: impl Fn(u64) -> f64) {
        let points = (0..=minutes).map(|n| Point { at: Duration::from_secs(60 * n), mib: mib(n) });
        seen.memory.insert((process, format!("{}-1", process.name())), points.collect());
    }

    fn all_flat() -> Seen {
        let mut seen = Seen::default();
        Process::ALL.iter().for_each(|process| follow(&mut seen, *process, 60, |_| 50.0));
        seen
    }

    #[test]
    fn what_is_flat_has_its_figures_and_no_violation() {
        let rows = rows(&all_flat(), 100);
        assert!(violations(&rows, HOUR).is_empty());
        let router = rows.iter().find(|row| row.process == "router").unwrap();
        assert_eq!((router.minutes, router.first_mib, router.growth_percent), (55.0, 50.0, 0.0));
        assert_eq!(router.flat, Some(true));
    }

    #[test]
    fn a_router_that_grows_is_named() {
        let mut seen = all_flat();
        follow(&mut seen, Process::Router, 60, |minute| 20.0 + minute as f64);
        let said = violations(&rows(&seen, 100), HOUR);
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with("memory: router router-1 grew by "), "{said:?}");
    }

    #[test]
    fn engines_are_told_of_and_not_judged() {
        let mut seen = all_flat();
        follow(&mut seen, Process::Kafka, 60, |minute| 200.0 + 10.0 * minute as f64);
        let rows = rows(&seen, 100);
        assert!(rows.iter().any(|row| row.process == "Kafka" && row.flat.is_none() && row.growth_percent > 20.0));
        assert!(violations(&rows, HOUR).is_empty());
    }

    #[test]
    fn what_could_have_been_judged_and_was_not_is_named() {
        let mut seen = all_flat();
        follow(&mut seen, Process::Connector, 10, |_| 50.0);
        let rows = rows(&seen, 100);
        assert_eq!(violations(&rows, HOUR), ["memory: no connector was followed for long enough to be judged"]);
        assert!(violations(&rows, Duration::from_secs(20 * 60)).is_empty());
    }
}
