//! Waits until replicas and disks have the written rows, as `wait_replicas` and `wait_aof` of the pipeline require.
//!
//! Owns: the commands `WAIT` and `WAITAOF`, and their replies. Does not own: what waits (the unacknowledged tasks), and
//! when to wait again (the writer thread).
//! Invariant: Redis answers these commands for the writes of the same connection. So a wait is valid only on a connection
//! that has itself written the rows or their fences.

use std::time::Duration;

use redis::{Cmd, FromRedisValue, Value};
use windrow_spec::RowAcknowledgement;

use super::connection::RedisConnection;
use crate::redis::fault::{MissingAcknowledgement, RedisFault, classify_error_reply};

/// What written rows need to count as acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcknowledgementWait {
    required: RowAcknowledgement,
}

/// The outcome of one wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AcknowledgementOutcome {
    Acknowledged,
    Missing(MissingAcknowledgement),
}

impl AcknowledgementWait {
    pub(crate) fn new(required: RowAcknowledgement) -> Self {
        Self { required }
    }

    /// Returns whether the answer of Redis to the transaction is not enough.
    pub(crate) fn is_required(&self) -> bool {
        self.required != RowAcknowledgement::default()
    }

    /// Checks whether Redis executes the commands, for any number of replicas.
    pub(crate) fn verify_support(&self, connection: &mut RedisConnection) -> Result<(), RedisFault> {
        if !self.is_required() {
            return Ok(());
        }
        let without_replicas = RowAcknowledgement { replica_count: 0, ..self.required };
        self.run_wait(connection, &encode_wait(without_replicas, Duration::from_millis(1))).map(drop)
    }

    /// Waits once, at most for `wait_time`, until everything written on `connection` so far counts as acknowledged.
    pub(crate) fn wait_once(
        &self,
        connection: &mut RedisConnection,
        wait_time: Duration,
    ) -> Result<AcknowledgementOutcome, RedisFault> {
        let reply = self.run_wait(connection, &encode_wait(self.required, wait_time))?;
        let command = self.command_name();
        let unexpected = |_| RedisFault::UnexpectedReply { command };
        let RowAcknowledgement { replica_count: required, requires_append_only_file } = self.required;
        let confirmed = if requires_append_only_file {
            let (own_disk_count, replica_count) = <(usize, usize)>::from_redis_value(reply).map_err(unexpected)?;
            if own_disk_count == 0 {
                return Ok(AcknowledgementOutcome::Missing(MissingAcknowledgement::OwnDisk));
            }
            replica_count
        } else {
            usize::from_redis_value(reply).map_err(unexpected)?
        };
        if confirmed < required {
            let missing = MissingAcknowledgement::Replicas { confirmed, required, on_disk: requires_append_only_file };
            return Ok(AcknowledgementOutcome::Missing(missing));
        }
        Ok(AcknowledgementOutcome::Acknowledged)
    }

    fn run_wait(&self, connection: &mut RedisConnection, command: &Cmd) -> Result<Value, RedisFault> {
        match connection.run_command(command)? {
            Value::ServerError(error) => Err(classify_error_reply(&error).for_acknowledgement(self.command_name())),
            reply => Ok(reply),
        }
    }

    fn command_name(&self) -> &'static str {
        if self.required.requires_append_only_file { "WAITAOF" } else { "WAIT" }
    }
}

fn encode_wait(required: RowAcknowledgement, wait_time: Duration) -> Cmd {
    let mut command = if required.requires_append_only_file {
        let mut command = redis::cmd("WAITAOF");
        command.arg(1);
        command
    } else {
        redis::cmd("WAIT")
    };
    // 0 would mean no limit.
    let milliseconds = u64::try_from(wait_time.as_millis()).unwrap_or(u64::MAX).max(1);
    command.arg(required.replica_count).arg(milliseconds);
    command
}
