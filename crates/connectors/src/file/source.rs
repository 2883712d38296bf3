//! A source that reads a file or a pipe as one partition. Each line is one record. The source does not check whether
//! the line is a JSON object.
//!
//! Invariants: (1) The source keeps at most `MAX_RECORD_BYTES + 1` bytes of a line in memory. (2) The offset of a
//! record is its line number, counted from 0.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::time::Duration;

use windrow_engine::halt::{InputFault, share_error};
use windrow_engine::{
    CommitWait, Counter, Halt, MAX_RECORD_BYTES, Partition, PartitionOffsets, PollOutcome, Source, SourceRecord,
    StartOffset, StartOffsets,
};

/// The number of the partition that stands for the whole file or pipe.
const ONLY_PARTITION: Partition = 0;
/// The maximal number of lines that one call of [`Source::poll`] reads. The limit is small, so that the worker often
/// checks its clock between these calls.
const MAX_LINES_PER_POLL: usize = 1024;

/// The number of bytes that a [`FileSource`] has read so far. A progress bar shows this number.
pub type BytesReadCounter = Arc<Counter>;

/// Reads each line of a file or pipe as one record.
pub struct FileSource<R> {
    reader: R,
    input_name: String,
    next_line_number: i64,
    state: FileReadState,
    /// The pieces of the current line that were read so far. `None` at the start of a line.
    accumulated_line: Option<AccumulatedLine>,
    bytes_read: BytesReadCounter,
}

#[derive(PartialEq, Eq)]
enum FileReadState {
    Unassigned,
    /// The worker has not started to read yet.
    Assigned,
    Reading,
    Finished,
}

/// A line that the source reads in several pieces, because the reader's buffer does not hold the whole line. The source
/// keeps the first `MAX_RECORD_BYTES + 1` bytes of the line, and only counts the bytes after them.
#[derive(Default)]
struct AccumulatedLine {
    kept_bytes: Vec<u8>,
    total_byte_count: usize,
}

impl AccumulatedLine {
    fn append_piece(&mut self, piece: &[u8]) {
        let room = (MAX_RECORD_BYTES + 1).saturating_sub(self.kept_bytes.len());
        self.kept_bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        self.total_byte_count += piece.len();
    }
}

/// The result of an attempt to read a line.
enum LineReadOutcome {
    LineRead,
    /// The input is a pipe without data at the moment. More data may follow, because the sending process has not closed
    /// the pipe.
    NoDataYet,
    EndOfInput,
}

impl<R: BufRead> FileSource<R> {
    /// Creates a source that reads `reader`. Error messages contain `input_name` as the name of the input. If `reader`
    /// returns [`io::ErrorKind::WouldBlock`], [`Source::poll`] returns, so that the worker can flush or stop. The next
    /// call of [`Source::poll`] continues to read.
    pub fn new(reader: R, input_name: String, bytes_read: BytesReadCounter) -> Self {
        Self {
            reader,
            input_name,
            next_line_number: 0,
            state: FileReadState::Unassigned,
            accumulated_line: None,
            bytes_read,
        }
    }

    /// Reads one line, and calls `each` with the line as a record.
    fn read_line(
        &mut self,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<LineReadOutcome, Halt> {
        loop {
            let buffer = match self.reader.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(LineReadOutcome::NoDataYet),
                Err(error) => {
                    let source = share_error(error);
                    return Err(InputFault::Unreadable { input: self.input_name.clone(), source }.into());
                }
            };
            let end = memchr::memchr(b'\n', buffer);
            if let (Some(end), None) = (end, &self.accumulated_line) {
                each(build_source_record(&buffer[..end], self.next_line_number))?;
                self.consume_and_count_bytes(end + 1);
                self.next_line_number += 1;
                return Ok(LineReadOutcome::LineRead);
            }
            if buffer.is_empty() && self.accumulated_line.is_none() {
                return Ok(LineReadOutcome::EndOfInput);
            }
            let piece = &buffer[..end.unwrap_or(buffer.len())];
            self.accumulated_line.get_or_insert_default().append_piece(piece);
            let (used, complete) = (piece.len() + usize::from(end.is_some()), end.is_some() || buffer.is_empty());
            self.consume_and_count_bytes(used);
            if complete && let Some(partial) = self.accumulated_line.take() {
                self.deliver_accumulated_line(&partial, each)?;
                self.next_line_number += 1;
                return Ok(LineReadOutcome::LineRead);
            }
        }
    }

    fn deliver_accumulated_line(
        &self,
        line: &AccumulatedLine,
        each: &mut dyn FnMut(SourceRecord<'_>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let record = build_source_record(&line.kept_bytes, self.next_line_number);
        if line.total_byte_count == line.kept_bytes.len() {
            return each(record);
        }
        let reason = format!(
            "the line is {} bytes long; at most {MAX_RECORD_BYTES} are read, and the rest of the line was discarded",
            line.total_byte_count
        );
        each(SourceRecord { unreadable_reason: Some(&reason), ..record })
    }

    fn consume_and_count_bytes(&mut self, bytes: usize) {
        self.reader.consume(bytes);
        self.bytes_read.add(bytes as u64);
    }
}

fn build_source_record(payload: &[u8], offset: i64) -> SourceRecord<'_> {
    SourceRecord {
        partition: ONLY_PARTITION,
        offset,
        key: None,
        payload: Some(payload),
        timestamp_ms: None,
        leader_epoch: None,
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
            FileReadState::Unassigned => {
                self.state = FileReadState::Assigned;
                Ok(PollOutcome::Assigned(vec![ONLY_PARTITION]))
            }
            FileReadState::Reading => {
                for _ in 0..MAX_LINES_PER_POLL {
                    match self.read_line(each)? {
                        LineReadOutcome::LineRead => {}
                        LineReadOutcome::NoDataYet => return Ok(PollOutcome::Idle),
                        LineReadOutcome::EndOfInput => {
                            self.state = FileReadState::Finished;
                            return Ok(PollOutcome::PartitionFinished(ONLY_PARTITION));
                        }
                    }
                }
                Ok(PollOutcome::Records)
            }
            FileReadState::Assigned => Ok(PollOutcome::Idle),
            FileReadState::Finished => Ok(PollOutcome::InputExhausted),
        }
    }

    fn resolve_start_offsets(
        &mut self,
        partitions: &[Partition],
        _positions: &PartitionOffsets,
    ) -> Result<StartOffsets, Halt> {
        Ok(partitions.iter().map(|&partition| (partition, StartOffset::with_unknown_bounds(0))).collect())
    }

    fn accept_assignment(&mut self, _partitions: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn start_partitions(&mut self, _partitions: &[Partition], _starts: &PartitionOffsets) -> Result<(), Halt> {
        if self.state != FileReadState::Assigned {
            return Err(InputFault::NotSeekable { input: self.input_name.clone() }.into());
        }
        self.state = FileReadState::Reading;
        Ok(())
    }

    fn confirm_ownership_by_commit(&mut self, _positions: &PartitionOffsets) -> Result<bool, Halt> {
        Ok(true)
    }

    fn stop_partitions(&mut self, _partitions: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn release_partitions(&mut self, _partitions: &[Partition]) -> Result<(), Halt> {
        Ok(())
    }

    fn commit_offsets(&mut self, _positions: &PartitionOffsets, _wait: CommitWait) -> Result<(), Halt> {
        Ok(())
    }
}
