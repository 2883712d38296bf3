//! The imports between the files of a crate. Every `use` line and path is followed to the file that defines the item.
//!
//! A re-export (`pub use`) counts as an import only if the file itself uses the name. A `mod x;` does not count. The
//! submodules of a file are parts of it. So a file may use its submodules although they use the file
//! ([`SubmoduleUse`]).

use std::collections::BTreeMap;

use crate::module_tree::{CrateModule, ImportedName, ModuleTree, NameImport};

/// An import of one file of a crate by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileImport {
    /// The index of the importing file.
    pub importing_file: usize,
    /// The index of the file that defines the item.
    pub imported_file: usize,
}

/// The treatment of files that use their own submodules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmoduleUse {
    /// A submodule is a part of the file that declares it, so its use is no import.
    Ignored,
    /// A submodule is a file like any other, so its use is an import.
    Counted,
}

/// Returns all imports between the files of a crate, each with the first path that causes it.
#[must_use]
pub fn find_file_imports(tree: &ModuleTree, submodule_use: SubmoduleUse) -> BTreeMap<FileImport, String> {
    let mut found = BTreeMap::new();
    let mut add = |module: &CrateModule, target: usize, path: &str| {
        let is_import = submodule_use == SubmoduleUse::Counted || !is_submodule_file(tree, module.file_index, target);
        if module.file_index != target && is_import {
            found
                .entry(FileImport { importing_file: module.file_index, imported_file: target })
                .or_insert_with(|| path.to_owned());
        }
    };
    for (index, module) in tree.modules.iter().enumerate() {
        for import in module.imports.iter().filter(|import| is_import_used(import, module)) {
            for (path, target) in find_import_targets(tree, index, import) {
                add(module, target, &format!("line {}: {path}", import.line));
            }
        }
        for path in module.code_paths.iter().filter(|path| starts_at_module(path, module)) {
            if let Some(PathTarget::Item { file } | PathTarget::Module { file, .. }) =
                resolve_path(tree, index, path, 0)
            {
                add(module, file, &path.join("::"));
            }
        }
    }
    found
}

/// Returns whether `file` holds a submodule of a module in `ancestor`.
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

/// The item or module that a path leads to.
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

/// Returns whether a path in code names a module directly, without a `use` line.
fn starts_at_module(path: &[String], module: &CrateModule) -> bool {
    let first = path[0].as_str();
    matches!(first, "crate" | "super" | "self") || module.children_by_name.contains_key(first)
}

/// Returns the files that an import depends on. For an import of a module, these are the files of the items that are
/// used through it.
fn find_import_targets(tree: &ModuleTree, from: usize, import: &NameImport) -> Vec<(String, usize)> {
    let text = import.path.join("::");
    match (resolve_path(tree, from, &import.path, 0), &import.name) {
        (None, _) => Vec::new(),
        (Some(PathTarget::Item { file }), _) | (Some(PathTarget::Module { file, .. }), ImportedName::Glob) => {
            vec![(text, file)]
        }
        (Some(PathTarget::Module { index, file }), ImportedName::Single(name)) => {
            let paths = tree.modules[from].code_paths.iter().filter(|path| path[0] == *name);
            let targets: Vec<_> = paths
                .filter_map(|path| match resolve_path(tree, index, &path[1..], 0)? {
                    PathTarget::Item { file } | PathTarget::Module { file, .. } => Some((path.join("::"), file)),
                })
                .collect();
            if targets.is_empty() { vec![(text, file)] } else { targets }
        }
    }
}

/// The largest number of re-exports that are followed. No crate has more, except in a circle of re-exports.
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

/// Resolves a path whose first name `module` imports.
fn resolve_imported_name(
    tree: &ModuleTree,
    module: usize,
    name: &str,
    behind: &[String],
    depth: usize,
) -> Option<PathTarget> {
    let imports = &tree.modules[module].imports;
    let named = imports.iter().filter(|import| matches!(&import.name, ImportedName::Single(single) if single == name));
    let path_of_named = |import: &NameImport| [import.path.as_slice(), behind].concat();
    let globs = imports.iter().filter(|import| import.name == ImportedName::Glob);
    let path_through_glob = |import: &NameImport| [import.path.as_slice(), &[name.to_owned()], behind].concat();
    named
        .map(path_of_named)
        .chain(globs.map(path_through_glob))
        // A path `use name::name` of another crate leads back to itself, so it is skipped.
        .filter(|path| {
            path.first().is_some_and(|first| first != name || tree.modules[module].children_by_name.contains_key(first))
        })
        .find_map(|path| resolve_path(tree, module, &path, depth + 1))
}
