//! Counts the names and signatures that break a rule, over all crates of the workspace.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::declarations::{FileDeclarations, FunctionDeclaration, FunctionVisibility, TypeDeclaration};
use crate::import_circles::describe_import_circles;
use crate::imports::SubmoduleImports;
use crate::module_tree::ModuleTree;
use crate::workspace::{SourceError, list_crates};

/// Function names that are forbidden, because they do not describe an action and cannot be searched for.
pub const VAGUE_FUNCTION_NAMES: [&str; 6] = ["of", "said", "shown", "told", "say", "tell"];

/// The largest allowed number of parameters of a function, not counting `self`.
pub const MAX_PARAMETERS: usize = 6;

/// The names that the prelude of `std` brings into every scope.
pub const PRELUDE_NAMES: [&str; 38] = [
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Debug",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Future",
    "Hash",
    "Into",
    "IntoFuture",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Send",
    "Some",
    "String",
    "ToOwned",
    "ToString",
    "TryFrom",
    "Vec",
];

/// A declaration, with the path of the file that contains the declaration.
#[derive(Debug, Clone)]
pub struct LocatedDeclaration<T> {
    /// The path of the file, relative to the workspace's root.
    pub path: String,
    /// The declaration. For a nested `Result` or `Option`, this field holds only the number of the line that contains
    /// it.
    pub declaration: T,
}

/// The declarations of all crates of the workspace, and the files that import each other.
#[derive(Debug, Default)]
pub struct WorkspaceSummary {
    /// The types, traits and type aliases of all crates.
    pub types: Vec<LocatedDeclaration<TypeDeclaration>>,
    /// The functions and methods of all crates.
    pub functions: Vec<LocatedDeclaration<FunctionDeclaration>>,
    /// The numbers of the lines with a `Result` of a `Result` or an `Option` of an `Option`.
    pub nested_results_and_options: Vec<LocatedDeclaration<usize>>,
    /// The new names that `use … as …` lines give to imported items.
    pub renamed_imports: Vec<LocatedDeclaration<TypeDeclaration>>,
    /// A description of each group of files that import each other. Imports of a file from its own submodules are
    /// ignored.
    pub import_circle_descriptions: Vec<String>,
    /// A description of each group of files that import each other. Imports of a file from its own submodules count.
    pub import_circle_descriptions_with_submodules: Vec<String>,
}

impl WorkspaceSummary {
    /// Reads the sources of all crates of the workspace at `root`.
    ///
    /// # Errors
    /// Fails when a file cannot be read or is not Rust.
    pub fn read(root: &Path) -> Result<Self, SourceError> {
        let mut summary = Self::default();
        for folder in list_crates(root)? {
            let tree = ModuleTree::read(&folder)?;
            for file in &tree.files {
                let path = format!("crates/{}/{}", folder.name, file.path);
                summary.add_file(&path, FileDeclarations::read(&file.syntax_tree));
            }
            for (submodule_imports, circles) in [
                (SubmoduleImports::Ignored, &mut summary.import_circle_descriptions),
                (SubmoduleImports::Counted, &mut summary.import_circle_descriptions_with_submodules),
            ] {
                let found = describe_import_circles(&tree, submodule_imports).into_iter();
                circles.extend(found.map(|circle| format!("crates/{}: {circle}", folder.name)));
            }
        }
        Ok(summary)
    }

    fn add_file(&mut self, path: &str, declarations: FileDeclarations) {
        fn attach_path<T>(path: &str, all: Vec<T>) -> impl Iterator<Item = LocatedDeclaration<T>> {
            all.into_iter().map(move |declared| LocatedDeclaration { path: path.to_owned(), declaration: declared })
        }
        self.types.extend(attach_path(path, declarations.types));
        self.functions.extend(attach_path(path, declarations.functions));
        self.nested_results_and_options.extend(attach_path(path, declarations.nested_result_or_option_line_numbers));
        self.renamed_imports.extend(attach_path(path, declarations.renamed_imports));
    }

    /// Returns the types whose name is one word.
    pub fn one_word_types(&self) -> impl Iterator<Item = &LocatedDeclaration<TypeDeclaration>> {
        self.types.iter().filter(|located| is_one_word(&located.declaration.name))
    }

    /// Returns the percentage of types whose name is one word.
    #[must_use]
    pub fn one_word_type_percent(&self) -> usize {
        self.one_word_types().count() * 100 / self.types.len().max(1)
    }

    /// Returns the functions whose name is one of [`VAGUE_FUNCTION_NAMES`].
    pub fn functions_with_vague_name(&self) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions.iter().filter(|located| VAGUE_FUNCTION_NAMES.contains(&located.declaration.name.as_str()))
    }

    /// Returns the functions with more than [`MAX_PARAMETERS`] parameters.
    pub fn functions_with_many_parameters(&self) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions.iter().filter(|located| located.declaration.parameter_count > MAX_PARAMETERS)
    }

    /// Returns the functions with the given visibility that have a parameter of type `bool`.
    pub fn functions_with_bool_parameter(
        &self,
        visibility: FunctionVisibility,
    ) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions_with_visibility(visibility)
            .filter(|located| !located.declaration.bool_parameter_names.is_empty())
    }

    /// Returns the functions with the given visibility that take or return a tuple.
    pub fn functions_with_tuple(
        &self,
        visibility: FunctionVisibility,
    ) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions_with_visibility(visibility).filter(|located| {
            located.declaration.returns_tuple || !located.declaration.tuple_parameter_names.is_empty()
        })
    }

    fn functions_with_visibility(
        &self,
        visibility: FunctionVisibility,
    ) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions.iter().filter(move |located| located.declaration.visibility == visibility)
    }

    /// Returns each type name that is declared more than once, with the files that declare the name.
    #[must_use]
    pub fn repeated_type_names(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut declared: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for located in &self.types {
            declared.entry(&located.declaration.name).or_default().push(&located.path);
        }
        declared.retain(|_, paths| paths.len() > 1);
        declared
    }

    /// Returns the types and renamed imports whose name is one of [`PRELUDE_NAMES`].
    pub fn prelude_shadows(&self) -> impl Iterator<Item = &LocatedDeclaration<TypeDeclaration>> {
        let all = self.types.iter().chain(&self.renamed_imports);
        all.filter(|located| PRELUDE_NAMES.contains(&located.declaration.name.as_str()))
    }
}

impl fmt::Display for WorkspaceSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("types", self.types.len()),
            ("one-word type names", self.one_word_types().count()),
            ("one-word type names, %", self.one_word_type_percent()),
            ("type names declared twice or more", self.repeated_type_names().len()),
            ("types that shadow the prelude", self.prelude_shadows().count()),
            ("functions", self.functions.len()),
            ("functions named of, said, shown, told, say, tell", self.functions_with_vague_name().count()),
            ("functions with more than six parameters", self.functions_with_many_parameters().count()),
            ("pub functions that take a bool", self.functions_with_bool_parameter(FunctionVisibility::Public).count()),
            (
                "pub functions that take or return a tuple",
                self.functions_with_tuple(FunctionVisibility::Public).count(),
            ),
            (
                "pub(…) functions that take a bool",
                self.functions_with_bool_parameter(FunctionVisibility::Restricted).count(),
            ),
            (
                "pub(…) functions that take or return a tuple",
                self.functions_with_tuple(FunctionVisibility::Restricted).count(),
            ),
            ("Result in Result, Option in Option", self.nested_results_and_options.len()),
            ("circles of files", self.import_circle_descriptions.len()),
            (
                "circles of files, if imports from own submodules count",
                self.import_circle_descriptions_with_submodules.len(),
            ),
        ];
        lines.iter().try_for_each(|(name, number)| writeln!(f, "{number:>6}  {name}"))
    }
}

/// Returns whether a type name is one word: `Watermark` is one word, `FenceToken` is not.
fn is_one_word(name: &str) -> bool {
    name.chars().skip(1).all(|c| !c.is_uppercase())
}
