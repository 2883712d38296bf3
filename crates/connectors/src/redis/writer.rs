//! The thread that writes, and its owner's handle.
//!
//! Owns: connecting, retrying, ending. Does not own: what is sent (the link), memory and order (the queue).
//! After a crash: nothing here survives or needs to; what was not acknowledged is computed again.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use windrow_engine::{Claimed, Halt, Stop};
use windrow_spec::Pipeline;

use super::Settings;
use super::address::Address;
use super::batch::Flight;
use super::claim::{Pending, RedisFence};
use super::encode::Encoder;
use super::fault::Fault;
use super::fence::FenceKeys;
use super::holdings::Holdings;
use super::link::{Identity, Link};
use super::queue::{Queue, Work};
use super::recent::RecentRows;
use super::report::{Outage, Refusals};
use super::sink::RedisSink;
use super::status::Status;
use super::watch::RedisWatch;

/// While waiting at the start: how often it is looked whether a stop was requested.
const LOOK_UP: Duration = Duration::from_millis(50);

/// How a writer ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// Every row handed over is in Redis, or was refused by it.
    Drained,
    /// Time ran out, or Redis is unfit; rows that take this many bytes were not acknowledged.
    Abandoned {
        /// Bytes of these rows' commands.
        waiting_bytes: usize,
    },
}

/// Writes the rows of a pipeline to Redis, for all workers of this process.
pub struct RedisWriter {
    queue: Arc<Queue>,
    encoder: Encoder,
    stop: Stop,
    stop_patience: Duration,
}

impl RedisWriter {
    /// Connects to the Redis of `pipeline` and starts the writer thread. Waits until Redis would take rows of its views:
    /// at most for [`Settings::start_timeout`], and not after a stop was requested.
    ///
    /// # Errors
    /// [`Halt::NotReachable`] when the time is over. [`Halt::Refused`] when the URL is none, or Redis refuses the login,
    /// a command or a key, or cannot do what is needed. [`Halt::Output`] when no thread can be started.
    pub fn start(pipeline: &Pipeline, settings: Settings, stop: Stop) -> Result<Self, Halt> {
        let address = Address::parse(&pipeline.sink.url).map_err(Halt::Refused)?;
        let holdings = Holdings::new(FenceKeys::new(&pipeline.name, &pipeline.source.group));
        let link = first_link(&address, pipeline, &holdings.key(0), &settings, &stop)?;
        let queue = Arc::new(Queue::new(settings.queue_bytes, RecentRows::default()));
        let (encoder, stop_patience) = (Encoder::new(&pipeline.views, &pipeline.event.schema), settings.stop_patience);
        let pause = settings.shortest_pause;
        let writer = Writer {
            address,
            settings,
            queue: Arc::clone(&queue),
            holdings,
            link: Some(link),
            ghost: None,
            pause,
            outage: Outage::default(),
            refusals: Refusals::default(),
        };
        let thread = thread::Builder::new().name("redis-writer".to_owned());
        // Not joined: `close` waits for its end on the queue, which can be given up.
        let _detached = thread
            .spawn(move || writer.run())
            .map_err(|error| Halt::Output(format!("the thread that writes to Redis cannot be started: {error}")))?;
        Ok(Self { queue, encoder, stop, stop_patience })
    }

    /// A new worker's sink.
    #[must_use]
    pub fn sink(&self) -> RedisSink {
        RedisSink::new(Arc::clone(&self.queue), self.stop.clone(), self.stop_patience, self.encoder.clone())
    }

    /// The fences of the pipeline's partitions: a worker claims a partition before its first row.
    #[must_use]
    pub fn fence(&self) -> RedisFence {
        RedisFence::new(Arc::clone(&self.queue), self.stop.clone())
    }

    /// The counters now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.queue.status()
    }

    /// A look at what is written, for those who do not own the writer.
    #[must_use]
    pub fn watch(&self) -> RedisWatch {
        RedisWatch::new(Arc::clone(&self.queue))
    }

    /// The rows that were written lately.
    #[must_use]
    pub fn recent(&self) -> RecentRows {
        self.queue.recent().clone()
    }

    /// Ends the writer once everything flushed is in Redis, or after `patience`. Rows handed over afterwards are dropped
    /// and never acknowledged.
    pub fn close(&self, patience: Duration) -> Closed {
        let until = Instant::now() + patience;
        self.queue.close(until);
        match self.queue.closed(until) {
            (true, 0) => Closed::Drained,
            (_, waiting_bytes) => Closed::Abandoned { waiting_bytes },
        }
    }
}

impl Drop for RedisWriter {
    fn drop(&mut self) {
        self.queue.close(Instant::now());
    }
}

/// The first connection, once Redis is ready for rows.
fn first_link(
    address: &Address,
    pipeline: &Pipeline,
    fence_key: &str,
    settings: &Settings,
    stop: &Stop,
) -> Result<Link, Halt> {
    let began = Instant::now();
    let mut outage = Outage::default();
    let mut pause = settings.shortest_pause;
    let mut attempts = 0_u32;
    loop {
        attempts += 1;
        let link = Link::open(address, settings, &mut None).and_then(|mut link| {
            link.probe(&pipeline.views, &pipeline.event.schema, fence_key)?;
            Ok(link)
        });
        let reason = match link {
            Ok(link) => {
                outage.over(address);
                return Ok(link);
            }
            Err(Fault::Away(reason)) => reason,
            Err(fault) => return Err(refusal(address, &fault)),
        };
        outage.failed(address, &reason);
        let resume = Instant::now() + next_pause(&mut pause, settings);
        loop {
            let waited = began.elapsed();
            if stop.requested() {
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
            thread::sleep(LOOK_UP.min(resume.saturating_duration_since(Instant::now())));
        }
    }
}

/// Why rows cannot be written, and what to do.
fn refusal(address: &Address, fault: &Fault) -> Halt {
    let reason = fault.reason();
    match fault {
        Fault::Bug(_) => Halt::Output(reason.to_owned()),
        Fault::Locked(_) => Halt::Refused(format!(
            "Redis at {address} refuses: {reason}. Correct the address, user and password in sink.redis.url, or what \
             Redis allows that user (ACL)"
        )),
        _ => Halt::Refused(format!("Redis at {address} (sink.redis.url) cannot be used: {reason}")),
    }
}

/// The pause before the next attempt: about `pause`, which is doubled up to the longest.
fn next_pause(pause: &mut Duration, settings: &Settings) -> Duration {
    let jittered = pause.mul_f64(0.8 + 0.4 * fastrand::f64());
    *pause = (*pause * 2).min(settings.longest_pause);
    jittered
}

/// What the thread owns.
struct Writer {
    address: Address,
    settings: Settings,
    queue: Arc<Queue>,
    holdings: Holdings,
    link: Option<Link>,
    /// The connection given up last, while it may still have commands on their way.
    ghost: Option<Identity>,
    pause: Duration,
    outage: Outage,
    refusals: Refusals,
}

impl Writer {
    fn run(mut self) {
        let _ended = EndsQueue(Arc::clone(&self.queue));
        while let Some(work) = self.queue.next(self.settings.idle_check) {
            let done = match work {
                Work::Flight(flight) => self.bring(flight),
                Work::Claim(pending) => self.claim(&pending),
            };
            if done.is_err() {
                return;
            }
        }
    }

    fn bring(&mut self, flight: Flight) -> Result<(), Over> {
        let mut took = Duration::ZERO;
        let write = |link: &mut Link, holdings: &mut Holdings| {
            let began = Instant::now();
            let written = link.write(&flight, holdings);
            took = began.elapsed();
            written
        };
        let Some(outcome) = self.insist(|| true, write)? else { return Ok(()) };
        let mut refused = outcome.refusals.iter().peekable();
        for (row, (sealed, span, _)) in flight.rows().enumerate() {
            if let Some(refusal) = refused.next_if(|refusal| refusal.row == row) {
                self.refusals.one(sealed.key(span), &refusal.reason);
            }
        }
        self.queue.arrived(flight, outcome, took);
        Ok(())
    }

    fn claim(&mut self, pending: &Pending) -> Result<(), Over> {
        let claim = &pending.claim;
        let key = self.holdings.key(claim.partition);
        let mut sent = None;
        let decided = self.insist(|| pending.is_wanted(), |link, _| link.claim(claim, &key, &mut sent))?;
        let answer = match decided {
            None => return Ok(()),
            Some(Err(epoch)) => Claimed::Stale(epoch),
            Some(Ok(value)) => {
                let rows = value.counts.iter().map(|count| count.rows).collect();
                self.holdings.granted(claim.partition, value);
                Claimed::Granted(rows)
            }
        };
        self.queue.claimed(pending, answer);
        Ok(())
    }

    /// Repeats `attempt` until Redis has answered; `None` where that is not `wanted` any more. `attempt` gives `None`
    /// where it has to be repeated although nothing is wrong.
    fn insist<T>(
        &mut self,
        wanted: impl Fn() -> bool,
        mut attempt: impl FnMut(&mut Link, &mut Holdings) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, Over> {
        while wanted() {
            let pause = match self.attempt(&mut attempt) {
                Ok(answer) => {
                    self.outage.over(&self.address);
                    self.pause = self.settings.shortest_pause;
                    if answer.is_some() {
                        return Ok(answer);
                    }
                    Duration::ZERO
                }
                Err(fault @ (Fault::Unfit(_) | Fault::Bug(_))) => {
                    self.queue.halt(refusal(&self.address, &fault));
                    return Err(Over);
                }
                Err(fault) => {
                    // Whatever it was: a new connection may lead to another server, and has no half-open transaction.
                    if let Some(link) = self.link.take() {
                        self.ghost = link.into_identity();
                    }
                    self.outage.failed(&self.address, fault.reason());
                    self.queue.away(fault.reason());
                    next_pause(&mut self.pause, &self.settings)
                }
            };
            if !self.queue.pause(pause) {
                return Err(Over);
            }
        }
        Ok(None)
    }

    fn attempt<T>(
        &mut self,
        attempt: &mut impl FnMut(&mut Link, &mut Holdings) -> Result<Option<T>, Fault>,
    ) -> Result<Option<T>, Fault> {
        let link = match &mut self.link {
            Some(link) => link,
            None => {
                let link = Link::open(&self.address, &self.settings, &mut self.ghost)?;
                self.queue.reconnected();
                self.link.insert(link)
            }
        };
        attempt(link, &mut self.holdings)
    }
}

/// The time to try is over, or Redis turned out to be unfit: the writer ends.
struct Over;

/// Lets go everybody who waits for the writer, also when it panics.
struct EndsQueue(Arc<Queue>);

impl Drop for EndsQueue {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0
                .halt(Halt::Output("the thread that writes to Redis broke down; this is a bug in Windrow".to_owned()));
        }
        self.0.end();
    }
}
