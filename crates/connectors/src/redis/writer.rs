//! The thread that writes, and its owner's handle.
//!
//! Owns: connecting, retrying, ending. Does not own: what is sent (the link), memory and order (the queue).
//! After a crash: nothing here survives or needs to; what was not acknowledged is computed again.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use windrow_engine::{ClaimOutcome, Halt, StopSignal};
use windrow_spec::Pipeline;

use super::RedisWriterSettings;
use super::address::RedisAddress;
use super::batch::InFlightBatch;
use super::claim::{PendingClaim, RedisFence};
use super::encode::RowEncoder;
use super::fault::RedisFault;
use super::fence::FenceKeys;
use super::holdings::GrantedFences;
use super::link::{ConnectionIdentity, RedisConnection};
use super::queue::{WriteQueue, WriterTask};
use super::recent::RecentRows;
use super::report::{RedisOutageLog, RefusedRowLog};
use super::sink::RedisSink;
use super::status::RedisWriterStatus;
use super::watch::RedisWriterObserver;

/// While waiting at the start: how often it is looked whether a stop was requested.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How a writer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CloseOutcome {
    /// Every row handed over is in Redis, or was refused by it.
    Drained,
    /// Time ran out, or Redis is unfit; rows that take this many bytes were not acknowledged.
    Abandoned {
        /// Bytes of these rows' commands.
        unacknowledged_bytes: usize,
    },
}

/// Writes the rows of a pipeline to Redis, for all workers of this process.
pub struct RedisWriter {
    queue: Arc<WriteQueue>,
    encoder: RowEncoder,
    stop: StopSignal,
    stop_timeout: Duration,
}

impl RedisWriter {
    /// Connects to the Redis of `pipeline` and starts the writer thread. Waits until Redis would take rows of its views:
    /// at most for [`RedisWriterSettings::start_timeout`], and not after a stop was requested.
    ///
    /// # Errors
    /// [`Halt::NotReachable`] when the time is over. [`Halt::Refused`] when the URL is none, or Redis refuses the login,
    /// a command or a key, or cannot do what is needed. [`Halt::ShardOutput`] when no thread can be started.
    pub fn start(pipeline: &Pipeline, settings: RedisWriterSettings, stop: StopSignal) -> Result<Self, Halt> {
        let address = RedisAddress::parse(&pipeline.sink.redis().url).map_err(Halt::Refused)?;
        let holdings = GrantedFences::new(FenceKeys::new(&pipeline.name, &pipeline.source.kafka().group));
        let link = connect_when_ready(&address, pipeline, &holdings.fence_key(0), &settings, &stop)?;
        let queue = Arc::new(WriteQueue::new(settings.queue_bytes, RecentRows::default()));
        let (encoder, stop_patience) = (RowEncoder::new(pipeline), settings.stop_timeout);
        let pause = settings.min_retry_pause;
        let writer = WriterThread {
            address,
            settings,
            queue: Arc::clone(&queue),
            granted_fences: holdings,
            connection: Some(link),
            abandoned_connection: None,
            retry_pause: pause,
            outage: RedisOutageLog::default(),
            refused_row_log: RefusedRowLog::default(),
        };
        let thread = thread::Builder::new().name("redis-writer".to_owned());
        // Not joined: `close` waits for its end on the queue, which can be given up.
        let _detached = thread
            .spawn(move || writer.run())
            .map_err(|error| Halt::Output(format!("the thread that writes to Redis cannot be started: {error}")))?;
        Ok(Self { queue, encoder, stop, stop_timeout: stop_patience })
    }

    /// A new worker's sink.
    #[must_use]
    pub fn sink(&self) -> RedisSink {
        RedisSink::new(Arc::clone(&self.queue), self.stop.clone(), self.stop_timeout, self.encoder.clone())
    }

    /// The fences of the pipeline's partitions: a worker claims a partition before its first row.
    #[must_use]
    pub fn fence(&self) -> RedisFence {
        RedisFence::new(Arc::clone(&self.queue), self.stop.clone())
    }

    /// The counters now.
    #[must_use]
    pub fn status(&self) -> RedisWriterStatus {
        self.queue.status()
    }

    /// A look at what is written, for those who do not own the writer.
    #[must_use]
    pub fn observer(&self) -> RedisWriterObserver {
        RedisWriterObserver::new(Arc::clone(&self.queue))
    }

    /// The rows that were written lately.
    #[must_use]
    pub fn recent_rows(&self) -> RecentRows {
        self.queue.recent().clone()
    }

    /// Ends the writer once everything flushed is in Redis, or after `patience`. Rows handed over afterwards are dropped
    /// and never acknowledged.
    pub fn close(&self, patience: Duration) -> CloseOutcome {
        let until = Instant::now() + patience;
        self.queue.close(until);
        match self.queue.wait_for_writer_end(until) {
            (true, 0) => CloseOutcome::Drained,
            (_, waiting_bytes) => CloseOutcome::Abandoned { unacknowledged_bytes: waiting_bytes },
        }
    }
}

impl Drop for RedisWriter {
    fn drop(&mut self) {
        self.queue.close(Instant::now());
    }
}

/// The first connection, once Redis is ready for rows.
fn connect_when_ready(
    address: &RedisAddress,
    pipeline: &Pipeline,
    fence_key: &str,
    settings: &RedisWriterSettings,
    stop: &StopSignal,
) -> Result<RedisConnection, Halt> {
    let began = Instant::now();
    let mut outage = RedisOutageLog::default();
    let mut pause = settings.min_retry_pause;
    let mut attempts = 0_u32;
    loop {
        attempts += 1;
        let link = RedisConnection::open(address, settings, &mut None).and_then(|mut link| {
            link.check_accepts_rows(&pipeline.sink.redis().views, &pipeline.event.schema, fence_key)?;
            Ok(link)
        });
        let reason = match link {
            Ok(link) => {
                outage.record_success(address);
                return Ok(link);
            }
            Err(RedisFault::Unreachable(reason)) => reason,
            Err(fault) => return Err(halt_for_fault(address, &fault)),
        };
        outage.record_failure(address, &reason);
        let resume = Instant::now() + next_retry_pause(&mut pause, settings);
        loop {
            let waited = began.elapsed();
            if stop.is_requested() {
                return Err(Halt::NotReachable(format!(
                    "stopped while waiting for Redis at {address} (sink.redis.url): {reason}"
                )));
            }
            if settings.start_timeout.is_some_and(|timeout| waited >= timeout) {
                return Err(Halt::NotReachable(format!(
                    "Redis at {address} (sink.redis.url) was not ready within {:.0} s; {attempts} attempts, the last one: \
                     {reason}. Start Redis, correct sink.redis.url, or allow more time with --start-timeout",
                    waited.as_secs_f64()
                )));
            }
            if Instant::now() >= resume {
                break;
            }
            thread::sleep(STOP_POLL_INTERVAL.min(resume.saturating_duration_since(Instant::now())));
        }
    }
}

/// Why rows cannot be written, and what to do.
fn halt_for_fault(address: &RedisAddress, fault: &RedisFault) -> Halt {
    let reason = fault.reason();
    match fault {
        RedisFault::Bug(_) => Halt::Output(reason.to_owned()),
        RedisFault::AccessDenied(_) => Halt::Refused(format!(
            "Redis at {address} refuses: {reason}. Correct the address, user and password in sink.redis.url, or what \
             Redis allows that user (ACL)"
        )),
        _ => Halt::Refused(format!("Redis at {address} (sink.redis.url) cannot be used: {reason}")),
    }
}

/// The pause before the next attempt: about `pause`, which is doubled up to the longest.
fn next_retry_pause(pause: &mut Duration, settings: &RedisWriterSettings) -> Duration {
    let jittered = pause.mul_f64(0.8 + 0.4 * fastrand::f64());
    *pause = (*pause * 2).min(settings.max_retry_pause);
    jittered
}

/// What the thread owns.
struct WriterThread {
    address: RedisAddress,
    settings: RedisWriterSettings,
    queue: Arc<WriteQueue>,
    granted_fences: GrantedFences,
    connection: Option<RedisConnection>,
    /// The connection given up last, while it may still have commands on their way.
    abandoned_connection: Option<ConnectionIdentity>,
    retry_pause: Duration,
    outage: RedisOutageLog,
    refused_row_log: RefusedRowLog,
}

impl WriterThread {
    fn run(mut self) {
        let _ended = EndQueueOnDrop(Arc::clone(&self.queue));
        while let Some(work) = self.queue.next_task(self.settings.idle_check_interval) {
            let done = match work {
                WriterTask::Write(flight) => self.write_batch(flight),
                WriterTask::Claim(pending) => self.claim_partition(&pending),
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn write_batch(&mut self, flight: InFlightBatch) -> Result<(), WriterClosed> {
        let mut took = Duration::ZERO;
        let write = |link: &mut RedisConnection, holdings: &mut GrantedFences| {
            let began = Instant::now();
            let written = link.write_batch(&flight, holdings);
            took = began.elapsed();
            written
        };
        let Some(outcome) = self.retry_until_answered(|| true, write)? else { return Ok(()) };
        let mut refused = outcome.refusals.iter().peekable();
        for (row, (sealed, span, _)) in flight.rows().enumerate() {
            if let Some(refusal) = refused.next_if(|refusal| refusal.row_index == row) {
                self.refused_row_log.log_refused_row(sealed.redis_key(span), &refusal.reason);
            }
        }
        self.queue.complete_batch(flight, outcome, took);
        Ok(())
    }

    fn claim_partition(&mut self, pending: &PendingClaim) -> Result<(), WriterClosed> {
        let claim = &pending.claim;
        let key = self.granted_fences.fence_key(claim.partition);
        let mut sent = None;
        let decided =
            self.retry_until_answered(|| pending.is_awaited(), |link, _| link.claim_fence(claim, &key, &mut sent))?;
        let answer = match decided {
            None => return Ok(()),
            Some(Err(epoch)) => ClaimOutcome::Stale(epoch),
            Some(Ok(value)) => {
                let rows = value.counts.iter().map(|count| count.rows).collect();
                self.granted_fences.record_granted(claim.partition, value);
                ClaimOutcome::Granted(rows)
            }
        };
        self.queue.answer_claim(pending, answer);
        Ok(())
    }

    /// Repeats `attempt` until Redis has answered; `None` where that is not `wanted` any more. `attempt` gives `None`
    /// where it has to be repeated although nothing is wrong.
    fn retry_until_answered<T>(
        &mut self,
        wanted: impl Fn() -> bool,
        mut attempt: impl FnMut(&mut RedisConnection, &mut GrantedFences) -> Result<Option<T>, RedisFault>,
    ) -> Result<Option<T>, WriterClosed> {
        while wanted() {
            let pause = match self.attempt_once(&mut attempt) {
                Ok(answer) => {
                    self.outage.record_success(&self.address);
                    self.retry_pause = self.settings.min_retry_pause;
                    if answer.is_some() {
                        return Ok(answer);
                    }
                    Duration::ZERO
                }
                Err(fault @ (RedisFault::Unusable(_) | RedisFault::Bug(_))) => {
                    self.queue.set_halt(halt_for_fault(&self.address, &fault));
                    return Err(WriterClosed);
                }
                Err(fault) => {
                    // Whatever it was: a new connection may lead to another server, and has no half-open transaction.
                    if let Some(link) = self.connection.take() {
                        self.abandoned_connection = link.into_identity();
                    }
                    self.outage.record_failure(&self.address, fault.reason());
                    self.queue.record_unreachable(fault.reason());
                    next_retry_pause(&mut self.retry_pause, &self.settings)
                }
            };
            if !self.queue.pause_unless_closed(pause) {
                return Err(WriterClosed);
            }
        }
        Ok(None)
    }

    fn attempt_once<T>(
        &mut self,
        attempt: &mut impl FnMut(&mut RedisConnection, &mut GrantedFences) -> Result<Option<T>, RedisFault>,
    ) -> Result<Option<T>, RedisFault> {
        let link = match &mut self.connection {
            Some(link) => link,
            None => {
                let link = RedisConnection::open(&self.address, &self.settings, &mut self.abandoned_connection)?;
                self.queue.record_reconnect();
                self.connection.insert(link)
            }
        };
        attempt(link, &mut self.granted_fences)
    }
}

/// The time to try is over, or Redis turned out to be unfit: the writer ends.
struct WriterClosed;

/// Lets go everybody who waits for the writer, also when it panics.
struct EndQueueOnDrop(Arc<WriteQueue>);

impl Drop for EndQueueOnDrop {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.set_halt(Halt::Output(
                "the thread that writes to Redis broke down; this is a bug in Windrow".to_owned(),
            ));
        }
        self.0.mark_writer_ended();
    }
}
