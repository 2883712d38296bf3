//! A page of records of a topic: the next ones before or behind a position, in the order of their timestamps, all
//! partitions together.
//!
//! Each partition is a lane that is read piece by piece; the lanes' records are merged by timestamp, keeping the order of
//! offsets within a lane. Invariants: what is held is bounded by [`HELD_BYTES`] and the page's limit per lane; positions
//! in the answer lose no record and show none twice; a piece cut short by time is read again, not shown with a hole.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use rdkafka::message::Message;
use serde::Serialize;

use super::edges::{Readable, readable};
use super::reader::{Ranges, Reader};
use super::record::{Record, contains};
use super::session::Session;
use super::{BrowseError, Browser, Positions};

/// How much of records waits to be merged, all lanes together.
const HELD_BYTES: usize = 32 << 20;
/// The most offsets read at a time, all lanes together.
const PIECE_MAX: i64 = 16_384;
/// A piece that was begun is finished within this, or given up.
const PIECE_PATIENCE: Duration = Duration::from_secs(15);

/// Where a page begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// The newest records, going back.
    Newest,
    /// The oldest records kept, going on.
    Oldest,
    /// From this offset on, in every partition asked for.
    Offset(i64),
    /// From this timestamp on, epoch milliseconds.
    Time(i64),
    /// Going back from these positions.
    Before(Positions),
    /// Going on from these positions.
    After(Positions),
}

/// Which records are asked for.
#[derive(Clone, Debug)]
pub struct PageRequest {
    /// Where to begin.
    pub start: Start,
    /// Only this partition.
    pub partition: Option<i32>,
    /// Only records that have this in key, value or headers.
    pub contains: Option<String>,
    /// Records on the page.
    pub limit: usize,
    /// Bytes of a value that are shown.
    pub value_bytes: usize,
    /// How long to look for records.
    pub patience: Duration,
}

/// Records, and where they stand.
#[derive(Clone, Debug, Serialize)]
pub struct Page {
    /// In the order they were read: newest first when going back, oldest first when going on.
    pub records: Vec<Record>,
    /// Whether going back.
    pub going_back: bool,
    /// Why there are no more on this page.
    pub ended: Ended,
    /// Records looked at.
    pub looked_at: u64,
    /// Offsets that are left to look at in this direction.
    pub left: i64,
    /// From here, going back gives what is older than this page.
    pub older: Positions,
    /// From here, going on gives what is newer than this page.
    pub newer: Positions,
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
pub enum Ended {
    /// It is full.
    Full,
    /// There is nothing more in that direction.
    Edge,
    /// Time was up, or the visitor went away; `older` and `newer` go on where it stopped.
    Time,
    /// Something cannot be read.
    Trouble,
}

impl Browser {
    /// Where a page would begin: what [`Plan::read`] needs to know.
    ///
    /// # Errors
    /// When there is no such topic or partition, Kafka does not answer, or refuses.
    pub async fn plan_page(&self, topic: &str, request: PageRequest) -> Result<Plan, BrowseError> {
        let mut session = Session::open(self).await?;
        let time_ms = if let Start::Time(time_ms) = request.start { Some(time_ms) } else { None };
        let (readable, timed) = readable(&mut session, topic, request.partition, time_ms).await?;
        Ok(Plan { brokers: self.brokers.clone(), topic: topic.to_owned(), request, readable, timed })
    }
}

/// A page that is about to be read.
pub struct Plan {
    brokers: String,
    topic: String,
    request: PageRequest,
    readable: Readable,
    timed: Positions,
}

/// One partition of a page.
struct Lane {
    first: i64,
    end: i64,
    /// Going back, everything from here on has been read; going on, everything before.
    reached: i64,
    /// Records read and not yet on the page, the next one in front.
    waiting: VecDeque<Record>,
    waiting_bytes: usize,
    /// Offsets of the next piece.
    piece: i64,
}

impl Plan {
    /// Reads the page. Blocks, until `gone` at the latest a piece later.
    ///
    /// # Errors
    /// When Kafka goes away meanwhile or refuses.
    pub fn read(self, gone: &AtomicBool) -> Result<Page, BrowseError> {
        let back = matches!(self.request.start, Start::Newest | Start::Before(_));
        let start: BTreeMap<i32, i64> =
            self.readable.first.0.keys().map(|&partition| (partition, self.start(partition))).collect();
        let count = i64::try_from(start.len().max(1)).unwrap_or(i64::MAX);
        let limit = i64::try_from(self.request.limit).unwrap_or(i64::MAX);
        // A page without a search needs about its share from every lane; a search needs many.
        let wished = if self.request.contains.is_some() { 512 } else { (2 * limit / count).max(8) };
        let mut lanes: BTreeMap<i32, Lane> = start
            .iter()
            .map(|(&partition, &reached)| {
                let (first, end) = (self.readable.first.0[&partition], self.readable.end.0[&partition]);
                let piece = wished.min((PIECE_MAX / count).max(1));
                (partition, Lane { first, end, reached, waiting: VecDeque::new(), waiting_bytes: 0, piece })
            })
            .collect();
        let needle = self.request.contains.as_deref().map(|text| Finder::new(text.as_bytes()));
        let until = Instant::now() + self.request.patience;
        let mut reader = None;
        let mut page = Page {
            records: Vec::new(),
            going_back: back,
            ended: Ended::Full,
            looked_at: 0,
            left: 0,
            older: Positions::default(),
            newer: Positions::default(),
            has_older: false,
            has_newer: false,
            trouble: None,
        };
        while page.records.len() < self.request.limit {
            let hungry: Vec<i32> = lanes
                .iter()
                .filter(|(_, lane)| lane.waiting.is_empty() && lane.left(back) > 0)
                .map(|(at, _)| *at)
                .collect();
            if hungry.is_empty() {
                let Some(record) = next(&mut lanes, back) else {
                    page.ended = Ended::Edge;
                    break;
                };
                page.records.push(record);
                continue;
            }
            if Instant::now() >= until || gone.load(Ordering::Relaxed) {
                page.ended = Ended::Time;
                break;
            }
            let reader = match &mut reader {
                Some(reader) => reader,
                none => none.insert(Reader::new(&self.brokers, &self.topic, false)?),
            };
            match self.fill(reader, &mut lanes, &hungry, back, needle.as_ref(), &mut page)? {
                Filled::Whole => {}
                Filled::Smaller => continue,
                Filled::Cut if page.trouble.is_none() => {
                    page.ended = Ended::Time;
                    break;
                }
                Filled::Cut => {
                    // What stands before the trouble is shown.
                    while page.records.len() < self.request.limit
                        && let Some(record) = next(&mut lanes, back)
                    {
                        page.records.push(record);
                    }
                    page.ended = Ended::Trouble;
                    break;
                }
            }
            for partition in hungry {
                if let Some(lane) = lanes.get_mut(&partition) {
                    lane.piece = (lane.piece * 2).min((PIECE_MAX / count).max(1));
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
    fn start(&self, partition: i32) -> i64 {
        let (first, end) = (self.readable.first.0[&partition], self.readable.end.0[&partition]);
        let at = |positions: &Positions, otherwise| positions.0.get(&partition).copied().unwrap_or(otherwise);
        let start = match &self.request.start {
            Start::Newest => end,
            Start::Oldest => first,
            Start::Offset(offset) => *offset,
            // Without a record of that time or later there is nothing to show.
            Start::Time(_) => at(&self.timed, end),
            // A partition added since is all newer.
            Start::Before(positions) => at(positions, first),
            Start::After(positions) => at(positions, first),
        };
        start.clamp(first, end.max(first))
    }

    /// Reads the next piece of the `hungry` lanes.
    fn fill(
        &self,
        reader: &Reader,
        lanes: &mut BTreeMap<i32, Lane>,
        hungry: &[i32],
        back: bool,
        needle: Option<&Finder<'_>>,
        page: &mut Page,
    ) -> Result<Filled, BrowseError> {
        let ranges: Ranges = hungry
            .iter()
            .filter_map(|partition| lanes.get(partition).map(|lane| (*partition, lane.next_piece(back))))
            .collect();
        let held = (HELD_BYTES / lanes.len().max(1)).max(1);
        let limit = self.request.limit;
        let bytes = self.request.value_bytes;
        // Going on, a lane that has enough stops where it is; going back, its oldest records are left for the next piece.
        let mut stops: BTreeMap<i32, i64> = BTreeMap::new();
        let read = reader.read(&ranges, Instant::now() + PIECE_PATIENCE, |message| {
            page.looked_at += 1;
            let Some(lane) = lanes.get_mut(&message.partition()) else { return true };
            if stops.contains_key(&message.partition()) && !back {
                return true;
            }
            if needle.is_some_and(|needle| !contains(message, needle)) {
                return true;
            }
            let full =
                |lane: &Lane| lane.waiting.len() > limit || (lane.waiting_bytes > held && lane.waiting.len() > 1);
            if back {
                lane.push_front(Record::of(message, bytes));
                while full(lane) {
                    if let Some(dropped) = lane.pop_back() {
                        stops.insert(message.partition(), dropped.offset + 1);
                    }
                }
            } else {
                lane.push_back(Record::of(message, bytes));
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
            match read.left.get(&partition) {
                None => lane.reached = stop.unwrap_or(if back { from } else { to }),
                Some(_) if back => lane.clear(),
                Some(reached) => lane.reached = stop.unwrap_or(*reached),
            }
        }
        if read.left.is_empty() {
            return Ok(Filled::Whole);
        }
        if back && read.trouble.is_some() {
            // Behind what cannot be read there may be records that can: a smaller piece might hold only those.
            let mut smaller = false;
            for lane in
                lanes.iter_mut().filter(|(partition, _)| read.left.contains_key(partition)).map(|(_, lane)| lane)
            {
                smaller |= lane.piece > 1;
                lane.piece = (lane.piece / 4).max(1);
            }
            if smaller {
                return Ok(Filled::Smaller);
            }
        }
        page.trouble = read.trouble;
        Ok(Filled::Cut)
    }
}

/// How the reading of a piece went.
enum Filled {
    /// All of it was read.
    Whole,
    /// Something in it cannot be read; the next one is smaller.
    Smaller,
    /// Only what stands before the page's trouble was read, or what time allowed.
    Cut,
}

/// The next record of the page: of those in front of the lanes the newest, going back, or the oldest.
fn next(lanes: &mut BTreeMap<i32, Lane>, back: bool) -> Option<Record> {
    let fronts =
        lanes.iter().filter_map(|(partition, lane)| lane.waiting.front().map(|front| (*partition, front.timestamp_ms)));
    let partition = if back { fronts.max_by_key(|(_, at)| *at) } else { fronts.min_by_key(|(_, at)| *at) }?;
    lanes.get_mut(&partition.0)?.pop_front()
}

impl Lane {
    /// Offsets not yet read in this direction.
    fn left(&self, back: bool) -> i64 {
        if back { self.reached - self.first } else { self.end - self.reached }
    }

    fn next_piece(&self, back: bool) -> (i64, i64) {
        if back {
            ((self.reached - self.piece).max(self.first), self.reached)
        } else {
            (self.reached, (self.reached + self.piece).min(self.end))
        }
    }

    /// Where the next page of this direction begins.
    fn next_position(&self, back: bool) -> i64 {
        match self.waiting.front() {
            Some(front) if back => front.offset + 1,
            Some(front) => front.offset,
            None => self.reached,
        }
    }

    fn push_front(&mut self, record: Record) {
        self.waiting_bytes += record.weight();
        self.waiting.push_front(record);
    }

    fn push_back(&mut self, record: Record) {
        self.waiting_bytes += record.weight();
        self.waiting.push_back(record);
    }

    fn pop_front(&mut self) -> Option<Record> {
        let record = self.waiting.pop_front()?;
        self.waiting_bytes -= record.weight();
        Some(record)
    }

    fn pop_back(&mut self) -> Option<Record> {
        let record = self.waiting.pop_back()?;
        self.waiting_bytes -= record.weight();
        Some(record)
    }

    fn clear(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }
}
