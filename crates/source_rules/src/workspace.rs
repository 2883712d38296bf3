//! Finds the crates of the workspace, their dependencies on each other, and their source files.
//!
//! Does not own: what is in a file ([`crate::module_tree`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why the sources cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or folder is missing or unreadable.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system reported.
        source: io::Error,
    },
    /// A file is not valid Rust.
    #[error("{}: {source}", path.display())]
    NotRust {
        /// The file.
        path: PathBuf,
        /// Where and why parsing failed.
        source: syn::Error,
    },
    /// A module is declared, but has no file.
    #[error("{}: module `{module}` has no file", path.display())]
    MissingModule {
        /// The file that declares it.
        path: PathBuf,
        /// Its name.
        module: String,
    },
}

/// One crate of the workspace.
#[derive(Debug)]
pub struct CrateFolder {
    /// The name of its folder below `crates/`.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Crates of the workspace in its `[dependencies]`, by folder name.
    pub dependencies: Vec<String>,
}

/// Lists the crates below `root/crates`, by name.
///
/// # Errors
/// When a folder or a manifest cannot be read.
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

/// Reads a text file.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, SourceError> {
    fs::read_to_string(path).map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })
}

/// Lists what is in a folder, by name.
///
/// # Errors
/// When it cannot be read.
pub fn list_folder(path: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let unreadable = |source| SourceError::Unreadable { path: path.to_owned(), source };
    let mut entries = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    Ok(entries)
}

/// Lists all files with the extension `rs` below a folder, by name; a folder that does not exist has none.
///
/// # Errors
/// When a folder cannot be read.
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
/// When it cannot be read or is not Rust.
pub fn parse_rust_file(path: &Path) -> Result<syn::File, SourceError> {
    syn::parse_file(&read_text(path)?).map_err(|source| SourceError::NotRust { path: path.to_owned(), source })
}

fn read_dependencies(manifest: &Path) -> Result<Vec<String>, SourceError> {
    let mut in_dependencies = false;
    let mut dependencies = Vec::new();
    for line in read_text(manifest)?.lines() {
        if line.starts_with('[') {
            in_dependencies = line.trim() == "[dependencies]";
        } else if in_dependencies && let Some(rest) = line.strip_prefix("windrow-") {
            dependencies.extend(rest.split(['.', ' ', '=']).next().map(str::to_owned));
        }
    }
    Ok(dependencies)
}
