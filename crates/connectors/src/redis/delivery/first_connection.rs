//! Opens the first connection of a writer, and waits until Redis accepts rows of the pipeline.

use std::time::Duration;

use windrow_engine::halt::{UnreachableService, share_error};
use windrow_engine::{Clock, Halt, StopSignal};
use windrow_spec::Pipeline;

use super::acknowledgement::AcknowledgementWait;
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

/// How a writer waits for Redis at its start, and what ends the wait.
#[derive(Clone, Copy)]
pub(crate) struct StartWait<'a> {
    pub(crate) settings: &'a RedisWriterSettings,
    pub(crate) stop: &'a StopSignal,
    pub(crate) clock: &'a dyn Clock,
}

/// Connects to Redis, and retries until Redis accepts rows of `pipeline` and a fence at `fence_key`.
///
/// # Errors
/// [`Halt::Unreachable`] after the start timeout or a stop request. Another halt if Redis has a fault that no retry can
/// end.
pub(crate) fn connect_until_rows_accepted(
    address: &RedisAddress,
    pipeline: &Pipeline,
    fence_key: &str,
    wait: StartWait<'_>,
) -> Result<TransactionClient, Halt> {
    let StartWait { settings, stop, clock } = wait;
    let acknowledgement = AcknowledgementWait::new(pipeline.sink.redis().required_acknowledgement);
    let began = clock.monotonic_now();
    let mut outage = OutageTracker::default();
    let mut retry_pause = JitteredRetryBackoff::new(settings);
    let mut attempts = 0_u32;
    loop {
        attempts += 1;
        let client = RedisConnection::open_and_kill_abandoned(address, settings, &mut None).and_then(|connection| {
            let mut client = TransactionClient::new(connection);
            acknowledgement.verify_support(client.connection())?;
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
        let resume = clock.monotonic_now() + retry_pause.next_pause();
        loop {
            let now = clock.monotonic_now();
            let waited = now.saturating_sub(began);
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
            if now >= resume {
                break;
            }
            clock.sleep(STOP_POLL_INTERVAL.min(resume.saturating_sub(now)));
        }
    }
}
