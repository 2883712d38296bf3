//! The job's web server, as part of `windrow run`.
//!
//! Owns: where it listens, its token, what it shows while the job waits for Kafka and Redis, its end. Does not own: pages
//! and rules (`windrow-web`), what is measured (`observed`).
//! Invariant: the address is taken before a record is read, so that a job that cannot show itself says so at once.

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
use windrow_engine::Stop;
use windrow_spec::Pipeline;
use windrow_web::controls::Controls;
use windrow_web::guard::{self, Protection, Token};
use windrow_web::peers::{Peers, Publishing};
use windrow_web::report::{InstanceState, Reach, RedisReport};
use windrow_web::server::{self, Listen, Server};
use windrow_web::{Console, InstanceReport, Observed, RecentRows, routes};

use crate::cli::WebArgs;
use crate::exit::{Exit, Failure};
use crate::observed::Instance;
use crate::plan;
use crate::state_place::{StatePlace, host, random_digits};

const PORT: u16 = 8081;
/// Where the port is taken and nobody chose it: instances on one machine, or Flink's own UI.
const PORT_LAST: u16 = 8091;
const TOKEN: &str = "WINDROW_TOKEN";
/// How long the checkpoint store may take to forget this instance.
const LEAVE_PATIENCE: Duration = Duration::from_secs(1);

/// The server; dropped, it ends.
pub(crate) struct Web {
    console: Arc<Console>,
    early: Arc<Early>,
    server: Option<Server>,
    publishing: Option<Publishing>,
}

impl Web {
    /// Takes the address and begins to answer. `text`: the pipeline file without secrets.
    pub(crate) fn open(
        args: &WebArgs,
        pipeline: &Arc<Pipeline>,
        text: String,
        place: &StatePlace,
        stop: &Stop,
    ) -> Result<Self, Failure> {
        let token = token(args.token_file.as_deref())?;
        let listener = listener(args.listen)?;
        let early = Arc::new(Early::new()?);
        let console = Arc::new(Console {
            pipeline: Arc::clone(pipeline),
            pipeline_text: text,
            plan: plan::as_json(pipeline),
            observed: Arc::<Early>::clone(&early),
            rows: Arc::<Early>::clone(&early),
            store: Arc::clone(&place.store),
            stores: place.stores(),
            stop: stop.clone(),
            peers: Peers::default(),
            controls: Controls::default(),
        });
        let server = listener.map(|listener| serve(listener, token, &console, &early)).transpose()?;
        // Also while the start waits: who stops the job stops those that have not begun.
        let publishing = Some(Publishing::start(&console));
        Ok(Self { console, early, server, publishing })
    }

    /// Kafka has the topic.
    pub(crate) fn found_kafka(&self) {
        self.early.has_kafka.store(true, Ordering::Relaxed);
    }

    /// Shows `instance` from now on, to visitors and to the other instances.
    pub(crate) fn show(&self, instance: &Arc<Instance>, rows: redis::RecentRows) {
        instance.serves(self.early.listen.get().map_or("", String::as_str));
        let _ = self.early.known.set((Arc::clone(instance), rows));
    }

    /// Ends it, once whoever stopped the job with a savepoint has heard where that is.
    pub(crate) fn end(self) {
        if self.server.is_some() {
            self.console.controls.linger();
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        if let Some(publishing) = self.publishing.take() {
            publishing.end(LEAVE_PATIENCE);
        }
        if let Some(server) = self.server.take() {
            server.end();
        }
    }
}

fn serve(
    listener: TcpListener,
    token: Option<Token>,
    console: &Arc<Console>,
    early: &Early,
) -> Result<Server, Failure> {
    let broken = |error| Failure::new(Exit::Internal, format!("error: cannot serve pages (--listen): {error}"));
    let address = listener.local_addr().map_err(broken)?;
    let protection = Protection::new(address, token).map_err(|error| usage(&error))?;
    let router = guard::protect(routes::of_job(Arc::clone(console)), &protection);
    let server = Server::start(listener, router).map_err(broken)?;
    let _ = early.listen.set(address.to_string());
    info!("the job's pages are at http://{address}");
    Ok(server)
}

fn listener(listen: Option<Listen>) -> Result<Option<TcpListener>, Failure> {
    match listen {
        Some(Listen::Off) => Ok(None),
        Some(Listen::At(address)) => server::bind(address).map(Some).map_err(|fault| usage(&fault)),
        None => Ok(default_listener()),
    }
}

/// The default address or, where it is taken, the next; nobody asked for one, so having none stops nothing.
fn default_listener() -> Option<TcpListener> {
    for port in PORT..=PORT_LAST {
        match server::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Ok(listener) => {
                if port != PORT {
                    warn!(port, "port {PORT} is taken, so the pages are at another (--listen chooses one)");
                }
                return Some(listener);
            }
            Err(fault) if fault.is_taken() => {}
            Err(fault) => {
                warn!("{fault}; there are no pages");
                return None;
            }
        }
    }
    warn!("the ports {PORT} to {PORT_LAST} are taken, so there are no pages; --listen chooses another");
    None
}

/// The token in `file` or, without one, in the environment, if there is one.
pub(crate) fn token(file: Option<&Path>) -> Result<Option<Token>, Failure> {
    let (text, from) = match file {
        Some(path) => {
            let unreadable = |error| {
                Failure::new(Exit::Usage, format!("error: cannot read --token-file {}: {error}", path.display()))
            };
            (fs::read_to_string(path).map_err(unreadable)?, format!("--token-file {}", path.display()))
        }
        None => match env::var(TOKEN) {
            Ok(text) => (text, TOKEN.to_owned()),
            Err(env::VarError::NotPresent) => return Ok(None),
            Err(env::VarError::NotUnicode(_)) => (String::new(), TOKEN.to_owned()),
        },
    };
    Token::new(&text)
        .map(Some)
        .map_err(|fault| Failure::new(Exit::Usage, format!("error: {from} holds no token: {fault}")))
}

fn usage(error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Usage, format!("error: {error}"))
}

/// What there is to show before the job has Kafka and Redis, and the job itself from then on.
struct Early {
    id: String,
    started_at_ms: i64,
    listen: OnceLock<String>,
    has_kafka: AtomicBool,
    known: OnceLock<(Arc<Instance>, redis::RecentRows)>,
}

impl Early {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            id: random_digits(8)? + &random_digits(8)?,
            started_at_ms: Timestamp::now().as_millisecond(),
            listen: OnceLock::new(),
            has_kafka: AtomicBool::new(false),
            known: OnceLock::new(),
        })
    }
}

impl Observed for Early {
    fn report(&self) -> InstanceReport {
        if let Some((instance, _)) = self.known.get() {
            return InstanceReport { instance: self.id.clone(), ..instance.report() };
        }
        let waiting = |for_it: bool, reason: &str| {
            if !for_it {
                return Reach::default();
            }
            Reach { away_since_ms: Some(self.started_at_ms), reason: Some(reason.to_owned()) }
        };
        let has_kafka = self.has_kafka.load(Ordering::Relaxed);
        InstanceReport {
            instance: self.id.clone(),
            host: host(),
            pid: process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            listen: self.listen.get().cloned().unwrap_or_default(),
            started_at_ms: self.started_at_ms,
            reported_at_ms: Timestamp::now().as_millisecond(),
            state: InstanceState::Starting,
            kafka: waiting(!has_kafka, "the start waits for it, and for the topic"),
            redis: RedisReport { reach: waiting(has_kafka, "the start waits for it"), ..RedisReport::default() },
            ..InstanceReport::default()
        }
    }
}

impl RecentRows for Early {
    fn recent(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        self.known.get().map(|(_, rows)| rows.newest(limit, user)).unwrap_or_default()
    }
}
