//! Children do not outlive a gateway that is killed: a small process of our own holds a pipe and a list.
//!
//! The gateway tells it which process groups live. When the pipe closes without them being taken off the list, the
//! gateway has died, and the reaper ends what is left. It is started with the first child, so a gateway without
//! children has none. Only the binary uses it: a program that embeds the gateway is not re-executed.

use crate::downstream::process::birth::started_at;
use crate::downstream::process::ledger::Ledger;
use crate::downstream::process::ledger::left_behind;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io::BufRead;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

/// The hidden command of the binary that runs [`reap`].
pub const COMMAND: &str = "reap";
/// From asking the groups of a dead gateway to end, to ending them.
const GRACE: Duration = Duration::from_secs(1);

/// The gateway's end of the pipe. Clones share it.
#[derive(Debug, Clone)]
pub struct Reaper(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    binary: PathBuf,
    process: Option<Child>,
    living: BTreeSet<u32>,
    ledger: Option<Ledger>,
}

/// One group on the list; dropping it takes it off.
#[derive(Debug)]
pub struct Entry {
    reaper: Reaper,
    group: u32,
}

impl Reaper {
    /// A reaper that will be started as `binary reap`. The groups are written into `ledger`, too, for the case that both
    /// are killed.
    #[must_use]
    pub fn new(binary: PathBuf, ledger: Option<Ledger>) -> Self {
        Self(Arc::new(Mutex::new(Inner { binary, process: None, living: BTreeSet::new(), ledger })))
    }

    /// Puts the group of a fresh child on the list.
    #[must_use]
    pub fn record(&self, group: u32) -> Entry {
        let mut inner = self.lock();
        inner.tell(&format!("+ {group} {}\n", started_at(group).unwrap_or_default()));
        inner.living.insert(group);
        if let Some(ledger) = &mut inner.ledger {
            ledger.add(group);
        }
        drop(inner);
        Entry { reaper: self.clone(), group }
    }

    /// True for a child on the list, and for the reaper itself.
    #[must_use]
    pub fn knows(&self, process: u32) -> bool {
        let inner = self.lock();
        inner.living.contains(&process) || inner.process.as_ref().is_some_and(|own| own.id() == process)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut inner = self.reaper.lock();
        inner.tell(&format!("- {}\n", self.group));
        inner.living.remove(&self.group);
        if let Some(ledger) = &mut inner.ledger {
            ledger.remove(self.group);
        }
    }
}

impl Inner {
    /// Writes a line. A reaper that was ended is started again, with the whole list. Should that fail, the gateway works on
    /// with a smaller promise.
    fn tell(&mut self, line: &str) {
        if self.process.is_some() && self.write(line).is_ok() {
            return;
        }
        self.end();
        let told = start(&self.binary).and_then(|process| {
            self.process = Some(process);
            let entry = |group: &u32| format!("+ {group} {}\n", started_at(*group).unwrap_or_default());
            let list: String = self.living.iter().map(entry).collect();
            self.write(&list)?;
            self.write(line)
        });
        if let Err(error) = told {
            self.end();
            tracing::warn!(%error, "the reaper cannot be started: children may outlive a killed gateway");
        }
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        let pipe = self.process.as_mut().and_then(|process| process.stdin.as_mut());
        pipe.map_or(Ok(()), |pipe| pipe.write_all(text.as_bytes()))
    }

    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.stdin.take());
            let _ = process.wait();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

fn start(binary: &PathBuf) -> std::io::Result<Child> {
    let mut command = Command::new(binary);
    command.arg(COMMAND).env_clear().stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(unix)]
    {
        // Out of our group: what ends the gateway with its group must not end the reaper.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    command.spawn()
}

/// The reaper itself: keeps the list until `input` ends, then ends the groups that are still on it.
pub fn reap(input: impl BufRead) {
    let mut living: BTreeMap<u32, u64> = BTreeMap::new();
    for line in input.lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        let (sign, group) = (words.next(), words.next().and_then(|word| word.parse().ok()));
        match (sign, group) {
            (Some("+"), Some(group)) => {
                living.insert(group, words.next().and_then(|word| word.parse().ok()).unwrap_or_default());
            }
            (Some("-"), Some(group)) => drop(living.remove(&group)),
            _ => {}
        }
    }
    // A number that was given to a new process meanwhile is not ours any more.
    living.retain(|group, began| started_at(*group).is_none_or(|now| now == *began));
    end(&living.into_keys().collect::<Vec<_>>());
}

/// Ends what gateways left in `folder` that were killed together with their reapers. Takes a second when there is something.
pub fn end_left_behind(folder: &Path) {
    let left = left_behind(folder);
    if !left.groups.is_empty() {
        tracing::warn!(groups = left.groups.len(), "ending processes that a killed gateway left behind");
        end(&left.groups);
    }
    left.forget();
}

fn end(groups: &[u32]) {
    if groups.is_empty() {
        return;
    }
    groups.iter().for_each(|group| signal(*group, false));
    std::thread::sleep(GRACE);
    groups.iter().for_each(|group| signal(*group, true));
}

#[cfg(unix)]
fn signal(group: u32, kill: bool) {
    use rustix::process::Pid;
    use rustix::process::Signal;
    let signal = if kill { Signal::KILL } else { Signal::TERM };
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

#[cfg(not(unix))]
fn signal(_: u32, _: bool) {}
