//! Reads a page: reads pieces of all partitions, and merges the records by timestamp until the page is full.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use rdkafka::message::Message;

use super::backward::BackwardCursor;
use super::cursor::{FrontRecordTimestamp, PartitionCursor, PieceSize};
use super::forward::ForwardCursor;
use super::plan::PagePlan;
use super::record_buffer::BufferLimits;
use super::record_page::{PageEndReason, RecordPage};
use super::request::PageStart;
use crate::kafka::browse::error::BrowseError;
use crate::kafka::browse::records::consumer::{BrowseConsumer, ConsumerPurpose, OffsetRanges};
use crate::kafka::browse::records::record::message_contains;
use crate::kafka::browse::records::{BrowsedRecord, PartitionPositions};

/// The most bytes of buffered records that are not yet on the page, for all partitions together.
const MAX_BUFFERED_BYTES: usize = 32 << 20;
/// The most offsets that one round reads, for all partitions together. A round reads one piece of each partition that
/// has no buffered record.
const MAX_ROUND_OFFSETS: i64 = 16_384;
/// The number of offsets in the first piece of a partition, if the request searches for a text.
const FIRST_SEARCH_PIECE_OFFSETS: i64 = 512;
/// The smallest number of offsets in the first piece of a partition, if the request does not search for a text.
const MIN_FIRST_PIECE_OFFSETS: i64 = 8;
const ROUND_TIMEOUT: Duration = Duration::from_secs(15);

impl PagePlan {
    /// Reads the page, and blocks until the page is complete. If another thread sets `cancelled` to true, the page ends
    /// early, after the current round.
    ///
    /// # Errors
    /// When Kafka becomes unreachable or refuses the request.
    pub fn read_page(self, cancelled: &AtomicBool) -> Result<RecordPage, BrowseError> {
        match self.request.start {
            PageStart::Newest | PageStart::Before(_) => PageReader::<BackwardCursor>::new(self).read_page(cancelled),
            PageStart::Oldest | PageStart::Offset(_) | PageStart::Time(_) | PageStart::After(_) => {
                PageReader::<ForwardCursor>::new(self).read_page(cancelled)
            }
        }
    }
}

/// Reads one page. The type `C` of the cursors determines whether the page is read towards older or newer records.
struct PageReader<C> {
    plan: PagePlan,
    search: Option<Finder<'static>>,
    cursors: BTreeMap<i32, C>,
    records: Vec<BrowsedRecord>,
    examined_record_count: u64,
}

/// The reason why the page ended, and a message for the user if records could not be read.
struct PageFillOutcome {
    end_reason: PageEndReason,
    problem_message: Option<String>,
}

impl From<PageEndReason> for PageFillOutcome {
    fn from(end_reason: PageEndReason) -> Self {
        Self { end_reason, problem_message: None }
    }
}

/// The result of one round, which reads a piece of each partition that has no buffered record.
enum ReadRoundOutcome {
    /// Kafka delivered all records of the round.
    Complete,
    /// A piece contains an unreadable batch. The next round reads smaller pieces, which may avoid that batch.
    RetrySmaller,
    /// The round reached its timeout.
    TimedOut,
    /// A piece contains an unreadable batch that smaller pieces cannot avoid, so the page ends before that batch. The
    /// text is a message for the user.
    Unreadable(String),
}

impl<C: PartitionCursor> PageReader<C> {
    fn new(plan: PagePlan) -> Self {
        let ranges = &plan.readable_offsets.offset_ranges;
        let partition_count = ranges.len().max(1);
        let limits = BufferLimits {
            max_records: plan.request.max_records,
            max_bytes: (MAX_BUFFERED_BYTES / partition_count).max(1),
        };
        let piece = choose_first_piece_size(&plan, i64::try_from(partition_count).unwrap_or(i64::MAX));
        let new_cursor = |partition: i32, readable: &std::ops::Range<i64>| {
            C::new(plan.start_offset(partition, readable), readable.clone(), piece, limits)
        };
        let cursors =
            ranges.iter().map(|(&partition, readable)| (partition, new_cursor(partition, readable))).collect();
        let search = plan.request.search_text.as_deref().map(|text| Finder::new(text.as_bytes()).into_owned());
        Self { plan, search, cursors, records: Vec::new(), examined_record_count: 0 }
    }

    fn read_page(mut self, cancelled: &AtomicBool) -> Result<RecordPage, BrowseError> {
        let outcome = self.fill_page(cancelled)?;
        Ok(self.into_page(outcome))
    }

    fn fill_page(&mut self, cancelled: &AtomicBool) -> Result<PageFillOutcome, BrowseError> {
        let deadline = Instant::now() + self.plan.request.timeout;
        let mut consumer = None;
        while !self.is_full() {
            let unread = self.partitions_to_read();
            if unread.is_empty() {
                if !self.move_next_record_to_page() {
                    return Ok(PageEndReason::Edge.into());
                }
                continue;
            }
            if Instant::now() >= deadline || cancelled.load(Ordering::Relaxed) {
                return Ok(PageEndReason::Time.into());
            }
            let consumer = match &mut consumer {
                Some(consumer) => consumer,
                none => none.insert(BrowseConsumer::new(
                    &self.plan.broker_addresses,
                    &self.plan.topic,
                    ConsumerPurpose::Page,
                )?),
            };
            match self.read_next_pieces(consumer, &unread)? {
                ReadRoundOutcome::Complete => self.grow_pieces(&unread),
                ReadRoundOutcome::RetrySmaller => {}
                ReadRoundOutcome::TimedOut => return Ok(PageEndReason::Time.into()),
                ReadRoundOutcome::Unreadable(problem) => {
                    while !self.is_full() && self.move_next_record_to_page() {}
                    return Ok(PageFillOutcome { end_reason: PageEndReason::Problem, problem_message: Some(problem) });
                }
            }
        }
        Ok(PageEndReason::Full.into())
    }

    fn is_full(&self) -> bool {
        self.records.len() >= self.plan.request.max_records
    }

    /// Returns the partitions that have unread offsets and no buffered record.
    fn partitions_to_read(&self) -> Vec<i32> {
        let unread =
            self.cursors.iter().filter(|(_, cursor)| cursor.buffer().is_empty() && cursor.remaining_offset_count() > 0);
        unread.map(|(partition, _)| *partition).collect()
    }

    /// Moves the record that comes next on the page from its buffer to the page. Returns false if all buffers are
    /// empty.
    fn move_next_record_to_page(&mut self) -> bool {
        let fronts = self.cursors.iter().filter_map(|(&partition, cursor)| {
            let timestamp_ms = cursor.buffer().front()?.timestamp_ms;
            Some(FrontRecordTimestamp { partition, timestamp_ms })
        });
        let next = C::choose_next_partition(fronts)
            .and_then(|partition| self.cursors.get_mut(&partition))
            .and_then(|cursor| cursor.buffer_mut().pop_front());
        let found = next.is_some();
        self.records.extend(next);
        found
    }

    /// Reads the next piece of each of `partitions`.
    fn read_next_pieces(
        &mut self,
        consumer: &BrowseConsumer,
        partitions: &[i32],
    ) -> Result<ReadRoundOutcome, BrowseError> {
        let pieces: OffsetRanges = partitions
            .iter()
            .filter_map(|partition| self.cursors.get(partition).map(|cursor| (*partition, cursor.next_piece_offsets())))
            .collect();
        let max_value_bytes = self.plan.request.max_value_bytes;
        let read = consumer.read_ranges(&pieces, Instant::now() + ROUND_TIMEOUT, |message| {
            self.examined_record_count += 1;
            let Some(cursor) = self.cursors.get_mut(&message.partition()) else { return };
            let matches = |search: &Finder<'_>| message_contains(message, search);
            if cursor.wants_records() && self.search.as_ref().is_none_or(matches) {
                cursor.push_record(BrowsedRecord::from_message(message, max_value_bytes));
            }
        })?;
        for (partition, piece) in &pieces {
            let Some(cursor) = self.cursors.get_mut(partition) else { continue };
            match read.unfinished_positions.get(partition) {
                None => cursor.end_complete_piece(piece),
                Some(&reached) => cursor.end_interrupted_piece(reached),
            }
        }
        if read.unfinished_positions.is_empty() {
            return Ok(ReadRoundOutcome::Complete);
        }
        let Some(problem) = read.problem_message else { return Ok(ReadRoundOutcome::TimedOut) };
        let mut smaller = false;
        for partition in read.unfinished_positions.keys() {
            smaller |= self.cursors.get_mut(partition).is_some_and(PartitionCursor::shrink_to_skip_unreadable);
        }
        Ok(if smaller { ReadRoundOutcome::RetrySmaller } else { ReadRoundOutcome::Unreadable(problem) })
    }

    fn grow_pieces(&mut self, partitions: &[i32]) {
        for partition in partitions {
            if let Some(cursor) = self.cursors.get_mut(partition) {
                cursor.piece_size_mut().grow_piece();
            }
        }
    }

    fn into_page(self, outcome: PageFillOutcome) -> RecordPage {
        let mut page = RecordPage {
            records: self.records,
            going_back: C::GOING_BACK,
            end_reason: outcome.end_reason,
            examined_record_count: self.examined_record_count,
            remaining_offset_count: 0,
            older_page_positions: PartitionPositions::default(),
            newer_page_positions: PartitionPositions::default(),
            has_older: false,
            has_newer: false,
            problem_message: outcome.problem_message,
        };
        for (&partition, cursor) in &self.cursors {
            let span = cursor.adjacent_page_starts();
            page.older_page_positions.0.insert(partition, span.older_page_start);
            page.newer_page_positions.0.insert(partition, span.newer_page_start);
            page.has_older |= span.has_older;
            page.has_newer |= span.has_newer;
            page.remaining_offset_count += cursor.remaining_offset_count();
        }
        page
    }
}

/// Returns the number of offsets in the first piece of each partition. If the request does not search for a text, this
/// number is twice the page's maximum number of records, divided by the number of partitions.
fn choose_first_piece_size(plan: &PagePlan, partition_count: i64) -> PieceSize {
    let limit = i64::try_from(plan.request.max_records).unwrap_or(i64::MAX);
    let wanted = match plan.request.search_text {
        Some(_) => FIRST_SEARCH_PIECE_OFFSETS,
        None => (2 * limit / partition_count).max(MIN_FIRST_PIECE_OFFSETS),
    };
    PieceSize::new(wanted, (MAX_ROUND_OFFSETS / partition_count).max(1))
}
