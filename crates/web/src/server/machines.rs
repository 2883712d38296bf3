//! How many connections each machine has open: one that takes all it can get must not shut the others out, least of all
//! whoever looks whether the process is well.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::CONNECTIONS_PER_MACHINE;

/// Open connections by machine.
#[derive(Clone, Default)]
pub(super) struct Machines(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Machines {
    /// Whether `machine`, another than this one, has all it may have. (On this one a proxy speaks for many.)
    pub(super) fn has_many(&self, machine: IpAddr) -> bool {
        let machine = machine.to_canonical();
        !machine.is_loopback() && self.open().get(&machine).is_some_and(|open| *open >= CONNECTIONS_PER_MACHINE)
    }

    /// Counts a connection of `machine`, until what this gives is dropped.
    pub(super) fn takes(&self, machine: IpAddr) -> Place {
        let machine = machine.to_canonical();
        *self.open().entry(machine).or_default() += 1;
        Place { machines: self.clone(), machine }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection.
pub(super) struct Place {
    machines: Machines,
    machine: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.machines.open();
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
        let machines = Machines::default();
        let one: IpAddr = [192, 0, 2, 1].into();
        let mut places: Vec<Place> = (0..CONNECTIONS_PER_MACHINE).map(|_| machines.takes(one)).collect();
        assert!(machines.has_many(one));
        assert!(!machines.has_many([192, 0, 2, 2].into()));
        places.pop();
        assert!(!machines.has_many(one));
        let here: IpAddr = [127, 0, 0, 1].into();
        let _held: Vec<Place> = (0..CONNECTIONS_PER_MACHINE).map(|_| machines.takes(here)).collect();
        assert!(!machines.has_many(here));
        drop(places);
        assert!(!machines.open().contains_key(&one));
    }
}
