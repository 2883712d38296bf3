//! A proxy that makes Kafka unreachable, and reachable again.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections while it is open. While it is closed, existing connections end, and new ones end at once.
pub(crate) struct SwitchableProxy {
    pub(crate) address: String,
    open: watch::Sender<bool>,
}

impl SwitchableProxy {
    pub(crate) async fn start(brokers: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address").to_string();
        let (open, is_open) = watch::channel(true);
        let brokers = brokers.to_owned();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (mut is_open, brokers) = (is_open.clone(), brokers.clone());
                tokio::spawn(async move {
                    if !*is_open.borrow_and_update() {
                        return;
                    }
                    let Ok(mut kafka) = TcpStream::connect(brokers).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut stream, &mut kafka) => {}
                        _ = is_open.changed() => {}
                    }
                });
            }
        });
        Self { address, open }
    }

    pub(crate) fn close(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}
