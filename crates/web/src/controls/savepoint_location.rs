//! Chooses the location of a savepoint that was requested over HTTP, and refuses a requested location that is not
//! allowed.

use windrow_engine::checkpoint::{default_savepoint_folder, escape_name_segment};

use super::savepoint_refusal::SavepointRefusal;

pub(super) struct SavepointLocationRequest<'a> {
    /// The location of the job's checkpoints.
    pub(super) checkpoint_location: &'a str,
    /// The other locations below which savepoints may go.
    pub(super) named_locations: &'a [String],
    /// The location that the caller requested: a local directory, or a folder in a bucket. If `None`, the savepoint is
    /// stored beside the checkpoints.
    pub(super) target_directory: Option<&'a str>,
    pub(super) pipeline_name: &'a str,
    pub(super) savepoint_id: &'a str,
}

/// Returns the location of a new savepoint: a new folder in the requested directory. Without a requested directory, the
/// new folder lies beside the checkpoints.
pub(super) fn choose_savepoint_location(request: &SavepointLocationRequest<'_>) -> Result<String, SavepointRefusal> {
    let SavepointLocationRequest { checkpoint_location, target_directory, pipeline_name, savepoint_id, .. } = *request;
    let Some(target) = target_directory.map(str::trim).filter(|target| !target.is_empty()) else {
        if checkpoint_location == "memory:" {
            return Err(SavepointRefusal::NoDefaultLocation);
        }
        let folder = default_savepoint_folder(savepoint_id);
        return Ok(format!("{}/{folder}", checkpoint_location.trim_end_matches('/')));
    };
    let folder = FolderPath::parse(target)?;
    let named_locations = request.named_locations.iter().map(String::as_str);
    let is_below = |location: &str| FolderPath::parse(location).is_ok_and(|parent| folder.is_in(&parent));
    if ![checkpoint_location].into_iter().chain(named_locations).any(is_below) {
        return Err(SavepointRefusal::LocationNotAllowed { checkpoint_location: checkpoint_location.to_owned() });
    }
    let pipeline_name = escape_name_segment(pipeline_name);
    Ok(format!("{}/savepoint-{pipeline_name}-{savepoint_id}", target.trim_end_matches('/')))
}

/// The path of a folder, for comparisons. Symbolic links in a local path are not resolved: the operator who names a
/// directory decides what lies below it.
#[derive(PartialEq)]
struct FolderPath<'a> {
    scheme: &'a str,
    /// The names of the folders. The first name in a store of objects is the bucket.
    names: Vec<&'a str>,
}

impl<'a> FolderPath<'a> {
    fn parse(location: &'a str) -> Result<Self, SavepointRefusal> {
        let (scheme, path) = match location.split_once("://").filter(|(scheme, _)| *scheme != "file") {
            Some((scheme, rest)) if rest.contains(['@', '?', '#']) => (scheme, None),
            Some((scheme, rest)) => (scheme, Some(rest)),
            None => {
                let path = location.strip_prefix("file:").unwrap_or(location);
                if !path.starts_with('/') {
                    return Err(SavepointRefusal::RelativeDirectory);
                }
                ("file", Some(path))
            }
        };
        let names = path.map(|path| path.split('/').filter(|name| !name.is_empty()).collect::<Vec<_>>());
        match names {
            Some(names) if !names.iter().any(|name| matches!(*name, "." | "..")) => Ok(Self { scheme, names }),
            _ => Err(SavepointRefusal::IndirectLocation),
        }
    }

    /// Returns whether this folder is `parent` or lies below it.
    fn is_in(&self, parent: &Self) -> bool {
        self.scheme == parent.scheme && self.names.starts_with(&parent.names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(checkpoint_location: &str, named: &[&str], target_directory: Option<&str>) -> Result<String, String> {
        let named_locations: Vec<String> = named.iter().map(|location| (*location).to_owned()).collect();
        let request = SavepointLocationRequest {
            checkpoint_location,
            named_locations: &named_locations,
            target_directory,
            pipeline_name: "shop",
            savepoint_id: "ID",
        };
        choose_savepoint_location(&request).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn savepoints_go_below_the_checkpoints_and_named_locations() {
        for (store, named, to, location) in [
            ("file:/s/shop/g", &[][..], None, "file:/s/shop/g/savepoints/ID"),
            ("file:/s", &[], Some(" "), "file:/s/savepoints/ID"),
            ("file:/s", &[], Some("/s"), "/s/savepoint-shop-ID"),
            ("file:/s", &[], Some("file:///s/savepoints/"), "file:///s/savepoints/savepoint-shop-ID"),
            ("file:/s", &["file:/backup/"], Some("/backup"), "/backup/savepoint-shop-ID"),
            ("file:/s", &["file:///backup"], Some("file:/backup//a"), "file:/backup//a/savepoint-shop-ID"),
            ("s3://b/x", &[], Some("s3://b/x/y"), "s3://b/x/y/savepoint-shop-ID"),
            ("s3://b/x", &["file:/"], Some("/tmp"), "/tmp/savepoint-shop-ID"),
            ("file:/s", &["file:/a", "gs://b"], Some("gs://b/y"), "gs://b/y/savepoint-shop-ID"),
        ] {
            assert_eq!(choose(store, named, to).as_deref(), Ok(location), "{store} {named:?} {to:?}");
        }
    }

    #[test]
    fn they_go_nowhere_else() {
        for (store, named, to, why) in [
            ("file:/s", &[][..], "sub/folder", "absolute"),
            ("file:/s", &[], "file:sub", "absolute"),
            ("file:/s", &["file:/"], "../..", "absolute"),
            ("file:/s", &[], "/s/../etc", "neither"),
            ("file:/s", &["file:/backup"], "/backup/./a", "neither"),
            ("file:/s", &[], "/tmp", "checkpoint.savepoints"),
            ("file:/s", &["file:/backup"], "/backup2", "checkpoint.savepoints"),
            ("file:/s", &["file:/backup/a"], "/backup", "checkpoint.savepoints"),
            ("file:/s", &["file:/backup"], "s3://backup/a", "checkpoint.savepoints"),
            ("file:/s", &[], "s3://elsewhere/a", "windrow savepoint"),
            ("s3://b/x", &[], "s3://b/y", "checkpoint.savepoints"),
            ("s3://b/x", &[], "s3://bb/x", "checkpoint.savepoints"),
            ("s3://b/x", &[], "gs://b/x", "checkpoint.savepoints"),
            ("s3://b/x", &["s3://b"], "s3://b?endpoint=evil/a", "neither"),
            ("s3://b/x", &["s3://b"], "s3://key@b/a", "neither"),
            ("s3://b/x", &[], "http://b/x", "checkpoint.savepoints"),
            ("s3://b/x", &[], "memory:", "absolute"),
            ("memory:", &[], "/tmp", "checkpoint.savepoints"),
        ] {
            let refused = choose(store, named, Some(to)).expect_err(to);
            assert!(refused.contains(why), "{to}: {refused}");
        }
        assert!(choose("memory:", &[], None).expect_err("no folder").contains("name a directory"));
        let refused = choose("file:/s", &[], Some("https://u:hunter2@host/a")).expect_err("not a place");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
