//! Finds the imports between the files of a crate. Follows every `use` line and path to the file that defines the named
//! item.
//!
//! A re-export (`pub use`) counts as an import only if the file also uses the re-exported name. A `mod x;` line does
//! not count as an import. Imports of a file from its own submodules count only if the caller asks for them
//! ([`SubmoduleImports`]).

use std::collections::BTreeMap;

use crate::module_tree::{CrateModule, ImportedName, ModuleTree, NameImport};

/// An import: one file of a crate uses an item that another file of the crate defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileImport {
    /// The index of the importing file.
    pub importing_file_index: usize,
    /// The index of the file that defines the imported item.
    pub imported_file_index: usize,
}

/// Whether an import counts if a file imports an item from a file of its own submodules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmoduleImports {
    /// The import does not count, because a submodule is a part of the module that declares it.
    Ignored,
    /// The import counts like an import from any other file.
    Counted,
}

/// Returns all imports between the files of a crate. The value of each map entry is a text for error messages. The text
/// is a path in the code that causes the import.
#[must_use]
pub fn find_file_imports(tree: &ModuleTree, submodule_imports: SubmoduleImports) -> BTreeMap<FileImport, String> {
    let mut found = BTreeMap::new();
    let mut add = |module: &CrateModule, target: usize, path: &str| {
        let is_import =
            submodule_imports == SubmoduleImports::Counted || !is_submodule_file(tree, module.file_index, target);
        if module.file_index != target && is_import {
            found
                .entry(FileImport { importing_file_index: module.file_index, imported_file_index: target })
                .or_insert_with(|| path.to_owned());
        }
    };
    for (index, module) in tree.modules.iter().enumerate() {
        for import in module.imports.iter().filter(|import| is_import_used(import, module)) {
            for (path, target) in find_imported_files(tree, index, import) {
                add(module, target, &format!("line {}: {path}", import.line));
            }
        }
        for path in module.qualified_paths.iter().filter(|path| starts_with_module_name(path, module)) {
            if let Some(PathTarget::Item { file } | PathTarget::Module { file, .. }) =
                resolve_path(tree, index, path, 0)
            {
                add(module, file, &path.join("::"));
            }
        }
    }
    found
}

/// Returns whether `file` contains a submodule, at any depth, of a module in the file `ancestor`.
fn is_submodule_file(tree: &ModuleTree, ancestor: usize, file: usize) -> bool {
    let first_module = tree.modules.iter().find(|module| module.file_index == file);
    let mut parent = first_module.and_then(|module| module.parent_index);
    while let Some(index) = parent {
        if tree.modules[index].file_index == ancestor {
            return true;
        }
        parent = tree.modules[index].parent_index;
    }
    false
}

/// The item or module that a Rust path names, with the index of the file that defines the item or module.
#[derive(Debug, Clone, Copy)]
enum PathTarget {
    Item { file: usize },
    Module { index: usize, file: usize },
}

fn is_import_used(import: &NameImport, module: &CrateModule) -> bool {
    match &import.name {
        ImportedName::Single(name) => !import.is_reexport || module.mentioned_names.contains(name),
        ImportedName::Glob => !import.is_reexport,
    }
}

/// Returns whether `path`, a path in the code of `module`, begins with a name that needs no `use` line. Such a name is
/// `crate`, `super`, `self` or the name of a submodule.
fn starts_with_module_name(path: &[String], module: &CrateModule) -> bool {
    let first = path[0].as_str();
    matches!(first, "crate" | "super" | "self") || module.children_by_name.contains_key(first)
}

/// Returns the index of each file on which the `use` line `import` depends, together with the path in the code that
/// leads to this file. If the `use` line imports a module, the files are those of the items that the code uses through
/// this module.
fn find_imported_files(tree: &ModuleTree, from: usize, import: &NameImport) -> Vec<(String, usize)> {
    let text = import.path_segments.join("::");
    match (resolve_path(tree, from, &import.path_segments, 0), &import.name) {
        (None, _) => Vec::new(),
        (Some(PathTarget::Item { file }), _) | (Some(PathTarget::Module { file, .. }), ImportedName::Glob) => {
            vec![(text, file)]
        }
        (Some(PathTarget::Module { index, file }), ImportedName::Single(name)) => {
            let paths = tree.modules[from].qualified_paths.iter().filter(|path| path[0] == *name);
            let targets: Vec<_> = paths
                .filter_map(|path| match resolve_path(tree, index, &path[1..], 0)? {
                    PathTarget::Item { file } | PathTarget::Module { file, .. } => Some((path.join("::"), file)),
                })
                .collect();
            if targets.is_empty() { vec![(text, file)] } else { targets }
        }
    }
}

/// The largest number of re-exports that are followed to resolve one path. Without this limit, the search would never
/// end in a circle of re-exports.
const MAX_REEXPORT_DEPTH: usize = 16;

fn resolve_path(tree: &ModuleTree, from: usize, path: &[String], depth: usize) -> Option<PathTarget> {
    let mut module = from;
    let mut rest = path;
    let mut is_start = true;
    while let Some((first, behind)) = rest.split_first() {
        let current = &tree.modules[module];
        let next = match first.as_str() {
            "crate" if is_start => Some(0),
            "self" if is_start => Some(module),
            "super" => current.parent_index,
            name => current.children_by_name.get(name).copied(),
        };
        is_start &= first == "super";
        match next {
            Some(next) => module = next,
            None if current.item_names.contains(first) => return Some(PathTarget::Item { file: current.file_index }),
            None if depth < MAX_REEXPORT_DEPTH => return resolve_imported_name(tree, module, first, behind, depth),
            None => return None,
        }
        rest = behind;
    }
    Some(PathTarget::Module { index: module, file: tree.modules[module].file_index })
}

/// Resolves the path that consists of `name` and the segments `behind`, if a `use` line of `module` imports `name`.
fn resolve_imported_name(
    tree: &ModuleTree,
    module: usize,
    name: &str,
    behind: &[String],
    depth: usize,
) -> Option<PathTarget> {
    let imports = &tree.modules[module].imports;
    let named = imports.iter().filter(|import| matches!(&import.name, ImportedName::Single(single) if single == name));
    let path_of_named = |import: &NameImport| [import.path_segments.as_slice(), behind].concat();
    let globs = imports.iter().filter(|import| import.name == ImportedName::Glob);
    let path_through_glob =
        |import: &NameImport| [import.path_segments.as_slice(), &[name.to_owned()], behind].concat();
    named
        .map(path_of_named)
        .chain(globs.map(path_through_glob))
        // In a line such as `use name::name`, the first `name` is another crate. The line is skipped, because a search
        // for this first `name` would find the same line again and again.
        .filter(|path| {
            path.first().is_some_and(|first| first != name || tree.modules[module].children_by_name.contains_key(first))
        })
        .find_map(|path| resolve_path(tree, module, &path, depth + 1))
}
