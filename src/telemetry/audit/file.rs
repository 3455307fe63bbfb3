//! A file that is only added to, for its owner alone, and put aside when it has grown.
//!
//! Several processes may write to one file: a line is written in one step, and who finds the file put aside opens it anew.

use crate::telemetry::audit::place::Place;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// The file, opened when it is needed.
pub(super) struct Appender {
    place: Place,
    open: Option<File>,
}

impl Appender {
    pub(super) fn new(place: Place) -> Self {
        Self { place, open: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.place.file
    }

    /// Opens the file, unless it is open and still in its place.
    pub(super) fn prepare(&mut self) -> io::Result<()> {
        let is_there = match &self.open {
            None => false,
            Some(open) => fs::metadata(&self.place.file)
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
            if fits == 0 && size > 0 {
                self.rotate()?;
                continue;
            }
            // A line that is longer than a whole file may be stands alone.
            let upto = if fits == 0 { end_of_line(lines) } else { fits };
            let written = file.write(&lines[..upto])?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            lines.drain(..written);
        }
        Ok(())
    }

    /// Puts the file aside: `FILE.1` is the newest of those kept.
    fn rotate(&mut self) -> io::Result<()> {
        let Some(file) = &self.open else { return Ok(()) };
        // Another process may be at it.
        file.lock()?;
        let is_ours = fs::metadata(&self.place.file).and_then(|there| Ok(same(&there, &file.metadata()?)));
        if is_ours.unwrap_or(false) {
            for number in (1..self.place.keep).rev() {
                let _ = fs::rename(self.aside(number), self.aside(number + 1));
            }
            fs::rename(&self.place.file, self.aside(1))?;
        }
        let _ = file.unlock();
        self.open = Some(open(&self.place.file)?);
        Ok(())
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
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let known = file.metadata()?;
    if !known.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
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
