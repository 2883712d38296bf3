//! A Kafka for one test, with its own settings; it stops with the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The Java heap of such a broker. Its topics are few and small.
const HEAP_SIZE: &str = "192m";
/// The compiler that makes a short-lived Java process start fast.
const FAST_START_OPTION: &str = "-XX:TieredStopAtLevel=1";
/// The log cleaner's buffer, which has 128 MB by default, fits into this heap.
const SMALL_CLEANER_BUFFER: &str = "log.cleaner.dedupe.buffer.size=4194304";

/// A Kafka that belongs to one test. Dropping it stops Kafka.
pub struct DedicatedKafka {
    folder: TempDir,
}

impl DedicatedKafka {
    /// Starts a Kafka that listens at `port` of this machine and advertises the address `advertised` to clients.
    #[must_use]
    pub fn start(port: u16, advertised: &str) -> Self {
        Self::start_with_settings(port, &[format!("advertised.listeners=PLAINTEXT://{advertised}")])
    }

    /// Starts a broker that listens at `port` of this machine. `settings` have the form `KEY=VALUE` and override those of
    /// `dev/kafka.sh`.
    #[must_use]
    pub fn start_with_settings(port: u16, settings: &[String]) -> Self {
        let own = Self { folder: tempfile::tempdir().expect("a folder") };
        assert!(own.run_script(&["start", "--port", &port.to_string()], settings), "Kafka does not start");
        own
    }

    /// Kills the broker.
    pub fn kill(&self) {
        self.send_signal("-KILL");
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

    fn run_script(&self, arguments: &[&str], settings: &[String]) -> bool {
        let status = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dev/kafka.sh"))
            .args(arguments)
            .arg("--dir")
            .arg(self.data_folder())
            .arg(SMALL_CLEANER_BUFFER)
            .args(settings)
            .env("WINDROW_KAFKA_HEAP", HEAP_SIZE)
            .env("JDK_JAVA_OPTIONS", FAST_START_OPTION)
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
