//! Counts the open connections of each client machine, so that one machine cannot use up all connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// The largest number of open connections from one remote machine. The server closes further connections from this
/// machine at once.
pub const MAX_CONNECTIONS_PER_MACHINE: usize = 64;

/// The number of open connections of each client machine, by IP address. Clones share the counts.
#[derive(Clone, Default)]
pub(super) struct ConnectionCounts(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl ConnectionCounts {
    /// Returns whether the client machine `machine` has the largest allowed number of open connections. The number of
    /// local connections is not limited, because local connections may come from a proxy that serves many clients.
    pub(super) fn is_at_limit(&self, machine: IpAddr) -> bool {
        let machine = machine.to_canonical();
        !machine.is_loopback() && self.0.lock().get(&machine).is_some_and(|open| *open >= MAX_CONNECTIONS_PER_MACHINE)
    }

    /// Counts a connection from the client machine `machine` as open until the caller drops the result.
    pub(super) fn count_connection(&self, machine: IpAddr) -> ConnectionSlot {
        let machine = machine.to_canonical();
        *self.0.lock().entry(machine).or_default() += 1;
        ConnectionSlot { counts: self.clone(), machine }
    }
}

/// A connection that counts as open until this value is dropped.
pub(super) struct ConnectionSlot {
    counts: ConnectionCounts,
    machine: IpAddr,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock();
        if let Some(count) = counts.get_mut(&self.machine) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.machine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_has_its_share_and_gets_it_back() {
        let counts = ConnectionCounts::default();
        let one: IpAddr = [192, 0, 2, 1].into();
        let mut slots: Vec<ConnectionSlot> =
            (0..MAX_CONNECTIONS_PER_MACHINE).map(|_| counts.count_connection(one)).collect();
        assert!(counts.is_at_limit(one));
        assert!(!counts.is_at_limit([192, 0, 2, 2].into()));
        slots.pop();
        assert!(!counts.is_at_limit(one));
        let here: IpAddr = [127, 0, 0, 1].into();
        let _held: Vec<ConnectionSlot> =
            (0..MAX_CONNECTIONS_PER_MACHINE).map(|_| counts.count_connection(here)).collect();
        assert!(!counts.is_at_limit(here));
        drop(slots);
        assert!(!counts.0.lock().contains_key(&one));
    }
}
