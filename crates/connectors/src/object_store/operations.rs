//! The operations of a checkpoint store as calls of the `object_store` crate. All kinds of store use these operations.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use windrow_engine::ListedObject;

/// The maximum number of objects that one call reads at once.
const MAX_CONCURRENT_READS: usize = 16;

pub(super) async fn create_object(store: &dyn ObjectStore, path: &Path, bytes: Vec<u8>) -> Result<(), Error> {
    store.put_opts(path, PutPayload::from(bytes), PutMode::Create.into()).await.map(|_| ())
}

/// Returns the bytes of the object at `path`. Fails if the object or its bucket is missing.
pub(super) async fn read_object(store: &dyn ObjectStore, path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = store.get(path).await?.bytes().await?;
    Ok(bytes.into())
}

/// Returns the bytes of the objects at `paths`, in their order, and reads several at once. `is_absent` returns whether an
/// error means that the object is missing; such an object is `None`.
pub(super) async fn read_objects(
    store: &dyn ObjectStore,
    paths: Vec<Path>,
    is_absent: impl Fn(&Error) -> bool,
) -> Result<Vec<Option<Vec<u8>>>, Error> {
    let is_absent = &is_absent;
    let read = |path: Path| async move {
        match read_object(store, &path).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    };
    stream::iter(paths.into_iter().map(read)).buffered(MAX_CONCURRENT_READS).try_collect().await
}

pub(super) async fn list_objects(store: &dyn ObjectStore, folder: Option<&Path>) -> Result<Vec<ListedObject>, Error> {
    let mut listed: Vec<ListedObject> = store
        .list(folder)
        .map_ok(|object| ListedObject { object_name: object.location.into(), object_byte_count: object.size })
        .try_collect()
        .await?;
    listed.sort_unstable();
    Ok(listed)
}

/// Tries to delete all objects at `paths`, even after an error, and then returns the first error. `is_absent` returns
/// whether an error means that the object was already missing. Such errors are ignored.
pub(super) async fn delete_objects(
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
