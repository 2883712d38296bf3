//! A Kafka for one test, with its own settings; it stops with the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A Kafka that belongs to one test. Dropping it stops Kafka.
pub struct DedicatedKafka {
    folder: TempDir,
}

impl DedicatedKafka {
    /// Starts a Kafka that listens at `port` of this machine and advertises the address `advertised` to clients.
    #[must_use]
    pub fn start(port: u16, advertised: &str) -> Self {
        let own = Self { folder: tempfile::tempdir().expect("a folder") };
        let settings = format!("advertised.listeners=PLAINTEXT://{advertised}");
        assert!(own.run_script(&["start", "--port", &port.to_string()], &[&settings]), "Kafka does not start");
        own
    }

    /// Suspends the broker: it keeps its connections, but answers nothing until [`Self::resume`].
    pub fn suspend(&self) {
        self.send_signal("-STOP");
    }

    /// Continues the broker after [`Self::suspend`].
    pub fn resume(&self) {
        self.send_signal("-CONT");
    }

    fn send_signal(&self, signal: &str) {
        // The file holds the process id and the start time of the process.
        let pid_file = std::fs::read_to_string(self.data_folder().join("kafka.pid")).expect("the broker runs");
        let pid = pid_file.split_whitespace().next().expect("a process id");
        let sent = Command::new("kill").args([signal, pid]).status();
        assert!(sent.expect("kill runs").success());
    }

    fn data_folder(&self) -> PathBuf {
        self.folder.path().join("kafka")
    }

    fn run_script(&self, arguments: &[&str], settings: &[&str]) -> bool {
        let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka.sh"))
            .args(arguments)
            .arg("--dir")
            .arg(self.data_folder())
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
