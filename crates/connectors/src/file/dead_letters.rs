//! Dead letters and late events as JSON lines.
//!
//! A rejected record becomes a line with the fields `topic`, `partition`, `offset`, `reason`, `key` and `payload`. A
//! missing key or payload is `null`. A key or payload that is not UTF-8 becomes base64 text in the field `key_base64`
//! or `payload_base64`. A row that Redis refused becomes a line with the fields `reason` and `redis_key`. If the Redis
//! key is not UTF-8, the line contains `redis_key_base64` instead. The record of a late event becomes a line with the
//! fields `topic`, `partition`, `offset`, `feature_views`, `event_time_ms`, `watermark_ms`, `lateness_ms`, key and payload.
//! After a crash: the file holds the dead letters and late events of all records before the committed offsets of their partitions.
//! Windrow reads the later records again, so their lines may appear twice.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use serde::Serializer;
use serde_json::{Value, json};
use windrow_engine::halt::{OutputFault, share_error};
use windrow_engine::{DeadLetter, DeadLetterSink, Halt, LateRecord, RefusedRow, RejectedContent};

/// A file into which all workers write their dead letters, or their late events. Each worker has a sink of its own. The sinks share the
/// buffer, and a worker syncs the file through a handle of its own, without a lock: no worker waits while another syncs.
#[derive(Debug)]
pub struct FileDeadLetters {
    path: PathBuf,
    content: RejectedContent,
    buffered_file: Arc<Mutex<BufWriter<File>>>,
    /// The handle with which this sink syncs the file. The operating system reports a lost write to each handle once.
    sync_handle: File,
    /// Whether this sink has written lines since its last flush.
    has_unsynced_lines: bool,
}

impl FileDeadLetters {
    /// Opens the file at `path` for appending, and creates the file if it does not exist.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open_for_append(path: &Path, content: RejectedContent) -> Result<Self, Halt> {
        Self::open_with_options(path, content, OpenOptions::new().create(true).append(true))
    }

    /// Creates the file at `path`, or empties the file if it exists.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open_truncated(path: &Path, content: RejectedContent) -> Result<Self, Halt> {
        Self::open_with_options(path, content, OpenOptions::new().create(true).write(true).truncate(true))
    }

    fn open_with_options(path: &Path, content: RejectedContent, options: &OpenOptions) -> Result<Self, Halt> {
        let file = open_file(path, content, options)?;
        let sync_handle = open_file(path, content, OpenOptions::new().append(true))?;
        let buffered_file = Arc::new(Mutex::new(BufWriter::new(file)));
        Ok(Self { path: path.to_owned(), content, buffered_file, sync_handle, has_unsynced_lines: false })
    }

    /// Opens a sink for a worker, with the buffer of this sink. Its flush does nothing if the worker has written no
    /// line.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    pub fn open_worker_sink(&self) -> Result<Self, Halt> {
        Ok(Self {
            path: self.path.clone(),
            content: self.content,
            buffered_file: Arc::clone(&self.buffered_file),
            sync_handle: open_file(&self.path, self.content, OpenOptions::new().append(true))?,
            has_unsynced_lines: false,
        })
    }

    /// Appends a JSON object with `members`, in their order. The line enters the buffer as a whole, so that the buffer
    /// reaches the file at ends of lines.
    fn append_line<const N: usize>(&mut self, members: [(&str, Value); N]) -> Result<(), Halt> {
        self.has_unsynced_lines = true;
        let mut line = Vec::new();
        let serialized = serde_json::Serializer::new(&mut line).collect_map(members);
        line.push(b'\n');
        serialized
            .map_err(std::io::Error::from)
            .and_then(|()| self.buffered_file.lock().write_all(&line))
            .map_err(|error| self.build_unwritable_halt(error))
    }

    fn build_unwritable_halt(&self, error: std::io::Error) -> Halt {
        let (content, path) = (self.content, self.path.clone());
        OutputFault::RejectFileUnwritable { content, path, source: share_error(error) }.into()
    }
}

fn open_file(path: &Path, content: RejectedContent, options: &OpenOptions) -> Result<File, Halt> {
    options.open(path).map_err(|error| {
        OutputFault::RejectFileNotOpened { content, path: path.to_owned(), source: share_error(error) }.into()
    })
}

impl DeadLetterSink for FileDeadLetters {
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt> {
        let record = letter.record;
        self.append_line([
            ("topic", json!(letter.source_topic)),
            ("partition", json!(record.partition)),
            ("offset", json!(record.offset)),
            ("reason", json!(letter.reason)),
            text_or_base64("key", "key_base64", record.key),
            text_or_base64("payload", "payload_base64", record.payload),
        ])
    }

    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt> {
        let redis_key = text_or_base64("redis_key", "redis_key_base64", Some(&row.row_key));
        self.append_line([("reason", json!(row.reason)), redis_key])
    }

    fn write_late_record(&mut self, late: LateRecord<'_>) -> Result<(), Halt> {
        let record = late.record;
        self.append_line([
            ("topic", json!(late.source_topic)),
            ("partition", json!(record.partition)),
            ("offset", json!(record.offset)),
            ("feature_views", json!(late.view_names().collect::<Vec<_>>())),
            ("event_time_ms", json!(late.event_time_ms)),
            ("watermark_ms", json!(late.watermark_ms)),
            ("lateness_ms", json!(late.lateness_ms())),
            text_or_base64("key", "key_base64", record.key),
            text_or_base64("payload", "payload_base64", record.payload),
        ])
    }

    fn flush(&mut self) -> Result<(), Halt> {
        if !self.has_unsynced_lines {
            return Ok(());
        }
        let written = self.buffered_file.lock().flush();
        let sync = || {
            self.sync_handle.sync_data().or_else(|error| match error.kind() {
                std::io::ErrorKind::InvalidInput => Ok(()), // pipes and terminals cannot be synced
                _ => Err(error),
            })
        };
        written.and_then(|()| sync()).map_err(|error| self.build_unwritable_halt(error))?;
        self.has_unsynced_lines = false;
        Ok(())
    }
}

/// Returns the member of a line for `bytes`: `name` with text or `null`. If the bytes are not UTF-8, the member is
/// `base64_name` with base64 text.
fn text_or_base64<'a>(name: &'a str, base64_name: &'a str, bytes: Option<&[u8]>) -> (&'a str, Value) {
    match bytes.map(str::from_utf8).transpose() {
        Ok(text) => (name, json!(text)),
        Err(_) => (base64_name, json!(bytes.map(|bytes| BASE64_STANDARD.encode(bytes)))),
    }
}

#[cfg(test)]
mod tests {
    use windrow_engine::SourceRecord;

    use super::*;

    fn written_lines(write: impl FnOnce(&mut FileDeadLetters)) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dead_letters.jsonl");
        let mut letters = FileDeadLetters::open_truncated(&path, RejectedContent::DeadLetters).expect("opened");
        write(&mut letters);
        letters.flush().expect("flushed");
        std::fs::read_to_string(path).expect("JSON is UTF-8")
    }

    #[test]
    fn a_rejected_record_keeps_its_bytes() {
        let lines = written_lines(|letters| {
            let texts: [[Option<&[u8]>; 2]; 3] = [
                [None, None],
                [Some(b"a \"b\"\n\x01\x7f"), Some("한 </x>".as_bytes())],
                [Some(b"\xff"), Some(b"\0\xc3")],
            ];
            for ([key, payload], offset) in texts.into_iter().zip(-1..) {
                let (timestamp_ms, unreadable_reason) = (None, None);
                let record = SourceRecord {
                    partition: 7,
                    offset,
                    key,
                    payload,
                    timestamp_ms,
                    leader_epoch: None,
                    unreadable_reason,
                };
                letters
                    .write_record(DeadLetter { source_topic: "t\u{2028}", record, reason: "`x` is \\" })
                    .expect("written");
            }
        });
        let expected = [
            r#"{"topic":"t@","partition":7,"offset":-1,"reason":"`x` is \\","key":null,"payload":null}"#,
            r#"{"topic":"t@","partition":7,"offset":0,"reason":"`x` is \\","key":"a \"b\"\n\u0001^","payload":"한 </x>"}"#,
            r#"{"topic":"t@","partition":7,"offset":1,"reason":"`x` is \\","key_base64":"/w==","payload_base64":"AMM="}"#,
        ];
        let expected = expected.map(|line| line.replace('@', "\u{2028}").replace('^', "\x7f") + "\n");
        assert_eq!(lines, expected.concat());
    }

    /// The lines of several workers do not mix, and each worker's flush writes its own lines.
    #[test]
    fn workers_share_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dead_letters.jsonl");
        let first = FileDeadLetters::open_for_append(&path, RejectedContent::DeadLetters).expect("opened");
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let mut sink = first.open_worker_sink().expect("opened again");
                let path = &path;
                scope.spawn(move || {
                    for number in 0..50 {
                        let row_key = format!("{worker}-{number}-{}", "x".repeat(500)).into_bytes();
                        sink.write_refused_row(&RefusedRow { row_key, reason: "r".to_owned() }).expect("written");
                        sink.flush().expect("flushed");
                        let written = std::fs::read_to_string(path).expect("text");
                        assert!(written.contains(&format!("\"{worker}-{number}-")), "the flush left a line behind");
                    }
                });
            }
        });
        let written = std::fs::read_to_string(&path).expect("text");
        assert_eq!(written.lines().count(), 200);
        assert!(written.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "mixed lines");
    }

    #[test]
    fn a_refused_row_keeps_its_key() {
        let lines = written_lines(|letters| {
            for row_key in [b"user:\t1".to_vec(), b"user:\xff".to_vec(), Vec::new()] {
                letters.write_refused_row(&RefusedRow { row_key, reason: "WRONGTYPE".to_owned() }).expect("written");
            }
        });
        let expected = [
            r#"{"reason":"WRONGTYPE","redis_key":"user:\t1"}"#,
            r#"{"reason":"WRONGTYPE","redis_key_base64":"dXNlcjr/"}"#,
            r#"{"reason":"WRONGTYPE","redis_key":""}"#,
        ];
        assert_eq!(lines, expected.map(|line| line.to_owned() + "\n").concat());
    }
}
