//! A job that consists of reports, and asking it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt;
use windrow_connectors::object_store::ObjectStores;
use windrow_engine::{CheckpointStores, Stop};
use windrow_web::{Console, InstanceReport, Observed};

use crate::reports;

/// What the instance says that is asked; it can be changed.
#[derive(Clone)]
pub(crate) struct Says(pub(crate) Arc<Mutex<InstanceReport>>);

impl Observed for Says {
    fn report(&self) -> InstanceReport {
        self.0.lock().expect("nobody panicked").clone()
    }
}

pub(crate) struct Job {
    pub(crate) console: Arc<Console>,
    pub(crate) says: Says,
    router: Router,
    runtime: Runtime,
}

impl Job {
    /// Of the two instances of [`reports`].
    pub(crate) fn new() -> Self {
        Self::of(reports::here(), &[reports::there()])
    }

    pub(crate) fn of(here: InstanceReport, others: &[InstanceReport]) -> Self {
        let says = Says(Arc::new(Mutex::new(here)));
        let stores = Arc::new(ObjectStores::new().expect("a runtime"));
        let store = stores.open("memory:").expect("memory");
        for (number, other) in others.iter().enumerate() {
            let name = format!("instances/{}-{:010}", other.instance, number + 1);
            store.create(&name, serde_json::to_vec(other).expect("JSON")).expect("created");
        }
        let pipeline =
            windrow_spec::parse("ecommerce.toml", windrow_spec::ECOMMERCE, &[]).expect("the shipped pipeline");
        let console = Arc::new(Console {
            pipeline: Arc::new(pipeline),
            pipeline_text: String::new(),
            plan: Value::Null,
            observed: Arc::new(says.clone()),
            rows: Arc::new(()),
            store,
            stores,
            stop: Stop::default(),
            peers: windrow_web::peers::Peers::default(),
            controls: windrow_web::controls::Controls::default(),
        });
        let router = windrow_web::flink::router().with_state(Arc::clone(&console));
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { console, says, router, runtime }
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn id(&self) -> String {
        self.console.job_id()
    }

    /// Ids of the vertices, in the order of the data.
    pub(crate) fn vertices(&self) -> Vec<String> {
        let details = self.get(&format!("/jobs/{}", self.id()));
        let vertices = details["vertices"].as_array().expect("a list");
        vertices.iter().map(|vertex| vertex["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// What a GET answers, which must be a success.
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, content_type, value) = self.ask("GET", path, "");
        assert_eq!(status, StatusCode::OK, "{path}: {value}");
        assert_eq!(content_type, "application/json; charset=UTF-8", "{path}");
        value
    }

    /// Status, content type and JSON of any request.
    pub(crate) fn ask(&self, verb: &str, path: &str, body: &str) -> (StatusCode, String, Value) {
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
