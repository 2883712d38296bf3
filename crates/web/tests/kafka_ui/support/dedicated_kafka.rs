//! A Kafka for one test, with its own settings; it stops with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub(crate) struct DedicatedKafka {
    folder: TempDir,
}

impl DedicatedKafka {
    /// Starts a Kafka that listens at `port` of this machine and advertises the address `advertised` to clients.
    pub(crate) fn start(port: u16, advertised: &str) -> Self {
        let own = Self { folder: tempfile::tempdir().expect("a folder") };
        let settings = format!("advertised.listeners=PLAINTEXT://{advertised}");
        assert!(own.run_script(&["start", "--port", &port.to_string()], &[&settings]), "Kafka does not start");
        own
    }

    fn run_script(&self, arguments: &[&str], settings: &[&str]) -> bool {
        let folder: PathBuf = self.folder.path().join("kafka");
        let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka.sh"))
            .args(arguments)
            .arg("--dir")
            .arg(folder)
            .args(settings)
            .stdout(Stdio::null())
            .status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for DedicatedKafka {
    fn drop(&mut self) {
        // A second panic during unwinding would abort all tests.
        let stopped = self.run_script(&["stop"], &[]);
        assert!(stopped || std::thread::panicking(), "Kafka does not stop");
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
