//! The binary under test.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};
use windrow_test_support::{HANG_TIMEOUT, wait_until};

/// Returns the path of the shipped pipeline.
pub(crate) fn shipped_pipeline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pipelines/ecommerce.toml")
}

/// Returns the path of a pipeline whose rows show which events they include.
pub(crate) fn telling_pipeline() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/pipelines/telling.toml")
}

/// A pipeline with overrides, for `windrow run` and other commands.
pub(crate) struct TestJob {
    pub(crate) group: String,
    pipeline: PathBuf,
    /// The folder of its checkpoints.
    pub(crate) state: tempfile::TempDir,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
}

impl TestJob {
    /// Uses the shipped pipeline.
    pub(crate) fn new(brokers: &str, redis: &str, topic: &str) -> Self {
        Self::with_pipeline(shipped_pipeline(), brokers, redis, topic)
    }

    pub(crate) fn with_pipeline(pipeline: PathBuf, brokers: &str, redis: &str, topic: &str) -> Self {
        let mut run = Self::with_redis_of_pipeline(pipeline, brokers, topic);
        run.set_override(&format!("sink.redis.url={redis}"));
        run
    }

    /// Uses the Redis that the pipeline file names.
    pub(crate) fn with_redis_of_pipeline(pipeline: PathBuf, brokers: &str, topic: &str) -> Self {
        let group = super::kafka::TestKafka::generate_unique_name("group");
        let state = tempfile::tempdir().expect("a folder");
        let mut run = Self { group: group.clone(), pipeline, state, settings: Vec::new(), environment: Vec::new() };
        run.set_override(&format!("source.kafka.brokers={brokers}"));
        run.set_override(&format!("source.kafka.topic={topic}"));
        run.set_override(&format!("source.kafka.group={group}"));
        run.set_override(&format!("checkpoint.store=file:{}", run.state.path().display()));
        run.set_override("checkpoint.every=300ms");
        run
    }

    /// Returns the same job for another instance, without environment variables.
    pub(crate) fn with_own_environment(&self) -> Self {
        Self {
            group: self.group.clone(),
            pipeline: self.pipeline.clone(),
            state: tempfile::tempdir().expect("a folder"),
            settings: self.settings.clone(),
            environment: Vec::new(),
        }
    }

    pub(crate) fn set_override(&mut self, setting: &str) {
        self.settings.push(setting.to_owned());
    }

    /// Sets an environment variable.
    pub(crate) fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    fn run_command(&self, arguments: &[&str]) -> Command {
        // Many jobs run at once. Tests of pages choose a port.
        let listens = arguments.contains(&"--listen");
        let off: &[&str] = if listens { &[] } else { &["--listen", "off"] };
        self.pipeline_command(&["run"], &[arguments, off].concat())
    }

    /// Prepares another command that takes the pipeline.
    pub(crate) fn pipeline_command(&self, command: &[&str], arguments: &[&str]) -> Command {
        let words = command;
        let mut command = Command::new(env!("CARGO_BIN_EXE_windrow"));
        command.args(words).arg(&self.pipeline);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        // These come last, since the last override of a value applies.
        command.args(arguments);
        command
    }

    /// Runs `windrow state …` in the environment of the job to its end.
    pub(crate) fn run_state_command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windrow"));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.arg("state").args(arguments).output().expect("windrow runs")
    }

    /// Runs the job to its end.
    pub(crate) fn run_to_end(&self, arguments: &[&str]) -> Output {
        self.run_command(arguments).output().expect("windrow runs")
    }

    /// Runs the job bounded, asserts that it succeeds, and returns the log.
    pub(crate) fn run_bounded(&self, arguments: &[&str]) -> String {
        let output = self.run_to_end(&[&["--bounded"], arguments].concat());
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}\n{log}", output.status);
        log
    }

    /// Starts the job with its log in the file `log`.
    pub(crate) fn start(&self, arguments: &[&str], log: &Path) -> RunningJob {
        self.start_in_environment(arguments, &[], log)
    }

    /// Starts the job with additional environment variables, for one of several instances.
    pub(crate) fn start_in_environment(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        log: &Path,
    ) -> RunningJob {
        let file = std::fs::File::create(log).expect("a log file");
        let mut command = self.run_command(arguments);
        command.envs(environment.iter().copied());
        let child = command.stderr(file).stdout(Stdio::null()).spawn().expect("windrow starts");
        RunningJob { child, log: log.to_owned() }
    }
}

/// Sets the environment of a job whose checkpoints are in the S3 at `endpoint`.
pub(crate) fn set_s3_environment(run: &mut TestJob, endpoint: &str) {
    for (name, value) in [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "windrow"),
        ("AWS_SECRET_ACCESS_KEY", "windrow"),
        ("AWS_REGION", "us-east-1"),
    ] {
        run.set_environment(name, value);
    }
}

/// The time in which a stopped job must end: `stop_grace_period` in docker-compose.yml and the default of Kubernetes.
pub(crate) const STOP_GRACE_PERIOD: Duration = Duration::from_secs(30);

pub(crate) struct RunningJob {
    child: Child,
    log: PathBuf,
}

/// How many lines of a log a failed test prints.
const LOG_TAIL_LINES: usize = 100;

impl RunningJob {
    pub(crate) fn send_signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Kills the process.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is still running");
        self.child.wait().expect("it ends");
    }

    /// Sends SIGTERM as soon as the process handles it, and asserts that the process exits with 0.
    pub(crate) fn stop(mut self, log: &Path) {
        wait_until("it handles signals", || self.handles_sigterm());
        self.send_signal("-TERM");
        let code = self.wait_for_exit();
        assert_eq!(code, Some(0), "{}", std::fs::read_to_string(log).unwrap_or_default());
    }

    /// Whether the process has a handler for SIGTERM. Before, the signal ends it as any program.
    fn handles_sigterm(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("the signals with a handler");
        // Signal 15 is bit 14.
        u64::from_str_radix(caught.trim(), 16).expect("a hexadecimal number") >> 14 & 1 == 1
    }

    /// Returns how the process has ended, or `None` while it runs.
    pub(crate) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its state is known")
    }

    /// Waits for the exit code.
    pub(crate) fn wait_for_exit(&mut self) -> Option<i32> {
        let until = Instant::now() + HANG_TIMEOUT;
        loop {
            if let Some(status) = self.exit_status() {
                return status.code();
            }
            assert!(Instant::now() < until, "still running after {HANG_TIMEOUT:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the peak of its resident memory in bytes, or 0 when the process has ended.
    pub(crate) fn peak_resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let Some(line) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")) else { return 0 };
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }
}

impl Drop for RunningJob {
    fn drop(&mut self) {
        // The process may have ended already.
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

/// Runs `windrow state …` to its end.
pub(crate) fn run_state_command(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_windrow")).arg("state").args(arguments).output().expect("windrow runs")
}

/// Runs `windrow replay` of `pipeline` over `lines` and returns its output.
pub(crate) fn run_replay(pipeline: &Path, lines: &[Vec<u8>]) -> String {
    run_replay_command(pipeline, lines, &[])
}

/// Runs `windrow replay` of `pipeline` over `lines`, writes the lines that are not events to the file `dead_letters`, and
/// returns its output.
pub(crate) fn run_replay_with_dead_letters(pipeline: &Path, lines: &[Vec<u8>], dead_letters: &Path) -> String {
    run_replay_command(pipeline, lines, &[OsStr::new("--dead-letters"), dead_letters.as_os_str()])
}

fn run_replay_command(pipeline: &Path, lines: &[Vec<u8>], arguments: &[&OsStr]) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_windrow"))
        .arg("replay")
        .arg(pipeline)
        .args(["--input", "-", "--output", "-"])
        .args(arguments)
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

/// Runs `windrow generate` with these arguments and returns the events, line by line.
pub(crate) fn run_generate(arguments: &[&str]) -> Vec<Vec<u8>> {
    let output = Command::new(env!("CARGO_BIN_EXE_windrow"))
        .args(["generate", "--to", "-"])
        .args(arguments)
        .output()
        .expect("windrow runs");
    assert!(output.status.success());
    let mut lines: Vec<Vec<u8>> = output.stdout.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    lines.pop(); // the empty rest after the last newline
    lines
}
