//! Counts the calls to the checkpoint store with which the instances of a job exchange their reports.
//!
//! `cargo run --release -p windrow-web --example report_calls`
//!
//! Prints a table: calls in one minute, of all instances together, without a page and with one. Takes ten minutes.
#![expect(clippy::print_stdout, reason = "its purpose")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::Request;
use tower::ServiceExt;
use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_connectors::redis::WrittenRow;
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, ListedObject, StopSignal, StoreFault};
use windrow_web::controls::SavepointRegistry;
use windrow_web::peers::{PeerInstances, ReportPublisher};
use windrow_web::report::InstanceState;
use windrow_web::{InstanceReport, JobServerContext, RecentRowSource, ReportSource, routes};

const INSTANCE_COUNTS: [usize; 3] = [1, 4, 16];
/// After this time without a page, instances publish rarely.
const SETTLING_TIME: Duration = Duration::from_secs(75);
const MEASURED_TIME: Duration = Duration::from_secs(60);
/// The interval at which an open page asks for the reports.
const PAGE_INTERVAL: Duration = Duration::from_secs(1);

/// Counts the calls to a store.
#[derive(Debug)]
struct CountingStore {
    inner: Arc<dyn CheckpointStore>,
    lists: AtomicUsize,
    reads: AtomicUsize,
    changes: AtomicUsize,
}

impl CheckpointStore for CountingStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.inner.create_object(name, bytes)
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.read_object(name)
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.inner.list_objects(folder)
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.inner.delete_objects(names)
    }

    fn place(&self) -> &str {
        self.inner.place()
    }
}

impl CountingStore {
    fn take_counts(&self) -> [usize; 3] {
        [&self.lists, &self.reads, &self.changes].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

/// The report of an instance with this id.
struct MinimalReport(String);

impl ReportSource for MinimalReport {
    fn current_report(&self) -> InstanceReport {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        InstanceReport {
            instance_id: self.0.clone(),
            state: InstanceState::Running,
            reported_at_ms: i64::try_from(now.as_millis()).unwrap_or_default(),
            ..InstanceReport::default()
        }
    }
}

struct NoRows;

impl RecentRowSource for NoRows {
    fn newest_rows(&self, _limit: usize, _user: Option<&str>) -> Vec<WrittenRow> {
        Vec::new()
    }
}

fn build_context(
    number: usize,
    store: Arc<dyn CheckpointStore>,
    stores: &Arc<ObjectStoreOpener>,
) -> Result<Arc<JobServerContext>, Box<dyn Error>> {
    let pipeline = windrow_spec::parse("shipped", windrow_spec::SHIPPED_PIPELINE, &[])
        .map_err(|_| "the shipped pipeline has mistakes")?;
    Ok(Arc::new(JobServerContext {
        pipeline: Arc::new(pipeline),
        pipeline_text: String::new(),
        pipeline_plan: serde_json::Value::Null,
        report_source: Arc::new(MinimalReport(format!("{number:016x}"))),
        recent_row_source: Arc::new(NoRows),
        checkpoint_store: store,
        savepoint_store_opener: Arc::<ObjectStoreOpener>::clone(stores),
        stop_signal: StopSignal::default(),
        peers: PeerInstances::default(),
        savepoint_registry: SavepointRegistry::default(),
    }))
}

fn print_counts(instance_count: usize, page: &str, [lists, reads, changes]: [usize; 3]) {
    println!("| {instance_count:9} | {page:4} | {lists:5} | {reads:5} | {changes:20} |");
}

fn measure(instance_count: usize, runtime: &tokio::runtime::Runtime) -> Result<(), Box<dyn Error>> {
    let stores = Arc::new(ObjectStoreOpener::new()?);
    let store = Arc::new(CountingStore {
        inner: stores.open_store("memory:")?,
        lists: AtomicUsize::default(),
        reads: AtomicUsize::default(),
        changes: AtomicUsize::default(),
    });
    let contexts = (0..instance_count)
        .map(|number| build_context(number, Arc::<CountingStore>::clone(&store), &stores))
        .collect::<Result<Vec<_>, _>>()?;
    let publishers: Vec<ReportPublisher> = contexts.iter().map(ReportPublisher::start).collect();
    std::thread::sleep(SETTLING_TIME);
    store.take_counts();
    std::thread::sleep(MEASURED_TIME);
    print_counts(instance_count, "none", store.take_counts());

    let page = routes::build_job_router(Arc::clone(&contexts[0]));
    let until = Instant::now() + MEASURED_TIME;
    while Instant::now() < until {
        let request = Request::get("/api/instances").body(Body::empty())?;
        runtime.block_on(page.clone().oneshot(request))?;
        std::thread::sleep(PAGE_INTERVAL);
    }
    print_counts(instance_count, "one", store.take_counts());
    publishers.into_iter().for_each(|publisher| publisher.stop_and_delete_own_objects(Duration::from_secs(5)));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    println!("| instances | page | lists | reads | writes and deletions |");
    println!("|-----------|------|-------|-------|----------------------|");
    INSTANCE_COUNTS.into_iter().try_for_each(|instance_count| measure(instance_count, &runtime))
}
