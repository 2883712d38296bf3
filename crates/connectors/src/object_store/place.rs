//! The place of a checkpoint store, as written in a pipeline file or on the command line.
//!
//! Owns: parsing and rendering a place. Does not own: opening the store. Invariant: no rendered place and no message
//! about a place contains a user, a password or a token.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use windrow_engine::StoreFault;
use windrow_engine::halt::share_error;

/// The part of an error message that says how to write the place of a checkpoint store.
const ACCEPTED_PLACE_FORMS: &str =
    "write a directory (file:PATH), s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CloudProvider {
    Aws,
    Google,
    Azure,
}

/// A bucket, and the prefix with which all object names of the store begin. Azure calls a bucket a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CloudBucket {
    pub(super) provider: CloudProvider,
    pub(super) bucket_name: String,
    /// The prefix without leading and trailing slash. The prefix may be empty.
    pub(super) object_name_prefix: object_store::path::Path,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum StorePlace {
    /// The absolute path of a directory.
    Local(PathBuf),
    Memory,
    Cloud(CloudBucket),
}

impl CloudProvider {
    pub(super) fn url_scheme(self) -> &'static str {
        match self {
            Self::Aws => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }

    /// Returns the provider's word for a bucket.
    fn bucket_noun(self) -> &'static str {
        match self {
            Self::Aws | Self::Google => "bucket",
            Self::Azure => "container",
        }
    }

    /// Returns the part of an error message that says how to write the place of a store at this provider.
    fn accepted_place_form(self) -> String {
        format!("write {}://{}/PREFIX", self.url_scheme(), self.bucket_noun().to_uppercase())
    }
}

/// The reason why a text is not the place of a checkpoint store. No variant holds a text that may contain a secret.
#[derive(Debug, thiserror::Error)]
enum InvalidPlaceError {
    #[error("the path of the checkpoint store is empty; {ACCEPTED_PLACE_FORMS}")]
    EmptyPath,
    #[error("the path of the checkpoint store contains a NUL character")]
    NulInPath,
    #[error(
        "the path of the checkpoint store, {path}, is relative, but the working directory cannot be determined: {error}; \
         write an absolute path"
    )]
    UnknownWorkingDirectory { path: String, error: io::Error },
    #[error("a place that begins with file: cannot name a host; write file:/an/absolute/path or file:a/relative/path")]
    FileWithHost,
    #[error("nothing may follow memory: in the place of a checkpoint store")]
    TextAfterMemory,
    #[error("checkpoint stores at `{scheme}:` are not supported; {ACCEPTED_PLACE_FORMS}")]
    UnknownScheme { scheme: String },
    #[error(
        "the place of the checkpoint store needs two slashes after `{}:`; {}",
        provider.url_scheme(),
        provider.accepted_place_form()
    )]
    MissingSlashes { provider: CloudProvider },
    #[error(
        "a place at {}:// cannot contain credentials, an account or options; set these in the environment, and {}",
        provider.url_scheme(),
        provider.accepted_place_form()
    )]
    CredentialsInPlace { provider: CloudProvider },
    #[error("{place} does not name a {}; {}", provider.bucket_noun(), provider.accepted_place_form())]
    MissingBucketName { place: String, provider: CloudProvider },
    #[error(
        "`{}` is not a valid {} name; {}",
        name.escape_debug(),
        provider.bucket_noun(),
        provider.accepted_place_form()
    )]
    InvalidBucketName { name: String, provider: CloudProvider },
    #[error("the prefix in {place} is invalid: {error}")]
    InvalidPrefix { place: String, error: object_store::path::Error },
}

impl From<InvalidPlaceError> for StoreFault {
    fn from(error: InvalidPlaceError) -> Self {
        Self::Refused(share_error(error))
    }
}

impl StorePlace {
    pub(super) fn parse(text: &str) -> Result<Self, StoreFault> {
        let Some((scheme, rest)) = split_scheme(text) else { return Ok(parse_local_path(text)?) };
        let place = match scheme {
            "file" => match rest.strip_prefix("//") {
                Some(path) if !path.starts_with('/') => Err(InvalidPlaceError::FileWithHost),
                Some(path) => parse_local_path(path),
                None => parse_local_path(rest),
            },
            "memory" => match rest {
                "" | "//" => Ok(Self::Memory),
                _ => Err(InvalidPlaceError::TextAfterMemory),
            },
            "s3" => parse_cloud_bucket(CloudProvider::Aws, rest),
            "gs" => parse_cloud_bucket(CloudProvider::Google, rest),
            "az" => parse_cloud_bucket(CloudProvider::Azure, rest),
            // The message quotes only the scheme, because the text after the scheme may contain a password.
            other => Err(InvalidPlaceError::UnknownScheme { scheme: other.to_owned() }),
        };
        Ok(place?)
    }
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "file:{}", path.display()),
            Self::Memory => f.write_str("memory:"),
            Self::Cloud(CloudBucket { provider, bucket_name: name, object_name_prefix: prefix }) => {
                write!(f, "{}://{name}", provider.url_scheme())?;
                if prefix.as_ref().is_empty() { Ok(()) } else { write!(f, "/{prefix}") }
            }
        }
    }
}

/// Splits `scheme:rest` at the colon. Returns `None` if `text` does not begin with a scheme and is therefore a path.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let is_one = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_one.then_some((scheme, rest))
}

fn parse_local_path(path: &str) -> Result<StorePlace, InvalidPlaceError> {
    if path.is_empty() {
        return Err(InvalidPlaceError::EmptyPath);
    }
    if path.contains('\0') {
        return Err(InvalidPlaceError::NulInPath);
    }
    let absolute = std::path::absolute(Path::new(path))
        .map_err(|error| InvalidPlaceError::UnknownWorkingDirectory { path: path.to_owned(), error })?;
    Ok(StorePlace::Local(absolute))
}

fn parse_cloud_bucket(provider: CloudProvider, after_scheme: &str) -> Result<StorePlace, InvalidPlaceError> {
    let Some(rest) = after_scheme.strip_prefix("//") else {
        return Err(InvalidPlaceError::MissingSlashes { provider });
    };
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if name.contains('@') || rest.contains(['?', '#']) {
        // A place with `@`, `?` or `#` often contains a key or a token, so the message does not quote the place.
        return Err(InvalidPlaceError::CredentialsInPlace { provider });
    }
    let place = || format!("{}://{rest}", provider.url_scheme());
    if name.is_empty() {
        return Err(InvalidPlaceError::MissingBucketName { place: place(), provider });
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(InvalidPlaceError::InvalidBucketName { name: name.to_owned(), provider });
    }
    let object_name_prefix = object_store::path::Path::parse(prefix)
        .map_err(|error| InvalidPlaceError::InvalidPrefix { place: place(), error })?;
    Ok(StorePlace::Cloud(CloudBucket { provider, bucket_name: name.to_owned(), object_name_prefix }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match StorePlace::parse(text) {
            Ok(place) => place.to_string(),
            Err(StoreFault::Refused(error)) => error.to_string(),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn places_are_shown_in_full() {
        let here = std::env::current_dir().expect("a working directory");
        let here = here.display();
        assert_eq!(shown("file:./a/b"), format!("file:{here}/a/b"));
        assert_eq!(shown("a/b"), format!("file:{here}/a/b"));
        assert_eq!(shown("./a:b"), format!("file:{here}/a:b"));
        assert_eq!(shown("file:/a b/é%41#1"), "file:/a b/é%41#1");
        assert_eq!(shown("file:///a"), "file:/a");
        assert_eq!(shown("/a"), "file:/a");
        assert_eq!(shown("memory:"), "memory:");
        assert_eq!(shown("s3://bucket"), "s3://bucket");
        assert_eq!(shown("s3://bucket/"), "s3://bucket");
        assert_eq!(shown("gs://bucket/a/b/"), "gs://bucket/a/b");
        assert_eq!(shown("az://container/a"), "az://container/a");
    }

    #[test]
    fn bad_places_say_what_to_write() {
        for (text, part) in [
            ("", "is empty"),
            ("file:", "is empty"),
            ("file://host/a", "cannot name a host"),
            ("memory:a", "nothing may follow"),
            ("s3://", "does not name a bucket; write s3://BUCKET/PREFIX"),
            ("s3:///a", "does not name a bucket"),
            ("az:///a", "does not name a container; write az://CONTAINER/PREFIX"),
            ("s3:bucket", "needs two slashes after `s3:`; write s3://BUCKET/PREFIX"),
            ("s3://buck et/a", "`buck et` is not a valid bucket name"),
            ("s3://bucket/a//b", "the prefix in s3://bucket/a//b is invalid"),
            ("hdfs://host/a", "checkpoint stores at `hdfs:` are not supported"),
        ] {
            let shown = shown(text);
            assert!(shown.contains(part), "{text}: {shown}");
        }
    }

    #[test]
    fn no_secret_is_repeated() {
        for text in ["s3://key:hunter2@bucket/a", "az://c/a?sig=hunter2", "https://u:hunter2@host/a", "gs://b#hunter2"]
        {
            assert!(!shown(text).contains("hunter2"), "{}", shown(text));
        }
    }
}
