//! What this process uses of its machine: CPU time and memory, as numbers and as the two metrics by
//! which every tool knows them. For Linux with cgroup v2 or v1; knows nothing else of Chat4All.

#![cfg_attr(test, allow(clippy::unwrap_used))]

use std::fmt;
use std::fs;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::time::{ClockId, clock_gettime};

/// CPU time that all threads of this process used so far.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// How many CPUs this process may use at once, above zero: the quota of its cgroup, else those that
/// there are. A quota can change while the process runs.
pub fn cpus() -> f64 {
    let read = |file: &str| fs::read_to_string(format!("/sys/fs/cgroup/{file}")).ok();
    // Version 1 has two files for it, as of the container itself, and -1 for no quota.
    let first = || Some(format!("{} {}", read("cpu/cpu.cfs_quota_us")?.trim(), read("cpu/cpu.cfs_period_us")?));
    let quota = read("cpu.max").or_else(first).and_then(|text| quota(&text));
    quota.unwrap_or_else(|| std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64))
}

/// Reads `cpu.max`: microseconds of CPU, or `max`, and the microseconds of wall clock that they are for.
fn quota(text: &str) -> Option<f64> {
    let (quota, period) = text.trim().split_once(' ')?;
    let cpus = quota.parse::<f64>().ok()? / period.parse::<f64>().ok()?;
    (cpus.is_finite() && cpus > 0.0).then_some(cpus)
}

/// Bytes of memory that this process holds; none where the system does not say.
pub fn resident_bytes() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/status").ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Puts `process_cpu_seconds_total` and `process_resident_memory_bytes` into a registry, which should
/// have no prefix: tools look for these names.
pub fn register(registry: &mut Registry) {
    registry.register_collector(Box::new(Process));
}

#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let cpu = ConstCounter::new(cpu_time().as_secs_f64());
        let described =
            encoder.encode_descriptor("process_cpu", "CPU time used", Some(&Unit::Seconds), cpu.metric_type())?;
        cpu.encode(described)?;
        if let Some(bytes) = resident_bytes() {
            let memory = ConstGauge::new(i64::try_from(bytes).unwrap_or(i64::MAX));
            let described = encoder.encode_descriptor(
                "process_resident_memory",
                "Memory held",
                Some(&Unit::Bytes),
                memory.metric_type(),
            )?;
            memory.encode(described)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_may_be_a_part_of_a_cpu_or_none() {
        assert_eq!(quota("50000 100000\n"), Some(0.5));
        assert_eq!(quota("max 100000\n"), None);
        assert_eq!(quota("-1 100000\n"), None);
        assert_eq!(quota("0 100000\n"), None);
        assert_eq!(quota(""), None);
        assert!(cpus() > 0.0);
    }

    #[test]
    fn memory_is_read_where_the_kernel_writes_it() {
        assert_eq!(resident("VmHWM:\t   20000 kB\nVmRSS:\t   10240 kB\n"), Some(10 << 20));
        assert_eq!(resident("Name:\tchat4all\n"), None);
    }

    #[test]
    fn the_metrics_have_the_names_that_tools_look_for() {
        let mut registry = Registry::default();
        register(&mut registry);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let value = |name: &str| {
            let line =
                text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("{name}: {text}"));
            line.trim().parse::<f64>().unwrap()
        };
        assert!(value("process_cpu_seconds_total ") > 0.0);
        assert!(value("process_resident_memory_bytes ") > 1e6);
    }
}
