//! Compares the files of a crate with the tables of files in its front page and in the headers of its modules.
//!
//! A row of such a table begins with the path of a file, relative to `src`: `` | `redis/sink.rs` | … | ``. The front page
//! (`lib.rs` or `main.rs`) may name every file, the header of a module the files below the module. Files that are
//! compiled for tests only need no row.

use std::collections::BTreeSet;

use crate::module_tree::{ModuleTree, SourceFile};

/// Returns a text for each file that no table names, and for each row that names no file of the crate.
#[must_use]
pub fn describe_file_list_mistakes(tree: &ModuleTree) -> Vec<String> {
    let paths: BTreeSet<&str> = tree.files.iter().map(path_in_src).collect();
    let mut named = BTreeSet::new();
    let mut mistakes = Vec::new();
    for (index, file) in tree.files.iter().enumerate() {
        for listed in read_listed_paths(&file.syntax_tree.attrs) {
            let is_below = index == 0 || is_below_module(&listed, path_in_src(file));
            if paths.contains(listed.as_str()) && is_below {
                named.insert(listed);
            } else {
                mistakes.push(format!("{} names {listed}, which is not there", file.path));
            }
        }
    }
    let unnamed = tree.files.iter().skip(1).filter(|file| !named.contains(path_in_src(file)));
    mistakes.extend(unnamed.map(|file| format!("no table of files names {}", file.path)));
    mistakes
}

fn path_in_src(file: &SourceFile) -> &str {
    file.path.strip_prefix("src/").unwrap_or(&file.path)
}

/// Returns whether `path` is in the folder of the module in the file `module`: `redis/sink.rs` is below `redis.rs`.
fn is_below_module(path: &str, module: &str) -> bool {
    let folder = module.strip_suffix("/mod.rs").or_else(|| module.strip_suffix(".rs")).unwrap_or(module);
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the paths in the first cells of the tables in a header (`//!`).
fn read_listed_paths(attributes: &[syn::Attribute]) -> Vec<String> {
    let mut paths = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let syn::Meta::NameValue(pair) = &attribute.meta
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }) = &pair.value
            && let Some(row) = line.value().trim_start().strip_prefix('|')
        {
            let cell = row.split('|').next().unwrap_or_default();
            let code = cell.split('`').skip(1).step_by(2);
            paths.extend(code.filter(|text| text.ends_with(".rs")).map(str::to_owned));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::describe_file_list_mistakes;
    use crate::module_tree::{ModuleTree, SourceFile};

    fn source_file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), syntax_tree: syn::parse_file(text).expect("Rust") }
    }

    #[test]
    fn every_file_needs_a_row_and_every_row_a_file() {
        let files = vec![
            source_file(
                "src/lib.rs",
                "//! | file | content |\n//! |---|---|\n//! | `a.rs` | one |\n//! | `gone.rs` | |",
            ),
            source_file("src/a.rs", "//! | `a/b.rs` | listed by its module |\n//! | `c.rs` | not below a |"),
            source_file("src/a/b.rs", "//! Mentions `c.rs` in prose."),
            source_file("src/c.rs", ""),
        ];
        let mistakes = describe_file_list_mistakes(&ModuleTree { files, ..ModuleTree::default() });
        let expected = [
            "src/lib.rs names gone.rs, which is not there",
            "src/a.rs names c.rs, which is not there",
            "no table of files names src/c.rs",
        ];
        assert_eq!(mistakes, expected);
    }
}
