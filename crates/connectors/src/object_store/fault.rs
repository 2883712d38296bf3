//! What an error means for the caller, and how it is told.
//!
//! Owns: [`StoreFault`] from the errors of `object_store` and of the file system. Invariant: no text made here holds a
//! secret.

use std::error::Error as _;
use std::io;
use std::io::ErrorKind;

use object_store::Error;
use windrow_engine::StoreFault;

/// What a longer account is cut to.
const MESSAGE_CHARS_MAX: usize = 400;

/// Whether an object was asked for that is not there (and not its bucket).
pub(super) fn is_absent_object(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !names_missing_bucket(&error.to_string())
}

/// The errors of a cloud. `doing` begins the text: "could not write NAME in PLACE".
pub(super) fn classify_cloud_error(doing: &str, error: &Error) -> StoreFault {
    let text = error.to_string();
    let told = format_error_chain(error);
    let refused = |why: &str| StoreFault::Refused(format!("{doing}: {why}: {told}"));
    let failed = |why: &str| StoreFault::Failed(format!("{doing}: {why}: {told}"));
    // Before the status: it is then that of another server.
    if looked_for_machine_credentials(&text) {
        return failed(
            "the environment holds no credentials (S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; Google: \
             GOOGLE_SERVICE_ACCOUNT; Azure: AZURE_STORAGE_ACCOUNT_KEY), and this machine has none of its own",
        );
    }
    match (error, find_http_status(&text)) {
        // S3 answers 409 to the loser of two writes under way at once, of which neither may come to be.
        (Error::AlreadyExists { .. }, _) if is_write_conflict(&text) => {
            failed("another write of that name was under way")
        }
        (Error::AlreadyExists { .. }, _) => StoreFault::Exists,
        (Error::NotFound { .. }, _) | (_, Some("404")) => {
            refused("there is no such bucket or container; create it, or correct the place of the checkpoint store")
        }
        (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _) | (_, Some("401" | "403")) => refused(
            "the store does not accept the credentials of the environment, or they lack a right (to read, write, list \
             or delete)",
        ),
        // One object of many that were to be deleted.
        _ if text.contains("AccessDenied") => refused("the credentials of the environment lack a right"),
        // It follows no redirect to another region; the words are its own.
        _ if text.contains("redirect without LOCATION") => refused(
            "the bucket lies in another region or at another endpoint; for S3 set AWS_REGION or AWS_ENDPOINT_URL",
        ),
        _ => StoreFault::Failed(format!("{doing}: {told}")),
    }
}

/// The errors of opening a cloud's bucket: settings that are missing or wrong.
pub(super) fn invalid_settings(place: &str, hint: &str, error: &Error) -> StoreFault {
    StoreFault::Refused(format!("the checkpoint store {place} cannot be opened: {}; {hint}", format_error_chain(error)))
}

/// The errors of a local directory.
pub(super) fn classify_local_error(doing: &str, error: &Error) -> StoreFault {
    if matches!(error, Error::AlreadyExists { .. }) {
        return StoreFault::Exists;
    }
    // Names the path: it may be another than the object's, such as a folder that may not be listed.
    let told = format_error_chain(error);
    match find_io_error(error) {
        Some(found) if lacks_hard_links(&told, found) => StoreFault::Refused(format!(
            "{doing}: this file system has no hard links, by which objects appear whole; choose another directory: {told}"
        )),
        Some(found) => classify_io_error_kind(doing, found.kind(), &told),
        None => StoreFault::Failed(format!("{doing}: {told}")),
    }
}

/// The errors of a disk.
pub(super) fn classify_disk_error(doing: &str, error: &io::Error) -> StoreFault {
    classify_io_error_kind(doing, error.kind(), &error.to_string())
}

fn classify_io_error_kind(doing: &str, kind: ErrorKind, told: &str) -> StoreFault {
    let refused = |why: &str| StoreFault::Refused(format!("{doing}: {why}: {told}"));
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreFault::Failed(format!("{doing}: no space left on the device; free some there: {told}"))
        }
        ErrorKind::PermissionDenied => refused("permission denied; give this user the right to read and write there"),
        ErrorKind::ReadOnlyFilesystem => refused("the file system is read-only; mount it writable"),
        ErrorKind::NotADirectory => {
            refused("part of this path is not a directory; move that file away, or choose another place")
        }
        _ => StoreFault::Failed(format!("{doing}: {told}")),
    }
}

/// The status that a server answered with. `object_store` tells it in words only, where an error has no variant of its
/// own, as in lists.
fn find_http_status(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("non-2xx status code: ")?;
    rest.get(..3)
}

fn names_missing_bucket(text: &str) -> bool {
    ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"].iter().any(|sign| text.contains(sign))
}

fn is_write_conflict(text: &str) -> bool {
    ["ConditionalRequestConflict", "OperationAborted"].iter().any(|sign| text.contains(sign))
}

/// Whether credentials were looked for at the addresses where a cloud's own machines find theirs.
fn looked_for_machine_credentials(text: &str) -> bool {
    ["http://169.254.169.254", "http://metadata.google.internal", "http://metadata/"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// `object_store` publishes a staged file by a hard link, and its error for that has these words.
fn lacks_hard_links(text: &str, error: &io::Error) -> bool {
    use rustix::io::Errno;
    text.contains("Unable to rename file")
        && Errno::from_io_error(error)
            .is_some_and(|errno| [Errno::PERM, Errno::OPNOTSUPP, Errno::NOSYS, Errno::MLINK].contains(&errno))
}

fn find_io_error(error: &Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

/// The error and its causes in one line that a person can read.
fn format_error_chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    let text = text.strip_prefix("Generic LocalFileSystem error: ").unwrap_or(&text);
    redact_urls(&shorten_to_one_line(&strip_xml(text)))
}

/// A store's answer in XML, as its code and message.
fn strip_xml(text: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(inside, _)| inside)
    };
    let Some((before, _)) = text.split_once('<') else { return text.to_owned() };
    match (element("Code"), element("Message")) {
        (Some(code), Some(message)) => format!("{before}{code}: {message}"),
        (Some(code), None) => format!("{before}{code}"),
        _ => text.to_owned(),
    }
}

fn shorten_to_one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = line.char_indices().nth(MESSAGE_CHARS_MAX) {
        line.truncate(end);
        line.push('…');
    }
    line
}

/// Every URL in `text` without its user, password, query and fragment.
fn redact_urls(text: &str) -> String {
    let clean = |word: &str| {
        let (before, rest) = word.split_once("://")?;
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
        let host = host.rsplit('@').next().unwrap_or_default();
        Some(path.map_or_else(|| format!("{before}://{host}"), |path| format!("{before}://{host}/{path}")))
    };
    text.split(' ').map(|word| clean(word).unwrap_or_else(|| word.to_owned())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generic(text: &str) -> Error {
        Error::Generic { store: "S3", source: text.into() }
    }

    fn exists(text: &str) -> Error {
        Error::AlreadyExists { path: "a".into(), source: text.into() }
    }

    #[test]
    fn a_conflict_of_two_writes_is_no_object() {
        let conflict = exists("409 Conflict: <Error><Code>ConditionalRequestConflict</Code></Error>");
        assert!(matches!(classify_cloud_error("x", &conflict), StoreFault::Failed(_)));
        assert_eq!(classify_cloud_error("x", &exists("412 Precondition Failed")), StoreFault::Exists);
        // Azure's answer to a blob that is there.
        assert_eq!(
            classify_cloud_error("x", &exists("409: <Error><Code>BlobAlreadyExists</Code></Error>")),
            StoreFault::Exists
        );
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        let not_found = |text: &str| Error::NotFound { path: "a".into(), source: text.into() };
        assert!(is_absent_object(&not_found("404: <Code>NoSuchKey</Code>")));
        assert!(!is_absent_object(&not_found("404: <Code>NoSuchBucket</Code>")));
        assert!(matches!(classify_cloud_error("x", &not_found("<Code>NoSuchBucket</Code>")), StoreFault::Refused(_)));
    }

    #[test]
    fn answers_become_one_line_without_secrets() {
        let long = generic(
            "Error performing PUT http://me:hunter2@host:1/b/a?sig=hunter2 in 1s - 500: <?xml?>\n<Error>\n\
             <Code>InternalError</Code><Message>try again</Message><Signature>hunter2</Signature></Error>",
        );
        assert_eq!(
            classify_cloud_error("could not write a in s3://b", &long),
            StoreFault::Failed(
                "could not write a in s3://b: Generic S3 error: Error performing PUT http://host:1/b/a in 1s - 500: \
                 InternalError: try again"
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_file_system_without_hard_links_is_refused() {
        let link = |errno: i32| Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(Renaming { source: io::Error::from_raw_os_error(errno) }),
        };
        for errno in [1, 38, 95] {
            let StoreFault::Refused(text) = classify_local_error("x", &link(errno)) else {
                panic!("errno {errno} is refused")
            };
            assert!(text.contains("no hard links"), "{text}");
        }
        let StoreFault::Failed(text) = classify_local_error("x", &link(28)) else {
            panic!("a full disk may get space again")
        };
        assert!(text.contains("no space left"), "{text}");
    }

    /// As the error of `object_store` for it, which is private there.
    #[derive(Debug, thiserror::Error)]
    #[error("Unable to rename file: {source}")]
    struct Renaming {
        source: io::Error,
    }
}
