//! Dead letters as JSON lines.
//!
//! A line is `{"topic", "partition", "offset", "reason", "key", "payload"}`; a key or payload that is not UTF-8 stands in
//! `"key_base64"` or `"payload_base64"` instead, and a null one is `null`. A row that the store refused is
//! `{"reason", "redis_key"}` (or `"redis_key_base64"`).
//! After a crash: everything before the last committed offsets is on disk; a record read again is written again.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use windrow_engine::halt::{OutputFault, share_error};
use windrow_engine::{DeadLetter, DeadLetterSink, Halt, RefusedRow};

use crate::text;

/// A file of dead letters, shared by all workers.
#[derive(Clone, Debug)]
pub struct FileDeadLetters {
    path: PathBuf,
    file: Arc<Mutex<BufferedFile>>,
}

#[derive(Debug)]
struct BufferedFile {
    writer: BufWriter<File>,
    unsynced: bool,
}

impl FileDeadLetters {
    /// Appends to the file at `path`, and creates it if it does not exist.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn append(path: &Path) -> Result<Self, Halt> {
        Self::open(path, OpenOptions::new().create(true).append(true))
    }

    /// Replaces the file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn replace(path: &Path) -> Result<Self, Halt> {
        Self::open(path, OpenOptions::new().create(true).write(true).truncate(true))
    }

    fn open(path: &Path, options: &OpenOptions) -> Result<Self, Halt> {
        let file = options.open(path).map_err(|error| OutputFault::DeadLetterFileNotOpened {
            path: path.to_owned(),
            source: share_error(error),
        })?;
        let buffered = BufferedFile { writer: BufWriter::new(file), unsynced: false };
        Ok(Self { path: path.to_owned(), file: Arc::new(Mutex::new(buffered)) })
    }

    fn append_line(&self, line: &[u8]) -> Result<(), Halt> {
        self.with_file(|file| {
            file.unsynced = true;
            file.writer.write_all(line)
        })
    }

    fn with_file(&self, work: impl FnOnce(&mut BufferedFile) -> std::io::Result<()>) -> Result<(), Halt> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut file).map_err(|error| {
            OutputFault::DeadLetterFileUnwritable { path: self.path.clone(), source: share_error(error) }.into()
        })
    }
}

impl DeadLetterSink for FileDeadLetters {
    fn write_record(&mut self, letter: DeadLetter<'_>) -> Result<(), Halt> {
        self.append_line(&record_line(&letter))
    }

    fn write_refused_row(&mut self, row: &RefusedRow) -> Result<(), Halt> {
        self.append_line(&row_line(row))
    }

    fn flush(&mut self) -> Result<(), Halt> {
        self.with_file(|file| {
            if file.unsynced {
                file.writer.flush()?;
                file.writer.get_ref().sync_data().or_else(|error| match error.kind() {
                    std::io::ErrorKind::InvalidInput => Ok(()), // a pipe or a terminal has nothing to sync
                    _ => Err(error),
                })?;
                file.unsynced = false;
            }
            Ok(())
        })
    }
}

fn record_line(letter: &DeadLetter<'_>) -> Vec<u8> {
    let record = &letter.record;
    let mut line = b"{\"topic\":".to_vec();
    text::write_json_string(&mut line, letter.topic);
    line.extend_from_slice(b",\"partition\":");
    text::write_integer(&mut line, record.partition.into());
    line.extend_from_slice(b",\"offset\":");
    text::write_integer(&mut line, record.offset);
    line.extend_from_slice(b",\"reason\":");
    text::write_json_string(&mut line, letter.reason);
    write_bytes_member(&mut line, "key", record.key);
    write_bytes_member(&mut line, "payload", record.payload);
    line.extend_from_slice(b"}\n");
    line
}

fn row_line(row: &RefusedRow) -> Vec<u8> {
    let mut line = b"{\"reason\":".to_vec();
    text::write_json_string(&mut line, &row.reason);
    write_bytes_member(&mut line, "redis_key", Some(&row.key));
    line.extend_from_slice(b"}\n");
    line
}

fn write_bytes_member(line: &mut Vec<u8>, name: &str, bytes: Option<&[u8]>) {
    let text = bytes.map(std::str::from_utf8);
    line.extend_from_slice(b",\"");
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(if matches!(text, Some(Err(_))) { b"_base64\":" } else { b"\":" });
    match (text, bytes) {
        (Some(Ok(text)), _) => text::write_json_string(line, text),
        (Some(Err(_)), Some(bytes)) => text::write_json_string(line, &BASE64_STANDARD.encode(bytes)),
        _ => line.extend_from_slice(b"null"),
    }
}
