//! A Kafka for one test alone, with its own settings; it ends with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(crate) struct OwnKafka {
    folder: TempDir,
}

impl OwnKafka {
    /// Starts one that listens at `port` of this machine and tells its clients to come to `advertised`.
    pub(crate) fn start(port: u16, advertised: &str) -> Self {
        let own = Self { folder: tempfile::tempdir().expect("a folder") };
        let settings = format!("advertised.listeners=PLAINTEXT://{advertised}");
        own.script(&["start", "--port", &port.to_string()], &[&settings]);
        own
    }

    fn script(&self, arguments: &[&str], settings: &[&str]) {
        let folder: PathBuf = self.folder.path().join("kafka");
        let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka.sh"))
            .args(arguments)
            .arg("--dir")
            .arg(folder)
            .args(settings)
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("dev/kafka.sh").success(), "{arguments:?}");
    }
}

impl Drop for OwnKafka {
    fn drop(&mut self) {
        self.script(&["stop"], &[]);
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
