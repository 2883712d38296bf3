//! Which file of a crate imports which: every `use` line and path followed to the file where the item is defined.
//!
//! A re-export (`pub use`) is no import unless the file itself uses the name; `mod x;` is none either. A file's own
//! submodules are parts of it, so that it may use them although they use it ([`SubmoduleUse`]).

use std::collections::BTreeMap;

use crate::module_tree::{Import, ImportedName, Module, ModuleTree};

/// A file that imports another of its crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileImport {
    /// Index of the file that imports.
    pub from: usize,
    /// Index of the file where the item is defined.
    pub to: usize,
}

/// Whether a file that uses its own submodules counts as one that imports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubmoduleUse {
    /// A submodule is a part of the file that declares it.
    Ignored,
    /// It is a file like any other.
    Counted,
}

/// All imports between the files of a crate, each with the first path that makes it.
#[must_use]
pub fn find_file_imports(tree: &ModuleTree, submodule_use: SubmoduleUse) -> BTreeMap<FileImport, String> {
    let mut found = BTreeMap::new();
    let mut add = |module: &Module, target: usize, path: &str| {
        let is_import = submodule_use == SubmoduleUse::Counted || !is_submodule_file(tree, module.file, target);
        if module.file != target && is_import {
            found.entry(FileImport { from: module.file, to: target }).or_insert_with(|| path.to_owned());
        }
    };
    for (index, module) in tree.modules.iter().enumerate() {
        for import in module.imports.iter().filter(|import| is_used(import, module)) {
            for (path, target) in import_targets(tree, index, import) {
                add(module, target, &format!("line {}: {path}", import.line));
            }
        }
        for path in module.code_paths.iter().filter(|path| is_anchored(path, module)) {
            if let Some(PathTarget::Item { file } | PathTarget::Module { file, .. }) = resolve(tree, index, path, 0) {
                add(module, file, &path.join("::"));
            }
        }
    }
    found
}

/// Whether `file` holds a submodule of a module in `ancestor`.
fn is_submodule_file(tree: &ModuleTree, ancestor: usize, file: usize) -> bool {
    let first_module = tree.modules.iter().find(|module| module.file == file);
    let mut parent = first_module.and_then(|module| module.parent);
    while let Some(index) = parent {
        if tree.modules[index].file == ancestor {
            return true;
        }
        parent = tree.modules[index].parent;
    }
    false
}

/// Where a path leads.
#[derive(Debug, Clone, Copy)]
enum PathTarget {
    Item { file: usize },
    Module { index: usize, file: usize },
}

fn is_used(import: &Import, module: &Module) -> bool {
    match &import.name {
        ImportedName::Single(name) => !import.is_reexport || module.mentioned_names.contains(name),
        ImportedName::Glob => !import.is_reexport,
    }
}

/// Whether a path in code names a module by itself, without a `use` line.
fn is_anchored(path: &[String], module: &Module) -> bool {
    let first = path[0].as_str();
    matches!(first, "crate" | "super" | "self") || module.children.contains_key(first)
}

/// The files that an import depends on. Where it names a module, those are the files of the items that are used through it.
fn import_targets(tree: &ModuleTree, from: usize, import: &Import) -> Vec<(String, usize)> {
    let text = import.path.join("::");
    match (resolve(tree, from, &import.path, 0), &import.name) {
        (None, _) => Vec::new(),
        (Some(PathTarget::Item { file }), _) | (Some(PathTarget::Module { file, .. }), ImportedName::Glob) => {
            vec![(text, file)]
        }
        (Some(PathTarget::Module { index, file }), ImportedName::Single(name)) => {
            let paths = tree.modules[from].code_paths.iter().filter(|path| path[0] == *name);
            let targets: Vec<_> = paths
                .filter_map(|path| match resolve(tree, index, &path[1..], 0)? {
                    PathTarget::Item { file } | PathTarget::Module { file, .. } => Some((path.join("::"), file)),
                })
                .collect();
            if targets.is_empty() { vec![(text, file)] } else { targets }
        }
    }
}

/// More re-exports of re-exports than any crate has: a circle among them.
const MAX_DEPTH: usize = 16;

fn resolve(tree: &ModuleTree, from: usize, path: &[String], depth: usize) -> Option<PathTarget> {
    let mut module = from;
    let mut rest = path;
    let mut is_start = true;
    while let Some((first, behind)) = rest.split_first() {
        let current = &tree.modules[module];
        let next = match first.as_str() {
            "crate" if is_start => Some(0),
            "self" if is_start => Some(module),
            "super" => current.parent,
            name => current.children.get(name).copied(),
        };
        is_start &= first == "super";
        match next {
            Some(next) => module = next,
            None if current.items.contains(first) => return Some(PathTarget::Item { file: current.file }),
            None if depth < MAX_DEPTH => return resolve_imported(tree, module, first, behind, depth),
            None => return None,
        }
        rest = behind;
    }
    Some(PathTarget::Module { index: module, file: tree.modules[module].file })
}

/// Follows a name that `module` itself imports.
fn resolve_imported(
    tree: &ModuleTree,
    module: usize,
    name: &str,
    behind: &[String],
    depth: usize,
) -> Option<PathTarget> {
    let imports = &tree.modules[module].imports;
    let named = imports.iter().filter(|import| matches!(&import.name, ImportedName::Single(single) if single == name));
    let path_of_named = |import: &Import| [import.path.as_slice(), behind].concat();
    let globs = imports.iter().filter(|import| import.name == ImportedName::Glob);
    let path_through_glob = |import: &Import| [import.path.as_slice(), &[name.to_owned()], behind].concat();
    named
        .map(path_of_named)
        .chain(globs.map(path_through_glob))
        // `use name::name` of another crate would lead back to itself.
        .filter(|path| {
            path.first().is_some_and(|first| first != name || tree.modules[module].children.contains_key(first))
        })
        .find_map(|path| resolve(tree, module, &path, depth + 1))
}
