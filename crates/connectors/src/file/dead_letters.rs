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
use windrow_engine::halt::{OutputFault, share_error};
use windrow_engine::{DeadLetter, DeadLetterSink, Halt, RefusedRow};

use crate::value_text;

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

    fn append_line(&self, line: &[u8]) -> Result<(), Halt> {
        self.run_with_locked_file(|file| {
            file.has_unsynced_data = true;
            file.writer.write_all(line)
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
        self.append_line(&encode_record_line(&letter))
    }

    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt> {
        self.append_line(&encode_refused_row_line(row))
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

fn encode_record_line(letter: &DeadLetter<'_>) -> Vec<u8> {
    let record = &letter.record;
    let mut line = b"{\"topic\":".to_vec();
    value_text::append_json_string(&mut line, letter.source_topic);
    line.extend_from_slice(b",\"partition\":");
    value_text::append_decimal_integer(&mut line, record.partition.into());
    line.extend_from_slice(b",\"offset\":");
    value_text::append_decimal_integer(&mut line, record.offset);
    line.extend_from_slice(b",\"reason\":");
    value_text::append_json_string(&mut line, letter.reason);
    append_utf8_or_base64_member(&mut line, "key", record.key);
    append_utf8_or_base64_member(&mut line, "payload", record.payload);
    line.extend_from_slice(b"}\n");
    line
}

fn encode_refused_row_line(row: &RefusedRow) -> Vec<u8> {
    let mut line = b"{\"reason\":".to_vec();
    value_text::append_json_string(&mut line, &row.reason);
    append_utf8_or_base64_member(&mut line, "redis_key", Some(&row.row_key));
    line.extend_from_slice(b"}\n");
    line
}

fn append_utf8_or_base64_member(line: &mut Vec<u8>, name: &str, bytes: Option<&[u8]>) {
    let text = bytes.map(std::str::from_utf8);
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(if matches!(text, Some(Err(_))) { b"_base64\":" } else { b"\":" });
    match (text, bytes) {
        (Some(Ok(text)), _) => value_text::append_json_string(line, text),
        (Some(Err(_)), Some(bytes)) => value_text::append_json_string(line, &BASE64_STANDARD.encode(bytes)),
        _ => line.extend_from_slice(b"null"),
    }
}
