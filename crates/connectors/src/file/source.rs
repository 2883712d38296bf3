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
    /// A line that does not lie in the reader's buffer as a whole, as far as it has come.
    partial: Option<Partial>,
    progress: Progress,
}

#[derive(PartialEq, Eq)]
enum State {
    Unassigned,
    Reading,
    Finished,
}

/// The beginning of a line: no more of it than shows that it is too long to decode.
#[derive(Default)]
struct Partial {
    kept: Vec<u8>,
    bytes: usize,
}

impl Partial {
    fn append(&mut self, piece: &[u8]) {
        let room = (MAX_RECORD_BYTES + 1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
        self.bytes += piece.len();
    }
}

/// What looking for a line came to.
enum Line {
    Read,
    /// A pipe with nothing in it at the moment.
    Quiet,
    End,
}

impl<R: BufRead> FileSource<R> {
    /// Reads `reader`, which errors call `name`. A reader that answers [`io::ErrorKind::WouldBlock`] is asked again
    /// later, so that the worker can flush and be stopped meanwhile.
    pub fn new(reader: R, name: String, progress: Progress) -> Self {
        Self { reader, name, line: 0, state: State::Unassigned, partial: None, progress }
    }

    /// Hands one line to `each`.
    fn read_line(&mut self, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<Line, Halt> {
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Line::Quiet),
                Err(error) => return Err(Halt::Input(format!("cannot read {}: {error}", self.name))),
            };
            let end = memchr::memchr(b'\n', buffer);
            if let (Some(end), None) = (end, &self.partial) {
                each(record(without_mark(&buffer[..end], self.line), self.line))?;
                self.consume(end + 1);
                self.line += 1;
                return Ok(Line::Read);
            }
            if buffer.is_empty() && self.partial.is_none() {
                return Ok(Line::End);
            }
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            self.partial.get_or_insert_default().append(piece);
            let (used, complete) = (piece.len() + usize::from(end.is_some()), end.is_some() || buffer.is_empty());
            self.consume(used);
            if complete && let Some(partial) = self.partial.take() {
                self.hand_over(&partial, each)?;
                self.line += 1;
                return Ok(Line::Read);
            }
        }
    }

    fn hand_over(&self, line: &Partial, each: &mut dyn FnMut(Record<'_>) -> Result<(), Halt>) -> Result<(), Halt> {
        let record = record(without_mark(&line.kept, self.line), self.line);
        if line.bytes == line.kept.len() {
            return each(record);
        }
        let reason = format!(
            "the line is {} bytes long; at most {MAX_RECORD_BYTES} are read, and no more of it is kept here",
            line.bytes
        );
        each(Record { unreadable: Some(&reason), ..record })
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.progress.add(bytes as u64);
    }
}

/// The line without the byte order mark that some editors put in front of the first.
fn without_mark(payload: &[u8], line: i64) -> &[u8] {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if line == 0 { payload.strip_prefix(MARK).unwrap_or(payload) } else { payload }
}

fn record(payload: &[u8], offset: i64) -> Record<'_> {
    Record { partition: PARTITION, offset, key: None, payload: Some(payload), timestamp_ms: None, unreadable: None }
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
                    match self.read_line(each)? {
                        Line::Read => {}
                        Line::Quiet => return Ok(Polled::Idle),
                        Line::End => {
                            self.state = State::Finished;
                            return Ok(Polled::Finished(PARTITION));
                        }
                    }
                }
                Ok(Polled::Records)
            }
            State::Finished => Ok(Polled::Exhausted),
        }
    }

    fn starts(&mut self, partitions: &[Partition], _positions: &Positions) -> Result<Positions, Halt> {
        Ok(partitions.iter().map(|&partition| (partition, 0)).collect())
    }

    fn begin(&mut self, _partitions: &[Partition], _starts: &Positions) -> Result<(), Halt> {
        Ok(())
    }

    fn seek(&mut self, _positions: &Positions) -> Result<(), Halt> {
        Err(Halt::Input(format!("{} can only be read from its beginning to its end", self.name)))
    }

    fn confirm(&mut self, _positions: &Positions) -> Result<bool, Halt> {
        Ok(true)
    }

    fn release(&mut self, _partitions: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn commit(&mut self, _positions: &Positions, _wait: bool) -> Result<(), Halt> {
        Ok(())
    }
}
