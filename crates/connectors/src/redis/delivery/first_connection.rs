//! Opens the first connection of a writer, and waits until Redis accepts rows of the pipeline.

use std::thread;
use std::time::{Duration, Instant};

use windrow_engine::halt::{UnreachableService, share_error};
use windrow_engine::{Halt, StopSignal};
use windrow_spec::Pipeline;

use super::connection::RedisConnection;
use super::retry_pause::JitteredRetryBackoff;
use super::transaction::TransactionClient;
use crate::outage::OutageTracker;
use crate::redis::address::RedisAddress;
use crate::redis::fault::{halt_for_fault, redis_service_address};
use crate::redis::observe::outage_log::{log_outage, log_recovery};
use crate::redis::settings::RedisWriterSettings;

/// While the start of the writer waits for Redis, it checks for a stop request at this interval.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Connects to Redis, and retries until Redis accepts rows of `pipeline` and a fence at `fence_key`.
///
/// # Errors
/// [`Halt::Unreachable`] after the start timeout or a stop request. Another halt if Redis has a fault that no retry can
/// end.
pub(crate) fn connect_until_rows_accepted(
    address: &RedisAddress,
    pipeline: &Pipeline,
    fence_key: &str,
    settings: &RedisWriterSettings,
    stop: &StopSignal,
) -> Result<TransactionClient, Halt> {
    let began = Instant::now();
    let mut outage = OutageTracker::default();
    let mut retry_pause = JitteredRetryBackoff::new(settings);
    let mut attempts = 0_u32;
    loop {
        attempts += 1;
        let client = RedisConnection::open_and_kill_abandoned(address, settings, &mut None).and_then(|connection| {
            let mut client = TransactionClient::new(connection);
            client.verify_redis_accepts_rows(
                &pipeline.sink.redis().redis_view_specs,
                &pipeline.event.schema,
                fence_key,
            )?;
            Ok(client)
        });
        let fault = match client {
            Ok(client) => {
                log_recovery(outage.record_success(), address);
                return Ok(client);
            }
            Err(fault) => fault,
        };
        if !fault.fault_class().may_retry() {
            return Err(halt_for_fault(address, &fault));
        }
        let reason = fault.to_string();
        log_outage(outage.record_failure(&reason), address, &reason);
        let resume = Instant::now() + retry_pause.next_pause();
        loop {
            let waited = began.elapsed();
            if stop.is_requested() {
                return Err(UnreachableService::StoppedWaitingForRowStore {
                    service: redis_service_address(address),
                    source: share_error(fault),
                }
                .into());
            }
            if settings.start_timeout.is_some_and(|timeout| waited >= timeout) {
                return Err(UnreachableService::RowStoreAtStart {
                    service: redis_service_address(address),
                    waited,
                    attempts,
                    source: share_error(fault),
                }
                .into());
            }
            if Instant::now() >= resume {
                break;
            }
            thread::sleep(STOP_POLL_INTERVAL.min(resume.saturating_duration_since(Instant::now())));
        }
    }
}
