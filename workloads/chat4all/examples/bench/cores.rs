//! Who used how many cores between two instants, as the kernel counts: in hundredths of a second.

use tokio::time::Instant;

/// The kernel's ticks a second for programs, on every Linux of today.
const TICKS: f64 = 100.0;

/// Counters at an instant.
pub struct Count {
    at: Instant,
    process: f64,
    load: f64,
    machine: f64,
}

/// Cores in use on average.
pub struct Cores {
    /// By the process that is measured.
    pub process: f64,
    /// By this program.
    pub load: f64,
    /// By everything else: the engines.
    pub rest: f64,
}

impl Count {
    /// Begins to count for the process of this id.
    pub fn begin(pid: u32) -> Self {
        Self {
            at: Instant::now(),
            process: of_process(&pid.to_string()),
            load: of_process("self"),
            machine: of_machine(),
        }
    }

    /// What was used since then; `pid` is the same process.
    pub fn end(self, pid: u32) -> Cores {
        let now = Self::begin(pid);
        let elapsed = now.at.duration_since(self.at).as_secs_f64();
        let (process, load) = ((now.process - self.process) / elapsed, (now.load - self.load) / elapsed);
        Cores { process, load, rest: ((now.machine - self.machine) / elapsed - process - load).max(0.0) }
    }
}

/// Seconds of CPU that a process used, of its threads together.
pub fn of_process(id: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    // The second field is a name in parentheses, which may hold spaces; utime and stime are 14 and 15.
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS
}

/// Seconds of CPU that were used by anybody.
fn of_machine() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let ticks = stat.lines().next().unwrap().split_whitespace().skip(1).map(|ticks| ticks.parse::<f64>().unwrap());
    // user nice system idle iowait irq softirq steal, then what user holds already.
    ticks.take(8).enumerate().filter(|(field, _)| ![3, 4].contains(field)).map(|(_, ticks)| ticks).sum::<f64>() / TICKS
}
