//! The connections of an instance to the simulated Redis, and their faults.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use windrow_connectors::redis::{InProcessRedis, RedisStream};
use windrow_engine::Wakeup;

use crate::faults::ConnectionFaultKind;
use crate::redis_protocol::ConnectionNumber;
use crate::redis_server::SentCommands;
use crate::services::SimulatedServices;
use crate::simulation_core::InstanceIndex;

/// The time for which a client waits for a reply.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The server as one instance reaches it.
#[derive(Debug)]
pub(crate) struct RedisEndpoint {
    pub(crate) services: Arc<SimulatedServices>,
    pub(crate) instance: InstanceIndex,
}

impl InProcessRedis for RedisEndpoint {
    fn connect(&self) -> io::Result<Box<dyn RedisStream>> {
        let core = &self.services.core;
        let latency = core.duration_between_ms(1, 5);
        core.pause(latency);
        if !self.services.faults.reaches_redis(self.instance) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let wakeup = Arc::new(Wakeup::default());
        let number = self.services.redis.open_connection(self.instance, Arc::clone(&wakeup));
        core.record(|| format!("redis: connection {number} of instance {} opened", self.instance));
        Ok(Box::new(ClientConnection { services: Arc::clone(&self.services), instance: self.instance, number, wakeup }))
    }
}

/// The client's end of a connection. When it is dropped, its commands may still be on their way to the server.
struct ClientConnection {
    services: Arc<SimulatedServices>,
    instance: InstanceIndex,
    number: ConnectionNumber,
    wakeup: Arc<Wakeup>,
}

impl Write for ClientConnection {
    fn write(&mut self, commands: &[u8]) -> io::Result<usize> {
        let core = &self.services.core;
        let fault = self.services.faults.choose_connection_fault(core, self.instance);
        if let Some(fault) = fault {
            core.record(|| format!("redis: connection {} meets {fault:?}", self.number));
        }
        let mut delay = core
            .choose_at_random(|random| random.duration_between(Duration::from_micros(200), Duration::from_millis(3)));
        let begun_fault = self.services.faults.count_request(self.instance);
        if begun_fault.is_some() && core.happens(500) {
            delay = core.duration_between_ms(100, 15_000);
        }
        match fault {
            Some(ConnectionFaultKind::BreaksBefore) => {
                self.services.redis.close_connection(self.number);
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            Some(ConnectionFaultKind::ArrivesLate(duration)) => delay = duration,
            Some(ConnectionFaultKind::BreaksAfterwards) | None => {}
        }
        let breaks_afterwards = fault == Some(ConnectionFaultKind::BreaksAfterwards);
        let sent = SentCommands { bytes: commands, arrival: core.now() + delay, breaks_afterwards };
        self.services.redis.send_commands(self.number, &sent)?;
        if let Some(fault) = begun_fault {
            self.services.begin_fault_now(fault);
        }
        Ok(commands.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for ClientConnection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let core = &self.services.core;
        let deadline = core.now() + RESPONSE_TIMEOUT;
        loop {
            let seen = self.wakeup.notification_count();
            let length = self.services.redis.read_replies(self.number, buffer)?;
            if length > 0 {
                return Ok(length);
            }
            if core.now() >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            core.wait(&self.wakeup, seen, deadline.saturating_sub(core.now()));
        }
    }
}
