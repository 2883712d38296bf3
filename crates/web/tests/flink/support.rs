//! A job that consists of reports, and asking it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_engine::{CheckpointStoreOpener, StopSignal};
use windrow_web::{InstanceReport, JobServerContext, ReportSource};

use crate::reports;

/// The report of the instance that answers; a test can change it.
#[derive(Clone)]
pub(crate) struct ChangeableReport(pub(crate) Arc<Mutex<InstanceReport>>);

impl ReportSource for ChangeableReport {
    fn current_report(&self) -> InstanceReport {
        self.0.lock().clone()
    }
}

pub(crate) struct TestJob {
    pub(crate) context: Arc<JobServerContext>,
    pub(crate) report_source: ChangeableReport,
    router: Router,
    runtime: Runtime,
}

impl TestJob {
    /// Returns a job of the two instances in `reports`.
    pub(crate) fn new() -> Self {
        Self::with_reports(reports::own_report(), &[reports::other_report()])
    }

    /// Returns a job whose pipeline file allows savepoints below `location`.
    pub(crate) fn with_savepoints_below(location: &str) -> Self {
        let savepoints = format!("checkpoint.savepoints=[\"{location}\"]");
        Self::with_overrides(reports::own_report(), &[reports::other_report()], &[&savepoints])
    }

    pub(crate) fn with_reports(here: InstanceReport, others: &[InstanceReport]) -> Self {
        Self::with_overrides(here, others, &[])
    }

    fn with_overrides(here: InstanceReport, others: &[InstanceReport], overrides: &[&str]) -> Self {
        let overrides: Vec<_> = overrides.iter().map(|one| one.parse().expect("an override")).collect();
        let report_source = ChangeableReport(Arc::new(Mutex::new(here)));
        let stores = Arc::new(ObjectStoreOpener::new().expect("a runtime"));
        let store = stores.open_store("memory:").expect("memory");
        for (number, other) in others.iter().enumerate() {
            let name = format!("instances/{}-{:010}", other.instance_id, number + 1);
            store.create_object(&name, serde_json::to_vec(other).expect("JSON")).expect("created");
        }
        let pipeline = windrow_spec::parse("ecommerce.toml", windrow_spec::SHIPPED_PIPELINE, &overrides)
            .expect("the shipped pipeline");
        let context = Arc::new(JobServerContext {
            pipeline: Arc::new(pipeline),
            pipeline_text: String::new(),
            pipeline_plan: Value::Null,
            report_source: Arc::new(report_source.clone()),
            recent_row_source: Arc::new(()),
            checkpoint_store: store,
            savepoint_store_opener: stores,
            stop_signal: StopSignal::default(),
            peers: windrow_web::peers::PeerInstances::default(),
            savepoint_registry: windrow_web::controls::SavepointRegistry::default(),
        });
        let router = windrow_web::flink::router().with_state(Arc::clone(&context));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { context, report_source, router, runtime }
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn id(&self) -> String {
        self.context.job_id()
    }

    /// Ids of the vertices, in the order of the data.
    pub(crate) fn vertices(&self) -> Vec<String> {
        let details = self.get(&format!("/jobs/{}", self.id()));
        let vertices = details["vertices"].as_array().expect("a list");
        vertices.iter().map(|vertex| vertex["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// What a GET answers, which must be a success.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, content_type, value) = self.request("GET", path, "");
        assert_eq!(status, StatusCode::OK, "{path}: {value}");
        assert_eq!(content_type, "application/json; charset=UTF-8", "{path}");
        value
    }

    /// Status, content type and JSON of any request.
    pub(crate) fn request(&self, verb: &str, path: &str, body: &str) -> (StatusCode, String, Value) {
        let request = Request::builder().method(verb).uri(path).body(Body::from(body.to_owned())).expect("a request");
        let (status, headers, bytes) = self.runtime.block_on(async {
            let response = self.router().oneshot(request).await.expect("infallible");
            let (parts, body) = response.into_parts();
            (parts.status, parts.headers, to_bytes(body, 1 << 20).await.expect("a body"))
        });
        let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| panic!("{verb} {path}: {status} {:?}", String::from_utf8_lossy(&bytes)));
        (status, content_type, value)
    }
}
