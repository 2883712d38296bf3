//! The modules of one crate: which file each is in, what it declares, what it imports, which paths its code names.
//!
//! Invariant: what is compiled for tests only (`#[cfg(test)]`) is left out, since tests may import anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::workspace::{CrateFolder, SourceError, parse_rust_file};

/// A crate's modules; the first is its root.
#[derive(Default)]
pub struct ModuleTree {
    /// The crate's source files, the root first.
    pub files: Vec<SourceFile>,
    /// Its modules, the root first.
    pub modules: Vec<Module>,
}

/// A file of a crate.
pub struct SourceFile {
    /// Where it is, from the crate's folder.
    pub path: String,
    /// What is in it, without what is compiled for tests only.
    pub syntax: syn::File,
}

/// A module, in a file of its own or inline.
#[derive(Debug, Default)]
pub struct Module {
    /// Index of its file in [`ModuleTree::files`].
    pub file: usize,
    /// Index of the module around it.
    pub parent: Option<usize>,
    /// Its submodules, by name.
    pub children: BTreeMap<String, usize>,
    /// Names of the items it declares.
    pub items: BTreeSet<String>,
    /// Its `use` lines, one entry per imported name.
    pub imports: Vec<Import>,
    /// Paths of at least two segments that its code names, also inside macros.
    pub code_paths: BTreeSet<Vec<String>>,
    /// Single names that its code mentions.
    pub mentioned_names: BTreeSet<String>,
}

/// One name that a `use` line brings into scope.
#[derive(Debug, Clone)]
pub struct Import {
    /// What is imported, segment by segment.
    pub path: Vec<String>,
    /// The name it gets here.
    pub name: ImportedName,
    /// Whether it is visible outside this module.
    pub is_reexport: bool,
    /// The line of the `use`.
    pub line: usize,
}

/// What a `use` line brings into scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedName {
    /// One name.
    Single(String),
    /// Everything (`*`).
    Glob,
}

impl ModuleTree {
    /// Reads all modules of a crate, from `src/lib.rs` or `src/main.rs` on.
    ///
    /// # Errors
    /// When a file is missing, unreadable or not Rust.
    pub fn read(folder: &CrateFolder) -> Result<Self, SourceError> {
        let source = folder.path.join("src");
        let root = ["lib.rs", "main.rs"].map(|name| source.join(name)).into_iter().find(|path| path.is_file());
        let root = root.unwrap_or_else(|| source.join("lib.rs"));
        let mut reader = TreeReader { folder: &folder.path, tree: Self::default() };
        reader.read_file(&root, &source, None)?;
        Ok(reader.tree)
    }
}

struct TreeReader<'a> {
    folder: &'a Path,
    tree: ModuleTree,
}

/// A module whose items are being read.
struct OpenModule<'a> {
    index: usize,
    file: &'a Path,
    /// The folder in which files of its submodules lie.
    submodule_folder: PathBuf,
}

impl TreeReader<'_> {
    fn read_file(&mut self, path: &Path, submodule_folder: &Path, parent: Option<usize>) -> Result<usize, SourceError> {
        let mut syntax = parse_rust_file(path)?;
        syntax.items.retain(|item| !is_test_only(item_attributes(item)));
        let items = syntax.items.clone();
        let name = path.strip_prefix(self.folder).unwrap_or(path).to_string_lossy().into_owned();
        self.tree.files.push(SourceFile { path: name, syntax });
        let index = self.add_module(self.tree.files.len() - 1, parent);
        let module = OpenModule { index, file: path, submodule_folder: submodule_folder.to_owned() };
        self.read_items(&items, &module)?;
        Ok(index)
    }

    fn add_module(&mut self, file: usize, parent: Option<usize>) -> usize {
        self.tree.modules.push(Module { file, parent, ..Module::default() });
        self.tree.modules.len() - 1
    }

    fn read_items(&mut self, items: &[syn::Item], module: &OpenModule<'_>) -> Result<(), SourceError> {
        for item in items.iter().filter(|item| !is_test_only(item_attributes(item))) {
            if let syn::Item::Mod(submodule) = item {
                let name = submodule.ident.to_string();
                let child = self.read_submodule(submodule, &name, module)?;
                self.tree.modules[module.index].children.insert(name, child);
                continue;
            }
            let current = &mut self.tree.modules[module.index];
            current.items.extend(item_name(item));
            ModuleContent { module: current }.visit_item(item);
        }
        Ok(())
    }

    fn read_submodule(
        &mut self,
        submodule: &syn::ItemMod,
        name: &str,
        around: &OpenModule<'_>,
    ) -> Result<usize, SourceError> {
        let folder = around.submodule_folder.join(name);
        if let Some((_, items)) = &submodule.content {
            let index = self.add_module(self.tree.modules[around.index].file, Some(around.index));
            self.read_items(items, &OpenModule { index, file: around.file, submodule_folder: folder })?;
            return Ok(index);
        }
        let beside = around.submodule_folder.join(format!("{name}.rs"));
        let inside = folder.join("mod.rs");
        let Some(path) = [beside, inside].into_iter().find(|path| path.is_file()) else {
            return Err(SourceError::MissingModule { path: around.file.to_owned(), module: name.to_owned() });
        };
        self.read_file(&path, &folder, Some(around.index))
    }
}

/// Collects the imports and paths of one module's items.
struct ModuleContent<'a> {
    module: &'a mut Module,
}

impl<'ast> Visit<'ast> for ModuleContent<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let template = Import {
            path: Vec::new(),
            name: ImportedName::Glob,
            is_reexport: !matches!(item.vis, syn::Visibility::Inherited),
            line: item.use_token.span.start().line,
        };
        add_imports(&item.tree, &template, &mut self.module.imports);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(first) = segments.first() {
            self.module.mentioned_names.insert(first.clone());
        }
        if segments.len() > 1 {
            self.module.code_paths.insert(segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        add_token_paths(invocation.tokens.clone(), self.module);
    }
}

fn add_imports(tree: &syn::UseTree, before: &Import, imports: &mut Vec<Import>) {
    let then = |ident: &syn::Ident| {
        let mut import = before.clone();
        import.path.push(ident.to_string());
        import
    };
    match tree {
        syn::UseTree::Path(path) => add_imports(&path.tree, &then(&path.ident), imports),
        syn::UseTree::Name(name) if name.ident == "self" => {
            let alias = before.path.last().cloned().unwrap_or_default();
            imports.push(Import { name: ImportedName::Single(alias), ..before.clone() });
        }
        syn::UseTree::Name(name) => {
            imports.push(Import { name: ImportedName::Single(name.ident.to_string()), ..then(&name.ident) });
        }
        syn::UseTree::Rename(rename) => {
            let import = if rename.ident == "self" { before.clone() } else { then(&rename.ident) };
            imports.push(Import { name: ImportedName::Single(rename.rename.to_string()), ..import });
        }
        syn::UseTree::Glob(_) => imports.push(Import { name: ImportedName::Glob, ..before.clone() }),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| add_imports(tree, before, imports)),
    }
}

/// Finds paths in the tokens of a macro, which are no syntax tree.
fn add_token_paths(tokens: TokenStream, module: &mut Module) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    let mut end = |path: &mut Vec<String>| {
        if let Some(first) = path.first() {
            module.mentioned_names.insert(first.clone());
        }
        if path.len() > 1 {
            module.code_paths.insert(path.clone());
        }
        path.clear();
    };
    let mut groups = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    end(&mut path);
                }
                path.push(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                groups.push(group.stream());
                end(&mut path);
                colons = 0;
            }
            _ => {
                end(&mut path);
                colons = 0;
            }
        }
    }
    end(&mut path);
    groups.into_iter().for_each(|group| add_token_paths(group, module));
}

/// Whether an item is compiled for tests only.
#[must_use]
pub fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

/// The attributes of an item.
#[must_use]
pub fn item_attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn item_name(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
