//! Processes that end as children of this one although it did not start them: as the first process of a container it
//! inherits what others leave behind, and nobody else takes note of their end.
//!
//! A tiny init in front does this better and at once; this only keeps the dead from piling up. Children of our own are left
//! to their owners.

use rustix::process::Pid;
use rustix::process::WaitId;
use rustix::process::WaitIdOptions;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often the dead are looked for. Those found twice are taken: by then an own child is known to be one.
const LOOK: Duration = Duration::from_secs(2);

/// Takes note of the end of adopted processes, in a thread of its own, if this is the first process.
pub fn keep_reaping(is_ours: impl Fn(u32) -> bool + Send + 'static) {
    if std::process::id() != 1 {
        return;
    }
    let work = move || reap(is_ours);
    if let Err(error) = std::thread::Builder::new().name("adopted".into()).stack_size(64 << 10).spawn(work) {
        tracing::warn!(%error, "the dead that this process inherits pile up");
    }
}

fn reap(is_ours: impl Fn(u32) -> bool) {
    let mut before = BTreeSet::new();
    loop {
        std::thread::sleep(LOOK);
        let dead: BTreeSet<u32> = dead_children().into_iter().filter(|process| !is_ours(*process)).collect();
        for process in dead.intersection(&before) {
            if let Some(pid) = i32::try_from(*process).ok().and_then(Pid::from_raw) {
                // Somebody else may have been faster.
                let _ =
                    rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
            }
        }
        before = dead;
    }
}

/// Children of this process that have ended and are not reaped.
fn dead_children() -> Vec<u32> {
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|process: &u32| is_dead_child(*process).unwrap_or_default()).collect()
}

fn is_dead_child(process: u32) -> Option<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // `pid (name) state parent …`, and a name may hold anything.
    let mut words = stat.rsplit_once(") ")?.1.split(' ');
    Some(words.next()? == "Z" && words.next()? == "1")
}
