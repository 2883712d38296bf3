//! Classification of errors of Redis.
//!
//! Owns: whether an error is transient, needs an operator, or concerns only one row. Does not own: waiting and
//! retrying.

use std::error::Error;
use std::io;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerError};
use windrow_engine::halt::{OutputFault, ServiceAddress, ServiceRefusal, share_error};
use windrow_engine::{FaultClass, Halt};

use super::address::RedisAddress;

/// A fault that concerns all rows of a batch, a claim or the start. The rows of the batch are kept.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.reason())]
pub(crate) enum RedisFault {
    /// Redis does not answer, or accepts no writes at the moment. The writer retries.
    Unreachable(String),
    /// Redis refuses the login or a command. At the start, the writer halts. A running writer retries, so that a change
    /// of the password does not end a running job.
    AccessDenied(String),
    /// Redis lacks a required feature, or an operator must check the stored values. The writer halts.
    Unusable(String),
    /// A bug in Windrow. The writer halts.
    Bug(String),
}

impl RedisFault {
    /// Returns the class of the fault, which says what can end the fault.
    pub(crate) fn fault_class(&self) -> FaultClass {
        match self {
            Self::Unreachable(_) => FaultClass::Transient,
            Self::AccessDenied(_) | Self::Unusable(_) => FaultClass::NeedsOperator,
            Self::Bug(_) => FaultClass::Bug,
        }
    }

    /// Returns whether a running writer retries after the fault.
    pub(crate) fn is_retried_while_running(&self) -> bool {
        self.fault_class().may_retry() || matches!(self, Self::AccessDenied(_))
    }

    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Unreachable(reason) | Self::AccessDenied(reason) | Self::Unusable(reason) | Self::Bug(reason) => {
                reason
            }
        }
    }
}

/// Returns the halt for `fault`, which ends the writer or its start.
pub(crate) fn halt_for_fault(address: &RedisAddress, fault: &RedisFault) -> Halt {
    let (service, source) = (redis_service_address(address), share_error(fault.clone()));
    match fault {
        RedisFault::Bug(_) => OutputFault::WriterBug { source }.into(),
        RedisFault::AccessDenied(_) => ServiceRefusal::RowStoreAccess { service, source }.into(),
        RedisFault::Unreachable(_) | RedisFault::Unusable(_) => {
            ServiceRefusal::RowStoreUnsuitable { service, source }.into()
        }
    }
}

/// Returns the name and the address of Redis for the messages of halts.
pub(crate) fn redis_service_address(address: &RedisAddress) -> ServiceAddress {
    ServiceAddress { product_name: "Redis", address: address.to_string() }
}

/// Classifies an error of the connection or of the login.
pub(crate) fn classify_connection_error(error: &RedisError) -> RedisFault {
    // The `redis` crate returns the `Arc` that holds the cause, not the cause itself.
    let cause = error.source().and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
    let io_kind = cause.and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match (error.kind(), io_kind) {
        (ErrorKind::AuthenticationFailed, _) => RedisFault::AccessDenied("user or password refused".to_owned()),
        // rustls reports invalid certificates, and servers without TLS, as invalid data.
        (ErrorKind::Io, Some(io::ErrorKind::InvalidData)) => RedisFault::AccessDenied(format!("TLS failed: {error}")),
        _ if error.is_timeout() => RedisFault::Unreachable("no answer in time".to_owned()),
        (ErrorKind::Server(_), _) => {
            let code = error.code().unwrap_or_default();
            classify_server_error(code, error.detail().unwrap_or_default(), &error.to_string())
        }
        _ => RedisFault::Unreachable(error.to_string()),
    }
}

/// Classifies an error reply that does not belong to a row.
pub(crate) fn classify_error_reply(error: &ServerError) -> RedisFault {
    classify_server_error(error.code(), error.details().unwrap_or_default(), &format_server_error(error))
}

/// Classifies an error reply to the question about a row or to a command of a row inside `EXEC`. Returns the reason to
/// refuse the row. Returns a fault if the error concerns all rows.
pub(crate) fn extract_row_refusal_reason(error: &ServerError) -> Result<String, RedisFault> {
    const SERVER_WIDE_ERROR_CODES: [&str; 13] = [
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
    ];
    let code = error.code();
    if SERVER_WIDE_ERROR_CODES.contains(&code)
        || code == "TRYAGAIN"
        || is_unknown_command_error(error.details().unwrap_or_default())
    {
        Err(classify_error_reply(error))
    } else {
        Ok(format_server_error(error))
    }
}

fn classify_server_error(code: &str, detail: &str, text: &str) -> RedisFault {
    // Redis refused `EXEC` itself; the details hold the original error.
    if let Some(inner) = detail.strip_prefix("Transaction discarded because of: ") {
        let (code, detail) = inner.split_once(' ').unwrap_or((inner, ""));
        return classify_server_error(code, detail, inner);
    }
    match code {
        "MOVED" | "ASK" | "CROSSSLOT" => RedisFault::Unusable(format!(
            "it is a node of a Redis Cluster ({text}), where rows of several keys cannot be written in one transaction; \
             point sink.redis.url at a Redis that is not in cluster mode"
        )),
        _ if is_unknown_command_error(detail) => {
            RedisFault::Unusable(format!("{text}; Windrow needs Redis 6.2 or newer with its usual commands"))
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED" => RedisFault::AccessDenied(text.to_owned()),
        _ => RedisFault::Unreachable(text.to_owned()),
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
            assert_eq!(extract_row_refusal_reason(&reply(line)), Err(RedisFault::Unreachable(line.to_owned())));
        }
        for line in ["NOAUTH Authentication required.", "NOPERM User x has no permissions to run the 'hset' command"] {
            assert_eq!(extract_row_refusal_reason(&reply(line)), Err(RedisFault::AccessDenied(line.to_owned())));
        }
        for line in ["MOVED 866 127.0.0.1:7001", "CROSSSLOT Keys don't hash", "ERR unknown command 'PEXPIRE'"] {
            assert!(matches!(extract_row_refusal_reason(&reply(line)), Err(RedisFault::Unusable(_))), "{line}");
        }
    }

    #[test]
    fn a_broken_connection_passes_and_a_bad_certificate_does_not() {
        let fault = |kind, text: &str| classify_connection_error(&RedisError::from(io::Error::new(kind, text)));
        let certificate = fault(io::ErrorKind::InvalidData, "invalid peer certificate: UnknownIssuer");
        assert_eq!(
            certificate,
            RedisFault::AccessDenied("TLS failed: invalid peer certificate: UnknownIssuer".to_owned())
        );
        assert_eq!(fault(io::ErrorKind::ConnectionReset, "reset"), RedisFault::Unreachable("reset".to_owned()));
        assert_eq!(fault(io::ErrorKind::WouldBlock, "later"), RedisFault::Unreachable("no answer in time".to_owned()));
    }

    #[test]
    fn an_aborted_transaction_passes() {
        let line = "EXECABORT Transaction discarded because of previous errors.";
        assert_eq!(classify_error_reply(&reply(line)), RedisFault::Unreachable(line.to_owned()));
        let line = "EXECABORT Transaction discarded because of: NOPERM this user has no permissions";
        assert_eq!(
            classify_error_reply(&reply(line)),
            RedisFault::AccessDenied("NOPERM this user has no permissions".to_owned())
        );
    }
}
