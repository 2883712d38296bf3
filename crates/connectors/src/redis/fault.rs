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
    /// Redis does not accept the user and password of the URL.
    #[error("Redis rejected the user or the password")]
    LoginRefused,
    /// TLS could not be established, for example because of an invalid certificate.
    #[error("TLS failed: {description}")]
    TlsFailed { description: String },
    /// The Redis user of the URL lacks the permission for a command.
    #[error("{error_reply}")]
    PermissionDenied { error_reply: String },
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

impl RedisFault {
    /// Returns the class of the fault, which says what can end the fault.
    pub(crate) fn fault_class(&self) -> FaultClass {
        match self {
            Self::ConnectionFailed { .. }
            | Self::ReplyTimeout
            | Self::UnexpectedReply { .. }
            | Self::NotReady { .. } => FaultClass::Transient,
            Self::LoginRefused
            | Self::TlsFailed { .. }
            | Self::PermissionDenied { .. }
            | Self::ClusterMode { .. }
            | Self::UnknownCommand { .. }
            | Self::UnreadableFence { .. } => FaultClass::NeedsOperator,
            Self::RowsWithoutClaim { .. } => FaultClass::Bug,
        }
    }

    /// Returns whether a running writer retries after the fault. A running writer also retries when Redis denies
    /// access, so that a change of the password or certificate does not end the job.
    pub(crate) fn is_retried_while_running(&self) -> bool {
        self.fault_class().may_retry() || self.is_access_denied()
    }

    fn is_access_denied(&self) -> bool {
        matches!(self, Self::LoginRefused | Self::TlsFailed { .. } | Self::PermissionDenied { .. })
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

/// Returns the fault for an error of the connection or of the login.
pub(crate) fn classify_connection_error(error: &RedisError) -> RedisFault {
    // An error of the `redis` crate holds its cause in an `Arc`. Its method `source` returns this `Arc`, not the cause
    // itself.
    let cause = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let io_kind = cause.and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match (error.kind(), io_kind) {
        (ErrorKind::AuthenticationFailed, _) => RedisFault::LoginRefused,
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
        _ if is_unknown_command_error(detail) => RedisFault::UnknownCommand { error_reply },
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED" => RedisFault::PermissionDenied { error_reply },
        _ => RedisFault::NotReady { error_reply },
    }
}

fn is_unknown_command_error(detail: &str) -> bool {
    detail.starts_with("unknown command")
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
        for line in ["NOAUTH Authentication required.", "NOPERM User x has no permissions to run the 'hset' command"] {
            let error_reply = line.to_owned();
            assert_eq!(extract_row_refusal_reason(&reply(line)), Err(RedisFault::PermissionDenied { error_reply }));
        }
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
