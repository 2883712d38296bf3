//! Events from a file or a pipe, one JSON object per line, in file order, as one partition.
//!
//! Invariants: (1) memory is bounded by the longest record that is decoded, however long a line is; (2) a record's
//! offset is the number of its line, counted from 0.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::time::Duration;

use windrow_engine::halt::{InputFault, share_error};
use windrow_engine::{
    CommitWait, Counter, Halt, MAX_RECORD_BYTES, Partition, PartitionOffsets, PollOutcome, Source, SourceRecord,
};

/// The only partition a file has.
const PARTITION: Partition = 0;
/// Lines in one poll. The worker checks its clock between polls.
const LINES_PER_POLL: usize = 1024;

/// Counts the bytes that have been read, for a progress bar.
pub type BytesReadCounter = Arc<Counter>;

/// Reads lines as records.
pub struct FileSource<R> {
    reader: R,
    name: String,
    line: i64,
    state: ReadState,
    /// The line so far, if it is longer than the reader's buffer.
    partial: Option<PartialLine>,
    bytes_read: BytesReadCounter,
}

#[derive(PartialEq, Eq)]
enum ReadState {
    Unassigned,
    Reading,
    Paused,
    Finished,
}

/// The beginning of a line, at most one byte longer than the longest record that is decoded.
#[derive(Default)]
struct PartialLine {
    kept: Vec<u8>,
    bytes: usize,
}

impl PartialLine {
    fn append(&mut self, piece: &[u8]) {
        let room = (MAX_RECORD_BYTES + 1).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
        self.bytes += piece.len();
    }
}

/// What an attempt to read a line did.
enum LineOutcome {
    Read,
    /// The pipe is empty at the moment.
    NoDataYet,
    End,
}

impl<R: BufRead> FileSource<R> {
    /// Reads `reader`, which errors call `name`. After [`io::ErrorKind::WouldBlock`] the next poll reads again, so that the
    /// worker can flush and stop meanwhile.
    pub fn new(reader: R, name: String, bytes_read: BytesReadCounter) -> Self {
        Self { reader, name, line: 0, state: ReadState::Unassigned, partial: None, bytes_read }
    }

    /// Reads one line and hands it to `each`.
    fn read_line(&mut self, each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>) -> Result<LineOutcome, Halt> {
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(LineOutcome::NoDataYet),
                Err(error) => {
                    let source = share_error(error);
                    return Err(InputFault::Unreadable { input: self.name.clone(), source }.into());
                }
            };
            let end = memchr::memchr(b'\n', buffer);
            if let (Some(end), None) = (end, &self.partial) {
                each(record(strip_byte_order_mark(&buffer[..end], self.line), self.line))?;
                self.consume(end + 1);
                self.line += 1;
                return Ok(LineOutcome::Read);
            }
            if buffer.is_empty() && self.partial.is_none() {
                return Ok(LineOutcome::End);
            }
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            self.partial.get_or_insert_default().append(piece);
            let (used, complete) = (piece.len() + usize::from(end.is_some()), end.is_some() || buffer.is_empty());
            self.consume(used);
            if complete && let Some(partial) = self.partial.take() {
                self.deliver_partial_line(&partial, each)?;
                self.line += 1;
                return Ok(LineOutcome::Read);
            }
        }
    }

    fn deliver_partial_line(
        &self,
        line: &PartialLine,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let record = record(strip_byte_order_mark(&line.kept, self.line), self.line);
        if line.bytes == line.kept.len() {
            return each(record);
        }
        let reason = format!(
            "the line is {} bytes long; at most {MAX_RECORD_BYTES} are read, and no more of it is kept here",
            line.bytes
        );
        each(SourceRecord { unreadable_reason: Some(&reason), ..record })
    }

    fn consume(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.bytes_read.add(bytes as u64);
    }
}

/// Returns the line without the byte order mark that some editors write before the first.
fn strip_byte_order_mark(payload: &[u8], line: i64) -> &[u8] {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if line == 0 { payload.strip_prefix(MARK).unwrap_or(payload) } else { payload }
}

fn record(payload: &[u8], offset: i64) -> SourceRecord<'_> {
    SourceRecord {
        partition: PARTITION,
        offset,
        key: None,
        payload: Some(payload),
        timestamp_ms: None,
        unreadable_reason: None,
    }
}

impl<R: BufRead> Source for FileSource<R> {
    fn poll(
        &mut self,
        _wait: Duration,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<PollOutcome, Halt> {
        match self.state {
            ReadState::Unassigned => {
                self.state = ReadState::Reading;
                Ok(PollOutcome::Assigned(vec![PARTITION]))
            }
            ReadState::Reading => {
                for _ in 0..LINES_PER_POLL {
                    match self.read_line(each)? {
                        LineOutcome::Read => {}
                        LineOutcome::NoDataYet => return Ok(PollOutcome::Idle),
                        LineOutcome::End => {
                            self.state = ReadState::Finished;
                            return Ok(PollOutcome::PartitionFinished(PARTITION));
                        }
                    }
                }
                Ok(PollOutcome::Records)
            }
            ReadState::Paused => Ok(PollOutcome::Idle),
            ReadState::Finished => Ok(PollOutcome::InputExhausted),
        }
    }

    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        _positions: &PartitionOffsets,
    ) -> Result<PartitionOffsets, Halt> {
        Ok(partitions.iter().map(|&partition| (partition, 0)).collect())
    }

    fn start_partitions(&mut self, _partitions: &[Partition], _starts: &PartitionOffsets) -> Result<(), Halt> {
        Ok(())
    }

    fn seek_partitions(&mut self, _positions: &PartitionOffsets) -> Result<(), Halt> {
        Err(InputFault::NotSeekable { input: self.name.clone() }.into())
    }

    fn confirm_ownership(&mut self, _positions: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn pause_partitions(&mut self, _partitions: &[Partition]) {
        if self.state == ReadState::Reading {
            self.state = ReadState::Paused;
        }
    }

    fn resume_partitions(&mut self, _partitions: &[Partition]) {
        if self.state == ReadState::Paused {
            self.state = ReadState::Reading;
        }
    }

    fn release_partitions(&mut self, _partitions: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn commit_offsets(&mut self, _positions: &PartitionOffsets, _wait: CommitWait) -> Result<(), Halt> {
        Ok(())
    }
}
