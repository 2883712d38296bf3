//! The transactions that Windrow runs in Redis: rows with their fences, claims, and the check at the start.
//!
//! Owns: which commands are sent, and what the replies mean for rows and fences. Does not own: when to retry (the writer
//! thread), how replies find their commands (the command list).
//! Invariant: a transaction takes effect only if the fences of its partitions stay, until `EXEC`, what they were when they
//! were checked. `WATCH` comes before the question.

use redis::Value;
use windrow_core::{EventSchema, EventTime, Window};
use windrow_engine::{Epoch, LostPartition, PartitionClaim};
use windrow_spec::RedisViewSpec;

use super::command_list::CommandList;
use super::connection::{ExecOutcome, RedisConnection, expect_success, find_server_error};
use crate::redis::fault::{RedisFault, classify_reply, classify_row_reply};
use crate::redis::fence::claim::{ClaimDecision, apply_claim, count_missing_rows};
use crate::redis::fence::granted::{FenceCheck, GrantedFences};
use crate::redis::fence::key::is_fence_key;
use crate::redis::fence::value::{FenceValue, unreadable_fence};
use crate::redis::rows::batch::{InFlightBatch, InFlightRow};

/// A row that Redis refused.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct RowRefusal {
    /// Its position in the in-flight batch.
    pub(crate) row_index: usize,
    pub(crate) reason: String,
}

/// What became of the rows of an in-flight batch; those not named were written.
#[derive(Default, Debug)]
pub(crate) struct WriteOutcome {
    /// In the order of the rows.
    pub(crate) refusals: Vec<RowRefusal>,
    /// Partitions whose rows were dropped.
    pub(crate) lost_partitions: Vec<LostPartition>,
    pub(crate) dropped_rows: usize,
}

/// One attempt to change Redis behind a fence.
#[derive(Debug)]
pub(crate) enum FencedAttempt<T> {
    Done(T),
    /// A watched fence changed meanwhile. Redis executed nothing, and the attempt has to be repeated.
    FenceChanged,
}

/// What became of a claim.
#[derive(Debug)]
pub(crate) enum ClaimResult {
    /// Redis holds this value.
    Granted(FenceValue),
    /// The fence has this epoch, which is not smaller than the claim's.
    Stale(Epoch),
}

/// What a reply to a question before a transaction is about.
#[derive(Clone, Copy, Debug)]
enum PreflightQuestion {
    /// Nothing but success is expected.
    Success,
    /// The value of the fence at this position of the check.
    FenceValue(usize),
    /// Whether the key of the row at this position may become a hash.
    RowKey(usize),
}

/// What a reply inside `EXEC` is about.
#[derive(Clone, Copy, Debug)]
enum TransactionWrite {
    /// The row at this position of the in-flight batch.
    Row(usize),
    Fence,
}

/// A connection with the buffers of its commands.
pub(crate) struct TransactionClient {
    connection: RedisConnection,
    questions: CommandList<PreflightQuestion>,
    writes: CommandList<TransactionWrite>,
}

impl TransactionClient {
    pub(crate) fn new(connection: RedisConnection) -> Self {
        Self { connection, questions: CommandList::default(), writes: CommandList::default() }
    }

    pub(crate) fn into_connection(self) -> RedisConnection {
        self.connection
    }

    /// Checks whether Redis would take rows of `views` behind the fence `fence_key`, without writing anything.
    pub(crate) fn check_accepts_rows(
        &mut self,
        views: &[RedisViewSpec],
        schema: &EventSchema,
        fence_key: &str,
    ) -> Result<(), RedisFault> {
        let Self { connection, questions, writes } = self;
        let epoch = EventTime::from_ms(0);
        let no_window = Window { start: epoch, end: epoch };
        let redis_key = |view: &RedisViewSpec, entity_key: &str| {
            let mut out = Vec::new();
            view.key.append_key(&mut out, entity_key, no_window);
            out
        };
        let expect_fence_reply = |question: PreflightQuestion, reply: Value| match question {
            PreflightQuestion::FenceValue(_) => parse_fence_reply(fence_key, reply).map(drop),
            PreflightQuestion::Success | PreflightQuestion::RowKey(_) => expect_success(reply),
        };

        // Keys of different users in one transaction: what a cluster refuses.
        questions.clear();
        push_fence_questions(questions, &[fence_key]);
        let transaction = connection.open_transaction(questions, expect_fence_reply)?;
        let mut lengths = CommandList::default();
        for view in views {
            for entity_key in ["a", "b", "c"] {
                lengths.push((), &[b"HLEN", &redis_key(view, entity_key)]);
            }
        }
        transaction.execute(&mut lengths, |(), _| Ok(()))?;

        // Every command of a batch, in a transaction that is discarded: whether it is allowed, and whether there is memory.
        questions.clear();
        push_fence_questions(questions, &[fence_key]);
        let transaction = connection.open_transaction(questions, expect_fence_reply)?;
        writes.clear();
        writes.push(TransactionWrite::Fence, &[b"SET", fence_key.as_bytes(), b""]);
        let field = schema.key_name().as_bytes();
        for (index, view) in views.iter().enumerate() {
            let key = redis_key(view, "a");
            writes.push(TransactionWrite::Row(index), &[b"HSET", &key, field, b""]);
            writes.push(TransactionWrite::Row(index), &[b"HDEL", &key, field]);
            writes.push(TransactionWrite::Row(index), &[b"PEXPIRE", &key, b"1"]);
        }
        transaction.discard(writes)
    }

    /// Writes the rows of `batch`, as far as the fences let them through.
    pub(crate) fn write_batch(
        &mut self,
        batch: &InFlightBatch,
        fences: &mut GrantedFences,
    ) -> Result<FencedAttempt<WriteOutcome>, RedisFault> {
        let Self { connection, questions, writes } = self;
        let mut check = fences.check_fences(batch.runs())?;
        let mut rows = collect_writable_rows(batch, &check);

        questions.clear();
        let fence_keys: Vec<&str> = check.writable.iter().map(|fenced| fenced.fence_key.as_str()).collect();
        push_fence_questions(questions, &fence_keys);
        for (position, row) in rows.iter().enumerate() {
            questions.push_with(PreflightQuestion::RowKey(position), |commands| {
                commands.start_command(b"HLEN", 1);
                commands.append_argument(row.redis_key());
            });
        }
        let mut refusals = Vec::new();
        let transaction = connection.open_transaction(questions, |question, reply| match question {
            PreflightQuestion::Success => expect_success(reply),
            PreflightQuestion::FenceValue(position) => {
                let fenced = &mut check.writable[position];
                fenced.stored_value = parse_fence_reply(&fenced.fence_key, reply)?;
                Ok(())
            }
            PreflightQuestion::RowKey(position) => {
                refusals.extend(check_row_key(&rows[position], reply)?);
                Ok(())
            }
        })?;

        let lost_before = check.lost_partitions.len();
        fences.check_stored_values(&mut check)?;
        if check.lost_partitions.len() > lost_before {
            rows = collect_writable_rows(batch, &check);
            refusals.retain(|refusal| rows.binary_search_by_key(&refusal.row_index, |row| row.index).is_ok());
        }
        let dropped_rows = batch.row_count() - rows.len();

        writes.clear();
        let mut refused = refusals.iter().map(|refusal| refusal.row_index).peekable();
        for row in &rows {
            if refused.next_if_eq(&row.index).is_none() {
                writes.push_with(TransactionWrite::Row(row.index), |commands| row.append_commands(commands));
            }
        }
        drop(refused);
        // Refused rows count as well: the next owner need not try them again.
        for fenced in &check.writable {
            writes.push(TransactionWrite::Fence, &[b"SET", fenced.fence_key.as_bytes(), fenced.next_text.as_bytes()]);
        }
        fences.record_sent(&check.writable);
        let execution = transaction.execute(writes, |write, reply| match (write, find_server_error(reply)) {
            (_, None) => Ok(()),
            (TransactionWrite::Fence, Some(error)) => Err(classify_reply(&error)),
            (TransactionWrite::Row(row_index), Some(error)) => {
                // All replies to a row are classified: a fault in any of them concerns the whole batch.
                let reason = classify_row_reply(&error)?;
                if refusals.last().is_none_or(|last: &RowRefusal| last.row_index != row_index) {
                    refusals.push(RowRefusal { row_index, reason });
                }
                Ok(())
            }
        })?;
        if execution == ExecOutcome::WatchedKeyChanged {
            return Ok(FencedAttempt::FenceChanged);
        }
        fences.record_acknowledged(check.writable);
        refusals.sort_unstable_by_key(|refusal| refusal.row_index);
        Ok(FencedAttempt::Done(WriteOutcome { refusals, lost_partitions: check.lost_partitions, dropped_rows }))
    }

    /// Claims the fence `key`. `sent_text` is what an earlier attempt of this claim sent, if its outcome is unknown.
    pub(crate) fn claim_fence(
        &mut self,
        claim: &PartitionClaim,
        key: &str,
        sent_text: &mut Option<String>,
    ) -> Result<FencedAttempt<ClaimResult>, RedisFault> {
        let Self { connection, questions, writes } = self;
        questions.clear();
        push_fence_questions(questions, &[key]);
        let mut stored = None;
        let transaction = connection.open_transaction(questions, |question, reply| match question {
            PreflightQuestion::FenceValue(_) => {
                stored = parse_fence_reply(key, reply)?;
                Ok(())
            }
            PreflightQuestion::Success | PreflightQuestion::RowKey(_) => expect_success(reply),
        })?;
        let was_written = sent_text.is_some() && stored.as_deref() == sent_text.as_ref().map(String::as_bytes);
        let stored = stored.map(|stored| FenceValue::parse_stored(key, &stored)).transpose()?;
        let missing_rows = count_missing_rows(stored.as_ref(), claim);
        if missing_rows > 0 {
            tracing::error!(
                partition = claim.partition,
                missing_rows,
                "Redis lacks rows that were written before the checkpoint (it was emptied, failed over, or is another one); \
                 these rows are not written again"
            );
        }
        writes.clear();
        let granted = match stored {
            // Epochs are unique: no other process writes this one.
            Some(stored) if was_written => {
                transaction.discard(writes)?;
                return Ok(FencedAttempt::Done(ClaimResult::Granted(stored)));
            }
            stored => match apply_claim(stored.as_ref(), claim) {
                ClaimDecision::Grant(value) => value,
                ClaimDecision::Stale(epoch) => {
                    transaction.discard(writes)?;
                    return Ok(FencedAttempt::Done(ClaimResult::Stale(epoch)));
                }
            },
        };
        let text = granted.to_text();
        writes.push(TransactionWrite::Fence, &[b"SET", key.as_bytes(), text.as_bytes()]);
        *sent_text = Some(text);
        match transaction.execute(writes, |_, reply| expect_success(reply))? {
            ExecOutcome::Executed => Ok(FencedAttempt::Done(ClaimResult::Granted(granted))),
            ExecOutcome::WatchedKeyChanged => Ok(FencedAttempt::FenceChanged),
        }
    }
}

/// Watches the fences at `keys` and asks for their values.
fn push_fence_questions(questions: &mut CommandList<PreflightQuestion>, keys: &[&str]) {
    if keys.is_empty() {
        return;
    }
    questions.push_with(PreflightQuestion::Success, |commands| {
        commands.start_command(b"WATCH", keys.len());
        for key in keys {
            commands.append_argument(key.as_bytes());
        }
    });
    for (position, key) in keys.iter().enumerate() {
        questions.push(PreflightQuestion::FenceValue(position), &[b"GET", key.as_bytes()]);
    }
}

/// Returns the rows of `batch` that `check` does not drop.
fn collect_writable_rows<'a>(batch: &'a InFlightBatch, check: &FenceCheck) -> Vec<InFlightRow<'a>> {
    batch.rows().filter(|row| !check.drops_rows_of(row.fence_token)).collect()
}

/// Decodes the reply to `GET` of a fence.
fn parse_fence_reply(key: &str, reply: Value) -> Result<Option<Vec<u8>>, RedisFault> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::ServerError(error) => {
            Err(classify_row_reply(&error).map_or_else(|fault| fault, |reason| unreadable_fence(key, &reason)))
        }
        _ => Err(RedisFault::Unreachable("the reply to GET is no string".to_owned())),
    }
}

/// Returns why the row must not be written, if so. `reply` answers `HLEN` of its key.
fn check_row_key(row: &InFlightRow<'_>, reply: Value) -> Result<Option<RowRefusal>, RedisFault> {
    let reason = if is_fence_key(row.redis_key()) {
        // Without a fence at the key, Redis itself would let it become a hash.
        "keys like this are reserved for Windrow's fences".to_owned()
    } else if let Some(error) = find_server_error(reply) {
        classify_row_reply(&error)?
    } else {
        return Ok(None);
    };
    Ok(Some(RowRefusal { row_index: row.index, reason }))
}
