//! A server that gives the answers a test wants, to show what each of them means.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

/// What it does with a request.
#[derive(Clone, Copy)]
pub(crate) enum FakeAnswer {
    /// A status, and S3's code for it.
    Status(u16, &'static str),
    /// Never.
    Silence,
    /// Closes the connection.
    Nothing,
}

pub(crate) struct FakeS3Server {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl FakeS3Server {
    /// Answers so until the test's process ends.
    pub(crate) fn answering(answer: FakeAnswer) -> Self {
        let runtime = Builder::new_current_thread().enable_io().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            runtime.block_on(async {
                while let Ok((connection, _)) = listener.accept().await {
                    let counted = Arc::clone(&counted);
                    let service = service_fn(move |_| {
                        counted.fetch_add(1, Ordering::Relaxed);
                        answer_request(answer)
                    });
                    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
                }
            });
        });
        Self { port, requests }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

/// hyper closes the connection after an error.
async fn answer_request(answer: FakeAnswer) -> io::Result<Response<String>> {
    match answer {
        FakeAnswer::Status(status, code) => {
            let text = format!("<Error><Code>{code}</Code><Message>as asked</Message></Error>");
            Response::builder().status(status).body(text).map_err(io::Error::other)
        }
        FakeAnswer::Silence => std::future::pending().await,
        FakeAnswer::Nothing => Err(io::Error::other("as asked")),
    }
}
