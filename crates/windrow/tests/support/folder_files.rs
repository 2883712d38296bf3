//! Reads folders of stored state.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Reads all files below a folder.
pub(crate) fn read_files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            files.extend(read_files(&entry));
        } else {
            files.insert(entry.clone(), fs::read(&entry).expect("readable"));
        }
    }
    files
}
