//! A server whose job reports what a test sets, and a client that sends exactly what a test writes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use parking_lot::Mutex;
use serde_json::Value;
use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_connectors::redis::WrittenRow;
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, StopSignal};
use windrow_test_support::HANG_TIMEOUT;
use windrow_web::controls::SavepointRegistry;
use windrow_web::guard::{AccessToken, ServerProtection, TlsProxies, protect};
use windrow_web::peers::PeerInstances;
use windrow_web::report::{InstanceState, PartitionReport, ViewReport, WorkerReport};
use windrow_web::server::{HttpServer, bind};
use windrow_web::{InstanceReport, JobServerContext, RecentRowSource, ReportSource, routes};

pub(crate) const ACCESS_TOKEN: &str = "a-token-that-is-long-enough";

/// A process with the report that a test set last.
#[derive(Default)]
pub(crate) struct FixedReport(pub(crate) Mutex<InstanceReport>);

impl ReportSource for FixedReport {
    fn current_report(&self) -> InstanceReport {
        let mut report = self.0.lock().clone();
        report.reported_at_ms = now_ms();
        report
    }
}

/// Rows as if written.
pub(crate) struct FixedRows(pub(crate) Vec<WrittenRow>);

impl RecentRowSource for FixedRows {
    fn newest_rows(&self, limit: usize, user: Option<&str>) -> Vec<WrittenRow> {
        let of_user = |row: &&WrittenRow| user.is_none_or(|user| row.field_values[0].1 == user);
        self.0.iter().filter(of_user).take(limit).cloned().collect()
    }
}

/// One instance with its server.
pub(crate) struct TestServer {
    pub(crate) context: Arc<JobServerContext>,
    pub(crate) report_source: Arc<FixedReport>,
    pub(crate) address: SocketAddr,
    server: HttpServer,
}

pub(crate) fn now_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|since| i64::try_from(since.as_millis()).expect("a time"))
        .expect("after 1970")
}

/// An instance that owns `partitions` of four.
pub(crate) fn instance_report(instance: &str, partitions: &[i32]) -> InstanceReport {
    InstanceReport {
        instance_id: instance.to_owned(),
        host: format!("host-{instance}"),
        started_at_ms: now_ms() - 60_000,
        state: InstanceState::Running,
        topic_partition_count: 4,
        workers: vec![WorkerReport { records_read: 10, records_read_per_s: 5.0, ..WorkerReport::default() }],
        views: vec![ViewReport { name: "user_features".to_owned(), rows_fired: 3, ..ViewReport::default() }],
        owned_partitions: partitions
            .iter()
            .map(|&partition| PartitionReport { partition, epoch: 7, lag: Some(5), ..PartitionReport::default() })
            .collect(),
        ..InstanceReport::default()
    }
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::with("memory:", instance_report("00000000000000aa", &[0, 1, 2, 3]), None)
    }

    pub(crate) fn with(place: &str, said: InstanceReport, token: Option<&str>) -> Self {
        Self::with_rows_and_overrides(place, said, token, Vec::new(), &[])
    }

    pub(crate) fn with_rows_and_overrides(
        place: &str,
        said: InstanceReport,
        token: Option<&str>,
        rows: Vec<WrittenRow>,
        overrides: &[&str],
    ) -> Self {
        let stores = Arc::new(ObjectStoreOpener::new().expect("a runtime"));
        let store = stores.open_store(place).expect("a place");
        Self::with_everything(store, stores, said, token, TlsProxies::default(), rows, overrides)
    }

    /// A server with a token behind proxies.
    pub(crate) fn behind_proxies(tls_proxies: TlsProxies) -> Self {
        Self::behind_proxies_with(tls_proxies, Some(ACCESS_TOKEN))
    }

    /// A server without a token, behind proxies.
    pub(crate) fn behind_proxies_without_token(tls_proxies: TlsProxies) -> Self {
        Self::behind_proxies_with(tls_proxies, None)
    }

    fn behind_proxies_with(tls_proxies: TlsProxies, token: Option<&str>) -> Self {
        let stores = Arc::new(ObjectStoreOpener::new().expect("a runtime"));
        let store = stores.open_store("memory:").expect("a place");
        let report = instance_report("00000000000000aa", &[0]);
        Self::with_everything(store, stores, report, token, tls_proxies, Vec::new(), &[])
    }

    pub(crate) fn with_store(store: Arc<dyn CheckpointStore>) -> Self {
        let stores = Arc::new(ObjectStoreOpener::new().expect("a runtime"));
        let report = instance_report("00000000000000aa", &[0, 1, 2, 3]);
        Self::with_everything(store, stores, report, None, TlsProxies::default(), Vec::new(), &[])
    }

    fn with_everything(
        store: Arc<dyn CheckpointStore>,
        stores: Arc<ObjectStoreOpener>,
        said: InstanceReport,
        token: Option<&str>,
        tls_proxies: TlsProxies,
        rows: Vec<WrittenRow>,
        overrides: &[&str],
    ) -> Self {
        let overrides: Vec<_> = overrides.iter().map(|one| one.parse().expect("an override")).collect();
        let pipeline = windrow_spec::parse("shipped", windrow_spec::SHIPPED_PIPELINE, &overrides).expect("it is valid");
        let report_source = Arc::new(FixedReport(Mutex::new(said)));
        let context = Arc::new(JobServerContext {
            pipeline: Arc::new(pipeline),
            pipeline_text: "name = \"<script>\"\n".to_owned(),
            pipeline_plan: serde_json::json!({ "name": "ecommerce" }),
            report_source: Arc::<FixedReport>::clone(&report_source),
            recent_row_source: Arc::new(FixedRows(rows)),
            checkpoint_store: store,
            savepoint_store_opener: stores,
            stop_signal: StopSignal::default(),
            peers: PeerInstances::default(),
            savepoint_registry: SavepointRegistry::default(),
        });
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let token = token.map(|token| AccessToken::new(token).expect("a token"));
        let protection = ServerProtection::new(address, token).expect("loopback").with_tls_proxies(tls_proxies);
        let router = protect(routes::build_job_router(Arc::clone(&context)), &protection);
        let server = HttpServer::start(listener, router).expect("a thread");
        Self { context, report_source, address, server }
    }

    pub(crate) fn get(&self, path: &str) -> HttpAnswer {
        self.request("GET", path, &[], "")
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    pub(crate) fn post(&self, path: &str, headers: &[&str], body: &str) -> HttpAnswer {
        self.request("POST", path, headers, body)
    }

    /// A request with these headers; `Host` is this server's unless one of them is.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[&str], body: &str) -> HttpAnswer {
        let host = if headers.iter().any(|header| header.starts_with("Host:")) {
            String::new()
        } else {
            format!("Host: {}\r\n", self.address)
        };
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        self.send(&format!("{method} {path} HTTP/1.1\r\n{host}{headers}{length}Connection: close\r\n\r\n{body}"))
    }

    /// Sends exactly this.
    pub(crate) fn send(&self, request: &str) -> HttpAnswer {
        let mut stream = self.connect();
        // The server may close the connection before everything is sent.
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        HttpAnswer::parse(&answer)
    }

    /// Ends the server, as the end of the job does.
    pub(crate) fn end(self) {
        self.server.shut_down();
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(HANG_TIMEOUT)).expect("a timeout");
        stream
    }
}

#[derive(Debug)]
pub(crate) struct HttpAnswer {
    /// 0 where the connection was closed without one.
    pub(crate) status: u16,
    pub(crate) headers: String,
    /// The body without its transfer and content encodings.
    pub(crate) body: String,
    /// The number of bytes of the body before the content encoding is undone.
    pub(crate) encoded_length: usize,
}

impl HttpAnswer {
    fn parse(bytes: &[u8]) -> Self {
        let head_end = bytes.windows(4).position(|end| end == b"\r\n\r\n").unwrap_or(bytes.len());
        let headers = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let status = headers.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let body = bytes.get(head_end + 4..).unwrap_or_default();
        let lowercase = headers.to_lowercase();
        let encoded =
            if lowercase.contains("transfer-encoding: chunked") { decode_chunked(body) } else { body.to_vec() };
        let mut decoded = encoded.clone();
        if lowercase.contains("content-encoding: gzip") {
            decoded.clear();
            GzDecoder::new(encoded.as_slice()).read_to_end(&mut decoded).expect("gzip");
        }
        let body = String::from_utf8_lossy(&decoded).into_owned();
        Self { status, headers, body, encoded_length: encoded.len() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Returns the reasons of a fault.
    pub(crate) fn errors(&self) -> String {
        let said: Value = serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"));
        said["errors"].as_array().expect("errors").iter().map(|one| one.as_str().expect("text")).collect()
    }
}

fn decode_chunked(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = body;
    while let Some(end) = rest.windows(2).position(|end| end == b"\r\n") {
        let size = str::from_utf8(&rest[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok()).unwrap_or(0);
        if size == 0 {
            break;
        }
        let chunk = &rest[end + 2..];
        out.extend_from_slice(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
    out
}

/// Waits until `look` finds something.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + HANG_TIMEOUT;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}
