//! A file that is only added to, for its owner alone, and put aside when it has grown.
//!
//! Several processes may write to one file: a line is written in one step, and who finds the file put aside opens it anew.

use crate::telemetry::audit::place::Place;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

const NOT_REGULAR: &str = "it is not a regular file";

/// The file, opened when it is needed.
pub(super) struct Appender {
    place: Place,
    open: Option<File>,
    /// It could not be put aside the last time.
    grows: bool,
}

impl Appender {
    pub(super) fn new(place: Place) -> Self {
        Self { place, open: None, grows: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.place.file
    }

    /// Opens the file, unless it is open and still in its place.
    pub(super) fn prepare(&mut self) -> io::Result<()> {
        let is_there = match &self.open {
            None => false,
            Some(open) => fs::symlink_metadata(&self.place.file)
                .and_then(|there| Ok(same(&there, &open.metadata()?)))
                .unwrap_or(false),
        };
        if !is_there {
            self.open = Some(open(&self.place.file)?);
        }
        Ok(())
    }

    /// Writes whole lines, and takes what is written out of `lines`.
    pub(super) fn append(&mut self, lines: &mut Vec<u8>) -> io::Result<()> {
        while !lines.is_empty() {
            let Some(file) = &mut self.open else { return self.prepare() };
            let size = file.metadata()?.len();
            let fits = fitting(lines, self.place.rotate_bytes.saturating_sub(size));
            let upto = match fits {
                0 if size == 0 => end_of_line(lines),
                0 if self.rotate()? => continue,
                // Rather a file that is too large than lines that are not written.
                0 => lines.len(),
                fits => fits,
            };
            let Some(file) = &mut self.open else { return self.prepare() };
            let written = file.write(&lines[..upto])?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            lines.drain(..written);
        }
        Ok(())
    }

    /// Puts the file aside: `FILE.1` is the newest of those kept. False when that cannot be done now.
    fn rotate(&mut self) -> io::Result<bool> {
        let Some(file) = &self.open else { return Ok(false) };
        let put_aside = match file.try_lock() {
            Ok(()) => {
                let done = self.put_aside(file);
                let _ = file.unlock();
                done
            }
            // Another process is at it, or holds it for another reason: nobody is waited for.
            Err(TryLockError::WouldBlock) => Err(io::Error::new(io::ErrorKind::WouldBlock, "it is locked")),
            Err(TryLockError::Error(error)) => Err(error),
        };
        let could = put_aside.is_ok();
        if let Err(error) = put_aside
            && !self.grows
        {
            let file = self.place.file.display();
            tracing::warn!(%file, %error, "the audit log cannot be put aside, and grows beyond `rotateBytes`");
        }
        self.grows = !could;
        if could {
            self.open = Some(open(&self.place.file)?);
        }
        Ok(could)
    }

    /// Nothing that is kept is lost when this fails half-way.
    fn put_aside(&self, file: &File) -> io::Result<()> {
        let there =
            fs::symlink_metadata(&self.place.file).and_then(|there| Ok(same(&there, &file.metadata()?)));
        if !there.unwrap_or(false) {
            // Another process has done it.
            return Ok(());
        }
        for number in (1..self.place.keep).rev() {
            match fs::rename(self.aside(number), self.aside(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.place.file, self.aside(1))
    }

    fn aside(&self, number: usize) -> PathBuf {
        let mut name = OsString::from(&self.place.file);
        name.push(format!(".{number}"));
        name.into()
    }
}

/// How many bytes of whole lines have room.
fn fitting(lines: &[u8], room: u64) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(lines.len());
    lines[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn end_of_line(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1)
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let file = options().open(path).map_err(|error| reason(path).unwrap_or(error))?;
    let known = file.metadata()?;
    if !known.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, NOT_REGULAR));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if known.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok(file)
}

/// A pipe is not waited for, and a link is not followed.
#[cfg(unix)]
fn options() -> OpenOptions {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let mut options = File::options();
    options.append(true).create(true).mode(0o600).custom_flags(flags);
    options
}

#[cfg(not(unix))]
fn options() -> OpenOptions {
    let mut options = File::options();
    options.append(true).create(true);
    options
}

/// Why `path` cannot be opened, where what is there says more than the system.
fn reason(path: &Path) -> Option<io::Error> {
    let there = fs::symlink_metadata(path).ok()?.file_type();
    let why = match () {
        () if there.is_symlink() => "it is a symbolic link: name the file that it leads to",
        () if !there.is_file() => NOT_REGULAR,
        () => return None,
    };
    Some(io::Error::new(io::ErrorKind::InvalidInput, why))
}

#[cfg(unix)]
fn same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn same(one: &Metadata, other: &Metadata) -> bool {
    one.created().ok() == other.created().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn appender(folder: &Path, rotate_bytes: u64) -> Appender {
        Appender::new(Place { file: folder.join("a.log"), rotate_bytes, keep: 2 })
    }

    fn add(file: &mut Appender, lines: &str) {
        let mut lines = lines.as_bytes().to_vec();
        file.prepare().unwrap();
        file.append(&mut lines).unwrap();
        assert!(lines.is_empty());
    }

    fn names(folder: &Path) -> Vec<(String, String)> {
        let mut all: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| {
                let text = fs::read_to_string(entry.path()).unwrap();
                (entry.file_name().into_string().unwrap(), text)
            })
            .collect();
        all.sort();
        all
    }

    #[test]
    fn a_full_file_is_put_aside_and_old_ones_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = appender(folder.path(), 8);
        add(&mut file, "1111\n2222\n3333\n");
        add(&mut file, "4\n5\n6666\n");
        let expected = [("a.log", "5\n6666\n"), ("a.log.1", "3333\n4\n"), ("a.log.2", "2222\n")];
        let found = names(folder.path());
        assert_eq!(found, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn a_line_that_is_too_long_is_written_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = appender(folder.path(), 4);
        add(&mut file, "0123456789\n1\n");
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn who_finds_the_file_put_aside_opens_it_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (mut one, mut other) = (appender(folder.path(), 100), appender(folder.path(), 100));
        add(&mut one, "one\n");
        add(&mut other, "other\n");
        fs::rename(folder.path().join("a.log"), folder.path().join("moved")).unwrap();
        add(&mut one, "new\n");
        add(&mut other, "too\n");
        assert_eq!(fs::read_to_string(folder.path().join("a.log")).unwrap(), "new\ntoo\n");
    }

    #[test]
    fn while_it_cannot_be_put_aside_it_grows_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut file = appender(folder.path(), 8);
        add(&mut file, "1111\n");
        let held = File::options().append(true).open(path("a.log")).unwrap();
        held.lock().unwrap();
        add(&mut file, "2222\n3333\n");
        held.unlock().unwrap();
        assert_eq!(fs::read_to_string(path("a.log")).unwrap(), "1111\n2222\n3333\n");

        fs::create_dir_all(path("a.log.1").join("full")).unwrap();
        fs::write(path("a.log.2"), "kept").unwrap();
        add(&mut file, "4444\n");
        assert_eq!(fs::read_to_string(path("a.log")).unwrap(), "1111\n2222\n3333\n4444\n");
        assert_eq!(fs::read_to_string(path("a.log.2")).unwrap(), "kept");
        held.try_lock().expect("no lock stays behind");
        held.unlock().unwrap();

        fs::remove_dir_all(path("a.log.1")).unwrap();
        add(&mut file, "5555\n");
        assert_eq!(fs::read_to_string(path("a.log")).unwrap(), "5555\n");
    }

    #[cfg(unix)]
    #[test]
    fn only_a_regular_file_is_opened_and_nobody_is_waited_for() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let refused = || appender(folder.path(), 100).prepare().unwrap_err().to_string();
        fs::write(path("target"), "").unwrap();
        fs::set_permissions(path("target"), fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(path("target"), path("a.log")).unwrap();
        assert!(refused().contains("symbolic link"), "{}", refused());
        assert_eq!(fs::metadata(path("target")).unwrap().permissions().mode() & 0o777, 0o644);
        fs::remove_file(path("a.log")).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path("a.log"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(refused(), NOT_REGULAR);
        // With somebody at its other end it could be opened.
        let reader = File::options().read(true).write(true).open(path("a.log")).unwrap();
        assert_eq!(refused(), NOT_REGULAR);
        drop(reader);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        add(&mut appender(folder.path(), 100), "x\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
