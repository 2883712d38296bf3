//! Finds the paths in a document that lead nowhere, and the constants that are not in the file of their table row.
//!
//! A path in a document stands in backticks. It begins at the root of the repository, or with the name of a crate; then
//! the folders `crates` and `src` are omitted: `core/view.rs` is `crates/core/src/view.rs`.

use std::path::{Path, PathBuf};

use crate::workspace::{CrateFolder, SourceError, read_text_file};

/// The folders that scripts and the compiler make. What they hold depends on the machine.
const GENERATED_FOLDERS: [&str; 2] = [".windrow", "target"];

/// The parts of a repository that documents refer to.
pub struct ReferencedFiles<'a> {
    /// The root of the repository.
    pub root: &'a Path,
    /// The crates of the workspace.
    pub crates: &'a [CrateFolder],
}

impl ReferencedFiles<'_> {
    /// Returns a text for each path in the document `text` that names no file or folder.
    #[must_use]
    pub fn describe_missing_paths(&self, text: &str) -> Vec<String> {
        let mut missing = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let paths = code_spans(line).filter(|code| self.is_path(code));
            let paths = paths.filter(|path| self.find_path(path).is_none());
            missing.extend(paths.map(|path| format!("line {number}: {path}")));
        }
        missing
    }

    /// Returns a text for each constant in a table row that no file of the row contains. Skips rows without a file.
    ///
    /// # Errors
    /// Fails when a file cannot be read.
    pub fn describe_missing_constants(&self, text: &str) -> Result<Vec<String>, SourceError> {
        let mut missing = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| line.starts_with('|')) {
            let mut sources = String::new();
            for path in code_spans(line).filter_map(|code| self.find_path(code)).filter(|path| path.is_file()) {
                sources.push_str(&read_text_file(&path)?);
            }
            if sources.is_empty() {
                continue;
            }
            let constants = code_spans(line).filter(|code| is_constant(code) && !sources.contains(code));
            missing.extend(constants.map(|constant| format!("line {number}: {constant}")));
        }
        Ok(missing)
    }

    /// Returns whether `code` begins with a folder of the repository or with the name of a crate, and has no wildcard.
    /// A path within a generated folder is not checked.
    fn is_path(&self, code: &str) -> bool {
        let Some((first, _)) = code.split_once('/') else { return false };
        let is_crate = self.crates.iter().any(|folder| folder.name == first);
        let has_other_characters = code.contains(|c: char| !c.is_alphanumeric() && !"/._-".contains(c));
        let is_checked = !first.is_empty() && !GENERATED_FOLDERS.contains(&first);
        !has_other_characters && is_checked && (is_crate || self.root.join(first).is_dir())
    }

    fn find_path(&self, code: &str) -> Option<PathBuf> {
        let (first, rest) = code.split_once('/')?;
        let in_crates = self.root.join("crates").join(first);
        let places = [in_crates.join("src").join(rest), in_crates.join(rest), self.root.join(code)];
        places.into_iter().find(|place| place.exists())
    }
}

/// Returns the texts in backticks of a line.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_constant(code: &str) -> bool {
    code.contains('_') && code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}
