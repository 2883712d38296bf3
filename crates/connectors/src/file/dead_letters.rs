//! Dead letters as JSON lines.
//!
//! A rejected record becomes a line with the fields `topic`, `partition`, `offset`, `reason`, `key` and `payload`. A
//! missing key or payload is `null`. A key or payload that is not UTF-8 becomes base64 text in the field `key_base64`
//! or `payload_base64`. A row that Redis refused becomes a line with the fields `reason` and `redis_key`. If the Redis
//! key is not UTF-8, the line contains `redis_key_base64` instead.
//! After a crash: the file holds the dead letters of all records before the committed offsets of their partitions.
//! Windrow reads the later records again, so their dead letters may appear twice.

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
use windrow_engine::{DeadLetter, DeadLetterSink, Halt, RefusedRow};

/// A file into which all workers write their dead letters.
#[derive(Clone, Debug)]
pub struct FileDeadLetters {
    path: PathBuf,
    file: Arc<Mutex<BufferedFile>>,
}

#[derive(Debug)]
struct BufferedFile {
    writer: BufWriter<File>,
    has_unsynced_data: bool,
}

impl FileDeadLetters {
    /// Opens the file at `path` for appending, and creates the file if it does not exist.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open_for_append(path: &Path) -> Result<Self, Halt> {
        Self::open_with_options(path, OpenOptions::new().create(true).append(true))
    }

    /// Creates the file at `path`, or empties the file if it exists.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open_truncated(path: &Path) -> Result<Self, Halt> {
        Self::open_with_options(path, OpenOptions::new().create(true).write(true).truncate(true))
    }

    fn open_with_options(path: &Path, options: &OpenOptions) -> Result<Self, Halt> {
        let file = options.open(path).map_err(|error| OutputFault::DeadLetterFileNotOpened {
            path: path.to_owned(),
            source: share_error(error),
        })?;
        let buffered = BufferedFile { writer: BufWriter::new(file), has_unsynced_data: false };
        Ok(Self { path: path.to_owned(), file: Arc::new(Mutex::new(buffered)) })
    }

    /// Appends a JSON object with `members`, in their order. The line enters the buffer at once, so that the buffer reaches
    /// the file at ends of lines.
    fn append_line<const N: usize>(&self, members: [(&str, Value); N]) -> Result<(), Halt> {
        self.run_with_locked_file(|file| {
            let mut line = Vec::new();
            serde_json::Serializer::new(&mut line).collect_map(members)?;
            line.push(b'\n');
            file.has_unsynced_data = true;
            file.writer.write_all(&line)
        })
    }

    fn run_with_locked_file(&self, work: impl FnOnce(&mut BufferedFile) -> std::io::Result<()>) -> Result<(), Halt> {
        let mut file = self.file.lock();
        work(&mut file).map_err(|error| {
            OutputFault::DeadLetterFileUnwritable { path: self.path.clone(), source: share_error(error) }.into()
        })
    }
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

    fn flush(&mut self) -> Result<(), Halt> {
        self.run_with_locked_file(|file| {
            if file.has_unsynced_data {
                file.writer.flush()?;
                file.writer.get_ref().sync_data().or_else(|error| match error.kind() {
                    std::io::ErrorKind::InvalidInput => Ok(()), // pipes and terminals cannot be synced
                    _ => Err(error),
                })?;
                file.has_unsynced_data = false;
            }
            Ok(())
        })
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
        let mut letters = FileDeadLetters::open_truncated(&path).expect("opened");
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
                let record = SourceRecord { partition: 7, offset, key, payload, timestamp_ms, unreadable_reason };
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
