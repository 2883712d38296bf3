//! The transactions of the writer: one writes rows with their fences, one claims a fence, and two check at the start
//! whether Redis accepts rows.
//!
//! Owns: the choice of the commands, and what their replies mean for rows and fences. Does not own: when to retry (the
//! writer thread), and the matching of replies to commands (the command list).
//! Invariant: a transaction takes effect only if no fence of its partitions changes between the `GET` of the fence and
//! `EXEC`. Therefore `WATCH` is sent before `GET`.

use redis::Value;
use windrow_core::{EventSchema, EventTime, Window};
use windrow_engine::{Epoch, FenceToken, LostPartition, PartitionClaim, StoredRows};
use windrow_spec::RedisViewSpec;

use super::command_list::CommandList;
use super::connection::{ExecOutcome, RedisConnection, expect_success, server_error_from_reply};
use crate::redis::fault::{RedisFault, classify_error_reply, extract_row_refusal_reason};
use crate::redis::fence::claim::{ClaimDecision, decide_claim};
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
    /// The partitions whose fences the transaction wrote, with the rows that are neither refused nor dropped.
    pub(crate) written_fences: Vec<FenceToken>,
}

/// Which rows of a batch a transaction writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RowSelection {
    All,
    /// The rows without a row number, which the fence does not count.
    WithoutNumber,
}

impl RowSelection {
    fn includes(self, is_numbered: bool) -> bool {
        self == Self::All || !is_numbered
    }
}

/// The result of one attempt to run a transaction that checks fences.
#[derive(Debug)]
pub(crate) enum AttemptOutcome<T> {
    Done(T),
    /// A watched fence changed during the attempt. Redis executed nothing, and the attempt must be repeated.
    FenceChanged,
}

/// The result of an attempt to claim a fence in Redis.
#[derive(Debug)]
pub(crate) enum FenceClaimResult {
    /// The claim was granted, and the fence in Redis has this value.
    Granted(FenceValue),
    /// The claim was refused. The value is the epoch of the stored fence, which is equal to or larger than the epoch of
    /// the claim.
    Stale(Epoch),
    /// The claim was refused, because Redis lacks rows that the claim counts. `stored_rows` is what the stored fence
    /// tells; `None` if there is no fence.
    RowsMissing { stored_rows: Option<StoredRows> },
}

/// The meaning of the reply to a command that is sent before `MULTI`.
#[derive(Clone, Copy, Debug)]
enum PreflightReplyMeaning {
    /// The reply must not be an error. The content of the reply is ignored.
    ExpectSuccess,
    /// The reply is the value of a fence. The number is the position of the fence among the fences that are read.
    FenceValue(usize),
    /// The reply is an error if the key of a row holds another type than a hash. The number is the position of the row
    /// among the rows to write.
    RowKey(usize),
}

/// The reply to `EXEC` contains one reply for each command of the transaction. This type says what such a reply means.
#[derive(Clone, Copy, Debug)]
enum ExecReplyMeaning {
    /// The reply to a command that writes a row. The number is the row's position in the in-flight batch.
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

    pub(crate) fn connection(&mut self) -> &mut RedisConnection {
        &mut self.connection
    }

    /// Checks whether Redis accepts rows of `views` and a fence at `fence_key`. The check does not change any key.
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

        // This transaction detects a Redis Cluster: it reads keys of several entities, and only a Redis Cluster refuses
        // such a transaction.
        questions.clear();
        push_fence_watch_and_get(questions, &[fence_key]);
        let transaction = connection.query_and_open_transaction(questions, expect_fence_reply)?;
        let mut lengths = CommandList::default();
        for view in views {
            for entity_key in ["a", "b", "c"] {
                lengths.push_command((), redis::cmd("HLEN").arg(redis_key(view, entity_key)));
            }
        }
        transaction.send_and_execute_transaction(&mut lengths, |(), _| Ok(()))?;

        // This transaction contains every kind of command that the transaction of a batch contains. Redis checks
        // permissions and memory before it accepts a command into a transaction. The transaction can therefore be
        // discarded after the check.
        questions.clear();
        push_fence_watch_and_get(questions, &[fence_key]);
        let transaction = connection.query_and_open_transaction(questions, expect_fence_reply)?;
        writes.clear();
        writes.push_command(ExecReplyMeaning::Fence, redis::cmd("SET").arg(fence_key).arg(""));
        let field = schema.entity_key_name();
        for (index, view) in views.iter().enumerate() {
            let key = redis_key(view, "a");
            writes.push_command(ExecReplyMeaning::Row(index), redis::cmd("HSET").arg(&key).arg(field).arg(""));
            writes.push_command(ExecReplyMeaning::Row(index), redis::cmd("HDEL").arg(&key).arg(field));
            writes.push_command(ExecReplyMeaning::Row(index), redis::cmd("PEXPIRE").arg(&key).arg(1));
            if view.deletes_keys {
                writes.push_command(ExecReplyMeaning::Row(index), redis::cmd("DEL").arg(&key));
            }
        }
        transaction.send_and_discard_transaction(writes)
    }

    /// Tries once to write the rows of `batch` in `selection` in one transaction. Leaves out the rows of each lost partition: another
    /// owner has claimed the partition, or Redis has lost rows of the partition. Writes all other rows.
    pub(crate) fn write_batch(
        &mut self,
        batch: &InFlightBatch,
        selection: RowSelection,
        fences: &mut GrantedFences,
    ) -> Result<AttemptOutcome<BatchWriteOutcome>, RedisFault> {
        let Self { connection, preflight_commands: questions, write_commands: writes } = self;
        let runs = batch.runs().filter(|run| selection.includes(run.is_numbered()));
        let mut verdict = fences.judge_batch_by_granted_fences(runs, |fence_token| {
            // Rows without a number are written again, and newer decisions may be in the fence already.
            (selection == RowSelection::All).then(|| batch.newest_clock_decisions(fence_token)).flatten()
        })?;
        let mut rows = collect_writable_rows(batch, selection, &verdict);

        questions.clear();
        push_batch_check_commands(questions, &verdict, &rows);
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
            rows = collect_writable_rows(batch, selection, &verdict);
            refusals.retain(|refusal| rows.binary_search_by_key(&refusal.row_index, |row| row.row_index).is_ok());
        }
        let selected_row_count = batch.rows().filter(|row| selection.includes(row.is_numbered)).count();
        let dropped_rows = selected_row_count - rows.len();

        writes.clear();
        push_batch_write_commands(writes, &verdict, &rows, &refusals);
        fences.record_fence_updates_in_flight(&verdict.writable_partitions);
        let execution = transaction.send_and_execute_transaction(writes, |write, reply| {
            match (write, server_error_from_reply(reply)) {
                (_, None) => Ok(()),
                (ExecReplyMeaning::Fence, Some(error)) => Err(classify_error_reply(&error)),
                (ExecReplyMeaning::Row(row_index), Some(error)) => {
                    // The replies to all commands of a row are classified, because any of these replies may show a
                    // fault of the whole batch.
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
        let written_fences = verdict.writable_partitions.iter().map(|update| update.fence_token).collect();
        fences.record_fence_updates_acknowledged(verdict.writable_partitions);
        refusals.sort_unstable_by_key(|refusal| refusal.row_index);
        Ok(AttemptOutcome::Done(BatchWriteOutcome {
            row_refusals: refusals,
            lost_partitions: verdict.lost_partitions,
            dropped_row_count: dropped_rows,
            written_fences,
        }))
    }

    /// Tries once to write the fences of `fence_tokens` again, with the values that Redis holds. A new connection does
    /// this for rows that an earlier connection wrote: numbered rows change the fence with which they are written, so Redis
    /// has these rows of every fence that has its expected value. What has this newer write also has the rows. A fence says
    /// nothing about rows without a number; [`Self::write_batch`] writes these again. Returns the partitions whose
    /// fences have other values, and writes no fence of these.
    pub(crate) fn write_fences_again(
        &mut self,
        fence_tokens: impl Iterator<Item = FenceToken>,
        fences: &mut GrantedFences,
    ) -> Result<AttemptOutcome<Vec<LostPartition>>, RedisFault> {
        let Self { connection, preflight_commands: questions, write_commands: writes } = self;
        let mut verdict = fences.judge_written_fences(fence_tokens)?;
        if !verdict.writable_partitions.is_empty() {
            questions.clear();
            push_batch_check_commands(questions, &verdict, &[]);
            let transaction = connection.query_and_open_transaction(questions, |question, reply| match question {
                PreflightReplyMeaning::FenceValue(position) => {
                    let update = &mut verdict.writable_partitions[position];
                    update.stored_fence_value = parse_fence_get_reply(&update.fence_key, reply)?;
                    Ok(())
                }
                PreflightReplyMeaning::ExpectSuccess | PreflightReplyMeaning::RowKey(_) => expect_success(reply),
            })?;
            fences.judge_batch_by_stored_fences(&mut verdict)?;
            writes.clear();
            for update in &verdict.writable_partitions {
                // The stored value may already count the rows of a later transaction, whose reply was lost.
                let mut set = redis::cmd("SET");
                set.arg(&update.fence_key).arg(update.stored_fence_value.as_deref());
                writes.push_command(ExecReplyMeaning::Fence, &set);
            }
            let execution = transaction.send_and_execute_transaction(writes, |_, reply| expect_success(reply))?;
            if execution == ExecOutcome::WatchedKeyChanged {
                return Ok(AttemptOutcome::FenceChanged);
            }
        }
        Ok(AttemptOutcome::Done(verdict.lost_partitions))
    }

    /// Tries once to claim the fence at `key`. `sent_text` is the fence value that an earlier attempt of this claim
    /// sent; `None` if no attempt has sent a value. The outcome of the earlier attempt may be unknown. If this attempt
    /// sends a value, the function stores it in `sent_text`.
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
        writes.clear();
        let granted = match stored {
            // An earlier attempt of this claim wrote the fence, but the writer did not receive the answer of Redis.
            // Epochs are unique, so no other process can have written this value. The value is written again, because
            // replicas confirm only writes of the current connection.
            Some(stored) if was_written => stored,
            stored => match decide_claim(stored.as_ref(), claim) {
                ClaimDecision::Grant(value) => value,
                ClaimDecision::Stale(epoch) => {
                    transaction.send_and_discard_transaction(writes)?;
                    return Ok(AttemptOutcome::Done(FenceClaimResult::Stale(epoch)));
                }
                ClaimDecision::RowsMissing { stored_rows } => {
                    transaction.send_and_discard_transaction(writes)?;
                    return Ok(AttemptOutcome::Done(FenceClaimResult::RowsMissing { stored_rows }));
                }
            },
        };
        let text = granted.to_canonical_text();
        writes.push_command(ExecReplyMeaning::Fence, redis::cmd("SET").arg(key).arg(&text));
        *sent_text = Some(text);
        match transaction.send_and_execute_transaction(writes, |_, reply| expect_success(reply))? {
            ExecOutcome::Executed => Ok(AttemptOutcome::Done(FenceClaimResult::Granted(granted))),
            ExecOutcome::WatchedKeyChanged => Ok(AttemptOutcome::FenceChanged),
        }
    }
}

/// Appends one `WATCH` for all fences at `keys`, and then one `GET` for each fence.
fn push_fence_watch_and_get(questions: &mut CommandList<PreflightReplyMeaning>, keys: &[&str]) {
    if keys.is_empty() {
        return;
    }
    questions.push_command(PreflightReplyMeaning::ExpectSuccess, redis::cmd("WATCH").arg(keys));
    for (position, key) in keys.iter().enumerate() {
        questions.push_command(PreflightReplyMeaning::FenceValue(position), redis::cmd("GET").arg(key));
    }
}

/// Appends the commands that read the fences of the writable partitions. Then appends an `HLEN` for each row of `rows`,
/// which fails if the row's key holds another type than a hash.
fn push_batch_check_commands(
    questions: &mut CommandList<PreflightReplyMeaning>,
    verdict: &BatchFenceVerdict,
    rows: &[InFlightRow<'_>],
) {
    let fence_keys: Vec<&str> = verdict.writable_partitions.iter().map(|update| update.fence_key.as_str()).collect();
    push_fence_watch_and_get(questions, &fence_keys);
    for (position, row) in rows.iter().enumerate() {
        questions.push_commands_with_meaning(PreflightReplyMeaning::RowKey(position), |commands| {
            commands.start_command(b"HLEN", 1);
            commands.append_argument(row.redis_key());
        });
    }
}

/// Appends the commands that write all `rows` except the rows in `refusals`. Then appends the commands that write the
/// new fences of the writable partitions.
fn push_batch_write_commands(
    writes: &mut CommandList<ExecReplyMeaning>,
    verdict: &BatchFenceVerdict,
    rows: &[InFlightRow<'_>],
    refusals: &[RowRefusal],
) {
    let mut refused = refusals.iter().map(|refusal| refusal.row_index).peekable();
    for row in rows {
        if refused.next_if_eq(&row.row_index).is_none() {
            writes.push_commands_with_meaning(ExecReplyMeaning::Row(row.row_index), |commands| {
                row.append_row_commands(commands);
            });
        }
    }
    // The row counts of the new fence include refused rows, because the next owner of the partition need not write
    // refused rows again.
    for update in &verdict.writable_partitions {
        let mut set = redis::cmd("SET");
        set.arg(&update.fence_key).arg(&update.next_fence_text);
        writes.push_command(ExecReplyMeaning::Fence, &set);
    }
}

/// Returns the rows of `batch` in `selection` whose partitions are not lost according to `verdict`.
fn collect_writable_rows<'a>(
    batch: &'a InFlightBatch,
    selection: RowSelection,
    verdict: &BatchFenceVerdict,
) -> Vec<InFlightRow<'a>> {
    let selected = batch.rows().filter(|row| selection.includes(row.is_numbered));
    selected.filter(|row| !verdict.drops_rows_of_partition(row.fence_token)).collect()
}

/// Returns the fence value in `reply`, which is the reply to `GET` of the fence at `key`. Returns `None` if the fence
/// does not exist.
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

/// Returns the refusal of `row` if the row must not be written; otherwise `None`. `reply` is the reply to `HLEN` of the
/// row's key.
fn row_refusal_from_hlen_reply(row: &InFlightRow<'_>, reply: Value) -> Result<Option<RowRefusal>, RedisFault> {
    let reason = if is_fence_key(row.redis_key()) {
        // The row's key is reserved for a fence. If this fence does not exist, Redis itself accepts the row.
        format!("keys that begin with {FENCE_KEY_PREFIX} are reserved for the fences of Windrow")
    } else if let Some(error) = server_error_from_reply(reply) {
        extract_row_refusal_reason(&error)?
    } else {
        return Ok(None);
    };
    Ok(Some(RowRefusal { row_index: row.row_index, refusal_reason: reason }))
}
