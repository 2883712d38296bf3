//! Finds the crates of the workspace, their dependencies on each other, and their source files.
//!
//! Does not own: the content of a source file ([`crate::module_tree`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The error for source files that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder is missing or unreadable.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The path of the file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file is not valid Rust.
    #[error("{} is not valid Rust: {source}", path.display())]
    NotRust {
        /// The path of the file.
        path: PathBuf,
        /// The error of the parser.
        source: syn::Error,
    },
    /// A module is declared, but has no file.
    #[error("{} declares module `{module}`, which has no file", path.display())]
    MissingModule {
        /// The file that declares the module.
        path: PathBuf,
        /// The name of the module.
        module: String,
    },
}

/// One crate of the workspace.
#[derive(Debug)]
pub struct CrateFolder {
    /// The name of the crate's folder below `crates/`.
    pub name: String,
    /// The path of the folder.
    pub path: PathBuf,
    /// The folder names of those crates of the workspace that this crate lists in its `[dependencies]`.
    pub dependencies: Vec<String>,
}

/// Lists the crates in the folder `root/crates`, sorted by name.
///
/// # Errors
/// Fails when a folder or a manifest cannot be read.
pub fn list_crates(root: &Path) -> Result<Vec<CrateFolder>, SourceError> {
    let mut crates = Vec::new();
    for path in list_folder(&root.join("crates"))? {
        let manifest = path.join("Cargo.toml");
        if manifest.is_file() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            crates.push(CrateFolder { name, dependencies: read_dependencies(&manifest)?, path });
        }
    }
    Ok(crates)
}

/// Reads a whole text file into memory.
///
/// # Errors
/// Fails when the file cannot be read or is not UTF-8.
pub fn read_text_file(path: &Path) -> Result<String, SourceError> {
    fs::read_to_string(path).map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })
}

/// Lists the files and folders in a folder, sorted by name.
///
/// # Errors
/// Fails when the folder cannot be read.
pub fn list_folder(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    Ok(entries)
}

/// Lists all files with the extension `rs` in a folder and its subfolders, sorted by name. Returns an empty list if the
/// folder does not exist.
///
/// # Errors
/// Fails when a folder cannot be read.
pub fn list_rust_files(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in list_folder(folder)? {
        if entry.is_dir() {
            files.extend(list_rust_files(&entry)?);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
    Ok(files)
}

/// Reads and parses a Rust file.
///
/// # Errors
/// Fails when the file cannot be read or is not Rust.
pub fn parse_rust_file(path: &Path) -> Result<syn::File, SourceError> {
    syn::parse_file(&read_text_file(path)?).map_err(|source| SourceError::NotRust { path: path.to_owned(), source })
}

fn read_dependencies(manifest: &Path) -> Result<Vec<String>, SourceError> {
    let mut in_dependencies = false;
    let mut dependencies = Vec::new();
    for line in read_text_file(manifest)?.lines() {
        if line.starts_with('[') {
            in_dependencies = line.trim() == "[dependencies]";
        } else if in_dependencies && let Some(rest) = line.strip_prefix("windrow-") {
            dependencies.extend(rest.split(['.', ' ', '=']).next().map(str::to_owned));
        }
    }
    Ok(dependencies)
}
