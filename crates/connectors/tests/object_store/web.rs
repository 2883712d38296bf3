//! A server that gives the answers a test wants, to show what each of them means.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What it does with a request.
#[derive(Clone, Copy)]
pub(crate) enum FakeAnswer {
    /// A status line's end, and S3's code for it.
    Status(&'static str, &'static str),
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
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || serve(connection, answer, &counted));
            }
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

fn serve(connection: TcpStream, answer: FakeAnswer, counted: &AtomicUsize) {
    let mut reader = BufReader::new(connection);
    while let Some(length) = read_request_head(&mut reader) {
        counted.fetch_add(1, Ordering::Relaxed);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        match answer {
            FakeAnswer::Status(status, code) => {
                let text = format!("<Error><Code>{code}</Code><Message>as asked</Message></Error>");
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", text.len());
                if reader.get_mut().write_all(format!("{head}{text}").as_bytes()).is_err() {
                    return;
                }
            }
            // Holds the connection open.
            FakeAnswer::Silence => {}
            FakeAnswer::Nothing => return,
        }
    }
}

/// Reads the head of a request; the length of its body.
fn read_request_head(reader: &mut impl BufRead) -> Option<usize> {
    let (mut length, mut lines) = (0, 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.trim_end().is_empty() {
            return (lines > 0).then_some(length);
        }
        lines += 1;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
}
