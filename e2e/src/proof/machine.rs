//! What the proof runs on, as Linux tells it.

use super::record::Machine;

/// This machine; what is not told is said to be unknown.
pub(super) fn this() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str, separator: char| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.and_then(|line| Some(line.split_once(separator)?.1.trim().trim_matches('"').to_owned()))
    };
    let unknown = || "unknown".to_owned();
    let memory = value(&read("/proc/meminfo"), "MemTotal", ':');
    let kib: u64 = memory.and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    Machine {
        processor: value(&read("/proc/cpuinfo"), "model name", ':').unwrap_or_else(unknown),
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        memory_gib: u32::try_from((kib + (1 << 19)) >> 20).unwrap_or(u32::MAX),
        system: value(&read("/etc/os-release"), "PRETTY_NAME", '=').unwrap_or_else(unknown),
    }
}
