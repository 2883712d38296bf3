//! A reader with a timeout, for pipes and terminals.

use std::io::{self, Read};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The maximal time that one read waits for bytes.
const READ_TIMEOUT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// Reads from `R`, but returns [`io::ErrorKind::WouldBlock`] after 50 ms without bytes.
pub struct TimeoutReader<R>(R);

impl<R: Read + AsFd> TimeoutReader<R> {
    /// Creates a reader with a timeout around `reader`. `reader` must not buffer bytes, because the system call `poll`
    /// does not see buffered bytes.
    pub fn new(reader: R) -> Self {
        Self(reader)
    }
}

impl<R: Read + AsFd> Read for TimeoutReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut sources = [PollFd::new(&self.0, PollFlags::IN)];
        match poll(&mut sources, Some(&READ_TIMEOUT)) {
            Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
            // If a signal interrupts `poll`, this counts as a timeout. After any other error of `poll`, the following
            // `read` reports what is wrong with the input.
            Err(rustix::io::Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
            _ => self.0.read(buffer),
        }
    }
}
