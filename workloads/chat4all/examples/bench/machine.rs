//! Where and when the figures were taken.

use std::fs::read_to_string;

use jiff::Zoned;

/// The head of the table.
pub fn described() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    let load = read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let built = if cfg!(debug_assertions) { "built WITHOUT optimisation" } else { "release build" };
    format!(
        "chat4all {}, {built}. {}, {cores} cores of {model}, {:.0} GiB, load {load} before it began.",
        env!("CARGO_PKG_VERSION"),
        Zoned::now().strftime("%Y-%m-%d %H:%M"),
        memory.unwrap_or_default() / f64::from(1 << 20),
    )
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
