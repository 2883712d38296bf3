//! The job's web server within `windrow run`.
//!
//! Owns: the address, the report while the start waits for Kafka and Redis, and the shutdown. Does not own: pages and
//! access control (`windrow-web`), measurements (`instance_monitor`).
//! Invariant: the server binds its address before the job reads a record, so that an unusable address fails the start.

mod startup_reporter;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use windrow_connectors::redis;
use windrow_engine::StopSignal;
use windrow_spec::Pipeline;
use windrow_web::controls::SavepointRegistry;
use windrow_web::guard::{self, AccessToken, ServerProtection};
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
/// The last port that is tried without `--listen`. Other instances or Flink's UI may use the ports before it.
const LAST_FALLBACK_PORT: u16 = 8091;
/// The time limit for the removal of this instance's report from the checkpoint store.
const UNPUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// The running web server. Dropping this value ends the server.
pub(crate) struct JobWebServer {
    context: Arc<JobServerContext>,
    reporter: Arc<StartupReporter>,
    server: Option<HttpServer>,
    publisher: Option<ReportPublisher>,
}

impl JobWebServer {
    /// Binds the address and starts to serve.
    pub(crate) fn start(
        args: &WebArgs,
        pipeline: &Arc<Pipeline>,
        redacted_text: String,
        place: &JobStateFolder,
        stop: &StopSignal,
    ) -> Result<Self, CommandFailure> {
        let token = read_token(args.token_file.as_deref())?;
        let listener = bind_listener(args.listen)?;
        let reporter = Arc::new(StartupReporter::new()?);
        let context = Arc::new(JobServerContext {
            pipeline: Arc::clone(pipeline),
            pipeline_text: redacted_text,
            pipeline_plan: pipeline_plan::plan_as_json(pipeline),
            report_source: Arc::<StartupReporter>::clone(&reporter),
            recent_rows: Arc::<StartupReporter>::clone(&reporter),
            checkpoint_store: Arc::clone(&place.store),
            savepoint_store_opener: place.store_opener(),
            stop_signal: stop.clone(),
            peers: PeerInstances::default(),
            savepoint_registry: SavepointRegistry::default(),
        });
        let server = listener.map(|listener| start_server(listener, token, &context, &reporter)).transpose()?;
        // Publish reports while the start waits, too, so that a stop of the job reaches instances that are still
        // starting.
        let publisher = Some(ReportPublisher::start(&context));
        Ok(Self { context, reporter, server, publisher })
    }

    /// Records that Kafka has the topic.
    pub(crate) fn mark_topic_found(&self) {
        self.reporter.mark_topic_found();
    }

    /// Shows the report of `monitor` from now on, on the pages and to other instances.
    pub(crate) fn switch_to_monitor(&self, monitor: &Arc<InstanceMonitor>, rows: redis::RecentRows) {
        self.reporter.switch_to_monitor(monitor, rows);
    }

    /// Ends the server. After a stop with a savepoint it first waits until a client has fetched the savepoint's
    /// location.
    pub(crate) fn stop_after_outcome_fetched(self) {
        if self.server.is_some() {
            self.context.savepoint_registry.wait_until_outcome_fetched();
        }
    }
}

impl Drop for JobWebServer {
    fn drop(&mut self) {
        if let Some(publisher) = self.publisher.take() {
            publisher.stop_and_delete_own_objects(UNPUBLISH_TIMEOUT);
        }
        if let Some(server) = self.server.take() {
            server.shut_down();
        }
    }
}

fn start_server(
    listener: TcpListener,
    token: Option<AccessToken>,
    context: &Arc<JobServerContext>,
    reporter: &StartupReporter,
) -> Result<HttpServer, CommandFailure> {
    let failed =
        |error| CommandFailure::new(ExitStatus::Internal, format!("error: cannot serve pages (--listen): {error}"));
    let address = listener.local_addr().map_err(failed)?;
    let protection =
        ServerProtection::new(address, token).map_err(|error| usage_error(&describe_missing_token(&error)))?;
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
            .map_err(|fault| usage_error(&format!("{}, or --listen off", describe_bind_fault(&fault)))),
        None => Ok(bind_default_listener()),
    }
}

/// Binds the default port or, if that is in use, the next free port. Without a free port the job runs without pages.
fn bind_default_listener() -> Option<TcpListener> {
    for port in DEFAULT_PORT..=LAST_FALLBACK_PORT {
        match server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Ok(listener) => {
                if port != DEFAULT_PORT {
                    warn!(port, "port {DEFAULT_PORT} is in use, so the pages are at another (--listen selects one)");
                }
                return Some(listener);
            }
            Err(fault) if fault.is_address_in_use() => {}
            Err(fault) => {
                warn!("{fault}; there are no pages (--listen selects another address)");
                return None;
            }
        }
    }
    warn!("ports {DEFAULT_PORT} to {LAST_FALLBACK_PORT} are in use, so there are no pages; --listen selects another");
    None
}

fn usage_error(message: &str) -> CommandFailure {
    CommandFailure::new(ExitStatus::Usage, format!("error: {message}"))
}
