//! The job's web server within `windrow run`.
//!
//! Owns: the address, the token, the report while the start waits for Kafka and Redis, and the shutdown. Does not own: pages
//! and protection (`windrow-web`), measurements (`instance_monitor`).
//! Invariant: it binds its address before a record is read, so that a job without pages fails at its start.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};
use windrow_connectors::redis::{self, WrittenRow};
use windrow_engine::StopSignal;
use windrow_spec::Pipeline;
use windrow_web::controls::SavepointRegistry;
use windrow_web::guard::{self, AccessToken, ServerProtection};
use windrow_web::peers::{PeerInstances, ReportPublisher};
use windrow_web::report::{InstanceState, ReachabilityReport, RedisReport};
use windrow_web::server::{self, HttpServer, ListenAddress};
use windrow_web::{InstanceReport, JobServerContext, RecentRowSource, ReportSource, routes};

use crate::cli::WebArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::instance_monitor::InstanceMonitor;
use crate::job_state_folder::{JobStateFolder, host_name, random_hex_digits};
use crate::pipeline_plan;

const DEFAULT_PORT: u16 = 8081;
/// The last port to try without `--listen`, when other instances or Flink's UI use the ports before it.
const LAST_FALLBACK_PORT: u16 = 8091;
const TOKEN_VARIABLE: &str = "WINDROW_TOKEN";
/// How long removing this instance's report from the checkpoint store may take.
const UNPUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The running server. Dropping it ends the server.
pub(crate) struct JobWebServer {
    console: Arc<JobServerContext>,
    reporter: Arc<StartupReporter>,
    server: Option<HttpServer>,
    publishing: Option<ReportPublisher>,
}

impl JobWebServer {
    /// Binds the address and starts to serve.
    pub(crate) fn start(
        args: &WebArgs,
        pipeline: &Arc<Pipeline>,
        text: String,
        place: &JobStateFolder,
        stop: &StopSignal,
    ) -> Result<Self, CommandFailure> {
        let token = read_token(args.token_file.as_deref())?;
        let listener = bind_listener(args.listen)?;
        let early = Arc::new(StartupReporter::new()?);
        let console = Arc::new(JobServerContext {
            pipeline: Arc::clone(pipeline),
            pipeline_text: text,
            plan: pipeline_plan::plan_as_json(pipeline),
            report_source: Arc::<StartupReporter>::clone(&early),
            recent_rows: Arc::<StartupReporter>::clone(&early),
            checkpoint_store: Arc::clone(&place.store),
            store_opener: place.stores(),
            stop_signal: stop.clone(),
            peers: PeerInstances::default(),
            savepoint_registry: SavepointRegistry::default(),
        });
        let server = listener.map(|listener| start_server(listener, token, &console, &early)).transpose()?;
        // Publish also while the start waits, so that a stop of the job reaches instances that are still starting.
        let publishing = Some(ReportPublisher::start(&console));
        Ok(Self { console, reporter: early, server, publishing })
    }

    /// Records that Kafka has the topic.
    pub(crate) fn mark_kafka_found(&self) {
        self.reporter.kafka_found.store(true, Ordering::Relaxed);
    }

    /// Shows `monitor` from now on, on pages and to other instances.
    pub(crate) fn show_monitor(&self, instance: &Arc<InstanceMonitor>, rows: redis::RecentRows) {
        instance.set_listen_address(self.reporter.listen_address.get().map_or("", String::as_str));
        let _ = self.reporter.running_job.set((Arc::clone(instance), rows));
    }

    /// Ends the server. After a stop with a savepoint it first waits until the client has fetched the savepoint's location.
    pub(crate) fn linger_and_stop(self) {
        if self.server.is_some() {
            self.console.savepoint_registry.wait_until_outcome_fetched();
        }
    }
}

impl Drop for JobWebServer {
    fn drop(&mut self) {
        if let Some(publishing) = self.publishing.take() {
            publishing.withdraw_and_join(UNPUBLISH_TIMEOUT);
        }
        if let Some(server) = self.server.take() {
            server.shut_down();
        }
    }
}

fn start_server(
    listener: TcpListener,
    token: Option<AccessToken>,
    console: &Arc<JobServerContext>,
    early: &StartupReporter,
) -> Result<HttpServer, CommandFailure> {
    let broken =
        |error| CommandFailure::new(ExitStatus::Internal, format!("error: cannot serve pages (--listen): {error}"));
    let address = listener.local_addr().map_err(broken)?;
    let protection = ServerProtection::new(address, token).map_err(|error| usage_error(&error))?;
    let router = guard::protect(routes::build_job_router(Arc::clone(console)), &protection);
    let server = HttpServer::start(listener, router).map_err(broken)?;
    let _ = early.listen_address.set(address.to_string());
    info!("the job's pages are at http://{address}");
    Ok(server)
}

fn bind_listener(listen: Option<ListenAddress>) -> Result<Option<TcpListener>, CommandFailure> {
    match listen {
        Some(ListenAddress::Off) => Ok(None),
        Some(ListenAddress::At(address)) => server::bind(address).map(Some).map_err(|fault| usage_error(&fault)),
        None => Ok(bind_default_listener()),
    }
}

/// Binds the default port or, if it is in use, the next free one. Without a free port the job runs without pages.
fn bind_default_listener() -> Option<TcpListener> {
    for port in DEFAULT_PORT..=LAST_FALLBACK_PORT {
        match server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Ok(listener) => {
                if port != DEFAULT_PORT {
                    warn!(port, "port {DEFAULT_PORT} is taken, so the pages are at another (--listen chooses one)");
                }
                return Some(listener);
            }
            Err(fault) if fault.is_address_in_use() => {}
            Err(fault) => {
                warn!("{fault}; there are no pages");
                return None;
            }
        }
    }
    warn!(
        "the ports {DEFAULT_PORT} to {LAST_FALLBACK_PORT} are taken, so there are no pages; --listen chooses another"
    );
    None
}

/// Reads the token from `file` or, without a file, from the environment. Returns `None` when there is none.
pub(crate) fn read_token(file: Option<&Path>) -> Result<Option<AccessToken>, CommandFailure> {
    let (text, from) = match file {
        Some(path) => {
            let unreadable = |error| {
                CommandFailure::new(
                    ExitStatus::Usage,
                    format!("error: cannot read --token-file {}: {error}", path.display()),
                )
            };
            (fs::read_to_string(path).map_err(unreadable)?, format!("--token-file {}", path.display()))
        }
        None => match env::var(TOKEN_VARIABLE) {
            Ok(text) => (text, TOKEN_VARIABLE.to_owned()),
            Err(env::VarError::NotPresent) => return Ok(None),
            Err(env::VarError::NotUnicode(_)) => (String::new(), TOKEN_VARIABLE.to_owned()),
        },
    };
    AccessToken::new(&text)
        .map(Some)
        .map_err(|fault| CommandFailure::new(ExitStatus::Usage, format!("error: {from} holds no token: {fault}")))
}

fn usage_error(error: &dyn std::error::Error) -> CommandFailure {
    CommandFailure::new(ExitStatus::Usage, format!("error: {error}"))
}

/// Reports that the instance is starting until the job has Kafka and Redis, and then what its monitor reports.
struct StartupReporter {
    instance_id: String,
    started_at_ms: i64,
    listen_address: OnceLock<String>,
    kafka_found: AtomicBool,
    running_job: OnceLock<(Arc<InstanceMonitor>, redis::RecentRows)>,
}

impl StartupReporter {
    fn new() -> Result<Self, CommandFailure> {
        Ok(Self {
            instance_id: random_hex_digits(8)? + &random_hex_digits(8)?,
            started_at_ms: Timestamp::now().as_millisecond(),
            listen_address: OnceLock::new(),
            kafka_found: AtomicBool::new(false),
            running_job: OnceLock::new(),
        })
    }
}

impl ReportSource for StartupReporter {
    fn report(&self) -> InstanceReport {
        if let Some((instance, _)) = self.running_job.get() {
            return InstanceReport { instance: self.instance_id.clone(), ..instance.report() };
        }
        let waiting = |for_it: bool, reason: &str| {
            if !for_it {
                return ReachabilityReport::default();
            }
            ReachabilityReport { away_since_ms: Some(self.started_at_ms), reason: Some(reason.to_owned()) }
        };
        let has_kafka = self.kafka_found.load(Ordering::Relaxed);
        InstanceReport {
            instance: self.instance_id.clone(),
            host: host_name(),
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: self.listen_address.get().cloned().unwrap_or_default(),
            started_at_ms: self.started_at_ms,
            reported_at_ms: Timestamp::now().as_millisecond(),
            state: InstanceState::Starting,
            kafka: waiting(!has_kafka, "the start waits for it, and for the topic"),
            redis: RedisReport { reach: waiting(has_kafka, "the start waits for it"), ..RedisReport::default() },
            ..InstanceReport::default()
        }
    }
}

impl RecentRowSource for StartupReporter {
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        self.running_job.get().map(|(_, rows)| rows.newest_rows(limit, user)).unwrap_or_default()
    }
}
