//! The code of a thread as a coroutine: it has its own stack, and gives up control wherever the thread would wait.
//!
//! Owns: starting, resuming and killing a coroutine. Does not own: the order in which coroutines run (`scheduler`).
//! Invariants: (1) A killed coroutine runs its destructors, as at a panic, and nothing else. (2) A kill calls no panic
//! hook, because the hook belongs to all threads of the process.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use generator::{Generator, Gn};
use windrow_engine::{NotificationCount, ThreadBody, Wakeup};

/// The size of a coroutine's stack in machine words. The operating system provides only the pages that are used.
const STACK_WORDS: usize = 64 * 1024;

thread_local! {
    /// Whether the coroutine that is resumed next must end.
    static IS_KILLING: Cell<bool> = const { Cell::new(false) };
}

/// The panic that ends a killed coroutine.
struct KilledCoroutine;

/// What a coroutine waits for. It continues at whichever comes first.
pub(crate) struct CoroutinePark {
    /// The virtual time until which the coroutine waits; `None` without a limit.
    pub(crate) until: Option<Duration>,
    /// The coroutine continues when this has more notifications than the count.
    pub(crate) wakeup: Option<(Arc<Wakeup>, NotificationCount)>,
}

impl CoroutinePark {
    pub(crate) fn is_over(&self, now: Duration) -> bool {
        self.until.is_some_and(|until| until <= now)
            || self.wakeup.as_ref().is_some_and(|(wakeup, seen)| wakeup.notification_count() > *seen)
    }
}

/// Why a coroutine gave up control.
pub(crate) enum CoroutineStop {
    Parked(CoroutinePark),
    Ended,
    /// Its code has panicked with this message.
    Panicked(String),
}

/// The code of one thread.
pub(crate) struct Coroutine {
    generator: Generator<'static, (), CoroutineStop>,
    has_started: bool,
}

impl Coroutine {
    pub(crate) fn new(body: ThreadBody) -> Self {
        let generator = Gn::<()>::new_opt(STACK_WORDS, move || match catch_unwind(AssertUnwindSafe(body)) {
            Ok(()) => CoroutineStop::Ended,
            Err(panic) if panic.is::<KilledCoroutine>() => CoroutineStop::Ended,
            Err(panic) => CoroutineStop::Panicked(describe_panic(&*panic)),
        });
        Self { generator, has_started: false }
    }

    /// Runs the coroutine until it gives up control.
    pub(crate) fn resume(&mut self) -> CoroutineStop {
        self.has_started = true;
        self.generator.resume().unwrap_or(CoroutineStop::Ended)
    }

    /// Ends the coroutine where it waits. Only its destructors run.
    pub(crate) fn kill(mut self) {
        // A coroutine that was never resumed has nothing to destroy but its captured values.
        if self.has_started {
            IS_KILLING.set(true);
            let _ended = self.generator.resume();
            IS_KILLING.set(false);
        }
    }
}

/// Gives up control of the coroutine that calls this function, until the scheduler resumes it. Returns at once while the
/// coroutine is being killed.
#[expect(deprecated, reason = "the waiting code is far from the coroutine's start and cannot borrow its scope")]
pub(crate) fn park_current_coroutine(park: CoroutinePark) {
    if thread::panicking() {
        return;
    }
    generator::yield_with(CoroutineStop::Parked(park));
    if IS_KILLING.get() {
        resume_unwind(Box::new(KilledCoroutine));
    }
}

fn describe_panic(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message").to_owned()
}
