//! Reading and writing of inherited descriptors that somebody may have made non-blocking: where the system says "not now"
//! it waits, as a blocking descriptor does.
//!
//! The flag belongs to whoever shares the descriptor, so it is left as it is.

use rustix::event::PollFd;
use rustix::event::PollFlags;
use rustix::event::poll;
use rustix::io::Errno;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::fd::AsFd;

/// A descriptor that is waited for.
#[derive(Debug)]
pub struct Patient<T>(pub T);

impl<T: AsFd> Patient<T> {
    fn until<R>(&self, ready: PollFlags, mut act: impl FnMut(&T) -> Result<R, Errno>) -> io::Result<R> {
        loop {
            match act(&self.0) {
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&self.0, ready)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(why) => return Err(why.into()),
                },
                done => return Ok(done?),
            }
        }
    }
}

impl<T: AsFd> Read for Patient<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.until(PollFlags::IN, |from| rustix::io::read(from, &mut *bytes))
    }
}

impl<T: AsFd> Write for Patient<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.until(PollFlags::OUT, |to| rustix::io::write(to, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::thread;

    #[test]
    fn what_does_not_block_is_waited_for() {
        const MUCH: usize = 4 << 20;
        let (far, near) = UnixStream::pair().unwrap();
        for end in [&far, &near] {
            end.set_nonblocking(true).unwrap();
        }
        let writing = thread::spawn(move || Patient(near).write_all(&vec![b'x'; MUCH]).unwrap());
        let mut all = Vec::new();
        Patient(far).read_to_end(&mut all).unwrap();
        writing.join().unwrap();
        assert_eq!(all.len(), MUCH);
    }
}
