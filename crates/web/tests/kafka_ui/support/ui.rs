//! A server of the Kafka UI's JSON, and requests to it.

use reqwest::{Response, StatusCode};
use serde_json::Value;

pub(crate) struct KafkaUiServer {
    base: String,
    server: tokio::task::JoinHandle<()>,
}

impl KafkaUiServer {
    pub(crate) async fn start(brokers: &str) -> Self {
        // reqwest is built without a provider; the first test installs it for all.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("its address"));
        let router = windrow_web::kafka::router(brokers);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { base, server }
    }

    pub(crate) async fn get_response(&self, path: &str) -> Response {
        reqwest::get(format!("{}{path}", self.base)).await.expect("an answer")
    }

    /// Returns the JSON at `path`, which must exist.
    pub(crate) async fn get_json(&self, path: &str) -> Value {
        let response = self.get_response(path).await;
        let status = response.status();
        let said = response.text().await.expect("text");
        assert_eq!(status, StatusCode::OK, "{path}: {said}");
        serde_json::from_str(&said).expect("JSON")
    }

    /// Returns the status and the one error at `path`.
    pub(crate) async fn get_error(&self, path: &str) -> (u16, String) {
        read_error(self.get_response(path).await).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Response {
        reqwest::Client::new().post(format!("{}{path}", self.base)).json(body).send().await.expect("an answer")
    }
}

impl Drop for KafkaUiServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Returns the status and the one error of a refused request.
pub(crate) async fn read_error(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.expect("errors are JSON");
    let errors = body["errors"].as_array().expect("a list of errors");
    assert_eq!(errors.len(), 1, "{body}");
    (status, errors[0].as_str().expect("a sentence").to_owned())
}

/// Encodes `text` for a URL.
pub(crate) fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
