//! The counts that show how far names and shapes follow the rules, over all crates.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::declarations::{Declarations, FunctionDeclaration, FunctionReach, TypeDeclaration};
use crate::import_circles::describe_import_circles;
use crate::imports::SubmoduleUse;
use crate::module_tree::ModuleTree;
use crate::workspace::{SourceError, list_crates};

/// Names that say nothing about what a function does, and cannot be searched for.
pub const VAGUE_FUNCTION_NAMES: [&str; 6] = ["of", "said", "shown", "told", "say", "tell"];

/// How many parameters a function may have besides `self`.
pub const MAX_PARAMETERS: usize = 6;

/// What `std`'s prelude brings into every scope.
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

/// A declaration with the file that it is in.
#[derive(Debug, Clone)]
pub struct Located<T> {
    /// The file, from the workspace's root.
    pub path: String,
    /// What is declared there.
    pub declared: T,
}

/// All declarations of the workspace's crates, and the circles among their files.
#[derive(Debug, Default)]
pub struct Summary {
    /// Types, traits and type aliases.
    pub types: Vec<Located<TypeDeclaration>>,
    /// Functions.
    pub functions: Vec<Located<FunctionDeclaration>>,
    /// `Result` in `Result`, `Option` in `Option`: the lines.
    pub nested_outcomes: Vec<Located<usize>>,
    /// Names that `use` lines change.
    pub renamed_imports: Vec<Located<TypeDeclaration>>,
    /// Descriptions of circles of files.
    pub circles: Vec<String>,
    /// The same where a file's use of its own submodules counts too.
    pub circles_with_submodules: Vec<String>,
}

impl Summary {
    /// Reads the `src` folders of all crates below `root`.
    ///
    /// # Errors
    /// When a file cannot be read or is not Rust.
    pub fn read(root: &Path) -> Result<Self, SourceError> {
        let mut summary = Self::default();
        for folder in list_crates(root)? {
            let tree = ModuleTree::read(&folder)?;
            for file in &tree.files {
                let path = format!("crates/{}/{}", folder.name, file.path);
                summary.add(&path, Declarations::read(&file.syntax));
            }
            for (submodule_use, circles) in [
                (SubmoduleUse::Ignored, &mut summary.circles),
                (SubmoduleUse::Counted, &mut summary.circles_with_submodules),
            ] {
                let found = describe_import_circles(&tree, submodule_use).into_iter();
                circles.extend(found.map(|circle| format!("crates/{}: {circle}", folder.name)));
            }
        }
        Ok(summary)
    }

    fn add(&mut self, path: &str, declarations: Declarations) {
        fn locate<T>(path: &str, all: Vec<T>) -> impl Iterator<Item = Located<T>> {
            all.into_iter().map(move |declared| Located { path: path.to_owned(), declared })
        }
        self.types.extend(locate(path, declarations.types));
        self.functions.extend(locate(path, declarations.functions));
        self.nested_outcomes.extend(locate(path, declarations.nested_outcomes));
        self.renamed_imports.extend(locate(path, declarations.renamed_imports));
    }

    /// Types whose name is one word.
    pub fn one_word_types(&self) -> impl Iterator<Item = &Located<TypeDeclaration>> {
        self.types.iter().filter(|located| is_one_word(&located.declared.name))
    }

    /// One-word types in hundredths of all types.
    #[must_use]
    pub fn one_word_percent(&self) -> usize {
        self.one_word_types().count() * 100 / self.types.len().max(1)
    }

    /// Functions with a vague name.
    pub fn vague_functions(&self) -> impl Iterator<Item = &Located<FunctionDeclaration>> {
        self.functions.iter().filter(|located| VAGUE_FUNCTION_NAMES.contains(&located.declared.name.as_str()))
    }

    /// Functions with too many parameters.
    pub fn long_functions(&self) -> impl Iterator<Item = &Located<FunctionDeclaration>> {
        self.functions.iter().filter(|located| located.declared.parameters > MAX_PARAMETERS)
    }

    /// Functions of this reach that take a `bool`.
    pub fn functions_with_bool(&self, reach: FunctionReach) -> impl Iterator<Item = &Located<FunctionDeclaration>> {
        self.functions_with_reach(reach).filter(|located| !located.declared.bool_parameters.is_empty())
    }

    /// Functions of this reach that take or return a tuple.
    pub fn functions_with_tuple(&self, reach: FunctionReach) -> impl Iterator<Item = &Located<FunctionDeclaration>> {
        self.functions_with_reach(reach)
            .filter(|located| located.declared.returns_tuple || !located.declared.tuple_parameters.is_empty())
    }

    fn functions_with_reach(&self, reach: FunctionReach) -> impl Iterator<Item = &Located<FunctionDeclaration>> {
        self.functions.iter().filter(move |located| located.declared.reach == reach)
    }

    /// Type names that are declared more than once, with the files that declare them.
    #[must_use]
    pub fn repeated_types(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut declared: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for located in &self.types {
            declared.entry(&located.declared.name).or_default().push(&located.path);
        }
        declared.retain(|_, paths| paths.len() > 1);
        declared
    }

    /// Types and renamed imports that shadow the prelude.
    pub fn prelude_shadows(&self) -> impl Iterator<Item = &Located<TypeDeclaration>> {
        let all = self.types.iter().chain(&self.renamed_imports);
        all.filter(|located| PRELUDE_NAMES.contains(&located.declared.name.as_str()))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = [
            ("types", self.types.len()),
            ("one-word type names", self.one_word_types().count()),
            ("one-word type names, %", self.one_word_percent()),
            ("type names declared twice or more", self.repeated_types().len()),
            ("types that shadow the prelude", self.prelude_shadows().count()),
            ("functions", self.functions.len()),
            ("functions named of, said, shown, told, say, tell", self.vague_functions().count()),
            ("functions with more than six parameters", self.long_functions().count()),
            ("pub functions that take a bool", self.functions_with_bool(FunctionReach::Public).count()),
            ("pub functions that take or return a tuple", self.functions_with_tuple(FunctionReach::Public).count()),
            ("pub(…) functions that take a bool", self.functions_with_bool(FunctionReach::Restricted).count()),
            (
                "pub(…) functions that take or return a tuple",
                self.functions_with_tuple(FunctionReach::Restricted).count(),
            ),
            ("Result in Result, Option in Option", self.nested_outcomes.len()),
            ("circles of files", self.circles.len()),
            ("circles, with parents that use their submodules", self.circles_with_submodules.len()),
        ];
        lines.iter().try_for_each(|(name, number)| writeln!(f, "{number:>6}  {name}"))
    }
}

/// `Watermark` is one word, `FenceToken` is not.
fn is_one_word(name: &str) -> bool {
    name.chars().skip(1).all(|c| !c.is_uppercase())
}
