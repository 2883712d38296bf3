//! Reads the modules of one crate. Each module has a file, declarations, imports, and the paths in its code.
//!
//! Invariant: code that is compiled for tests only (`#[cfg(test)]`) is left out, because tests may import anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use crate::workspace::{CrateFolder, SourceError, parse_rust_file};

/// The source files and modules of a crate.
#[derive(Default)]
pub struct ModuleTree {
    /// The source files of the crate. The file of the root module is first.
    pub files: Vec<SourceFile>,
    /// The modules of the crate. The root module is first.
    pub modules: Vec<CrateModule>,
}

/// A source file of a crate.
pub struct SourceFile {
    /// The path of the file, relative to the folder of the crate.
    pub path: String,
    /// The syntax tree of the file, without code that is compiled for tests only.
    pub syntax_tree: syn::File,
}

/// A module of a crate. A module is either a file of its own, or inline in the file of another module.
#[derive(Debug, Default)]
pub struct CrateModule {
    /// The index of the module's file in [`ModuleTree::files`].
    pub file_index: usize,
    /// The index of the parent module in [`ModuleTree::modules`]; `None` for the root.
    pub parent_index: Option<usize>,
    /// The index of each submodule in [`ModuleTree::modules`], by the name of the submodule.
    pub children_by_name: BTreeMap<String, usize>,
    /// The names of the items that the module declares.
    pub item_names: BTreeSet<String>,
    /// The imports of the module, with one entry for each name in a `use` line.
    pub imports: Vec<NameImport>,
    /// The paths of at least two segments in the module's code and in its macro calls.
    pub qualified_paths: BTreeSet<Vec<String>>,
    /// The first segments of all paths in the module's code and in its macro calls.
    pub mentioned_names: BTreeSet<String>,
}

/// An import from a `use` line: one name, or all names of a module.
#[derive(Debug, Clone)]
pub struct NameImport {
    /// The segments of the path that leads to the imported item. For a glob (`module::*`), the segments of the path
    /// that leads to the module.
    pub path_segments: Vec<String>,
    /// The name that the importing module uses for the item.
    pub name: ImportedName,
    /// Whether the import is visible outside the importing module (`pub use`).
    pub is_reexport: bool,
    /// The number of the line with the `use`.
    pub line: usize,
}

/// What an import brings into scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedName {
    /// One name.
    Single(String),
    /// All public names of the module (`*`).
    Glob,
}

impl ModuleTree {
    /// Reads all modules of a crate, starting from `src/lib.rs` or `src/main.rs`.
    ///
    /// # Errors
    /// Fails when a file is missing, unreadable or not Rust.
    pub fn read(folder: &CrateFolder) -> Result<Self, SourceError> {
        let source = folder.path.join("src");
        let root = ["lib.rs", "main.rs"].map(|name| source.join(name)).into_iter().find(|path| path.is_file());
        let root = root.unwrap_or_else(|| source.join("lib.rs"));
        let mut reader = ModuleTreeReader { folder: &folder.path, tree: Self::default() };
        reader.read_file(&root, &source, None)?;
        Ok(reader.tree)
    }
}

struct ModuleTreeReader<'a> {
    folder: &'a Path,
    tree: ModuleTree,
}

/// A module whose items are being read.
struct ModuleBeingRead<'a> {
    index: usize,
    file: &'a Path,
    /// The folder that holds the files of the module's submodules.
    submodule_folder: PathBuf,
}

impl ModuleTreeReader<'_> {
    fn read_file(&mut self, path: &Path, submodule_folder: &Path, parent: Option<usize>) -> Result<usize, SourceError> {
        let mut syntax = parse_rust_file(path)?;
        syntax.items.retain(|item| !is_test_only(item_attributes(item)));
        let items = syntax.items.clone();
        let name = path.strip_prefix(self.folder).unwrap_or(path).to_string_lossy().into_owned();
        self.tree.files.push(SourceFile { path: name, syntax_tree: syntax });
        let index = self.add_module(self.tree.files.len() - 1, parent);
        let module = ModuleBeingRead { index, file: path, submodule_folder: submodule_folder.to_owned() };
        self.read_items(&items, &module)?;
        Ok(index)
    }

    fn add_module(&mut self, file: usize, parent: Option<usize>) -> usize {
        self.tree.modules.push(CrateModule { file_index: file, parent_index: parent, ..CrateModule::default() });
        self.tree.modules.len() - 1
    }

    fn read_items(&mut self, items: &[syn::Item], module: &ModuleBeingRead<'_>) -> Result<(), SourceError> {
        for item in items.iter().filter(|item| !is_test_only(item_attributes(item))) {
            if let syn::Item::Mod(submodule) = item {
                let name = submodule.ident.to_string();
                let child = self.read_submodule(submodule, &name, module)?;
                self.tree.modules[module.index].children_by_name.insert(name, child);
                continue;
            }
            let current = &mut self.tree.modules[module.index];
            current.item_names.extend(item_name(item));
            ModulePathCollector { module: current }.visit_item(item);
        }
        Ok(())
    }

    fn read_submodule(
        &mut self,
        submodule: &syn::ItemMod,
        name: &str,
        around: &ModuleBeingRead<'_>,
    ) -> Result<usize, SourceError> {
        let folder = around.submodule_folder.join(name);
        if let Some((_, items)) = &submodule.content {
            let index = self.add_module(self.tree.modules[around.index].file_index, Some(around.index));
            self.read_items(items, &ModuleBeingRead { index, file: around.file, submodule_folder: folder })?;
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

/// Collects the imports and paths in the items of one module.
struct ModulePathCollector<'a> {
    module: &'a mut CrateModule,
}

impl<'ast> Visit<'ast> for ModulePathCollector<'_> {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let template = NameImport {
            path_segments: Vec::new(),
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
            self.module.qualified_paths.insert(segments);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.visit_path(&invocation.path);
        collect_paths_in_macro(invocation.tokens.clone(), self.module);
    }
}

fn add_imports(tree: &syn::UseTree, before: &NameImport, imports: &mut Vec<NameImport>) {
    let then = |ident: &syn::Ident| {
        let mut import = before.clone();
        import.path_segments.push(ident.to_string());
        import
    };
    match tree {
        syn::UseTree::Path(path) => add_imports(&path.tree, &then(&path.ident), imports),
        syn::UseTree::Name(name) if name.ident == "self" => {
            let alias = before.path_segments.last().cloned().unwrap_or_default();
            imports.push(NameImport { name: ImportedName::Single(alias), ..before.clone() });
        }
        syn::UseTree::Name(name) => {
            imports.push(NameImport { name: ImportedName::Single(name.ident.to_string()), ..then(&name.ident) });
        }
        syn::UseTree::Rename(rename) => {
            let import = if rename.ident == "self" { before.clone() } else { then(&rename.ident) };
            imports.push(NameImport { name: ImportedName::Single(rename.rename.to_string()), ..import });
        }
        syn::UseTree::Glob(_) => imports.push(NameImport { name: ImportedName::Glob, ..before.clone() }),
        syn::UseTree::Group(group) => group.items.iter().for_each(|tree| add_imports(tree, before, imports)),
    }
}

/// Collects the paths in the tokens of a macro call, because `syn` does not parse these tokens.
fn collect_paths_in_macro(tokens: TokenStream, module: &mut CrateModule) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    let mut end = |path: &mut Vec<String>| {
        if let Some(first) = path.first() {
            module.mentioned_names.insert(first.clone());
        }
        if path.len() > 1 {
            module.qualified_paths.insert(path.clone());
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
    groups.into_iter().for_each(|group| collect_paths_in_macro(group, module));
}

/// Returns whether an item with these attributes is compiled for tests only.
#[must_use]
pub fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

/// Returns the attributes of an item. Returns no attributes for the rare kinds of items that this function does not
/// list.
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
