//! How many connections each machine has open: one that takes all it can get must not shut the others out, least of all
//! whoever looks whether the process is well.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::CONNECTIONS_PER_MACHINE;

/// Open connections by machine.
#[derive(Clone, Default)]
pub(super) struct ConnectionCounts(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl ConnectionCounts {
    /// Whether `machine`, another than this one, has all it may have. (On this one a proxy speaks for many.)
    pub(super) fn is_at_limit(&self, machine: IpAddr) -> bool {
        let machine = machine.to_canonical();
        !machine.is_loopback() && self.lock_counts().get(&machine).is_some_and(|open| *open >= CONNECTIONS_PER_MACHINE)
    }

    /// Counts a connection of `machine`, until what this gives is dropped.
    pub(super) fn count_connection(&self, machine: IpAddr) -> ConnectionSlot {
        let machine = machine.to_canonical();
        *self.lock_counts().entry(machine).or_default() += 1;
        ConnectionSlot { counts: self.clone(), machine }
    }

    fn lock_counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection.
pub(super) struct ConnectionSlot {
    counts: ConnectionCounts,
    machine: IpAddr,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        let mut open = self.counts.lock_counts();
        if let Some(count) = open.get_mut(&self.machine) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.machine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_has_its_share_and_gets_it_back() {
        let machines = ConnectionCounts::default();
        let one: IpAddr = [192, 0, 2, 1].into();
        let mut places: Vec<ConnectionSlot> =
            (0..CONNECTIONS_PER_MACHINE).map(|_| machines.count_connection(one)).collect();
        assert!(machines.is_at_limit(one));
        assert!(!machines.is_at_limit([192, 0, 2, 2].into()));
        places.pop();
        assert!(!machines.is_at_limit(one));
        let here: IpAddr = [127, 0, 0, 1].into();
        let _held: Vec<ConnectionSlot> =
            (0..CONNECTIONS_PER_MACHINE).map(|_| machines.count_connection(here)).collect();
        assert!(!machines.is_at_limit(here));
        drop(places);
        assert!(!machines.lock_counts().contains_key(&one));
    }
}
