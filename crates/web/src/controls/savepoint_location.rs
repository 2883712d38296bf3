//! Chooses the location of a savepoint that was requested over HTTP, and refuses a requested location that is not
//! allowed.

use windrow_engine::checkpoint::{default_savepoint_folder, escape_name_segment};

use super::savepoint_refusal::SavepointRefusal;

pub(super) struct SavepointLocationRequest<'a> {
    /// The location of the job's checkpoints.
    pub(super) checkpoint_location: &'a str,
    /// The location that the caller requested: a local directory, or a folder in a bucket. If `None`, the savepoint is
    /// stored beside the checkpoints.
    pub(super) target_directory: Option<&'a str>,
    pub(super) pipeline_name: &'a str,
    pub(super) savepoint_id: &'a str,
}

/// Returns the location of a new savepoint: a new folder in the requested directory. Without a requested directory, the
/// new folder lies beside the checkpoints.
pub(super) fn choose_savepoint_location(request: &SavepointLocationRequest<'_>) -> Result<String, SavepointRefusal> {
    let SavepointLocationRequest { checkpoint_location, target_directory, pipeline_name, savepoint_id } = *request;
    let Some(target) = target_directory.map(str::trim).filter(|target| !target.is_empty()) else {
        if checkpoint_location == "memory:" {
            return Err(SavepointRefusal::NoDefaultLocation);
        }
        let folder = default_savepoint_folder(savepoint_id);
        return Ok(format!("{}/{folder}", checkpoint_location.trim_end_matches('/')));
    };
    require_allowed_target_directory(checkpoint_location, target)?;
    let pipeline_name = escape_name_segment(pipeline_name);
    Ok(format!("{}/savepoint-{pipeline_name}-{savepoint_id}", target.trim_end_matches('/')))
}

fn require_allowed_target_directory(checkpoint_location: &str, target: &str) -> Result<(), SavepointRefusal> {
    if let Some(path) = target.strip_prefix("file:") {
        return require_absolute_path(path);
    }
    let Some((scheme, rest)) = target.split_once("://") else {
        return require_absolute_path(target);
    };
    let bucket = |rest: &str| rest.split('/').next().unwrap_or_default().to_owned();
    let same_bucket = checkpoint_location
        .split_once("://")
        .is_some_and(|(own_scheme, own_rest)| own_scheme == scheme && bucket(own_rest) == bucket(rest));
    if same_bucket && !rest.contains(['@', '?', '#']) {
        return Ok(());
    }
    Err(SavepointRefusal::ForeignLocation {
        checkpoint_location: checkpoint_location.to_owned(),
        scheme: scheme.escape_debug().to_string(),
    })
}

fn require_absolute_path(path: &str) -> Result<(), SavepointRefusal> {
    if path.starts_with('/') { Ok(()) } else { Err(SavepointRefusal::RelativeDirectory) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(checkpoint_location: &str, target_directory: Option<&str>) -> Result<String, String> {
        let request = SavepointLocationRequest {
            checkpoint_location,
            target_directory,
            pipeline_name: "shop",
            savepoint_id: "ID",
        };
        choose_savepoint_location(&request).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn savepoints_go_where_state_may_be() {
        assert_eq!(choose("file:/s/shop/g", None).as_deref(), Ok("file:/s/shop/g/savepoints/ID"));
        assert_eq!(choose("file:/s", Some(" ")).as_deref(), Ok("file:/s/savepoints/ID"));
        assert_eq!(choose("file:/s", Some("/tmp/a/")).as_deref(), Ok("/tmp/a/savepoint-shop-ID"));
        assert_eq!(choose("s3://b/x", Some("file:///tmp")).as_deref(), Ok("file:///tmp/savepoint-shop-ID"));
        assert_eq!(choose("s3://b/x", Some("s3://b/y")).as_deref(), Ok("s3://b/y/savepoint-shop-ID"));
    }

    #[test]
    fn they_go_nowhere_else() {
        for (store, to, why) in [
            ("file:/s", "sub/folder", "absolute"),
            ("file:/s", "file:sub", "absolute"),
            ("file:/s", "../..", "absolute"),
            ("file:/s", "s3://elsewhere/a", "windrow savepoint"),
            ("s3://b/x", "s3://elsewhere/a", "windrow savepoint"),
            ("s3://b/x", "s3://bb/a", "windrow savepoint"),
            ("s3://b/x", "gs://b/a", "windrow savepoint"),
            ("s3://b/x", "s3://b?endpoint=evil/a", "windrow savepoint"),
            ("s3://b/x", "http://b/a", "windrow savepoint"),
            ("s3://b/x", "memory:", "absolute"),
        ] {
            let refused = choose(store, Some(to)).expect_err(to);
            assert!(refused.contains(why), "{to}: {refused}");
        }
        assert!(choose("memory:", None).expect_err("no folder").contains("name a directory"));
        let refused = choose("file:/s", Some("https://u:hunter2@host/a")).expect_err("not a place");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
