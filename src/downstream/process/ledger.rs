//! Which process groups a gateway has started, on disk: should it and its reaper both be killed, the next gateway ends
//! what is left of them.
//!
//! One file for each gateway that runs, named by its process; only the groups of a gateway that is dead are ever ended.
//! On systems that do not say when a process began nothing is written, and nothing ended.

use crate::downstream::process::birth::has_members;
use crate::downstream::process::birth::started_at;
use crate::downstream::process::birth::world;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The file of one gateway.
#[derive(Debug)]
pub struct Ledger {
    file: PathBuf,
    world: String,
    groups: BTreeMap<u32, u64>,
}

/// What a gateway wrote down.
struct Account {
    file: PathBuf,
    owner: (u32, u64),
    groups: BTreeMap<u32, u64>,
}

impl Ledger {
    /// The ledger of this process in `folder`; `None` where numbers of processes cannot be told apart. Nothing is written
    /// yet.
    #[must_use]
    pub fn of_this_process(folder: &Path) -> Option<Self> {
        let own = std::process::id();
        let file = folder.join(format!("{own}-{}", started_at(own)?));
        Some(Self { file, world: world()?, groups: BTreeMap::new() })
    }

    /// Writes a group down. A folder that cannot be written costs a smaller promise, nothing else.
    pub fn add(&mut self, group: u32) {
        if let Some(began) = started_at(group) {
            self.groups.insert(group, began);
            self.write();
        }
    }

    /// Takes a group off.
    pub fn remove(&mut self, group: u32) {
        if self.groups.remove(&group).is_some() {
            self.write();
        }
    }

    fn write(&self) {
        if let Err(error) = self.try_write() {
            tracing::debug!(file = %self.file.display(), %error, "the ledger of processes cannot be written");
        }
    }

    fn try_write(&self) -> io::Result<()> {
        if self.groups.is_empty() {
            return fs::remove_file(&self.file);
        }
        let mut text = format!("{}\n", self.world);
        for (group, began) in &self.groups {
            text.push_str(&format!("{group} {began}\n"));
        }
        if let Some(folder) = self.file.parent() {
            private_folder(folder)?;
        }
        let aside = self.file.with_extension("new");
        fs::write(&aside, text)?;
        fs::rename(&aside, &self.file)
    }
}

/// What gateways left behind that are dead.
#[derive(Debug, Default)]
pub struct LeftBehind {
    /// Process groups that still have members.
    pub groups: Vec<u32>,
    files: Vec<PathBuf>,
}

impl LeftBehind {
    /// They are ended: nobody needs to look for them again.
    pub fn forget(self) {
        for file in self.files {
            // Another gateway may have been faster.
            let _ = fs::remove_file(file);
        }
    }
}

/// Looks for what is left of gateways that are dead in the ledgers of `folder`.
#[must_use]
pub fn left_behind(folder: &Path) -> LeftBehind {
    let Some(world) = world() else { return LeftBehind::default() };
    let (dead, living): (Vec<_>, Vec<_>) = accounts(folder, &world)
        .into_iter()
        .partition(|account| started_at(account.owner.0) != Some(account.owner.1));
    let others: BTreeSet<u32> = living.iter().flat_map(|account| account.groups.keys().copied()).collect();
    let mut left = LeftBehind::default();
    for account in dead {
        let survives = |(group, began): &(u32, u64)| match started_at(*group) {
            Some(now) => now == *began,
            // While it has members its number is given to nobody else.
            None => has_members(*group, *began),
        };
        let groups = account.groups.into_iter().filter(survives).map(|(group, _)| group);
        left.groups.extend(groups.filter(|group| !others.contains(group)));
        left.files.push(account.file);
    }
    left
}

fn accounts(folder: &Path, world: &str) -> Vec<Account> {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|entry| read(&entry.path(), world)).collect()
}

/// `None` for what is no ledger, or one of another container. One of an earlier run of the machine has no groups.
fn read(file: &Path, world: &str) -> Option<Account> {
    let (process, began) = file.file_name()?.to_str()?.split_once('-')?;
    let owner = (process.parse().ok()?, began.parse().ok()?);
    let text = fs::read_to_string(file).ok()?;
    let mut lines = text.lines();
    let written_in = lines.next()?;
    let run = |world: &str| world.split(' ').next().map(str::to_owned);
    if run(written_in) != run(world) {
        return Some(Account { file: file.to_owned(), owner: (0, 0), groups: BTreeMap::new() });
    }
    if written_in != world {
        return None;
    }
    let pair = |line: &str| {
        let (group, began) = line.split_once(' ')?;
        Some((group.parse().ok()?, began.parse().ok()?))
    };
    Some(Account { file: file.to_owned(), owner, groups: lines.filter_map(pair).collect() })
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if !self.groups.is_empty() {
            self.groups.clear();
            self.write();
        }
    }
}
