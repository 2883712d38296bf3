//! Reading from a pipe or terminal without being stuck in it while nothing comes.

use std::io::{self, Read};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long one read waits for bytes.
const READ_TIMEOUT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Reads as `R` does, but answers [`io::ErrorKind::WouldBlock`] after a moment without bytes.
pub struct TimeoutReader<R>(R);

impl<R: Read + AsFd> TimeoutReader<R> {
    /// Wraps `reader`, which must not buffer: what it holds back cannot be waited for.
    pub fn new(reader: R) -> Self {
        Self(reader)
    }
}

impl<R: Read + AsFd> Read for TimeoutReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut sources = [PollFd::new(&self.0, PollFlags::IN)];
        match poll(&mut sources, Some(&READ_TIMEOUT)) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            // An interrupted wait is like a quiet one. Any other fault shows in the read itself.
            Err(rustix::io::Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
            _ => self.0.read(buffer),
        }
    }
}
