//! Gives memory back that only the start needed: pages of the program that were read once.
//!
//! A pipe runs a few small loops of a large program, and a gateway needs its start once. The system would take these pages
//! when it needs them; without this every process would seem to cost their size. Linux only.

#[cfg(target_os = "linux")]
use rustix::mm::Advice;
#[cfg(target_os = "linux")]
use rustix::mm::madvise;
#[cfg(target_os = "linux")]
use std::fs;

/// Elsewhere the system is left to itself.
#[cfg(not(target_os = "linux"))]
pub fn trim() {}

/// Lets go of what can be read again from the files of the program.
#[cfg(target_os = "linux")]
pub fn trim() {
    let Ok(maps) = fs::read_to_string("/proc/self/smaps") else { return };
    for (start, length) in unchanged(&maps) {
        #[expect(unsafe_code, reason = "there is no other way to say this to the system")]
        // SAFETY: the range is a mapping of this process that cannot be written to and that nobody has written to, backed by
        // a file: what is read there later is what was there before, read from the file again.
        let _ = unsafe { madvise(start as *mut _, length, Advice::LinuxDontNeed) };
    }
}

/// Mappings of files that are read-only and have no page of their own: address and length.
#[cfg(target_os = "linux")]
fn unchanged(maps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if let Some((start, end)) = range(first) {
            let file = line.contains(" /");
            candidate =
                (file && second.starts_with("r-") && second.ends_with('p')).then_some((start, end - start));
        } else if first == "Anonymous:" && second == "0" {
            found.extend(candidate.take());
        }
    }
    found
}

#[cfg(target_os = "linux")]
fn range(word: &str) -> Option<(usize, usize)> {
    let (start, end) = word.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    (start < end).then_some((start, end))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_read_only_and_unchanged_is_given_back() {
        let maps = "\
1000-3000 r-xp 00000000 fe:00 1 /usr/bin/x
Rss:  8 kB
Anonymous:             0 kB
3000-4000 r--p 00002000 fe:00 1 /usr/bin/x
Anonymous:             4 kB
4000-5000 rw-p 00003000 fe:00 1 /usr/bin/x
Anonymous:             0 kB
5000-6000 r--p 00000000 00:00 0
Anonymous:             0 kB
6000-7000 r--s 00000000 fe:00 2 /var/x
Anonymous:             0 kB
";
        assert_eq!(unchanged(maps), [(0x1000, 0x2000)]);
    }

    #[test]
    fn the_program_runs_on() {
        trim();
        assert_eq!(format!("{:?}", "as before".split(' ').collect::<Vec<_>>()), r#"["as", "before"]"#);
    }
}
