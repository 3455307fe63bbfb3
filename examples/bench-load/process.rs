//! What a process used, from the operating system.
//!
//! Only Linux tells it in this way; elsewhere there is no answer, and nothing else is affected.

use std::time::Duration;

/// Time and memory of one process, all its threads together.
#[derive(Clone, Copy)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    pub rss_kb: u64,
    pub peak_rss_kb: u64,
}

/// The kernel counts in hundredths of a second, whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

impl Usage {
    pub fn of(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program is in parentheses and may hold anything.
        let (_, stat) = stat.rsplit_once(')')?;
        let ticks: u32 = stat.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u32>().ok()).sum();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let size = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Self { cpu: TICK * ticks, rss_kb: size("VmRSS:")?, peak_rss_kb: size("VmHWM:")? })
    }

    /// The time used since `earlier`, and the memory as it is now.
    pub fn since(self, earlier: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(earlier.cpu), ..self }
    }
}
