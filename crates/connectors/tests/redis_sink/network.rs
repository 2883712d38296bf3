//! A network that holds data back or loses the reply.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use parking_lot::Mutex;

/// What happens to the next connection that sends the second half of a batch or of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NetworkFault {
    /// The data and all that follows on the connection are held back.
    Held,
    /// The data arrives, and from then on the server's replies are lost.
    Unanswered,
}

/// Forwards connections to a server. A fault affects one connection only.
#[derive(Default)]
pub(crate) struct FaultyNetwork {
    next: Mutex<Option<NetworkFault>>,
    held: Mutex<Option<(TcpStream, Vec<u8>)>>,
}

impl FaultyNetwork {
    /// Starts a network to the server on `port`. Returns it with its own port.
    pub(crate) fn forward_to(port: u16) -> (Arc<Self>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own_port = listener.local_addr().expect("bound").port();
        let network = Arc::new(Self::default());
        let shared = Arc::clone(&network);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(("127.0.0.1", port)).expect("redis-server");
                let (answers, back) = (far.try_clone().expect("clone"), near.try_clone().expect("clone"));
                let unanswered = Arc::new(AtomicBool::new(false));
                let (network, lost) = (Arc::clone(&shared), Arc::clone(&unanswered));
                thread::spawn(move || pass_back(answers, back, &lost));
                thread::spawn(move || network.pass_on(near, far, &unanswered));
            }
        });
        (network, own_port)
    }

    /// Applies `trouble` to the next connection that writes.
    pub(crate) fn inject(&self, trouble: NetworkFault) {
        *self.next.lock() = Some(trouble);
    }

    /// Whether the fault has been applied.
    pub(crate) fn was_injected(&self) -> bool {
        self.next.lock().is_none()
    }

    /// Takes the data held back, with its destination, and stops holding data back.
    pub(crate) fn take_held(&self) -> Option<(TcpStream, Vec<u8>)> {
        self.held.lock().take()
    }

    /// Delivers the data held back.
    pub(crate) fn release(&self) {
        let mut held = self.held.lock();
        let (mut far, bytes) = held.take().expect("something is held back");
        far.write_all(&bytes).expect("the server listens");
    }

    fn pass_on(&self, mut near: TcpStream, mut far: TcpStream, unanswered: &AtomicBool) {
        let mut buffer = vec![0; 64 * 1024];
        let mut holding = false;
        while let Ok(length @ 1..) = near.read(&mut buffer) {
            let bytes = &buffer[..length];
            let writes = bytes.windows(4).any(|part| part == b"HSET" || part == b"\nSET");
            let trouble = if writes { self.next.lock().take() } else { None };
            match trouble {
                Some(NetworkFault::Held) => {
                    holding = true;
                    *self.held.lock() = Some((far.try_clone().expect("clone"), Vec::new()));
                }
                Some(NetworkFault::Unanswered) => unanswered.store(true, Ordering::Release),
                None => {}
            }
            if holding {
                if let Some((_, held)) = &mut *self.held.lock() {
                    held.extend_from_slice(bytes);
                    continue;
                }
                holding = false;
            }
            if far.write_all(bytes).is_err() {
                return;
            }
        }
    }
}

fn pass_back(mut answers: TcpStream, mut back: TcpStream, lost: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = answers.read(&mut buffer) {
        if !lost.load(Ordering::Acquire) && back.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
    // After a lost reply the connection stays open.
    if !lost.load(Ordering::Acquire) {
        let _closed = back.shutdown(std::net::Shutdown::Write);
    }
}
