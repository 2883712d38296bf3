//! The operations of a checkpoint store as calls of the `object_store` crate, for every kind of store.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use windrow_engine::ListedObject;

pub(super) async fn create(store: &dyn ObjectStore, path: &Path, bytes: Vec<u8>) -> Result<(), Error> {
    store.put_opts(path, PutPayload::from(bytes), PutMode::Create.into()).await.map(|_| ())
}

/// Returns the object's bytes. A missing object is an error, which may also mean a missing bucket.
pub(super) async fn read(store: &dyn ObjectStore, path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = store.get(path).await?.bytes().await?;
    Ok(bytes.into())
}

pub(super) async fn list(store: &dyn ObjectStore, folder: Option<&Path>) -> Result<Vec<ListedObject>, Error> {
    let mut listed: Vec<ListedObject> = store
        .list(folder)
        .map_ok(|object| ListedObject { name: object.location.into(), bytes: object.size })
        .try_collect()
        .await?;
    listed.sort_unstable();
    Ok(listed)
}

/// Deletes all objects that it can. `is_absent` tells errors of missing objects, which are ignored.
pub(super) async fn delete(
    store: &dyn ObjectStore,
    paths: BTreeSet<Path>,
    is_absent: impl Fn(&Error) -> bool,
) -> Result<(), Error> {
    let mut failed = None;
    let mut deleted = store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
    while let Some(result) = deleted.next().await {
        if let Err(error) = result
            && !is_absent(&error)
        {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}
