//! Faults of Redis: the class and the message of each fault.
//!
//! Owns: the decision whether an error is transient, needs an operator, or concerns only one row. Does not own: waiting
//! and retrying.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerError};
use windrow_engine::halt::{OutputFault, ServiceAddress, ServiceRefusal, share_error};
use windrow_engine::{Epoch, FaultClass, Halt, Partition};

use super::address::RedisAddress;

/// The beginning of the reason of an outage in which Redis answers, but replicas or disks lack written rows.
pub const NOT_ACKNOWLEDGED: &str = "written rows are not acknowledged yet";

/// A fault because of which a whole batch, a claim or the start of the writer fails. The writer keeps the rows of such
/// a batch.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum RedisFault {
    /// A connection could not be opened, or an open connection broke.
    #[error("{description}")]
    ConnectionFailed {
        /// The text of the error of the `redis` crate. The text contains no login.
        description: String,
    },
    /// Redis did not reply within the timeout.
    #[error("Redis did not answer in time")]
    ReplyTimeout,
    /// The reply does not match the command that was sent.
    #[error("the reply of Redis to {command} does not match the command")]
    UnexpectedReply { command: &'static str },
    /// Redis executes no commands at the moment, for example while Redis loads its data.
    #[error("{error_reply}")]
    NotReady { error_reply: String },
    /// Redis has reached the number of clients that it serves.
    #[error("Redis accepts no more connections ({error_reply}); close other clients, or raise maxclients in Redis")]
    TooManyClients { error_reply: String },
    /// Redis refuses connections from other machines.
    #[error(
        "Redis refuses connections from other machines ({error_reply}); set a password in Redis (requirepass) and write \
         it into sink.redis.url, or let Redis listen only where trusted machines reach it (bind) and set protected-mode \
         no"
    )]
    ProtectedMode {
        /// The first sentence of the reply.
        error_reply: String,
    },
    /// Redis requires a login, and the URL has none.
    #[error(
        "Redis requires a password ({error_reply}); write it into sink.redis.url: redis://user:password@host:6379, or \
         redis://:password@host:6379 for the default user"
    )]
    LoginMissing { error_reply: String },
    /// Redis does not accept the user and password of the URL.
    #[error("Redis rejected the user or the password ({error_reply}); correct them in sink.redis.url")]
    LoginRefused { error_reply: String },
    /// TLS could not be established, for example because of an invalid certificate.
    #[error("TLS failed: {description}; correct the address in sink.redis.url, or the certificate of Redis")]
    TlsFailed { description: String },
    /// The Redis user of the URL lacks the permission for a command.
    #[error(
        "Redis denied a command ({error_reply}); extend the permissions of this user in Redis (ACL), or name another user \
         in sink.redis.url"
    )]
    PermissionDenied { error_reply: String },
    /// Redis has no database with the number of the URL.
    #[error("Redis does not offer database {database} ({error_reply}); correct the number in sink.redis.url")]
    NoSuchDatabase { database: i64, error_reply: String },
    /// The server is a node of a Redis Cluster.
    #[error(
        "the server is in cluster mode ({error_reply}), where one transaction cannot write rows with several keys; point \
         sink.redis.url at a Redis that is not in cluster mode"
    )]
    ClusterMode { error_reply: String },
    /// Redis does not know a command that Windrow needs.
    #[error(
        "Redis does not know a command that Windrow needs ({error_reply}); use Redis 6.2 or newer, without disabled or \
         renamed commands"
    )]
    UnknownCommand { error_reply: String },
    /// Redis does not know a command that `sink.redis.wait_aof` needs.
    #[error(
        "Redis does not know {command} ({error_reply}), which sink.redis.wait_aof needs; use Redis 7.2 or newer, or remove \
         wait_aof"
    )]
    AcknowledgementUnsupported { command: &'static str, error_reply: String },
    /// Redis has no append-only file.
    #[error(
        "Redis writes no append-only file ({error_reply}), which sink.redis.wait_aof needs; set appendonly yes in Redis, or \
         remove wait_aof"
    )]
    AppendOnlyFileDisabled { error_reply: String },
    /// The key of a fence holds a value that this version of Windrow cannot read.
    #[error(
        "the key {fence_key} should hold a fence (the owner of a partition and its row counts), but this version of Windrow \
         cannot read it: {found}. Make sure that no other Windrow runs on this pipeline and group, delete that key, and \
         start again"
    )]
    UnreadableFence {
        fence_key: String,
        /// The value at the key, or the error reply of Redis.
        found: String,
    },
    /// A worker handed over rows of a partition that this worker had not claimed.
    #[error(
        "a worker wrote rows of partition {partition} under epoch {epoch} without a claim; this is a bug in Windrow"
    )]
    RowsWithoutClaim { partition: Partition, epoch: Epoch },
}

/// What does not have the rows that Redis has: no fault of Redis itself. The text is the reason of an outage.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum MissingAcknowledgement {
    /// The disk of the Redis to which the rows were written.
    #[error("{NOT_ACKNOWLEDGED}: they are not on the disk of Redis (sink.redis.wait_aof)")]
    OwnDisk,
    /// Some of the replicas.
    #[error(
        "{NOT_ACKNOWLEDGED}: {confirmed} of {required} replicas have them{} (sink.redis.wait_replicas)",
        if *on_disk { " on their disks" } else { "" }
    )]
    Replicas {
        confirmed: usize,
        required: usize,
        /// Whether a replica must have them on its disk.
        on_disk: bool,
    },
}

impl MissingAcknowledgement {
    /// Returns the log message once the rows are acknowledged again.
    pub(crate) fn recovery_message(self) -> &'static str {
        match self {
            Self::OwnDisk => "Redis writes rows to its disk again",
            Self::Replicas { on_disk: false, .. } => "replicas of Redis acknowledge rows again",
            Self::Replicas { on_disk: true, .. } => "replicas of Redis write rows to their disks again",
        }
    }
}

impl RedisFault {
    /// Returns the class of the fault, which says what can end the fault.
    pub(crate) fn fault_class(&self) -> FaultClass {
        match self {
            Self::ConnectionFailed { .. }
            | Self::ReplyTimeout
            | Self::UnexpectedReply { .. }
            | Self::NotReady { .. }
            | Self::TooManyClients { .. } => FaultClass::Transient,
            Self::ProtectedMode { .. }
            | Self::LoginMissing { .. }
            | Self::LoginRefused { .. }
            | Self::TlsFailed { .. }
            | Self::PermissionDenied { .. }
            | Self::NoSuchDatabase { .. }
            | Self::ClusterMode { .. }
            | Self::UnknownCommand { .. }
            | Self::AcknowledgementUnsupported { .. }
            | Self::AppendOnlyFileDisabled { .. }
            | Self::UnreadableFence { .. } => FaultClass::NeedsOperator,
            Self::RowsWithoutClaim { .. } => FaultClass::Bug,
        }
    }

    /// Returns whether a running writer retries after the fault. A running writer also retries when Redis denies
    /// access, so that a change of the password or certificate does not end the job. The same holds for what a Redis after
    /// a failover does not offer: a database, an append-only file, or a command that waits for it.
    pub(crate) fn is_retried_while_running(&self) -> bool {
        let is_lost_feature = matches!(
            self,
            Self::NoSuchDatabase { .. } | Self::AcknowledgementUnsupported { .. } | Self::AppendOnlyFileDisabled { .. }
        );
        self.fault_class().may_retry() || self.is_access_denied() || is_lost_feature
    }

    /// Returns the fault for the refusal of `command`, which waits until rows are acknowledged. `self` is the class of the
    /// reply to any other command.
    pub(crate) fn for_acknowledgement(self, command: &'static str) -> Self {
        match self {
            Self::UnknownCommand { error_reply } if command == "WAITAOF" => {
                Self::AcknowledgementUnsupported { command, error_reply }
            }
            Self::NotReady { error_reply } if error_reply.contains("appendonly is disabled") => {
                Self::AppendOnlyFileDisabled { error_reply }
            }
            other => other,
        }
    }

    fn is_access_denied(&self) -> bool {
        matches!(
            self,
            Self::ProtectedMode { .. }
                | Self::LoginMissing { .. }
                | Self::LoginRefused { .. }
                | Self::TlsFailed { .. }
                | Self::PermissionDenied { .. }
        )
    }

    /// Returns the fault for the error reply to a `SELECT` of `database`.
    pub(crate) fn for_refused_database(database: i64, error: &ServerError) -> Self {
        let error_reply = format_server_error(error);
        if error_reply.contains("cluster mode") {
            return Self::ClusterMode { error_reply };
        }
        Self::NoSuchDatabase { database, error_reply }
    }
}

/// Returns the halt for a `fault` that ends the writer or the start of the writer.
pub(crate) fn halt_for_fault(address: &RedisAddress, fault: &RedisFault) -> Halt {
    let (service, source) = (redis_service_address(address), share_error(fault.clone()));
    if fault.fault_class() == FaultClass::Bug {
        OutputFault::WriterBug { source }.into()
    } else if fault.is_access_denied() {
        ServiceRefusal::RowStoreAccess { service, source }.into()
    } else {
        ServiceRefusal::RowStoreUnsuitable { service, source }.into()
    }
}

/// Returns the name and the address of Redis for the messages of halts.
pub(crate) fn redis_service_address(address: &RedisAddress) -> ServiceAddress {
    ServiceAddress { product_name: "Redis", address: address.to_string() }
}

/// Returns the fault for an error of the connection.
pub(crate) fn classify_connection_error(error: &RedisError) -> RedisFault {
    // An error of the `redis` crate holds its cause in an `Arc`. Its method `source` returns this `Arc`, not the cause
    // itself.
    let cause = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let io_kind = cause.and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match (error.kind(), io_kind) {
        // rustls reports `InvalidData` in two cases: the certificate of the server is invalid, or the server does not
        // use TLS.
        (ErrorKind::Io, Some(io::ErrorKind::InvalidData)) => RedisFault::TlsFailed { description: error.to_string() },
        _ if error.is_timeout() => RedisFault::ReplyTimeout,
        (ErrorKind::Server(_), _) => {
            let code = error.code().unwrap_or_default();
            classify_server_error(code, error.detail().unwrap_or_default(), error.to_string())
        }
        _ => RedisFault::ConnectionFailed { description: error.to_string() },
    }
}

/// Returns the fault for an error reply that concerns more than a single row.
pub(crate) fn classify_error_reply(error: &ServerError) -> RedisFault {
    classify_server_error(error.code(), error.details().unwrap_or_default(), format_server_error(error))
}

/// Returns the fault for the error reply to `AUTH` with `password`. Also the refusal of a whole connection arrives as
/// this reply. The fault does not contain the password, even if the server has repeated it.
pub(crate) fn classify_login_error(error: &ServerError, password: &str) -> RedisFault {
    let detail = error.details().unwrap_or_default();
    let error_reply = match password {
        "" => format_server_error(error),
        password => format_server_error(error).replace(password, "***"),
    };
    let is_refused_login = matches!(error.code(), "ERR" | "WRONGPASS") && !is_unknown_command_error(detail);
    if is_refused_login && !is_refused_connection(error) {
        return RedisFault::LoginRefused { error_reply };
    }
    classify_server_error(error.code(), detail, error_reply)
}

/// Returns whether `error` says that Redis serves no command on this connection before the login, or at all.
pub(crate) fn is_refused_connection(error: &ServerError) -> bool {
    matches!(error.code(), "DENIED" | "NOAUTH") || is_too_many_clients_error(error.details().unwrap_or_default())
}

/// Returns the reason why Redis refused a row. `error` is the reply to a command that checks or writes this row. Fails
/// if the error concerns all rows.
pub(crate) fn extract_row_refusal_reason(error: &ServerError) -> Result<String, RedisFault> {
    const SERVER_WIDE_ERROR_CODES: [&str; 14] = [
        "ASK",
        "BUSY",
        "CLUSTERDOWN",
        "CROSSSLOT",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOPERM",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
    ];
    let is_unknown_command = is_unknown_command_error(error.details().unwrap_or_default());
    if SERVER_WIDE_ERROR_CODES.contains(&error.code()) || is_unknown_command {
        Err(classify_error_reply(error))
    } else {
        Ok(format_server_error(error))
    }
}

fn classify_server_error(code: &str, detail: &str, error_reply: String) -> RedisFault {
    // If Redis refuses `EXEC`, the details of the error reply contain the error that made Redis discard the
    // transaction.
    if let Some(original) = detail.strip_prefix("Transaction discarded because of: ") {
        let (code, detail) = original.split_once(' ').unwrap_or((original, ""));
        return classify_server_error(code, detail, original.to_owned());
    }
    match code {
        "MOVED" | "ASK" | "CROSSSLOT" => RedisFault::ClusterMode { error_reply },
        _ if is_unknown_command_error(detail) => {
            RedisFault::UnknownCommand { error_reply: without_command_arguments(&error_reply).to_owned() }
        }
        _ if is_too_many_clients_error(detail) => RedisFault::TooManyClients { error_reply },
        // Redis adds a page of advice to this reply.
        "DENIED" => RedisFault::ProtectedMode { error_reply: first_sentence(&error_reply).to_owned() },
        "NOAUTH" => RedisFault::LoginMissing { error_reply },
        "WRONGPASS" => RedisFault::LoginRefused { error_reply },
        "NOPERM" => RedisFault::PermissionDenied { error_reply },
        _ => RedisFault::NotReady { error_reply },
    }
}

fn is_unknown_command_error(detail: &str) -> bool {
    detail.starts_with("unknown command")
}

/// Cuts the arguments that Redis repeats after an unknown command. They are a password, or fields of a user.
fn without_command_arguments(error_reply: &str) -> &str {
    error_reply.split_once(", with args").map_or(error_reply, |(command, _)| command)
}

fn is_too_many_clients_error(detail: &str) -> bool {
    detail.starts_with("max number of clients")
}

fn first_sentence(text: &str) -> &str {
    text.split_once(". ").map_or(text, |(first, _)| first)
}

fn format_server_error(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> ServerError {
        match redis::parse_redis_value(format!("-{line}\r\n").as_bytes()) {
            Ok(redis::Value::ServerError(error)) => error,
            other => panic!("not an error: {other:?}"),
        }
    }

    #[test]
    fn the_end_of_a_missing_acknowledgement_names_what_works_again() {
        let replicas = |on_disk| MissingAcknowledgement::Replicas { confirmed: 0, required: 1, on_disk };
        assert_eq!(MissingAcknowledgement::OwnDisk.recovery_message(), "Redis writes rows to its disk again");
        assert_eq!(replicas(false).recovery_message(), "replicas of Redis acknowledge rows again");
        assert_eq!(replicas(true).recovery_message(), "replicas of Redis write rows to their disks again");
    }

    #[test]
    fn only_what_is_wrong_with_a_row_refuses_it() {
        let refused =
            extract_row_refusal_reason(&reply("WRONGTYPE Operation against a key holding the wrong kind of value"));
        assert_eq!(refused.as_deref(), Ok("WRONGTYPE Operation against a key holding the wrong kind of value"));
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "MASTERDOWN Link with MASTER is down",
            "CLUSTERDOWN The cluster is down",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "BUSY Redis is busy running a script.",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOREPLICAS Not enough good replicas to write.",
        ] {
            let error_reply = line.to_owned();
            assert_eq!(extract_row_refusal_reason(&reply(line)), Err(RedisFault::NotReady { error_reply }));
        }
        let (line, error_reply) = ("NOAUTH Authentication required.", "NOAUTH Authentication required.".to_owned());
        assert_eq!(extract_row_refusal_reason(&reply(line)), Err(RedisFault::LoginMissing { error_reply }));
        let line = "NOPERM User x has no permissions to run the 'hset' command";
        let error_reply = line.to_owned();
        assert_eq!(extract_row_refusal_reason(&reply(line)), Err(RedisFault::PermissionDenied { error_reply }));
        for line in ["MOVED 866 127.0.0.1:7001", "CROSSSLOT Keys don't hash"] {
            let error_reply = line.to_owned();
            assert_eq!(extract_row_refusal_reason(&reply(line)), Err(RedisFault::ClusterMode { error_reply }));
        }
        let line = "ERR unknown command 'PEXPIRE'";
        let unknown = RedisFault::UnknownCommand { error_reply: line.to_owned() };
        assert_eq!(extract_row_refusal_reason(&reply(line)), Err(unknown));
    }

    #[test]
    fn a_broken_connection_passes_and_a_bad_certificate_does_not() {
        let fault = |kind, text: &str| classify_connection_error(&RedisError::from(io::Error::new(kind, text)));
        let certificate = fault(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer");
        let description = "invalid peer certificate: UnknownIssuer".to_owned();
        assert_eq!(certificate, RedisFault::TlsFailed { description });
        let description = "reset".to_owned();
        assert_eq!(fault(io::ErrorKind::ConnectionReset, "reset"), RedisFault::ConnectionFailed { description });
        assert_eq!(fault(io::ErrorKind::WouldBlock, "later"), RedisFault::ReplyTimeout);
    }

    #[test]
    fn an_aborted_transaction_passes() {
        let line = "EXECABORT Transaction discarded because of previous errors.";
        let error_reply = line.to_owned();
        assert_eq!(classify_error_reply(&reply(line)), RedisFault::NotReady { error_reply });
        let line = "EXECABORT Transaction discarded because of: NOPERM this user has no permissions";
        let error_reply = "NOPERM this user has no permissions".to_owned();
        assert_eq!(classify_error_reply(&reply(line)), RedisFault::PermissionDenied { error_reply });
    }
}
