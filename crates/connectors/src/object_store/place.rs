//! The location of a checkpoint store, as written in a pipeline file or on the command line.
//!
//! Owns: parsing and rendering a location. Does not own: opening the store. Invariant: no rendered location and no
//! message about a location holds a user, a password or a token.

use std::fmt;
use std::path::{Path, PathBuf};

use windrow_engine::StoreFault;

const ACCEPTED_PLACE_FORMS: &str =
    "write a directory (file:PATH), s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CloudProvider {
    Aws,
    Google,
    Azure,
}

/// A bucket (Azure: container), and the prefix of all object names in the bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CloudBucket {
    pub(super) provider: CloudProvider,
    pub(super) bucket_name: String,
    /// The prefix without leading and trailing slash. May be empty.
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
}

impl StorePlace {
    pub(super) fn parse(text: &str) -> Result<Self, StoreFault> {
        let Some((scheme, rest)) = split_scheme(text) else { return parse_local_path(text) };
        match scheme {
            "file" => match rest.strip_prefix("//") {
                Some(path) if !path.starts_with('/') => Err(invalid_place_fault(
                    "a file: place names no host: write file:/an/absolute/path or file:a/relative/one".to_owned(),
                )),
                Some(path) => parse_local_path(path),
                None => parse_local_path(rest),
            },
            "memory" => match rest {
                "" | "//" => Ok(Self::Memory),
                _ => Err(invalid_place_fault("nothing may follow memory:".to_owned())),
            },
            "s3" => parse_cloud_bucket(CloudProvider::Aws, rest),
            "gs" => parse_cloud_bucket(CloudProvider::Google, rest),
            "az" => parse_cloud_bucket(CloudProvider::Azure, rest),
            // The message quotes only the scheme, because the rest may hold a password.
            other => {
                Err(invalid_place_fault(format!("`{other}:` is no kind of checkpoint store; {ACCEPTED_PLACE_FORMS}")))
            }
        }
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

/// Splits `scheme:rest`. Returns `None` for a path, which may also contain a colon.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let is_one = bytes.next().is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_one.then_some((scheme, rest))
}

fn parse_local_path(path: &str) -> Result<StorePlace, StoreFault> {
    if path.is_empty() {
        return Err(invalid_place_fault(format!("the path of the checkpoint store is empty; {ACCEPTED_PLACE_FORMS}")));
    }
    if path.contains('\0') {
        return Err(invalid_place_fault("the path of the checkpoint store holds a NUL character".to_owned()));
    }
    let absolute = std::path::absolute(Path::new(path)).map_err(|error| {
        invalid_place_fault(format!(
            "the path of the checkpoint store, {path}, is relative to a working directory that is gone: {error}"
        ))
    })?;
    Ok(StorePlace::Local(absolute))
}

fn parse_cloud_bucket(provider: CloudProvider, rest: &str) -> Result<StorePlace, StoreFault> {
    let scheme = provider.url_scheme();
    let what = if provider == CloudProvider::Azure { "container" } else { "bucket" };
    let form = format!("write {scheme}://{}/PREFIX", what.to_uppercase());
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(invalid_place_fault(format!("two slashes follow {scheme}: in a checkpoint store's place; {form}")));
    };
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if name.contains('@') || rest.contains(['?', '#']) {
        // The message does not quote the location, because keys and tokens are often written here.
        return Err(invalid_place_fault(format!(
            "credentials, accounts and options do not belong into {scheme}://…: they come from the environment; {form}"
        )));
    }
    if name.is_empty() {
        return Err(invalid_place_fault(format!("{scheme}://{rest} names no {what}; {form}")));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)) {
        return Err(invalid_place_fault(format!("`{}` is no {what}; {form}", name.escape_debug())));
    }
    let prefix = object_store::path::Path::parse(prefix)
        .map_err(|error| invalid_place_fault(format!("the prefix in {scheme}://{rest} cannot be used: {error}")))?;
    Ok(StorePlace::Cloud(CloudBucket { provider, bucket_name: name.to_owned(), object_name_prefix: prefix }))
}

fn invalid_place_fault(text: String) -> StoreFault {
    StoreFault::Refused(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match StorePlace::parse(text) {
            Ok(place) => place.to_string(),
            Err(StoreFault::Refused(why)) => why,
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
            ("file://host/a", "names no host"),
            ("memory:a", "nothing may follow"),
            ("s3://", "names no bucket; write s3://BUCKET/PREFIX"),
            ("s3:///a", "names no bucket"),
            ("az:///a", "names no container; write az://CONTAINER/PREFIX"),
            ("s3:bucket", "two slashes"),
            ("s3://buck et/a", "is no bucket"),
            ("s3://bucket/a//b", "cannot be used"),
            ("hdfs://host/a", "`hdfs:` is no kind"),
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
