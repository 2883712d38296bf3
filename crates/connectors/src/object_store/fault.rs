//! Faults of checkpoint stores: the class and the message of each fault.
//!
//! Owns: the decision whether an error of the `object_store` crate or of the file system is transient or needs an
//! operator.
//! Invariant: no message holds a secret, because error texts of the `object_store` crate are redacted before they
//! become part of a fault.

use std::error::Error as _;
use std::io;
use std::io::ErrorKind;

use object_store::Error;
use windrow_core::text::truncate_with_ellipsis;
use windrow_engine::StoreFault;
use windrow_engine::halt::share_error;
use windrow_spec::login_redaction::redact_url_credentials_and_query;

/// The maximal number of characters of an error description in a message. Longer descriptions are cut.
const MAX_ERROR_DESCRIPTION_CHARS: usize = 400;

/// The description of a call to a checkpoint store, for error messages.
#[derive(Clone, Debug)]
pub(super) struct StoreCall {
    /// What the call does, for example "write NAME".
    pub(super) action: String,
    pub(super) place: String,
}

/// A failed call of a checkpoint store.
#[derive(Debug, thiserror::Error)]
#[error("could not {} in {}: {cause}", call.action, call.place)]
struct StoreCallError {
    call: StoreCall,
    cause: CallFailureCause,
}

/// The reason why a call of a checkpoint store failed. Each `description` is the text of the original error without
/// secrets.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallFailureCause {
    #[error(
        "the environment contains no credentials, and this machine has none; set AWS_ACCESS_KEY_ID and \
         AWS_SECRET_ACCESS_KEY (S3), GOOGLE_SERVICE_ACCOUNT (Google) or AZURE_STORAGE_ACCOUNT_KEY (Azure): {description}"
    )]
    NoCredentials { description: String },
    #[error("another write of the same object was in progress: {description}")]
    ConcurrentWrite { description: String },
    #[error(
        "the bucket or container does not exist; create it, or correct the place of the checkpoint store: {description}"
    )]
    MissingBucket { description: String },
    #[error(
        "the store rejected the credentials of the environment, or these credentials lack a permission (read, write, \
         list or delete): {description}"
    )]
    CredentialsRejected { description: String },
    #[error("the credentials of the environment lack a permission: {description}")]
    MissingPermission { description: String },
    #[error(
        "the bucket is in another region or at another endpoint; for S3 set AWS_REGION or AWS_ENDPOINT_URL: {description}"
    )]
    WrongRegion { description: String },
    #[error(
        "this file system does not support hard links, which Windrow needs to create an object atomically; choose \
         another directory: {description}"
    )]
    HardLinksUnsupported { description: String },
    #[error("no space left on the device; free space there: {description}")]
    NoSpaceLeft { description: String },
    #[error("permission denied; allow this user to read and write there: {description}")]
    PermissionDenied { description: String },
    #[error("the file system is read-only; mount it writable: {description}")]
    ReadOnlyFileSystem { description: String },
    #[error("a part of the path is not a directory; move that file away, or choose another place: {description}")]
    PathThroughFile { description: String },
    #[error("the path of the store is not a directory; choose another place")]
    PlaceIsFile,
    #[error("the directory was removed during the call")]
    DirectoryRemoved,
    #[error("no answer within {timeout_seconds} s")]
    Timeout { timeout_seconds: u64 },
    #[error("no answer: all {thread_count} threads of the process that read and write there hang in earlier calls")]
    AllThreadsHang { thread_count: usize },
    #[error("the checkpoint store is closed")]
    StoreClosed,
    #[error("{description}")]
    Other { description: String },
}

impl CallFailureCause {
    /// Returns whether only an operator can remove the cause.
    fn needs_operator(&self) -> bool {
        match self {
            Self::MissingBucket { .. }
            | Self::CredentialsRejected { .. }
            | Self::MissingPermission { .. }
            | Self::WrongRegion { .. }
            | Self::HardLinksUnsupported { .. }
            | Self::PermissionDenied { .. }
            | Self::ReadOnlyFileSystem { .. }
            | Self::PathThroughFile { .. }
            | Self::PlaceIsFile => true,
            Self::NoCredentials { .. }
            | Self::ConcurrentWrite { .. }
            | Self::NoSpaceLeft { .. }
            | Self::DirectoryRemoved
            | Self::Timeout { .. }
            | Self::AllThreadsHang { .. }
            | Self::StoreClosed
            | Self::Other { .. } => false,
        }
    }
}

/// The error for a bucket that cannot be opened, because settings are missing or invalid.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint store {place} cannot be opened: {description}; {hint}")]
struct InvalidStoreSettings {
    place: String,
    description: String,
    hint: &'static str,
}

/// Returns whether `error` means that an object is missing. Returns false if the bucket itself is missing.
pub(super) fn is_missing_object_error(error: &Error) -> bool {
    matches!(error, Error::NotFound { .. }) && !mentions_missing_bucket(&error.to_string())
}

/// Returns a fault which reports that `call` failed because of `cause`.
pub(super) fn store_call_fault(call: &StoreCall, cause: CallFailureCause) -> StoreFault {
    let needs_operator = cause.needs_operator();
    let error = share_error(StoreCallError { call: call.clone(), cause });
    if needs_operator { StoreFault::Refused(error) } else { StoreFault::Failed(error) }
}

/// Returns the fault for `error`, which a cloud or memory store returned to `call`.
pub(super) fn classify_cloud_error(call: &StoreCall, error: &Error) -> StoreFault {
    let text = error.to_string();
    let description = format_error_chain(error);
    // An error of the cloud's metadata service also contains an HTTP status. This status says nothing about the store,
    // so the error is recognized before the status is used.
    if mentions_metadata_service(&text) {
        return store_call_fault(call, CallFailureCause::NoCredentials { description });
    }
    let cause = match (error, find_http_status(&text)) {
        // S3 may answer 409 if two clients write the object at the same time. Possibly neither write succeeds.
        // Therefore this answer does not prove that the object exists.
        (Error::AlreadyExists { .. }, _) if mentions_write_conflict(&text) => {
            CallFailureCause::ConcurrentWrite { description }
        }
        (Error::AlreadyExists { .. }, _) => return StoreFault::Exists,
        (Error::NotFound { .. }, _) | (_, Some("404")) => CallFailureCause::MissingBucket { description },
        (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _) | (_, Some("401" | "403")) => {
            CallFailureCause::CredentialsRejected { description }
        }
        // One request may delete many objects. If S3 refuses some of the deletions, the reply contains `AccessDenied`
        // for these objects, but no HTTP error status.
        _ if text.contains("AccessDenied") => CallFailureCause::MissingPermission { description },
        // If S3 redirects a request to another region, the `object_store` crate does not follow the redirect, but fails
        // with this text.
        _ if text.contains("redirect without LOCATION") => CallFailureCause::WrongRegion { description },
        _ => CallFailureCause::Other { description },
    };
    store_call_fault(call, cause)
}

/// Returns the fault for a bucket that cannot be opened because settings are missing or invalid.
pub(super) fn invalid_settings_fault(place: String, hint: &'static str, error: &Error) -> StoreFault {
    StoreFault::Refused(share_error(InvalidStoreSettings { place, description: format_error_chain(error), hint }))
}

/// Returns the fault for `error`, which the `object_store` crate returned to `call` of a local store.
pub(super) fn classify_local_store_error(call: &StoreCall, error: &Error) -> StoreFault {
    if matches!(error, Error::AlreadyExists { .. }) {
        return StoreFault::Exists;
    }
    // The description names the path that caused the error: the object's path, or a folder above the object.
    let description = format_error_chain(error);
    let cause = match find_io_error(error) {
        Some(found) if is_hard_links_unsupported_error(&description, found) => {
            CallFailureCause::HardLinksUnsupported { description }
        }
        Some(found) => classify_io_error_kind(found.kind(), description),
        None => CallFailureCause::Other { description },
    };
    store_call_fault(call, cause)
}

/// Returns the fault for `error`, which the standard library returned for a file or folder during `call`.
pub(super) fn classify_io_error(call: &StoreCall, error: &io::Error) -> StoreFault {
    store_call_fault(call, classify_io_error_kind(error.kind(), error.to_string()))
}

fn classify_io_error_kind(kind: ErrorKind, description: String) -> CallFailureCause {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => CallFailureCause::NoSpaceLeft { description },
        ErrorKind::PermissionDenied => CallFailureCause::PermissionDenied { description },
        ErrorKind::ReadOnlyFilesystem => CallFailureCause::ReadOnlyFileSystem { description },
        ErrorKind::NotADirectory => CallFailureCause::PathThroughFile { description },
        _ => CallFailureCause::Other { description },
    }
}

/// Returns the HTTP status in the text of an error, if there is one. The text contains a status only if the
/// `object_store` crate has no error variant for this status, for example when a list request fails.
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

/// Returns whether an error with this text came from the metadata service of a cloud. If the environment contains no
/// credentials, the client asks the metadata service for the credentials of the machine.
fn mentions_metadata_service(text: &str) -> bool {
    ["http://169.254.169.254", "http://metadata.google.internal", "http://metadata/"]
        .iter()
        .any(|sign| text.contains(sign))
}

/// Returns whether `error` means that the file system does not support hard links. The `object_store` crate creates the
/// file of an object as a hard link to a staged file.
fn is_hard_links_unsupported_error(description: &str, error: &io::Error) -> bool {
    use rustix::io::Errno;
    description.contains("Unable to rename file")
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

/// Returns the texts of the error and of its causes in one line, without secrets.
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

/// If `text` contains an error reply in XML, replaces the XML by the error code and the message that the XML contains.
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

/// Joins the lines of `text` and cuts the result to [`MAX_ERROR_DESCRIPTION_CHARS`] characters.
fn shorten_to_one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    truncate_with_ellipsis(&line, MAX_ERROR_DESCRIPTION_CHARS).into_owned()
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

    fn call() -> StoreCall {
        StoreCall { action: "write a".to_owned(), place: "s3://b".to_owned() }
    }

    fn exists(text: &str) -> Error {
        Error::AlreadyExists { path: "a".into(), source: text.into() }
    }

    #[test]
    fn a_conflict_of_two_writes_is_no_object() {
        let conflict = exists("409 Conflict: <Error><Code>ConditionalRequestConflict</Code></Error>");
        assert!(matches!(classify_cloud_error(&call(), &conflict), StoreFault::Failed(_)));
        assert_eq!(classify_cloud_error(&call(), &exists("412 Precondition Failed")), StoreFault::Exists);
        // Azure sends this reply if the blob already exists.
        assert_eq!(
            classify_cloud_error(&call(), &exists("409: <Error><Code>BlobAlreadyExists</Code></Error>")),
            StoreFault::Exists
        );
    }

    #[test]
    fn a_missing_bucket_is_not_a_missing_object() {
        let not_found = |text: &str| Error::NotFound { path: "a".into(), source: text.into() };
        assert!(is_missing_object_error(&not_found("404: <Code>NoSuchKey</Code>")));
        assert!(!is_missing_object_error(&not_found("404: <Code>NoSuchBucket</Code>")));
        assert!(matches!(
            classify_cloud_error(&call(), &not_found("<Code>NoSuchBucket</Code>")),
            StoreFault::Refused(_)
        ));
    }

    #[test]
    fn answers_become_one_line_without_secrets() {
        let long = generic(
            "Error performing PUT http://me:hunter2@host:1/b/a?sig=hunter2 in 1s - 500: <?xml?>\n<Error>\n\
             <Code>InternalError</Code><Message>try again</Message><Signature>hunter2</Signature></Error>",
        );
        let fault = classify_cloud_error(&call(), &long);
        assert!(matches!(fault, StoreFault::Failed(_)), "{fault:?}");
        assert_eq!(
            fault.to_string(),
            "could not write a in s3://b: Generic S3 error: Error performing PUT http://***@host:1/b/a?*** in 1s - 500: \
             InternalError: try again"
        );
    }

    #[test]
    fn a_file_system_without_hard_links_is_refused() {
        let link = |errno: i32| Error::Generic {
            store: "LocalFileSystem",
            source: Box::new(Renaming { source: io::Error::from_raw_os_error(errno) }),
        };
        for errno in [1, 38, 95] {
            let StoreFault::Refused(error) = classify_local_store_error(&call(), &link(errno)) else {
                panic!("errno {errno} is refused")
            };
            assert!(error.to_string().contains("does not support hard links"), "{error}");
        }
        let StoreFault::Failed(error) = classify_local_store_error(&call(), &link(28)) else {
            panic!("a full disk may get space again")
        };
        assert!(error.to_string().contains("no space left"), "{error}");
    }

    /// Imitates the error that the `object_store` crate returns if it cannot create a hard link. Tests cannot create
    /// the original error, because its type is private.
    #[derive(Debug, thiserror::Error)]
    #[error("Unable to rename file: {source}")]
    struct Renaming {
        source: io::Error,
    }
}
