//! The route itself.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use tower::ServiceExt;
use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_engine::{CheckpointStoreOpener, StopSignal};
use windrow_web::controls::SavepointRegistry;
use windrow_web::peers::PeerInstances;
use windrow_web::{InstanceReport, JobServerContext, ReportSource};

use crate::{reports, shipped_pipeline};

struct FixedReport(InstanceReport);

impl ReportSource for FixedReport {
    fn current_report(&self) -> InstanceReport {
        self.0.clone()
    }
}

pub(crate) struct MetricsAnswer {
    status: StatusCode,
    content_type: String,
    pub(crate) text: String,
}

pub(crate) async fn get_metrics(report: InstanceReport) -> MetricsAnswer {
    request_metrics(Method::GET, report).await
}

async fn request_metrics(method: Method, report: InstanceReport) -> MetricsAnswer {
    let stores = Arc::new(ObjectStoreOpener::new().expect("a runtime"));
    let context = JobServerContext {
        pipeline: Arc::new(shipped_pipeline()),
        pipeline_text: String::new(),
        pipeline_plan: serde_json::Value::Null,
        report_source: Arc::new(FixedReport(report)),
        recent_row_source: Arc::new(()),
        checkpoint_store: stores.open_store("memory:").expect("memory is a place"),
        savepoint_store_opener: stores,
        stop_signal: StopSignal::default(),
        peers: PeerInstances::default(),
        savepoint_registry: SavepointRegistry::default(),
    };
    let request = Request::builder().method(method).uri("/metrics").body(Body::empty()).expect("a request");
    let app = windrow_web::metrics::router().with_state(Arc::new(context));
    let response = app.oneshot(request).await.expect("an answer");
    let content_type =
        response.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().expect("text").to_owned());
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.expect("the whole answer");
    MetricsAnswer {
        status,
        content_type: content_type.unwrap_or_default(),
        text: String::from_utf8(body.to_vec()).expect("UTF-8"),
    }
}

#[tokio::test]
async fn metrics_are_served_as_prometheus_wants_them() {
    let answer = get_metrics(reports::full_report()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text.starts_with(&crate::render_report(&reports::full_report())), "{}", answer.text);
    assert!(answer.text.ends_with('\n'));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_process_is_measured_too() {
    let text = get_metrics(InstanceReport::default()).await.text;
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
    assert_eq!(request_metrics(Method::POST, InstanceReport::default()).await.status, StatusCode::METHOD_NOT_ALLOWED);
}
