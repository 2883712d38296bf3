//! The binary under test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The shipped pipeline.
pub(crate) fn shipped_pipeline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/ecommerce.toml")
}

/// The one whose rows tell which events they are of.
pub(crate) fn telling_pipeline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/pipelines/telling.toml")
}

/// `windrow run` of a pipeline with other addresses.
pub(crate) struct TestJob {
    pub(crate) group: String,
    pipeline: PathBuf,
    /// Where its checkpoints are.
    pub(crate) state: tempfile::TempDir,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
}

impl TestJob {
    /// Of the shipped pipeline.
    pub(crate) fn new(brokers: &str, redis: &str, topic: &str) -> Self {
        Self::with_pipeline(shipped_pipeline(), brokers, redis, topic)
    }

    pub(crate) fn with_pipeline(pipeline: PathBuf, brokers: &str, redis: &str, topic: &str) -> Self {
        let group = super::kafka::Kafka::unique_name("group");
        let state = tempfile::tempdir().expect("a folder");
        let mut run = Self { group: group.clone(), pipeline, state, settings: Vec::new(), environment: Vec::new() };
        run.set_override(&format!("source.kafka.brokers={brokers}"));
        run.set_override(&format!("source.kafka.topic={topic}"));
        run.set_override(&format!("source.kafka.group={group}"));
        run.set_override(&format!("sink.redis.url={redis}"));
        run.set_override(&format!("checkpoint.store=file:{}", run.state.path().display()));
        run.set_override("checkpoint.every=300ms");
        run
    }

    pub(crate) fn set_override(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// A variable of its environment.
    pub(crate) fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn run_command(&self, arguments: &[&str]) -> Command {
        // Many run at once; those that look at pages choose a port of their own.
        let listens = arguments.contains(&"--listen");
        let off: &[&str] = if listens { &[] } else { &["--listen", "off"] };
        self.pipeline_command(&["run"], &[arguments, off].concat())
    }

    /// Another command that takes the pipeline, not yet started.
    pub(crate) fn pipeline_command(&self, command: &[&str], arguments: &[&str]) -> Command {
        let words = command;
        let mut command = Command::new(env!("CARGO_BIN_EXE_windrow"));
        command.args(words).arg(&self.pipeline);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        // Last: a setting among them wins.
        command.args(arguments);
        command
    }

    /// Runs to the end.
    pub(crate) fn run_to_end(&self, arguments: &[&str]) -> Output {
        self.run_command(arguments).output().expect("windrow runs")
    }

    /// Runs bounded to the end, which must be a success.
    pub(crate) fn run_bounded(&self, arguments: &[&str]) -> String {
        let output = self.run_to_end(&[&["--bounded"], arguments].concat());
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}\n{log}", output.status);
        log
    }

    /// Starts it; its log goes to the file `log`.
    pub(crate) fn start(&self, arguments: &[&str], log: &Path) -> RunningJob {
        let file = std::fs::File::create(log).expect("a log file");
        let child = self.run_command(arguments).stderr(file).stdout(Stdio::null()).spawn().expect("windrow starts");
        RunningJob { child, log: log.to_owned() }
    }
}

pub(crate) struct RunningJob {
    child: Child,
    log: PathBuf,
}

/// How many lines of a log a failed test shows.
const LOG_TAIL_LINES: usize = 100;

impl RunningJob {
    pub(crate) fn send_signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is still running");
        self.child.wait().expect("it ends");
    }

    /// Stops it as a person does; it must end well within `patience`.
    pub(crate) fn stop(mut self, patience: Duration, log: &Path) {
        self.send_signal("-TERM");
        let code = self.wait_for_exit(patience);
        assert_eq!(code, Some(0), "{}", std::fs::read_to_string(log).unwrap_or_default());
    }

    /// Its exit code, which must come within `patience`.
    pub(crate) fn wait_for_exit(&mut self, patience: Duration) -> Option<i32> {
        let until = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait().expect("its state is known") {
                return status.code();
            }
            assert!(Instant::now() < until, "still running after {patience:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The most memory it ever had, in bytes; 0 once it has ended.
    pub(crate) fn peak_resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { return 0 };
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        // Gone already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            println!("the end of the log of the job that still ran:");
            for line in &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..] {
                println!("  {line}");
            }
        }
    }
}

/// `windrow state …`, to its end.
pub(crate) fn run_state_command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windrow")).arg("state").args(arguments).output().expect("windrow runs")
}

/// `windrow replay` of `pipeline` over `lines`: what it prints.
pub(crate) fn run_replay(pipeline: &Path, lines: &[Vec<u8>]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_windrow"))
        .arg("replay")
        .arg(pipeline)
        .args(["--input", "-", "--output", "-"])
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
pub(crate) fn run_generate(arguments: &[&str]) -> Vec<Vec<u8>> {
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
