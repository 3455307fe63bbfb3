//! When a process began, and where: what tells it from a later one with the same number.
//!
//! Only Linux says it; elsewhere nothing is known, and nothing may be concluded from a number.

/// When a process began, in the system's own unit; `None` when there is none, or nothing says it.
#[must_use]
pub fn started_at(process: u32) -> Option<u64> {
    fields(process)?.1
}

/// The world in which numbers of processes mean something: this run of the machine, this container.
#[must_use]
pub fn world() -> Option<String> {
    let run = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let container = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", run.trim(), container.display()))
}

/// True when a process of `group` that began at `since` or later lives.
#[must_use]
pub fn has_members(group: u32, since: u64) -> bool {
    let Ok(all) = std::fs::read_dir("/proc") else { return false };
    let numbers = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(fields).any(|(of, began)| of == group && began.is_some_and(|began| began >= since))
}

/// The group and the beginning of a process that is not dead.
fn fields(process: u32) -> Option<(u32, Option<u64>)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // `pid (name) state parent group …`, and a name may hold anything; the 20th word behind it is the beginning.
    let mut words = stat.rsplit_once(") ")?.1.split(' ');
    let state = words.next()?;
    let group = words.nth(1)?.parse().ok()?;
    let began = words.nth(16)?.parse().ok();
    (!matches!(state, "Z" | "X")).then_some((group, began))
}
