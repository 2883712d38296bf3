//! Classification of errors of the `object_store` crate and the file system as [`StoreFault`]s.
//!
//! Invariant: no message holds a secret.

use std::error::Error as _;
use std::io;
use std::io::ErrorKind;

use object_store::Error;
use windrow_core::text::truncate_with_ellipsis;
use windrow_engine::StoreFault;

use crate::url_redaction::redact_url_credentials_and_query;

/// The maximal length of an error description in a message. Longer descriptions are cut.
const ERROR_DESCRIPTION_CHARS_MAX: usize = 400;

/// Returns whether `error` says that the object is missing, and not the bucket.
pub(super) fn is_missing_object_error(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !mentions_missing_bucket(&error.to_string())
}

/// Classifies an error of a cloud. The message begins with `failure`, for example "could not write NAME in PLACE".
pub(super) fn classify_cloud_error(failure: &str, error: &Error) -> StoreFault {
    let text = error.to_string();
    let description = format_error_chain(error);
    let refused = |why: &str| StoreFault::Refused(format!("{failure}: {why}: {description}"));
    let failed = |why: &str| StoreFault::Failed(format!("{failure}: {why}: {description}"));
    // Checked before the HTTP status, because that status is the reply of the metadata service.
    if mentions_metadata_service(&text) {
        return failed(
            "the environment holds no credentials (S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; Google: \
             GOOGLE_SERVICE_ACCOUNT; Azure: AZURE_STORAGE_ACCOUNT_KEY), and this machine has none of its own",
        );
    }
    match (error, find_http_status(&text)) {
        // S3 answers 409 to one of two simultaneous writes. Possibly neither write succeeds.
        (Error::AlreadyExists { .. }, _) if mentions_write_conflict(&text) => {
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
        // The error of one object in a delete request for many objects.
        _ if text.contains("AccessDenied") => refused("the credentials of the environment lack a right"),
        // The `object_store` crate follows no redirect to another region and reports the redirect with this text.
        _ if text.contains("redirect without LOCATION") => refused(
            "the bucket lies in another region or at another endpoint; for S3 set AWS_REGION or AWS_ENDPOINT_URL",
        ),
        _ => StoreFault::Failed(format!("{failure}: {description}")),
    }
}

/// Returns the fault for a bucket that cannot be opened because settings are missing or wrong.
pub(super) fn invalid_settings_fault(place: &str, hint: &str, error: &Error) -> StoreFault {
    StoreFault::Refused(format!("the checkpoint store {place} cannot be opened: {}; {hint}", format_error_chain(error)))
}

/// Classifies an error of the `object_store` crate in a local directory.
pub(super) fn classify_local_store_error(failure: &str, error: &Error) -> StoreFault {
    if matches!(error, Error::AlreadyExists { .. }) {
        return StoreFault::Exists;
    }
    // The description holds the path that failed. That path may be a folder above the object.
    let description = format_error_chain(error);
    match find_io_error(error) {
        Some(found) if is_hard_links_unsupported_error(&description, found) => StoreFault::Refused(format!(
            "{failure}: this file system has no hard links, by which objects appear whole; choose another directory: {description}"
        )),
        Some(found) => classify_io_error_kind(failure, found.kind(), &description),
        None => StoreFault::Failed(format!("{failure}: {description}")),
    }
}

/// Classifies an error of the standard library about a file or folder.
pub(super) fn classify_io_error(failure: &str, error: &io::Error) -> StoreFault {
    classify_io_error_kind(failure, error.kind(), &error.to_string())
}

fn classify_io_error_kind(failure: &str, kind: ErrorKind, description: &str) -> StoreFault {
    let refused = |why: &str| StoreFault::Refused(format!("{failure}: {why}: {description}"));
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            StoreFault::Failed(format!("{failure}: no space left on the device; free some there: {description}"))
        }
        ErrorKind::PermissionDenied => refused("permission denied; give this user the right to read and write there"),
        ErrorKind::ReadOnlyFilesystem => refused("the file system is read-only; mount it writable"),
        ErrorKind::NotADirectory => {
            refused("part of this path is not a directory; move that file away, or choose another place")
        }
        _ => StoreFault::Failed(format!("{failure}: {description}")),
    }
}

/// Finds the HTTP status in the text of an error. The `object_store` crate writes the status there only for errors
/// without a variant of their own, for example when it lists objects.
fn find_http_status(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("non-2xx status code: ")?;
    rest.get(..3)
}

fn mentions_missing_bucket(text: &str) -> bool {
    ["NoSuchBucket", "ContainerNotFound", "bucket does not exist"].iter().any(|sign| text.contains(sign))
}

fn mentions_write_conflict(text: &str) -> bool {
    ["ConditionalRequestConflict", "OperationAborted"].iter().any(|sign| text.contains(sign))
}

/// Returns whether the error came from the metadata service of a cloud. The client asks that service for the
/// credentials of the machine if the environment holds none.
fn mentions_metadata_service(text: &str) -> bool {
    ["http://169.254.169.254", "http://metadata.google.internal", "http://metadata/"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Returns whether the file system lacks hard links. The `object_store` crate publishes a staged file with a hard link.
fn is_hard_links_unsupported_error(text: &str, error: &io::Error) -> bool {
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

/// Formats the error and its causes in one line, without secrets.
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
    redact_urls(&shorten_to_one_line(&extract_xml_code_and_message(text)))
}

/// Replaces an XML reply of a store by the code and message in the reply.
fn extract_xml_code_and_message(text: &str) -> String {
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

/// Joins the lines of `text` and cuts the result to [`ERROR_DESCRIPTION_CHARS_MAX`] characters.
fn shorten_to_one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    truncate_with_ellipsis(&line, ERROR_DESCRIPTION_CHARS_MAX).into_owned()
}

/// Redacts every URL in `text`.
fn redact_urls(text: &str) -> String {
    let redact =
        |word: &str| if word.contains("://") { redact_url_credentials_and_query(word) } else { word.to_owned() };
    text.split(' ').map(redact).collect::<Vec<_>>().join(" ")
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
        // Azure answers this when the blob exists.
        assert_eq!(
            classify_cloud_error("x", &exists("409: <Error><Code>BlobAlreadyExists</Code></Error>")),
            StoreFault::Exists
        );
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        let not_found = |text: &str| Error::NotFound { path: "a".into(), source: text.into() };
        assert!(is_missing_object_error(&not_found("404: <Code>NoSuchKey</Code>")));
        assert!(!is_missing_object_error(&not_found("404: <Code>NoSuchBucket</Code>")));
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
                "could not write a in s3://b: Generic S3 error: Error performing PUT http://***@host:1/b/a?*** in 1s - 500: \
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
            let StoreFault::Refused(text) = classify_local_store_error("x", &link(errno)) else {
                panic!("errno {errno} is refused")
            };
            assert!(text.contains("no hard links"), "{text}");
        }
        let StoreFault::Failed(text) = classify_local_store_error("x", &link(28)) else {
            panic!("a full disk may get space again")
        };
        assert!(text.contains("no space left"), "{text}");
    }

    /// Stands for the error of the `object_store` crate, which is private there.
    #[derive(Debug, thiserror::Error)]
    #[error("Unable to rename file: {source}")]
    struct Renaming {
        source: io::Error,
    }
}
