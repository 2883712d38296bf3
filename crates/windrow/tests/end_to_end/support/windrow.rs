//! The binary under test.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const PIPELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pipelines/ecommerce.toml");

/// `windrow run` of the shipped pipeline with other addresses.
pub(crate) struct Run {
    pub(crate) group: String,
    /// Where its checkpoints are.
    pub(crate) state: tempfile::TempDir,
    settings: Vec<String>,
}

impl Run {
    pub(crate) fn new(brokers: &str, redis: &str, topic: &str) -> Self {
        let group = super::kafka::Kafka::unique("group");
        let mut run =
            Self { group: group.clone(), state: tempfile::tempdir().expect("a folder"), settings: Vec::new() };
        run.set(&format!("source.kafka.brokers={brokers}"));
        run.set(&format!("source.kafka.topic={topic}"));
        run.set(&format!("source.kafka.group={group}"));
        run.set(&format!("sink.redis.url={redis}"));
        run.set(&format!("checkpoint.store=file:{}", run.state.path().display()));
        run.set("checkpoint.every=300ms");
        run
    }

    pub(crate) fn set(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.other_command(&["run"], arguments)
    }

    /// Another command that takes the pipeline, not yet started.
    pub(crate) fn other_command(&self, command: &[&str], arguments: &[&str]) -> Command {
        let words = command;
        let mut command = Command::new(env!("CARGO_BIN_EXE_windrow"));
        command.args(words).arg(PIPELINE).args(arguments);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        command
    }

    /// Runs to the end.
    pub(crate) fn finish(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("windrow runs")
    }

    /// Runs bounded to the end, which must be a success.
    pub(crate) fn bounded(&self, arguments: &[&str]) -> String {
        let output = self.finish(&[&["--bounded"], arguments].concat());
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}\n{log}", output.status);
        log
    }

    /// Starts it; its log goes to the file `log`.
    pub(crate) fn start(&self, arguments: &[&str], log: &Path) -> Running {
        let log = std::fs::File::create(log).expect("a log file");
        Running(self.command(arguments).stderr(log).stdout(Stdio::null()).spawn().expect("windrow starts"))
    }
}

pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Its exit code, which must come within `patience`.
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<i32> {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.0.try_wait().expect("its state is known") {
                return status.code();
            }
            assert!(Instant::now() < until, "still running after {patience:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The most memory it ever had, in bytes; 0 once it has ended.
    pub(crate) fn resident_max(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { return 0 };
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `windrow state …`, to its end.
pub(crate) fn state(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windrow")).arg("state").args(arguments).output().expect("windrow runs")
}

/// `windrow replay` of the shipped pipeline over `lines`: what it prints.
pub(crate) fn replay(lines: &[Vec<u8>]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_windrow"))
        .args(["replay", PIPELINE, "--input", "-", "--output", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("windrow starts");
    let mut input = child.stdin.take().expect("a pipe");
    let bytes: Vec<u8> = lines.iter().flat_map(|line| line.iter().copied().chain([b'\n'])).collect();
    let feeder = std::thread::spawn(move || input.write_all(&bytes).expect("windrow reads everything"));
    let output = child.wait_with_output().expect("windrow ends");
    feeder.join().expect("the feeder ends");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("JSON lines")
}

/// `windrow generate` with these arguments: the events, line by line.
pub(crate) fn generate(arguments: &[&str]) -> Vec<Vec<u8>> {
    let output = Command::new(env!("CARGO_BIN_EXE_windrow"))
        .args(["generate", "--to", "-"])
        .args(arguments)
        .output()
        .expect("windrow runs");
    assert!(output.status.success());
    let mut lines: Vec<Vec<u8>> = output.stdout.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.pop(); // behind the last newline
    lines
}
