//! Events from a file or a pipe, one JSON object per line, in file order, as one partition.
//!
//! Invariants: (1) memory is bounded by the longest record that is decoded, however long a line is; (2) a record's
//! offset is the number of its line, counted from 0.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::time::Duration;

use windrow_engine::{Counter, Halt, MAX_RECORD_BYTES, Partition, Polled, Positions, Record, Source};

/// The only partition a file has.
const PARTITION: Partition = 0;
/// Lines handed over in one poll, so that the worker looks at its clock now and then.
const LINES_PER_POLL: usize = 1024;

/// How many bytes have been read, for a progress bar.
pub type Progress = Arc<Counter>;

/// Reads lines as records.
pub struct FileSource<R> {
    reader: R,
    name: String,
    line: i64,
    state: State,
    /// A line that does not lie in the reader's buffer as a whole.
    assembled: Vec<u8>,
    progress: Progress,
}

#[derive(PartialEq, Eq)]
enum State {
    Unassigned,
    Reading,
    Finished,
}

impl<R: BufRead> FileSource<R> {
    /// Reads `reader`, which errors call `name`.
    pub fn new(reader: R, name: String, progress: Progress) -> Self {
        Self { reader, name, line: 0, state: State::Unassigned, assembled: Vec::new(), progress }
    }

    /// Hands one line to `each`; `false` at the end of the input.
    fn read_line(&mut self, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<bool, Halt> {
        let buffer = fill(&mut self.reader, &self.name)?;
        if buffer.is_empty() {
            return Ok(false);
        }
        if let Some(end) = memchr::memchr(b'\n', buffer) {
            each(line_record(&buffer[..end], self.line))?;
            self.consume(end + 1);
        } else {
            self.assemble()?;
            each(line_record(&self.assembled, self.line))?;
        }
        self.line += 1;
        Ok(true)
    }

    /// Puts together a line that spans several buffers. Of one that is too long to decode, enough is kept to show that.
    fn assemble(&mut self) -> Result<(), Halt> {
        self.assembled.clear();
        loop {
            let buffer = fill(&mut self.reader, &self.name)?;
            let end = memchr::memchr(b'\n', buffer);
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            let room = (MAX_RECORD_BYTES + 1).saturating_sub(self.assembled.len());
            self.assembled.extend_from_slice(&piece[..piece.len().min(room)]);
            let (used, last) = (piece.len() + usize::from(end.is_some()), end.is_some() || buffer.is_empty());
            self.consume(used);
            if last {
                return Ok(());
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.progress.add(bytes as u64);
    }
}

fn line_record(payload: &[u8], offset: i64) -> Record<'_> {
    Record { partition: PARTITION, offset, key: None, payload: Some(payload), unreadable: None }
}

fn fill<'r>(reader: &'r mut impl BufRead, name: &str) -> Result<&'r [u8], Halt> {
    // The borrow checker does not yet see that an interrupted read returns nothing borrowed; ask again afterwards.
    loop {
        match reader.fill_buf() {
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Halt::Input(format!("cannot read {name}: {error}"))),
        }
    }
    reader.fill_buf().map_err(|error| Halt::Input(format!("cannot read {name}: {error}")))
}

impl<R: BufRead> Source for FileSource<R> {
    fn poll(&mut self, _wait: Duration, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<Polled, Halt> {
        match self.state {
            State::Unassigned => {
                self.state = State::Reading;
                Ok(Polled::Assigned(vec![PARTITION]))
            }
            State::Reading => {
                for _ in 0..LINES_PER_POLL {
                    if !self.read_line(each)? {
                        self.state = State::Finished;
                        return Ok(Polled::Finished(PARTITION));
                    }
                }
                Ok(Polled::Records)
            }
            State::Finished => Ok(Polled::Exhausted),
        }
    }

    fn committed(&mut self, _partitions: &[Partition]) -> Result<Positions, Halt> {
        Ok(Positions::new())
    }

    fn begin(&mut self, _partitions: &[Partition], _positions: &Positions) -> Result<(), Halt> {
        Ok(())
    }

    fn release(&mut self, _partitions: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn commit(&mut self, _positions: &Positions, _wait: bool) -> Result<(), Halt> {
        Ok(())
    }
}
