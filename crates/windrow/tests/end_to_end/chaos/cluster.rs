//! The processes and servers of a run, and what each step of a fault does to them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::plan::{FaultStep, INSTANCES, NAMED_INSTANCE, OldMaster};
use crate::seeded_random::SeededRandom;
use crate::support::gate::TcpGate;
use crate::support::redis::Redis;
use crate::support::windrow::{RunningJob, TestJob};
use crate::topic::read_log;

/// The exit code of a stop in which Redis did not acknowledge the last rows.
const ROWS_NOT_ACKNOWLEDGED: i32 = 8;
/// The exit code of a stop without last checkpoints.
const NO_LAST_CHECKPOINT: i32 = 17;

/// How the group shares out its partitions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RebalanceProtocol {
    Classic,
    /// The broker decides how long a member may be silent: 6 s in `dev/kafka.sh`.
    Consumer,
}

impl RebalanceProtocol {
    pub(crate) fn draw(random: &mut SeededRandom) -> Self {
        if random.between(0, 2) == 0 { Self::Classic } else { Self::Consumer }
    }

    /// Returns the override of the pipeline file.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Classic => "source.kafka.session_timeout=\"6s\"",
            Self::Consumer => "source.kafka.group_protocol=consumer",
        }
    }
}

/// The job and its servers.
pub(crate) struct ChaosCluster<'a> {
    job: &'a TestJob,
    instances: Vec<JobInstance>,
    redis: [Redis; 2],
    /// The index of the Redis that is, or will be, the master.
    master: usize,
    /// Whether Redis is suspended or fails over.
    redis_is_disturbed: bool,
    /// The folder of the logs.
    folder: &'a Path,
    /// The time that the trace begins with.
    started_at: Instant,
}

/// One process of the job, started again and again.
struct JobInstance {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    running: Option<RunningJob>,
    logs: Vec<PathBuf>,
    redis_gate: TcpGate,
    store_gate: TcpGate,
    store_hangs: bool,
    stop: Option<CleanStop>,
}

/// A clean stop that has not ended, with the exit codes that faults during the stop justify.
struct CleanStop {
    began_at: Instant,
    justified_codes: Vec<i32>,
}

impl<'a> ChaosCluster<'a> {
    /// Starts a Redis master with its replica, and all instances. The checkpoint store of `job` is the S3 on `store_port`.
    pub(crate) fn start(job: &'a TestJob, store_port: u16, folder: &'a Path) -> Self {
        let redis = [Redis::start(), Redis::start()];
        redis[1].replicate_from(&redis[0]);
        redis[1].await_replication();
        let instances =
            (0..INSTANCES).map(|instance| JobInstance::prepare(instance, redis[0].port(), store_port)).collect();
        let mut cluster =
            Self { job, instances, redis, master: 0, redis_is_disturbed: false, folder, started_at: Instant::now() };
        (0..INSTANCES).for_each(|instance| cluster.start_instance(instance));
        cluster
    }

    /// Returns the current Redis master.
    pub(crate) fn master(&self) -> &Redis {
        &self.redis[self.master]
    }

    /// Returns the logs of all processes.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &PathBuf> {
        self.instances.iter().flat_map(|instance| &instance.logs)
    }

    /// Returns how many instances read records.
    pub(crate) fn reading_instance_count(&self) -> usize {
        let reads = |instance: &&JobInstance| {
            instance.logs.last().is_some_and(|log| read_log(log).contains("reading partitions"))
        };
        self.instances.iter().filter(reads).count()
    }

    /// Starts the clock of the trace.
    pub(crate) fn start_clock(&mut self) {
        self.started_at = Instant::now();
    }

    pub(crate) fn started_at(&self) -> Instant {
        self.started_at
    }

    /// Prints a line of the trace.
    pub(crate) fn print_trace_line(&self, what: &str) {
        println!("{:9.3} s  {what}", self.started_at.elapsed().as_secs_f64());
    }

    /// Asserts that every process that should run does.
    pub(crate) fn assert_alive(&mut self) {
        for (number, instance) in self.instances.iter_mut().enumerate() {
            let Some(status) = instance.running.as_mut().and_then(RunningJob::exit_status) else { continue };
            if instance.stop.is_none() {
                let log = instance.logs.last().map(|log| read_log(log)).unwrap_or_default();
                panic!("instance {number} ended by itself: {status}\n{log}");
            }
        }
    }

    pub(crate) fn run_step(&mut self, step: FaultStep) {
        self.print_trace_line(&step.to_string());
        match step {
            FaultStep::KillInstance { instance } => self.take_running(instance).kill(),
            FaultStep::StopInstance { instance } => self.begin_stop(instance),
            FaultStep::StartInstance { instance } => {
                self.await_stop(instance);
                self.start_instance(instance);
            }
            FaultStep::SuspendInstance { instance } => self.send_signal(instance, "-STOP"),
            FaultStep::ResumeInstance { instance } => self.send_signal(instance, "-CONT"),
            FaultStep::HoldReplication => {
                let replica = &self.redis[1 - self.master];
                replica.await_replication();
                replica.hold_replication();
            }
            FaultStep::PromoteReplica { old_master } => {
                if old_master == OldMaster::Killed {
                    self.redis[self.master].kill();
                }
                self.master = 1 - self.master;
                self.master().promote();
                self.begin_redis_disturbance();
            }
            FaultStep::RedirectInstance { instance } => {
                self.instances[instance].redis_gate.redirect(self.master().port());
            }
            FaultStep::RejoinOldMaster => self.rejoin_old_master(),
            FaultStep::SuspendRedis => {
                self.master().pause();
                self.begin_redis_disturbance();
            }
            FaultStep::ResumeRedis => {
                self.master().resume();
                self.redis_is_disturbed = false;
            }
            FaultStep::DisconnectRedis => self.instances.iter().for_each(|instance| instance.redis_gate.cut()),
            FaultStep::HoldStore { instance } => {
                let instance = &mut self.instances[instance];
                instance.store_gate.hold();
                instance.store_hangs = true;
                instance.justify_code(NO_LAST_CHECKPOINT);
            }
            FaultStep::ReleaseStore { instance } => {
                self.instances[instance].store_gate.release();
                self.instances[instance].store_hangs = false;
            }
        }
    }

    fn begin_redis_disturbance(&mut self) {
        self.redis_is_disturbed = true;
        self.instances.iter_mut().for_each(|instance| instance.justify_code(ROWS_NOT_ACKNOWLEDGED));
    }

    fn rejoin_old_master(&mut self) {
        let [first, second] = &mut self.redis;
        let (old, new) = if self.master == 0 { (second, first) } else { (first, second) };
        if !old.is_running() {
            old.restart_empty();
        }
        old.replicate_from(new);
        self.redis_is_disturbed = false;
    }

    fn start_instance(&mut self, number: usize) {
        let instance = &mut self.instances[number];
        let log = self.folder.join(format!("instance-{number}-start-{}.log", instance.logs.len()));
        let arguments: Vec<&str> = instance.arguments.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> =
            instance.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        instance.running = Some(self.job.start_in_environment(&arguments, &environment, &log));
        instance.logs.push(log);
    }

    fn take_running(&mut self, instance: usize) -> RunningJob {
        self.instances[instance].running.take().expect("it runs")
    }

    fn send_signal(&self, instance: usize, signal: &str) {
        self.instances[instance].running.as_ref().expect("it runs").send_signal(signal);
    }

    fn begin_stop(&mut self, number: usize) {
        self.send_signal(number, "-TERM");
        let redis_is_disturbed = self.redis_is_disturbed;
        let instance = &mut self.instances[number];
        instance.stop = Some(CleanStop { began_at: Instant::now(), justified_codes: vec![0] });
        if redis_is_disturbed {
            instance.justify_code(ROWS_NOT_ACKNOWLEDGED);
        }
        if instance.store_hangs {
            instance.justify_code(NO_LAST_CHECKPOINT);
        }
    }

    /// Waits for the end of a clean stop, if there is one.
    fn await_stop(&mut self, number: usize) {
        let Some(stop) = self.instances[number].stop.take() else { return };
        let code = self.take_running(number).wait_for_exit();
        let took = stop.began_at.elapsed();
        self.print_trace_line(&format!(
            "instance {number}: had stopped with {code:?} within {:.1} s",
            took.as_secs_f64()
        ));
        assert!(
            code.is_some_and(|code| stop.justified_codes.contains(&code)),
            "a clean stop ended with {code:?}:\n{}",
            self.instances[number].logs.last().map(|log| read_log(log)).unwrap_or_default()
        );
    }

    /// Stops all instances and asserts that none fails.
    pub(crate) fn stop_all(&mut self) {
        (0..INSTANCES).for_each(|instance| self.begin_stop(instance));
        (0..INSTANCES).for_each(|instance| self.await_stop(instance));
    }
}

impl JobInstance {
    fn prepare(number: usize, redis_port: u16, store_port: u16) -> Self {
        let (redis_gate, store_gate) = (TcpGate::start(redis_port), TcpGate::start(store_port));
        let redis = format!("sink.redis.url=redis://127.0.0.1:{}", redis_gate.port());
        // The instances differ as on users' machines: in their number of workers, and in whether the group knows them by name.
        let workers = if number == 0 { "2" } else { "1" };
        let mut arguments = vec!["--workers", workers, "--set", redis.as_str()];
        if number == NAMED_INSTANCE {
            arguments.extend(["--instance", "named"]);
        }
        Self {
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            environment: vec![("AWS_ENDPOINT_URL".to_owned(), format!("http://127.0.0.1:{}", store_gate.port()))],
            running: None,
            logs: Vec::new(),
            redis_gate,
            store_gate,
            store_hangs: false,
            stop: None,
        }
    }

    /// Accepts `code` as the exit code of a clean stop that has not ended.
    fn justify_code(&mut self, code: i32) {
        if let Some(stop) = &mut self.stop {
            stop.justified_codes.push(code);
        }
    }
}
