//! The counts that show how well the names and signatures of all crates follow the rules.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::declarations::{FileDeclarations, FunctionDeclaration, FunctionReach, TypeDeclaration};
use crate::import_circles::describe_import_circles;
use crate::imports::SubmoduleUse;
use crate::module_tree::ModuleTree;
use crate::workspace::{SourceError, list_crates};

/// Function names that do not describe an action and cannot be searched for.
pub const VAGUE_FUNCTION_NAMES: [&str; 6] = ["of", "said", "shown", "told", "say", "tell"];

/// The largest number of parameters of a function, besides `self`.
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

/// A declaration, and the file that contains it.
#[derive(Debug, Clone)]
pub struct LocatedDeclaration<T> {
    /// The path of the file, relative to the workspace's root.
    pub path: String,
    /// The declaration.
    pub declaration: T,
}

/// All declarations of the workspace's crates, and the circles among their files.
#[derive(Debug, Default)]
pub struct WorkspaceSummary {
    /// Types, traits and type aliases.
    pub types: Vec<LocatedDeclaration<TypeDeclaration>>,
    /// Functions of the workspace's crates.
    pub functions: Vec<LocatedDeclaration<FunctionDeclaration>>,
    /// Lines with a `Result` in a `Result` or an `Option` in an `Option`.
    pub nested_outcomes: Vec<LocatedDeclaration<usize>>,
    /// New names that `use` lines give to imported items.
    pub renamed_imports: Vec<LocatedDeclaration<TypeDeclaration>>,
    /// Descriptions of circles of files.
    pub circle_descriptions: Vec<String>,
    /// Descriptions of circles of files, where the use of a file's own submodules counts too.
    pub circles_with_submodules: Vec<String>,
}

impl WorkspaceSummary {
    /// Reads the `src` folders of all crates below `root`.
    ///
    /// # Errors
    /// Fails when a file cannot be read or is not Rust.
    pub fn read(root: &Path) -> Result<Self, SourceError> {
        let mut summary = Self::default();
        for folder in list_crates(root)? {
            let tree = ModuleTree::read(&folder)?;
            for file in &tree.files {
                let path = format!("crates/{}/{}", folder.name, file.path);
                summary.add_file(&path, FileDeclarations::read(&file.syntax));
            }
            for (submodule_use, circles) in [
                (SubmoduleUse::Ignored, &mut summary.circle_descriptions),
                (SubmoduleUse::Counted, &mut summary.circles_with_submodules),
            ] {
                let found = describe_import_circles(&tree, submodule_use).into_iter();
                circles.extend(found.map(|circle| format!("crates/{}: {circle}", folder.name)));
            }
        }
        Ok(summary)
    }

    fn add_file(&mut self, path: &str, declarations: FileDeclarations) {
        fn locate<T>(path: &str, all: Vec<T>) -> impl Iterator<Item = LocatedDeclaration<T>> {
            all.into_iter().map(move |declared| LocatedDeclaration { path: path.to_owned(), declaration: declared })
        }
        self.types.extend(locate(path, declarations.types));
        self.functions.extend(locate(path, declarations.functions));
        self.nested_outcomes.extend(locate(path, declarations.nested_outcome_lines));
        self.renamed_imports.extend(locate(path, declarations.renamed_imports));
    }

    /// Returns the types whose name is one word.
    pub fn one_word_types(&self) -> impl Iterator<Item = &LocatedDeclaration<TypeDeclaration>> {
        self.types.iter().filter(|located| is_one_word(&located.declaration.name))
    }

    /// Returns the percentage of types whose name is one word.
    #[must_use]
    pub fn one_word_percent(&self) -> usize {
        self.one_word_types().count() * 100 / self.types.len().max(1)
    }

    /// Returns the functions with a vague name.
    pub fn functions_with_vague_name(&self) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions.iter().filter(|located| VAGUE_FUNCTION_NAMES.contains(&located.declaration.name.as_str()))
    }

    /// Returns the functions with too many parameters.
    pub fn functions_with_many_parameters(&self) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions.iter().filter(|located| located.declaration.parameter_count > MAX_PARAMETERS)
    }

    /// Returns the functions of this reach that take a `bool`.
    pub fn functions_with_bool(
        &self,
        reach: FunctionReach,
    ) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions_with_reach(reach).filter(|located| !located.declaration.bool_parameters.is_empty())
    }

    /// Returns the functions of this reach that take or return a tuple.
    pub fn functions_with_tuple(
        &self,
        reach: FunctionReach,
    ) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions_with_reach(reach)
            .filter(|located| located.declaration.returns_tuple || !located.declaration.tuple_parameters.is_empty())
    }

    fn functions_with_reach(
        &self,
        reach: FunctionReach,
    ) -> impl Iterator<Item = &LocatedDeclaration<FunctionDeclaration>> {
        self.functions.iter().filter(move |located| located.declaration.reach == reach)
    }

    /// Returns the type names that are declared more than once, with the files that declare them.
    #[must_use]
    pub fn repeated_types(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut declared: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for located in &self.types {
            declared.entry(&located.declaration.name).or_default().push(&located.path);
        }
        declared.retain(|_, paths| paths.len() > 1);
        declared
    }

    /// Returns the types and renamed imports that shadow the prelude.
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
            ("one-word type names, %", self.one_word_percent()),
            ("type names declared twice or more", self.repeated_types().len()),
            ("types that shadow the prelude", self.prelude_shadows().count()),
            ("functions", self.functions.len()),
            ("functions named of, said, shown, told, say, tell", self.functions_with_vague_name().count()),
            ("functions with more than six parameters", self.functions_with_many_parameters().count()),
            ("pub functions that take a bool", self.functions_with_bool(FunctionReach::Public).count()),
            ("pub functions that take or return a tuple", self.functions_with_tuple(FunctionReach::Public).count()),
            ("pub(…) functions that take a bool", self.functions_with_bool(FunctionReach::Restricted).count()),
            (
                "pub(…) functions that take or return a tuple",
                self.functions_with_tuple(FunctionReach::Restricted).count(),
            ),
            ("Result in Result, Option in Option", self.nested_outcomes.len()),
            ("circles of files", self.circle_descriptions.len()),
            ("circles, with parents that use their submodules", self.circles_with_submodules.len()),
        ];
        lines.iter().try_for_each(|(name, number)| writeln!(f, "{number:>6}  {name}"))
    }
}

/// Returns whether a name is one word: `Watermark` is one word, `FenceToken` is not.
fn is_one_word(name: &str) -> bool {
    name.chars().skip(1).all(|c| !c.is_uppercase())
}
