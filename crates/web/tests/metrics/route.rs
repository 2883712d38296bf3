//! The route itself.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use tower::ServiceExt;
use windrow_connectors::object_store::ObjectStores;
use windrow_engine::{CheckpointStores, Stop};
use windrow_web::controls::Controls;
use windrow_web::peers::Peers;
use windrow_web::{Console, InstanceReport, Observed};

use crate::{pipeline, reports};

struct Always(InstanceReport);

impl Observed for Always {
    fn report(&self) -> InstanceReport {
        self.0.clone()
    }
}

pub(crate) struct Answer {
    status: StatusCode,
    content_type: String,
    pub(crate) text: String,
}

pub(crate) async fn get(report: InstanceReport) -> Answer {
    ask(Method::GET, report).await
}

async fn ask(method: Method, report: InstanceReport) -> Answer {
    let stores = Arc::new(ObjectStores::new().expect("a runtime"));
    let console = Console {
        pipeline: Arc::new(pipeline()),
        pipeline_text: String::new(),
        plan: serde_json::Value::Null,
        observed: Arc::new(Always(report)),
        rows: Arc::new(()),
        store: stores.open("memory:").expect("memory is a place"),
        stores,
        stop: Stop::default(),
        peers: Peers::default(),
        controls: Controls::default(),
    };
    let request = Request::builder().method(method).uri("/metrics").body(Body::empty()).expect("a request");
    let app = windrow_web::metrics::router().with_state(Arc::new(console));
    let response = app.oneshot(request).await.expect("an answer");
    let content_type =
        response.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().expect("text").to_owned());
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("the whole answer");
    Answer {
        status,
        content_type: content_type.unwrap_or_default(),
        text: String::from_utf8(body.to_vec()).expect("UTF-8"),
    }
}

#[tokio::test]
async fn metrics_are_served_as_prometheus_wants_them() {
    let answer = get(reports::full()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text.starts_with(&crate::rendered(&reports::full())), "{}", answer.text);
    assert!(answer.text.ends_with('\n'));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_is_measured_too() {
    let text = get(InstanceReport::default()).await.text;
    let value = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_default();
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or(f64::NAN)
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    assert!((0.0..10_000.0).contains(&value("process_cpu_seconds_total")), "{text}");
    assert!(value("process_resident_memory_bytes") > 1e6, "{text}");
    assert!(value("process_open_fds") >= 3.0, "{text}");
    assert!((now - 86_400.0..=now + 1.0).contains(&value("process_start_time_seconds")), "{text}");
}

#[tokio::test]
async fn other_verbs_are_refused() {
    assert_eq!(ask(Method::POST, InstanceReport::default()).await.status, StatusCode::METHOD_NOT_ALLOWED);
}
