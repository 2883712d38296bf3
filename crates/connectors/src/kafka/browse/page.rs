//! A page of records of a topic: the next ones before or behind a position, in the order of their timestamps, all
//! partitions together.
//!
//! Each partition is a lane that is read piece by piece; the lanes' records are merged by timestamp, keeping the order of
//! offsets within a lane. Invariants: what is held is bounded by [`BUFFERED_BYTES_MAX`] and the page's limit per lane; positions
//! in the answer lose no record and show none twice; a piece cut short by time is read again, not shown with a hole.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use rdkafka::message::Message;
use serde::Serialize;

use super::edges::{ReadableRange, fetch_readable_range};
use super::reader::{BrowseConsumer, OffsetRanges};
use super::record::{BrowsedRecord, message_contains};
use super::session::ClusterSession;
use super::{BrowseError, KafkaBrowser, PartitionPositions};

/// How much of records waits to be merged, all lanes together.
const BUFFERED_BYTES_MAX: usize = 32 << 20;
/// The most offsets read at a time, all lanes together.
const PIECE_OFFSETS_MAX: i64 = 16_384;
/// A piece that was begun is finished within this, or given up.
const PIECE_TIMEOUT: Duration = Duration::from_secs(15);

/// Where a page begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PageStart {
    /// The newest records, going back.
    Newest,
    /// The oldest records kept, going on.
    Oldest,
    /// From this offset on, in every partition asked for.
    Offset(i64),
    /// From this timestamp on, epoch milliseconds.
    Time(i64),
    /// Going back from these positions.
    Before(PartitionPositions),
    /// Going on from these positions.
    After(PartitionPositions),
}

/// Which records are asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Where to begin.
    pub start: PageStart,
    /// Only this partition.
    pub partition: Option<i32>,
    /// Only records that have this in key, value or headers.
    pub contains: Option<String>,
    /// Records on the page.
    pub limit: usize,
    /// Bytes of a value that are shown.
    pub value_bytes_max: usize,
    /// How long to look for records.
    pub timeout: Duration,
}

/// Records, and where they stand.
#[derive(Clone, Debug, Serialize)]
pub struct RecordPage {
    /// In the order they were read: newest first when going back, oldest first when going on.
    pub records: Vec<BrowsedRecord>,
    /// Whether going back.
    pub going_back: bool,
    /// Why there are no more on this page.
    pub ended: PageEnd,
    /// Records looked at.
    pub looked_at: u64,
    /// Offsets that are left to look at in this direction.
    pub left: i64,
    /// From here, going back gives what is older than this page.
    pub older: PartitionPositions,
    /// From here, going on gives what is newer than this page.
    pub newer: PartitionPositions,
    /// Whether there is anything older.
    pub has_older: bool,
    /// Whether there is anything newer, as of now.
    pub has_newer: bool,
    /// Something about the records that a person should know.
    pub trouble: Option<String>,
}

/// Why a page ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageEnd {
    /// It is full.
    Full,
    /// There is nothing more in that direction.
    Edge,
    /// Time was up, or the visitor went away; `older` and `newer` go on where it stopped.
    Time,
    /// Something cannot be read.
    Trouble,
}

impl KafkaBrowser {
    /// Where a page would begin: what [`PagePlan::read`] needs to know.
    ///
    /// # Errors
    /// When there is no such topic or partition, Kafka does not answer, or refuses.
    pub async fn plan_page(&self, topic: &str, request: PageRequest) -> Result<PagePlan, BrowseError> {
        let mut session = ClusterSession::open(self).await?;
        let time_ms = if let PageStart::Time(time_ms) = request.start { Some(time_ms) } else { None };
        let (readable, timed) = fetch_readable_range(&mut session, topic, request.partition, time_ms).await?;
        Ok(PagePlan {
            brokers: self.brokers.clone(),
            topic: topic.to_owned(),
            request,
            readable_range: readable,
            time_positions: timed,
        })
    }
}

/// A page that is about to be read.
pub struct PagePlan {
    brokers: String,
    topic: String,
    request: PageRequest,
    readable_range: ReadableRange,
    time_positions: PartitionPositions,
}

/// One partition of a page.
struct PartitionBuffer {
    first: i64,
    end: i64,
    /// Going back, everything from here on has been read; going on, everything before.
    position: i64,
    /// Records read and not yet on the page, the next one in front.
    records: VecDeque<BrowsedRecord>,
    record_bytes: usize,
    /// Offsets of the next piece.
    piece_offsets: i64,
}

impl PagePlan {
    /// Reads the page. Blocks, until `gone` at the latest a piece later.
    ///
    /// # Errors
    /// When Kafka goes away meanwhile or refuses.
    pub fn read(self, cancelled: &AtomicBool) -> Result<RecordPage, BrowseError> {
        let back = matches!(self.request.start, PageStart::Newest | PageStart::Before(_));
        let start: BTreeMap<i32, i64> =
            self.readable_range.first.0.keys().map(|&partition| (partition, self.start_offset(partition))).collect();
        let count = i64::try_from(start.len().max(1)).unwrap_or(i64::MAX);
        let limit = i64::try_from(self.request.limit).unwrap_or(i64::MAX);
        // A page without a search needs about its share from every lane; a search needs many.
        let wished = if self.request.contains.is_some() { 512 } else { (2 * limit / count).max(8) };
        let mut lanes: BTreeMap<i32, PartitionBuffer> = start
            .iter()
            .map(|(&partition, &reached)| {
                let (first, end) = (self.readable_range.first.0[&partition], self.readable_range.end.0[&partition]);
                let piece = wished.min((PIECE_OFFSETS_MAX / count).max(1));
                (
                    partition,
                    PartitionBuffer {
                        first,
                        end,
                        position: reached,
                        records: VecDeque::new(),
                        record_bytes: 0,
                        piece_offsets: piece,
                    },
                )
            })
            .collect();
        let needle = self.request.contains.as_deref().map(|text| Finder::new(text.as_bytes()));
        let until = Instant::now() + self.request.timeout;
        let mut reader = None;
        let mut page = RecordPage {
            records: Vec::new(),
            going_back: back,
            ended: PageEnd::Full,
            looked_at: 0,
            left: 0,
            older: PartitionPositions::default(),
            newer: PartitionPositions::default(),
            has_older: false,
            has_newer: false,
            trouble: None,
        };
        while page.records.len() < self.request.limit {
            let hungry: Vec<i32> = lanes
                .iter()
                .filter(|(_, lane)| lane.records.is_empty() && lane.offsets_left(back) > 0)
                .map(|(at, _)| *at)
                .collect();
            if hungry.is_empty() {
                let Some(record) = take_next_record(&mut lanes, back) else {
                    page.ended = PageEnd::Edge;
                    break;
                };
                page.records.push(record);
                continue;
            }
            if Instant::now() >= until || cancelled.load(Ordering::Relaxed) {
                page.ended = PageEnd::Time;
                break;
            }
            let reader = match &mut reader {
                Some(reader) => reader,
                none => none.insert(BrowseConsumer::new(&self.brokers, &self.topic, false)?),
            };
            match self.read_piece(reader, &mut lanes, &hungry, back, needle.as_ref(), &mut page)? {
                PieceOutcome::Complete => {}
                PieceOutcome::RetrySmaller => continue,
                PieceOutcome::Incomplete if page.trouble.is_none() => {
                    page.ended = PageEnd::Time;
                    break;
                }
                PieceOutcome::Incomplete => {
                    // What stands before the trouble is shown.
                    while page.records.len() < self.request.limit
                        && let Some(record) = take_next_record(&mut lanes, back)
                    {
                        page.records.push(record);
                    }
                    page.ended = PageEnd::Trouble;
                    break;
                }
            }
            for partition in hungry {
                if let Some(lane) = lanes.get_mut(&partition) {
                    lane.piece_offsets = (lane.piece_offsets * 2).min((PIECE_OFFSETS_MAX / count).max(1));
                }
            }
        }
        for (&partition, lane) in &lanes {
            let here = lane.next_position(back);
            let (older, newer) = if back { (here, start[&partition]) } else { (start[&partition], here) };
            page.older.0.insert(partition, older);
            page.newer.0.insert(partition, newer);
            page.has_older |= older > lane.first;
            page.has_newer |= newer < lane.end;
            page.left += if back { here - lane.first } else { lane.end - here }.max(0);
        }
        Ok(page)
    }

    /// Where partition `partition` begins.
    fn start_offset(&self, partition: i32) -> i64 {
        let (first, end) = (self.readable_range.first.0[&partition], self.readable_range.end.0[&partition]);
        let at = |positions: &PartitionPositions, otherwise| positions.0.get(&partition).copied().unwrap_or(otherwise);
        let start = match &self.request.start {
            PageStart::Newest => end,
            PageStart::Oldest => first,
            PageStart::Offset(offset) => *offset,
            // Without a record of that time or later there is nothing to show.
            PageStart::Time(_) => at(&self.time_positions, end),
            // A partition added since is all newer.
            PageStart::Before(positions) => at(positions, first),
            PageStart::After(positions) => at(positions, first),
        };
        start.clamp(first, end.max(first))
    }

    /// Reads the next piece of the `hungry` lanes.
    fn read_piece(
        &self,
        reader: &BrowseConsumer,
        lanes: &mut BTreeMap<i32, PartitionBuffer>,
        hungry: &[i32],
        back: bool,
        needle: Option<&Finder<'_>>,
        page: &mut RecordPage,
    ) -> Result<PieceOutcome, BrowseError> {
        let ranges: OffsetRanges = hungry
            .iter()
            .filter_map(|partition| lanes.get(partition).map(|lane| (*partition, lane.next_piece(back))))
            .collect();
        let held = (BUFFERED_BYTES_MAX / lanes.len().max(1)).max(1);
        let limit = self.request.limit;
        let bytes = self.request.value_bytes_max;
        // Going on, a lane that has enough stops where it is; going back, its oldest records are left for the next piece.
        let mut stops: BTreeMap<i32, i64> = BTreeMap::new();
        let read = reader.read_ranges(&ranges, Instant::now() + PIECE_TIMEOUT, |message| {
            page.looked_at += 1;
            let Some(lane) = lanes.get_mut(&message.partition()) else { return true };
            if stops.contains_key(&message.partition()) && !back {
                return true;
            }
            if needle.is_some_and(|needle| !message_contains(message, needle)) {
                return true;
            }
            let full = |lane: &PartitionBuffer| {
                lane.records.len() > limit || (lane.record_bytes > held && lane.records.len() > 1)
            };
            if back {
                lane.push_front(BrowsedRecord::from_message(message, bytes));
                while full(lane) {
                    if let Some(dropped) = lane.pop_back() {
                        stops.insert(message.partition(), dropped.offset + 1);
                    }
                }
            } else {
                lane.push_back(BrowsedRecord::from_message(message, bytes));
                if full(lane)
                    && let Some(dropped) = lane.pop_back()
                {
                    stops.insert(message.partition(), dropped.offset);
                }
            }
            true
        })?;
        for (partition, (from, to)) in ranges {
            let Some(lane) = lanes.get_mut(&partition) else { continue };
            let stop = stops.get(&partition).copied();
            match read.unfinished.get(&partition) {
                None => lane.position = stop.unwrap_or(if back { from } else { to }),
                Some(_) if back => lane.clear(),
                Some(reached) => lane.position = stop.unwrap_or(*reached),
            }
        }
        if read.unfinished.is_empty() {
            return Ok(PieceOutcome::Complete);
        }
        if back && read.trouble.is_some() {
            // Behind what cannot be read there may be records that can: a smaller piece might hold only those.
            let mut smaller = false;
            for lane in
                lanes.iter_mut().filter(|(partition, _)| read.unfinished.contains_key(partition)).map(|(_, lane)| lane)
            {
                smaller |= lane.piece_offsets > 1;
                lane.piece_offsets = (lane.piece_offsets / 4).max(1);
            }
            if smaller {
                return Ok(PieceOutcome::RetrySmaller);
            }
        }
        page.trouble = read.trouble;
        Ok(PieceOutcome::Incomplete)
    }
}

/// How the reading of a piece went.
enum PieceOutcome {
    /// All of it was read.
    Complete,
    /// Something in it cannot be read; the next one is smaller.
    RetrySmaller,
    /// Only what stands before the page's trouble was read, or what time allowed.
    Incomplete,
}

/// The next record of the page: of those in front of the lanes the newest, going back, or the oldest.
fn take_next_record(lanes: &mut BTreeMap<i32, PartitionBuffer>, back: bool) -> Option<BrowsedRecord> {
    let fronts =
        lanes.iter().filter_map(|(partition, lane)| lane.records.front().map(|front| (*partition, front.timestamp_ms)));
    let partition = if back { fronts.max_by_key(|(_, at)| *at) } else { fronts.min_by_key(|(_, at)| *at) }?;
    lanes.get_mut(&partition.0)?.pop_front()
}

impl PartitionBuffer {
    /// Offsets not yet read in this direction.
    fn offsets_left(&self, back: bool) -> i64 {
        if back { self.position - self.first } else { self.end - self.position }
    }

    fn next_piece(&self, back: bool) -> (i64, i64) {
        if back {
            ((self.position - self.piece_offsets).max(self.first), self.position)
        } else {
            (self.position, (self.position + self.piece_offsets).min(self.end))
        }
    }

    /// Where the next page of this direction begins.
    fn next_position(&self, back: bool) -> i64 {
        match self.records.front() {
            Some(front) if back => front.offset + 1,
            Some(front) => front.offset,
            None => self.position,
        }
    }

    fn push_front(&mut self, record: BrowsedRecord) {
        self.record_bytes += record.memory_bytes();
        self.records.push_front(record);
    }

    fn push_back(&mut self, record: BrowsedRecord) {
        self.record_bytes += record.memory_bytes();
        self.records.push_back(record);
    }

    fn pop_front(&mut self) -> Option<BrowsedRecord> {
        let record = self.records.pop_front()?;
        self.record_bytes -= record.memory_bytes();
        Some(record)
    }

    fn pop_back(&mut self) -> Option<BrowsedRecord> {
        let record = self.records.pop_back()?;
        self.record_bytes -= record.memory_bytes();
        Some(record)
    }

    fn clear(&mut self) {
        self.records.clear();
        self.record_bytes = 0;
    }
}
