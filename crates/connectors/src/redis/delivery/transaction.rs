//! The transactions that Windrow runs in Redis: rows with their fences, claims, and the check at the start.
//!
//! Owns: the commands that are sent, and the meaning of the replies for rows and fences. Does not own: when to retry
//! (the writer thread), and the matching of replies to commands (the command list).
//! Invariant: a transaction takes effect only if no fence of its partitions changes between the check and `EXEC`.
//! Therefore `WATCH` is sent before the value of a fence is read.

use redis::Value;
use windrow_core::{EventSchema, EventTime, Window};
use windrow_engine::{Epoch, LostPartition, PartitionClaim};
use windrow_spec::RedisViewSpec;

use super::command_list::CommandList;
use super::connection::{ExecOutcome, RedisConnection, expect_success, server_error_from_reply};
use crate::redis::fault::{RedisFault, classify_error_reply, extract_row_refusal_reason};
use crate::redis::fence::claim::{ClaimDecision, count_missing_rows, decide_claim};
use crate::redis::fence::granted::{BatchFenceVerdict, GrantedFences};
use crate::redis::fence::key::is_fence_key;
use crate::redis::fence::value::FenceValue;
use crate::redis::rows::batch::{InFlightBatch, InFlightRow};

/// A row that Redis refused.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct RowRefusal {
    /// The position of the row in the in-flight batch.
    pub(crate) row_index: usize,
    pub(crate) refusal_reason: String,
}

/// The outcome of writing an in-flight batch. Rows that are neither refused nor dropped were written.
#[derive(Default, Debug)]
pub(crate) struct BatchWriteOutcome {
    /// The refused rows, in the order of the batch.
    pub(crate) row_refusals: Vec<RowRefusal>,
    /// The partitions whose rows were dropped.
    pub(crate) lost_partitions: Vec<LostPartition>,
    pub(crate) dropped_row_count: usize,
}

/// The result of one attempt to write to Redis in a transaction that checks fences.
#[derive(Debug)]
pub(crate) enum FencedAttemptOutcome<T> {
    Done(T),
    /// A watched fence changed during the attempt. Redis executed nothing, and the attempt must be repeated.
    FenceChanged,
}

/// The result of a claim.
#[derive(Debug)]
pub(crate) enum FenceClaimResult {
    /// The claim was granted, and Redis holds this value.
    Granted(FenceValue),
    /// The fence holds this epoch, which is not smaller than the epoch of the claim.
    Stale(Epoch),
}

/// The subject of a reply to a question before `MULTI`.
#[derive(Clone, Copy, Debug)]
enum PreflightReplyMeaning {
    /// The reply must not be an error.
    ExpectSuccess,
    /// The value of the fence at this position of the check.
    FenceValue(usize),
    /// Whether the key of the row at this position holds a hash or nothing.
    RowKey(usize),
}

/// The subject of a reply inside `EXEC`.
#[derive(Clone, Copy, Debug)]
enum ExecReplyMeaning {
    /// The command that writes the row at this position of the in-flight batch.
    Row(usize),
    Fence,
}

/// Runs transactions over one connection, and keeps the command buffers for reuse.
pub(crate) struct TransactionClient {
    connection: RedisConnection,
    preflight_commands: CommandList<PreflightReplyMeaning>,
    write_commands: CommandList<ExecReplyMeaning>,
}

impl TransactionClient {
    pub(crate) fn new(connection: RedisConnection) -> Self {
        Self { connection, preflight_commands: CommandList::default(), write_commands: CommandList::default() }
    }

    pub(crate) fn into_connection(self) -> RedisConnection {
        self.connection
    }

    /// Checks whether Redis accepts rows of `views` together with the fence `fence_key`, without writing anything.
    pub(crate) fn verify_redis_accepts_rows(
        &mut self,
        views: &[RedisViewSpec],
        schema: &EventSchema,
        fence_key: &str,
    ) -> Result<(), RedisFault> {
        let Self { connection, preflight_commands: questions, write_commands: writes } = self;
        let epoch = EventTime::from_ms(0);
        let no_window = Window { start: epoch, end: epoch };
        let redis_key = |view: &RedisViewSpec, entity_key: &str| {
            let mut out = Vec::new();
            view.key_template.append_redis_key(&mut out, entity_key, no_window);
            out
        };
        let expect_fence_reply = |question: PreflightReplyMeaning, reply: Value| match question {
            PreflightReplyMeaning::FenceValue(_) => parse_fence_get_reply(fence_key, reply).map(drop),
            PreflightReplyMeaning::ExpectSuccess | PreflightReplyMeaning::RowKey(_) => expect_success(reply),
        };

        // This transaction has keys of several entities, so that a cluster refuses it.
        questions.clear();
        push_fence_watch_and_get(questions, &[fence_key]);
        let transaction = connection.query_and_open_transaction(questions, expect_fence_reply)?;
        let mut lengths = CommandList::default();
        for view in views {
            for entity_key in ["a", "b", "c"] {
                lengths.push_command((), &[b"HLEN", &redis_key(view, entity_key)]);
            }
        }
        transaction.send_and_execute_transaction(&mut lengths, |(), _| Ok(()))?;

        // This transaction has every command of a batch and is discarded. Redis checks the permissions and the
        // available memory.
        questions.clear();
        push_fence_watch_and_get(questions, &[fence_key]);
        let transaction = connection.query_and_open_transaction(questions, expect_fence_reply)?;
        writes.clear();
        writes.push_command(ExecReplyMeaning::Fence, &[b"SET", fence_key.as_bytes(), b""]);
        let field = schema.entity_key_name().as_bytes();
        for (index, view) in views.iter().enumerate() {
            let key = redis_key(view, "a");
            writes.push_command(ExecReplyMeaning::Row(index), &[b"HSET", &key, field, b""]);
            writes.push_command(ExecReplyMeaning::Row(index), &[b"HDEL", &key, field]);
            writes.push_command(ExecReplyMeaning::Row(index), &[b"PEXPIRE", &key, b"1"]);
        }
        transaction.send_and_discard_transaction(writes)
    }

    /// Writes those rows of `batch` that the fences permit.
    pub(crate) fn write_batch(
        &mut self,
        batch: &InFlightBatch,
        fences: &mut GrantedFences,
    ) -> Result<FencedAttemptOutcome<BatchWriteOutcome>, RedisFault> {
        let Self { connection, preflight_commands: questions, write_commands: writes } = self;
        let mut check = fences.judge_batch_by_granted_fences(batch.runs())?;
        let mut rows = collect_writable_rows(batch, &check);

        questions.clear();
        let fence_keys: Vec<&str> = check.writable_partitions.iter().map(|fenced| fenced.fence_key.as_str()).collect();
        push_fence_watch_and_get(questions, &fence_keys);
        for (position, row) in rows.iter().enumerate() {
            questions.push_command_group(PreflightReplyMeaning::RowKey(position), |commands| {
                commands.start_command(b"HLEN", 1);
                commands.append_argument(row.redis_key());
            });
        }
        let mut refusals = Vec::new();
        let transaction = connection.query_and_open_transaction(questions, |question, reply| match question {
            PreflightReplyMeaning::ExpectSuccess => expect_success(reply),
            PreflightReplyMeaning::FenceValue(position) => {
                let fenced = &mut check.writable_partitions[position];
                fenced.stored_fence_value = parse_fence_get_reply(&fenced.fence_key, reply)?;
                Ok(())
            }
            PreflightReplyMeaning::RowKey(position) => {
                refusals.extend(row_refusal_from_hlen_reply(&rows[position], reply)?);
                Ok(())
            }
        })?;

        let lost_before = check.lost_partitions.len();
        fences.judge_batch_by_stored_fences(&mut check)?;
        if check.lost_partitions.len() > lost_before {
            rows = collect_writable_rows(batch, &check);
            refusals.retain(|refusal| rows.binary_search_by_key(&refusal.row_index, |row| row.row_index).is_ok());
        }
        let dropped_rows = batch.row_count() - rows.len();

        writes.clear();
        let mut refused = refusals.iter().map(|refusal| refusal.row_index).peekable();
        for row in &rows {
            if refused.next_if_eq(&row.row_index).is_none() {
                writes
                    .push_command_group(ExecReplyMeaning::Row(row.row_index), |commands| row.append_commands(commands));
            }
        }
        drop(refused);
        // Refused rows count as well, because the next owner need not try them again.
        for fenced in &check.writable_partitions {
            writes.push_command(
                ExecReplyMeaning::Fence,
                &[b"SET", fenced.fence_key.as_bytes(), fenced.next_fence_text.as_bytes()],
            );
        }
        fences.record_fence_updates_in_flight(&check.writable_partitions);
        let execution = transaction.send_and_execute_transaction(writes, |write, reply| {
            match (write, server_error_from_reply(reply)) {
                (_, None) => Ok(()),
                (ExecReplyMeaning::Fence, Some(error)) => Err(classify_error_reply(&error)),
                (ExecReplyMeaning::Row(row_index), Some(error)) => {
                    // All replies to a row are classified, because a fault in any of them concerns the whole batch.
                    let reason = extract_row_refusal_reason(&error)?;
                    if refusals.last().is_none_or(|last: &RowRefusal| last.row_index != row_index) {
                        refusals.push(RowRefusal { row_index, refusal_reason: reason });
                    }
                    Ok(())
                }
            }
        })?;
        if execution == ExecOutcome::WatchedKeyChanged {
            return Ok(FencedAttemptOutcome::FenceChanged);
        }
        fences.record_fence_updates_acknowledged(check.writable_partitions);
        refusals.sort_unstable_by_key(|refusal| refusal.row_index);
        Ok(FencedAttemptOutcome::Done(BatchWriteOutcome {
            row_refusals: refusals,
            lost_partitions: check.lost_partitions,
            dropped_row_count: dropped_rows,
        }))
    }

    /// Claims the fence `key`. `sent_text` is the value that an earlier attempt of this claim sent, if its outcome is
    /// unknown.
    pub(crate) fn claim_fence(
        &mut self,
        claim: &PartitionClaim,
        key: &str,
        sent_text: &mut Option<String>,
    ) -> Result<FencedAttemptOutcome<FenceClaimResult>, RedisFault> {
        let Self { connection, preflight_commands: questions, write_commands: writes } = self;
        questions.clear();
        push_fence_watch_and_get(questions, &[key]);
        let mut stored = None;
        let transaction = connection.query_and_open_transaction(questions, |question, reply| match question {
            PreflightReplyMeaning::FenceValue(_) => {
                stored = parse_fence_get_reply(key, reply)?;
                Ok(())
            }
            PreflightReplyMeaning::ExpectSuccess | PreflightReplyMeaning::RowKey(_) => expect_success(reply),
        })?;
        let was_written = sent_text.is_some() && stored.as_deref() == sent_text.as_ref().map(String::as_bytes);
        let stored = stored.map(|stored| FenceValue::parse_stored_value(key, &stored)).transpose()?;
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
            // The earlier attempt was successful: epochs are unique, so no other process writes this value.
            Some(stored) if was_written => {
                transaction.send_and_discard_transaction(writes)?;
                return Ok(FencedAttemptOutcome::Done(FenceClaimResult::Granted(stored)));
            }
            stored => match decide_claim(stored.as_ref(), claim) {
                ClaimDecision::Grant(value) => value,
                ClaimDecision::Stale(epoch) => {
                    transaction.send_and_discard_transaction(writes)?;
                    return Ok(FencedAttemptOutcome::Done(FenceClaimResult::Stale(epoch)));
                }
            },
        };
        let text = granted.to_canonical_text();
        writes.push_command(ExecReplyMeaning::Fence, &[b"SET", key.as_bytes(), text.as_bytes()]);
        *sent_text = Some(text);
        match transaction.send_and_execute_transaction(writes, |_, reply| expect_success(reply))? {
            ExecOutcome::Executed => Ok(FencedAttemptOutcome::Done(FenceClaimResult::Granted(granted))),
            ExecOutcome::WatchedKeyChanged => Ok(FencedAttemptOutcome::FenceChanged),
        }
    }
}

/// Appends `WATCH` for the fences at `keys`, then `GET` for each of them.
fn push_fence_watch_and_get(questions: &mut CommandList<PreflightReplyMeaning>, keys: &[&str]) {
    if keys.is_empty() {
        return;
    }
    questions.push_command_group(PreflightReplyMeaning::ExpectSuccess, |commands| {
        commands.start_command(b"WATCH", keys.len());
        for key in keys {
            commands.append_argument(key.as_bytes());
        }
    });
    for (position, key) in keys.iter().enumerate() {
        questions.push_command(PreflightReplyMeaning::FenceValue(position), &[b"GET", key.as_bytes()]);
    }
}

/// Returns the rows of `batch` that `check` does not drop.
fn collect_writable_rows<'a>(batch: &'a InFlightBatch, check: &BatchFenceVerdict) -> Vec<InFlightRow<'a>> {
    batch.rows().filter(|row| !check.drops_rows_of_partition(row.fence_token)).collect()
}

/// Decodes the reply to `GET` of the fence `key`.
fn parse_fence_get_reply(key: &str, reply: Value) -> Result<Option<Vec<u8>>, RedisFault> {
    match reply {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::ServerError(error) => {
            let found = extract_row_refusal_reason(&error)?;
            Err(RedisFault::UnreadableFence { fence_key: key.to_owned(), found })
        }
        _ => Err(RedisFault::UnexpectedReply { command: "GET" }),
    }
}

/// Returns why the row must not be written, or `None` if it may be written. `reply` answers `HLEN` of the row's key.
fn row_refusal_from_hlen_reply(row: &InFlightRow<'_>, reply: Value) -> Result<Option<RowRefusal>, RedisFault> {
    let reason = if is_fence_key(row.redis_key()) {
        // If no fence exists at this key, Redis permits a hash there.
        "keys like this are reserved for Windrow's fences".to_owned()
    } else if let Some(error) = server_error_from_reply(reply) {
        extract_row_refusal_reason(&error)?
    } else {
        return Ok(None);
    };
    Ok(Some(RowRefusal { row_index: row.row_index, refusal_reason: reason }))
}
