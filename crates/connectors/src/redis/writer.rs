//! The thread that writes, and its owner's handle.
//!
//! Owns: connecting, retrying, ending. Does not own: what is sent (the link), memory and order (the queue).
//! After a crash: nothing here survives or needs to; what was not acknowledged is computed again.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use windrow_core::Schema;
use windrow_engine::{Halt, Stop};
use windrow_spec::View;

use super::Settings;
use super::address::Address;
use super::batch::Flight;
use super::encode::Encoder;
use super::fault::Fault;
use super::link::{Identity, Link, Refusal};
use super::queue::Queue;
use super::report::{Outage, Refusals};
use super::sink::RedisSink;
use super::status::Status;

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
    /// Connects to the Redis at `url` and starts the writer thread. Waits until Redis would take rows of `views`: at
    /// most for [`Settings::start_timeout`], and not after a stop was requested.
    ///
    /// # Errors
    /// [`Halt::NotReachable`] when the time is over. [`Halt::Refused`] when `url` is none, or Redis refuses the login,
    /// a command or a key, or cannot do what is needed. [`Halt::Output`] when no thread can be started.
    pub fn start(url: &str, views: &[View], schema: &Schema, settings: Settings, stop: Stop) -> Result<Self, Halt> {
        let address = Address::parse(url).map_err(Halt::Refused)?;
        let link = first_link(&address, views, schema, &settings, &stop)?;
        let queue = Arc::new(Queue::new(settings.queue_bytes));
        let (encoder, stop_patience) = (Encoder::new(views, schema), settings.stop_patience);
        let pause = settings.shortest_pause;
        let writer = Writer {
            address,
            settings,
            queue: Arc::clone(&queue),
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

    /// The counters now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.queue.status()
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
    views: &[View],
    schema: &Schema,
    settings: &Settings,
    stop: &Stop,
) -> Result<Link, Halt> {
    let began = Instant::now();
    let mut outage = Outage::default();
    let mut pause = settings.shortest_pause;
    let mut attempts = 0_u32;
    loop {
        attempts += 1;
        let link =
            Link::open(address, settings, &mut None).and_then(|mut link| link.probe(views, schema).map(|()| link));
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

/// Why Redis cannot be used, and what to do.
fn refusal(address: &Address, fault: &Fault) -> Halt {
    let reason = fault.reason();
    Halt::Refused(match fault {
        Fault::Locked(_) => format!(
            "Redis at {address} refuses: {reason}. Correct the address, user and password in sink.redis.url, or what \
             Redis allows that user (ACL)"
        ),
        _ => format!("Redis at {address} (sink.redis.url) cannot be used: {reason}"),
    })
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
        while let Some(flight) = self.queue.next_flight(self.settings.idle_check) {
            let Some(refusals) = self.deliver(&flight) else { return };
            let keys = flight.rows().enumerate().filter(|(row, _)| refusals.iter().any(|refusal| refusal.row == *row));
            for ((_, (sealed, span)), refusal) in keys.zip(&refusals) {
                self.refusals.one(sealed.key(span), &refusal.reason);
            }
            self.queue.arrived(&flight, refusals);
        }
    }

    /// Tries until `flight` is in Redis. `None` when the time to try is over, or Redis turned out to be unfit.
    fn deliver(&mut self, flight: &Flight) -> Option<Vec<Refusal>> {
        loop {
            match self.attempt(flight) {
                Ok(refusals) => {
                    self.outage.over(&self.address);
                    self.pause = self.settings.shortest_pause;
                    return Some(refusals);
                }
                Err(fault @ Fault::Unfit(_)) => {
                    self.queue.halt(refusal(&self.address, &fault));
                    return None;
                }
                Err(fault) => {
                    // Whatever it was: a new connection may lead to another server, and has no half-open transaction.
                    if let Some(link) = self.link.take() {
                        self.ghost = link.into_identity();
                    }
                    self.outage.failed(&self.address, fault.reason());
                    self.queue.away(fault.reason());
                }
            }
            if !self.queue.pause(next_pause(&mut self.pause, &self.settings)) {
                return None;
            }
        }
    }

    fn attempt(&mut self, flight: &Flight) -> Result<Vec<Refusal>, Fault> {
        let link = match &mut self.link {
            Some(link) => link,
            None => {
                let link = Link::open(&self.address, &self.settings, &mut self.ghost)?;
                self.queue.reconnected();
                self.link.insert(link)
            }
        };
        link.write(flight)
    }
}

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
