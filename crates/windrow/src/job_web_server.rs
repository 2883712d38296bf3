//! The job's web server within `windrow run`.
//!
//! Owns: the listen address, the report that pages show while the start waits for Kafka and Redis, and the shutdown of
//! the server.
//! Does not own: pages and access control (`windrow-web`), measurements (`instance_monitor`).
//! Invariant: the server binds its address before the job reads a record, so that an unusable address makes the start
//! fail.

mod startup_reporter;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use windrow_connectors::redis;
use windrow_engine::StopSignal;
use windrow_spec::Pipeline;
use windrow_web::controls::SavepointRegistry;
use windrow_web::guard::{self, AccessToken, ServerProtection, TlsProxies};
use windrow_web::peers::{PeerInstances, ReportPublisher};
use windrow_web::server::{self, HttpServer, ListenAddress};
use windrow_web::{JobServerContext, routes};

use crate::access_token::read_token;
use crate::cli::WebArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::instance_monitor::InstanceMonitor;
use crate::job_state_folder::JobStateFolder;
use crate::listen_failure::{describe_bind_fault, describe_missing_token};
use crate::pipeline_plan;
use startup_reporter::StartupReporter;

const DEFAULT_PORT: u16 = 8081;
/// The last port that a job without `--listen` tries. Other instances or Flink's UI may use the lower ports.
const LAST_FALLBACK_PORT: u16 = 8091;
/// The time limit at shutdown for removing this instance's report from the checkpoint store.
const REPORT_REMOVAL_TIMEOUT: Duration = Duration::from_secs(1);

/// The running web server. Dropping this value ends the server.
pub(crate) struct JobWebServer {
    context: Arc<JobServerContext>,
    reporter: Arc<StartupReporter>,
    server: Option<HttpServer>,
    publisher: Option<ReportPublisher>,
}

impl JobWebServer {
    /// Binds the listen address and starts to serve pages and to publish reports.
    pub(crate) fn start(
        args: &WebArgs,
        pipeline: &Arc<Pipeline>,
        redacted_text: String,
        place: &JobStateFolder,
        stop: &StopSignal,
    ) -> Result<Self, CommandFailure> {
        let token = read_token(args.token_file.as_deref())?;
        let listener = bind_listener(args.listen_address)?;
        let reporter = Arc::new(StartupReporter::new()?);
        let context = Arc::new(JobServerContext {
            pipeline: Arc::clone(pipeline),
            pipeline_text: redacted_text,
            pipeline_plan: pipeline_plan::plan_as_json(pipeline),
            report_source: Arc::<StartupReporter>::clone(&reporter),
            recent_row_source: Arc::<StartupReporter>::clone(&reporter),
            checkpoint_store: Arc::clone(&place.store),
            savepoint_store_opener: place.store_opener(),
            stop_signal: stop.clone(),
            peers: PeerInstances::default(),
            savepoint_registry: SavepointRegistry::default(),
        });
        let server = listener
            .map(|listener| {
                let tls_proxies = args.proxy_args.to_tls_proxies();
                start_http_server(listener, token, tls_proxies, &context, &reporter)
            })
            .transpose()?;
        // The publisher also reads requests to stop the job. So it already runs while the start waits for Kafka and
        // Redis.
        let publisher = Some(ReportPublisher::start(&context));
        Ok(Self { context, reporter, server, publisher })
    }

    /// Records that Kafka has the topic. From now on, reports say that the start waits for Redis.
    pub(crate) fn mark_topic_found(&self) {
        self.reporter.mark_topic_found();
    }

    /// Makes pages and other instances receive the reports of `monitor` from now on, instead of reports about the
    /// start. Pages also show the newest rows from `rows`.
    pub(crate) fn switch_to_monitor_reports(&self, monitor: &Arc<InstanceMonitor>, rows: redis::RecentRows) {
        self.reporter.switch_to_monitor_reports(monitor, rows);
    }

    /// Ends the server. If a request to stop with a savepoint ended the job, the server first waits until a client has
    /// fetched the savepoint's location. It waits at most ten seconds.
    pub(crate) fn stop_after_savepoint_location_fetched(self) {
        if self.server.is_some() {
            self.context.savepoint_registry.wait_until_outcome_fetched();
        }
    }
}

impl Drop for JobWebServer {
    fn drop(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.stop_and_delete_own_objects(REPORT_REMOVAL_TIMEOUT);
        }
        if let Some(server) = self.server.take() {
            server.shut_down();
        }
    }
}

fn start_http_server(
    listener: TcpListener,
    token: Option<AccessToken>,
    tls_proxies: TlsProxies,
    context: &Arc<JobServerContext>,
    reporter: &StartupReporter,
) -> Result<HttpServer, CommandFailure> {
    let failed = |error| {
        CommandFailure::new(
            ExitStatus::Internal,
            format!("error: cannot start the job's web server (--listen): {error}"),
        )
    };
    let address = listener.local_addr().map_err(failed)?;
    let protection = ServerProtection::new(address, token)
        .map_err(|error| create_usage_failure(&describe_missing_token(&error)))?
        .with_tls_proxies(tls_proxies);
    if let Some(advice) = protection.host_name_advice() {
        warn!("{advice}");
    }
    let router = guard::protect(routes::build_job_router(Arc::clone(context)), &protection);
    let server = HttpServer::start(listener, router).map_err(failed)?;
    reporter.set_listen_address(address.to_string());
    info!("the job's pages are at http://{address}");
    Ok(server)
}

fn bind_listener(listen: Option<ListenAddress>) -> Result<Option<TcpListener>, CommandFailure> {
    match listen {
        Some(ListenAddress::Off) => Ok(None),
        Some(ListenAddress::At(address)) => server::bind(address)
            .map(Some)
            .map_err(|fault| create_usage_failure(&format!("{}, or --listen off", describe_bind_fault(&fault)))),
        None => Ok(bind_default_or_next_free_port()),
    }
}

/// Binds the default port. If the default port is in use, binds the next free port. Returns `None` if no port is free,
/// or if a port cannot be bound for another reason. The job then runs without pages.
fn bind_default_or_next_free_port() -> Option<TcpListener> {
    for port in DEFAULT_PORT..=LAST_FALLBACK_PORT {
        match server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Ok(listener) => {
                if port != DEFAULT_PORT {
                    warn!(
                        port,
                        "port {DEFAULT_PORT} is in use, so the pages are at another port; --listen selects one"
                    );
                }
                return Some(listener);
            }
            Err(fault) if fault.is_address_in_use() => {}
            Err(fault) => {
                warn!("the job runs without pages: {fault}; --listen selects another address");
                return None;
            }
        }
    }
    warn!(
        "ports {DEFAULT_PORT} to {LAST_FALLBACK_PORT} are in use, so the job runs without pages; --listen selects \
         a port"
    );
    None
}

fn create_usage_failure(message: &str) -> CommandFailure {
    CommandFailure::new(ExitStatus::Usage, format!("error: {message}"))
}
