//! What a process costs and leaves behind, read from /proc (Linux).
//!
//! It changes nothing: what is found here is ended elsewhere.

use crate::plan::Ticker;
use crate::support::eventually::now;
use crate::support::eventually::within;
use crate::support::processes;
use crate::support::stdio_client::lock;
use std::fs;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

/// Looks per second.
const RATE: u32 = 5;

/// One look at a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Resident memory in KiB.
    pub rss: u64,
    /// Open descriptors.
    pub fds: u64,
    /// Threads.
    pub threads: u64,
    /// Children that ended and were not waited for.
    pub zombies: u64,
}

impl Sample {
    /// Looks now.
    pub fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Self {
            rss: number("VmRSS:").unwrap_or_default(),
            threads: number("Threads:").unwrap_or_default(),
            fds: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u64),
            zombies: children(pid).filter(|(_, state)| *state == 'Z').count() as u64,
        }
    }
}

/// The children of a process, with their states.
fn children(parent: u32) -> impl Iterator<Item = (u32, char)> {
    let entries = fs::read_dir("/proc").expect("a Linux system").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(move |pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut rest = stat.rsplit(')').next()?.split_whitespace();
        let state = rest.next()?.chars().next()?;
        (rest.next()?.parse() == Ok(parent)).then_some((pid, state))
    })
}

/// Whether a living process has the mark of a test.
pub fn is_marked(pid: u32, mark: &str) -> bool {
    let wanted = format!("{}={mark}", processes::MARK);
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environ.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

/// Whether a process was started with this after `--name`.
pub fn is_named(pid: u32, name: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    words.any(|word| word == b"--name") && words.next() == Some(name.as_bytes())
}

/// Looks at a process again and again.
pub struct Probe {
    pid: u32,
    began: Instant,
    samples: Arc<Mutex<Vec<(Instant, Sample)>>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Probe {
    /// Begins to look.
    pub fn on(pid: u32) -> Self {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let done = Arc::new(AtomicBool::new(false));
        let (kept, ended) = (Arc::clone(&samples), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            let mut ticker = Ticker::every(Duration::from_secs(1) / RATE);
            while !ended.load(Ordering::SeqCst) {
                lock(&kept).push((now(), Sample::of(pid)));
                ticker.wait_for_next();
            }
        });
        Self { pid, began: now(), samples, done, thread: Some(thread) }
    }

    /// Children that ended and were not waited for, and do not go soon.
    pub fn zombies(&self) -> u64 {
        within(Duration::from_secs(2), || Sample::of(self.pid).zombies == 0);
        Sample::of(self.pid).zombies
    }

    /// The last look.
    pub fn last(&self) -> Sample {
        lock(&self.samples).last().map(|(_, sample)| *sample).unwrap_or_default()
    }

    /// How fast the resident memory grew after the warm-up, in KiB per second: the slope of the best line.
    pub fn slope(&self, warm_up: Duration) -> f64 {
        let samples = lock(&self.samples);
        let points: Vec<(f64, f64)> = samples
            .iter()
            .map(|(at, sample)| (at.saturating_duration_since(self.began).as_secs_f64(), sample.rss as f64))
            .filter(|(at, _)| *at >= warm_up.as_secs_f64())
            .collect();
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (at, rss) = (mean(|point| point.0), mean(|point| point.1));
        let covariance: f64 = points.iter().map(|point| (point.0 - at) * (point.1 - rss)).sum();
        let variance: f64 = points.iter().map(|point| (point.0 - at).powi(2)).sum();
        covariance / variance.max(f64::MIN_POSITIVE)
    }

    /// Compares the first with the last of what was seen after the warm-up, over an eighth of the time each.
    pub fn change(&self, warm_up: Duration) -> Change {
        let samples = lock(&self.samples);
        let seen: Vec<Sample> = samples
            .iter()
            .filter(|(at, _)| at.saturating_duration_since(self.began) >= warm_up)
            .map(|(_, sample)| *sample)
            .collect();
        assert!(!seen.is_empty(), "the test was over before its warm-up");
        let window = (seen.len() / 8).max(1);
        Change {
            before: typical(&seen[..window]),
            after: typical(&seen[seen.len() - window..]),
            most: seen.iter().map(|sample| sample.rss).max().unwrap_or_default(),
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.done.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A process before and after.
pub struct Change {
    /// After the warm-up.
    pub before: Sample,
    /// At the end.
    pub after: Sample,
    /// The most memory in between, in KiB.
    pub most: u64,
}

impl Change {
    /// By how many the descriptors differ.
    pub fn fds(&self) -> u64 {
        self.before.fds.abs_diff(self.after.fds)
    }

    /// Growth of the resident memory in per cent.
    pub fn growth(&self) -> f64 {
        (self.after.rss as f64 / self.before.rss as f64 - 1.0) * 100.0
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (before, after) = (self.before, self.after);
        write!(f, "rss:{}->{}KiB({:+.1}%,most {})", before.rss, after.rss, self.growth(), self.most)?;
        write!(f, ",fds:{}->{},threads:{}->{}", before.fds, after.fds, before.threads, after.threads)
    }
}

/// Medians; of the descriptors the lower quartile, as an old and a new process of a server often live side by side.
fn typical(samples: &[Sample]) -> Sample {
    let quartile = |quarters: usize, key: fn(&Sample) -> u64| {
        let mut values: Vec<u64> = samples.iter().map(key).collect();
        values.sort_unstable();
        values[values.len() * quarters / 4]
    };
    Sample {
        rss: quartile(2, |sample| sample.rss),
        fds: quartile(1, |sample| sample.fds),
        threads: quartile(2, |sample| sample.threads),
        zombies: quartile(2, |sample| sample.zombies),
    }
}
