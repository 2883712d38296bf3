//! Words that no source, document, script or page may contain.
//!
//! Golden files, recorded input and generated lock files are skipped, because the project's authors did not write them.

use std::path::{Path, PathBuf};

use crate::workspace::{SourceError, list_folder, read_text_file};

/// The forbidden phrases: pronouns that stand for a type or a component, and phrases that readers may misunderstand.
pub const FORBIDDEN_PHRASES: [&str; 11] = [
    "somebody",
    "nobody",
    "whoever",
    "anybody",
    "everybody",
    "a kafka that is away",
    "a redis that is away",
    "kafka is away",
    "redis is away",
    "store is away",
    "broker is away",
];

const SEARCHED_EXTENSIONS: [&str; 15] =
    ["rs", "md", "toml", "sh", "py", "js", "mjs", "html", "css", "yml", "yaml", "json", "svg", "ipynb", "txt"];

/// The names of the folders that are not searched, because they contain no text by the project's authors.
const SKIPPED_FOLDERS: [&str; 12] = [
    "target",
    "node_modules",
    "fixtures",
    "snapshots",
    "conformance",
    "golden",
    "artifacts",
    "corpus",
    "coverage",
    "seeds",
    "source_rules",
    "__pycache__",
];

/// A forbidden phrase that was found in a file.
#[derive(Debug)]
pub struct ForbiddenPhraseMatch {
    /// The file that contains the phrase.
    pub path: PathBuf,
    /// The number of the line that contains the phrase.
    pub line: usize,
    /// The phrase, in lower case.
    pub phrase: &'static str,
}

/// Returns the forbidden phrases in all text files below a folder, with their positions.
///
/// # Errors
/// Fails when a folder or file cannot be read.
pub fn find_forbidden_phrases(folder: &Path) -> Result<Vec<ForbiddenPhraseMatch>, SourceError> {
    let mut found = Vec::new();
    for path in list_folder(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                found.extend(find_forbidden_phrases(&path)?);
            }
        } else if is_searched_file(&name) {
            search_file(&path, &mut found)?;
        }
    }
    Ok(found)
}

fn is_searched_file(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    (SEARCHED_EXTENSIONS.contains(&extension) || extension.is_empty()) && name != "package-lock.json"
}

fn search_file(path: &Path, found: &mut Vec<ForbiddenPhraseMatch>) -> Result<(), SourceError> {
    let text = read_text_file(path)?.to_lowercase();
    for (line, text) in (1..).zip(text.lines()) {
        let phrases = FORBIDDEN_PHRASES.iter().filter(|phrase| contains_phrase(text, phrase));
        found.extend(phrases.map(|phrase| ForbiddenPhraseMatch { path: path.to_owned(), line, phrase }));
    }
    Ok(())
}

/// Returns whether `text` contains `phrase` as whole words.
fn contains_phrase(text: &str, phrase: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(phrase).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let behind = text[start + phrase.len()..].chars().next();
        !before.is_some_and(is_word) && !behind.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::contains_phrase;

    #[test]
    fn phrases_are_whole_words() {
        assert!(contains_phrase("what nobody needs", "nobody"));
        assert!(contains_phrase("(nobody)", "nobody"));
        assert!(!contains_phrase("fn what_nobody_needs()", "nobody"));
        assert!(contains_phrase("and nobody, and nobody_x", "nobody"));
    }
}
