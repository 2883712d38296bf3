//! Where a savepoint that was asked for over HTTP may go.

use windrow_engine::checkpoint::{default_savepoint_folder, escape_name_segment};

use super::SavepointRefusal;

const OTHER_PLACES_HINT: &str = "`windrow savepoint --to` takes any place";

/// The place of the savepoint called `id`, of the job that has its checkpoints in `store`: a new folder in `to`, or beside
/// the checkpoints.
pub(super) fn choose_savepoint_location(
    store: &str,
    to: Option<&str>,
    pipeline: &str,
    id: &str,
) -> Result<String, SavepointRefusal> {
    let Some(to) = to.map(str::trim).filter(|to| !to.is_empty()) else {
        if store == "memory:" {
            return Err(SavepointRefusal(
                "this job keeps its checkpoints in memory, so there is nothing beside them to take a savepoint to: name a \
                 directory"
                    .to_owned(),
            ));
        }
        return Ok(format!("{}/{}", store.trim_end_matches('/'), default_savepoint_folder(id)));
    };
    check_target_directory(store, to)?;
    Ok(format!("{}/savepoint-{}-{id}", to.trim_end_matches('/'), escape_name_segment(pipeline)))
}

fn check_target_directory(store: &str, to: &str) -> Result<(), SavepointRefusal> {
    if let Some(path) = to.strip_prefix("file:") {
        return require_absolute_path(path);
    }
    let Some((scheme, rest)) = to.split_once("://") else {
        return require_absolute_path(to);
    };
    let bucket = |rest: &str| rest.split('/').next().unwrap_or_default().to_owned();
    let same = store.split_once("://").is_some_and(|(own, own_rest)| own == scheme && bucket(own_rest) == bucket(rest));
    if same && !rest.contains(['@', '?', '#']) {
        return Ok(());
    }
    // Not repeated: what follows may hold a password.
    Err(SavepointRefusal(format!(
        "over HTTP a savepoint goes to a directory or into the bucket of the checkpoints, {store}, not to another `{}://`; \
         {OTHER_PLACES_HINT}",
        scheme.escape_debug()
    )))
}

fn require_absolute_path(path: &str) -> Result<(), SavepointRefusal> {
    if path.starts_with('/') {
        return Ok(());
    }
    Err(SavepointRefusal(format!(
        "a directory for a savepoint must be an absolute path (file:/…): the processes of a job have working directories of \
         their own; {OTHER_PLACES_HINT}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(store: &str, to: Option<&str>) -> Result<String, String> {
        choose_savepoint_location(store, to, "shop", "ID").map_err(|refused| refused.0)
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
            ("file:/s", "s3://elsewhere/a", "windrow savepoint --to"),
            ("s3://b/x", "s3://elsewhere/a", "windrow savepoint --to"),
            ("s3://b/x", "s3://bb/a", "windrow savepoint --to"),
            ("s3://b/x", "gs://b/a", "windrow savepoint --to"),
            ("s3://b/x", "s3://b?endpoint=evil/a", "windrow savepoint --to"),
            ("s3://b/x", "http://b/a", "windrow savepoint --to"),
            ("s3://b/x", "memory:", "absolute"),
        ] {
            let refused = choose(store, Some(to)).expect_err(to);
            assert!(refused.contains(why), "{to}: {refused}");
        }
        assert!(choose("memory:", None).expect_err("nowhere").contains("name a directory"));
        let refused = choose("file:/s", Some("https://u:hunter2@host/a")).expect_err("not a place");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
