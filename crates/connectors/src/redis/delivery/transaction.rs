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
use crate::redis::fence::key::{FENCE_KEY_PREFIX, is_fence_key};
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
pub(crate) enum AttemptOutcome<T> {
    Done(T),
    /// A watched fence changed during the attempt. Redis executed nothing, and the attempt must be repeated.
    FenceChanged,
}

/// The result of a claim to a fence in Redis.
#[derive(Debug)]
pub(crate) enum FenceClaimResult {
    /// The claim was granted, and Redis holds this value.
    Granted(FenceValue),
    /// The fence holds this epoch, which is not smaller than the epoch of the claim.
    Stale(Epoch),
}

/// What a reply to a command before `MULTI` means.
#[derive(Clone, Copy, Debug)]
enum PreflightReplyMeaning {
    /// The reply must not be an error, and its content is ignored.
    ExpectSuccess,
    /// The value of a fence. The number is the position of the fence among those that are read.
    FenceValue(usize),
    /// Whether the key of a row holds a hash or nothing. The number is the position of the row among those to write.
    RowKey(usize),
}

/// What a reply inside `EXEC` means.
#[derive(Clone, Copy, Debug)]
enum ExecReplyMeaning {
    /// The result of a command that writes a row. The number is the row's position in the in-flight batch.
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

        // This transaction reads keys of several entities, which only a Redis Cluster refuses.
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

        // This transaction has every command of a batch and is discarded. Redis checks permissions and memory before
        // it accepts a command into a transaction.
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
    ) -> Result<AttemptOutcome<BatchWriteOutcome>, RedisFault> {
        let Self { connection, preflight_commands: questions, write_commands: writes } = self;
        let mut verdict = fences.judge_batch_by_granted_fences(batch.runs())?;
        let mut rows = collect_writable_rows(batch, &verdict);

        questions.clear();
        push_batch_questions(questions, &verdict, &rows);
        let mut refusals = Vec::new();
        let transaction = connection.query_and_open_transaction(questions, |question, reply| match question {
            PreflightReplyMeaning::ExpectSuccess => expect_success(reply),
            PreflightReplyMeaning::FenceValue(position) => {
                let update = &mut verdict.writable_partitions[position];
                update.stored_fence_value = parse_fence_get_reply(&update.fence_key, reply)?;
                Ok(())
            }
            PreflightReplyMeaning::RowKey(position) => {
                refusals.extend(row_refusal_from_hlen_reply(&rows[position], reply)?);
                Ok(())
            }
        })?;

        let lost_before = verdict.lost_partitions.len();
        fences.judge_batch_by_stored_fences(&mut verdict)?;
        if verdict.lost_partitions.len() > lost_before {
            rows = collect_writable_rows(batch, &verdict);
            refusals.retain(|refusal| rows.binary_search_by_key(&refusal.row_index, |row| row.row_index).is_ok());
        }
        let dropped_rows = batch.row_count() - rows.len();

        writes.clear();
        push_batch_writes(writes, &verdict, &rows, &refusals);
        fences.record_fence_updates_in_flight(&verdict.writable_partitions);
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
            return Ok(AttemptOutcome::FenceChanged);
        }
        fences.record_fence_updates_acknowledged(verdict.writable_partitions);
        refusals.sort_unstable_by_key(|refusal| refusal.row_index);
        Ok(AttemptOutcome::Done(BatchWriteOutcome {
            row_refusals: refusals,
            lost_partitions: verdict.lost_partitions,
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
    ) -> Result<AttemptOutcome<FenceClaimResult>, RedisFault> {
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
                "Redis lacks rows that were written before the checkpoint, and Windrow does not write them again; Redis was \
                 emptied, has failed over, or is another server"
            );
        }
        writes.clear();
        let granted = match stored {
            // The earlier attempt succeeded. Epochs are unique, so no other process can have written this value.
            Some(stored) if was_written => {
                transaction.send_and_discard_transaction(writes)?;
                return Ok(AttemptOutcome::Done(FenceClaimResult::Granted(stored)));
            }
            stored => match decide_claim(stored.as_ref(), claim) {
                ClaimDecision::Grant(value) => value,
                ClaimDecision::Stale(epoch) => {
                    transaction.send_and_discard_transaction(writes)?;
                    return Ok(AttemptOutcome::Done(FenceClaimResult::Stale(epoch)));
                }
            },
        };
        let text = granted.to_canonical_text();
        writes.push_command(ExecReplyMeaning::Fence, &[b"SET", key.as_bytes(), text.as_bytes()]);
        *sent_text = Some(text);
        match transaction.send_and_execute_transaction(writes, |_, reply| expect_success(reply))? {
            ExecOutcome::Executed => Ok(AttemptOutcome::Done(FenceClaimResult::Granted(granted))),
            ExecOutcome::WatchedKeyChanged => Ok(AttemptOutcome::FenceChanged),
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

/// Appends the commands that read the fences of the writable partitions and check the keys of `rows`.
fn push_batch_questions(
    questions: &mut CommandList<PreflightReplyMeaning>,
    verdict: &BatchFenceVerdict,
    rows: &[InFlightRow<'_>],
) {
    let fence_keys: Vec<&str> = verdict.writable_partitions.iter().map(|update| update.fence_key.as_str()).collect();
    push_fence_watch_and_get(questions, &fence_keys);
    for (position, row) in rows.iter().enumerate() {
        questions.push_command_group(PreflightReplyMeaning::RowKey(position), |commands| {
            commands.start_command(b"HLEN", 1);
            commands.append_argument(row.redis_key());
        });
    }
}

/// Appends the commands that write `rows`, except the refused rows, and the new fences of the writable partitions.
fn push_batch_writes(
    writes: &mut CommandList<ExecReplyMeaning>,
    verdict: &BatchFenceVerdict,
    rows: &[InFlightRow<'_>],
    refusals: &[RowRefusal],
) {
    let mut refused = refusals.iter().map(|refusal| refusal.row_index).peekable();
    for row in rows {
        if refused.next_if_eq(&row.row_index).is_none() {
            writes.push_command_group(ExecReplyMeaning::Row(row.row_index), |commands| row.append_commands(commands));
        }
    }
    // The fence also counts refused rows, because the next owner need not try them again.
    for update in &verdict.writable_partitions {
        let value = update.next_fence_text.as_bytes();
        writes.push_command(ExecReplyMeaning::Fence, &[b"SET", update.fence_key.as_bytes(), value]);
    }
}

/// Returns the rows of `batch` that `verdict` permits to write.
fn collect_writable_rows<'a>(batch: &'a InFlightBatch, verdict: &BatchFenceVerdict) -> Vec<InFlightRow<'a>> {
    batch.rows().filter(|row| !verdict.drops_rows_of_partition(row.fence_token)).collect()
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

/// Returns the reason why the row must not be written, or `None` if it may be written. `reply` is the reply to `HLEN`
/// of the row's key.
fn row_refusal_from_hlen_reply(row: &InFlightRow<'_>, reply: Value) -> Result<Option<RowRefusal>, RedisFault> {
    let reason = if is_fence_key(row.redis_key()) {
        // Redis would permit a hash at the key of a fence as long as no fence exists there.
        format!("keys that begin with {FENCE_KEY_PREFIX} are reserved for the fences of Windrow")
    } else if let Some(error) = server_error_from_reply(reply) {
        extract_row_refusal_reason(&error)?
    } else {
        return Ok(None);
    };
    Ok(Some(RowRefusal { row_index: row.row_index, refusal_reason: reason }))
}
