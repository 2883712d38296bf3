//! Names and signatures: the types and functions that a file declares.

use syn::visit::{self, Visit};

use crate::module_tree::{is_test_only, item_attributes};

/// A type, trait or type alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeDeclaration {
    /// The name of the type.
    pub name: String,
    /// The line of the name.
    pub line: usize,
}

/// The code that can call a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionReach {
    /// Any crate: the function is `pub`, or a method of a `pub` trait.
    Public,
    /// A part of the crate: the function is `pub(crate)`, `pub(super)` or `pub(in …)`, or a method of such a trait.
    Restricted,
    /// The module of the function, and the modules in it.
    Private,
}

/// A function, method or trait method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDeclaration {
    /// The name of the function.
    pub name: String,
    /// The type or trait that the function belongs to.
    pub owner_type: Option<String>,
    /// The line of the name.
    pub line: usize,
    /// The code that can call the function.
    pub reach: FunctionReach,
    /// The number of parameters without `self`.
    pub parameter_count: usize,
    /// Names of parameters whose type is `bool`.
    pub bool_parameters: Vec<String>,
    /// Names of parameters whose type is a tuple, also behind a reference, `Option` or `Result`.
    pub tuple_parameters: Vec<String>,
    /// Whether the function returns a tuple, also within `Option` or `Result`.
    pub returns_tuple: bool,
}

impl FunctionDeclaration {
    /// Returns the name with its owner, as in `Histogram::observe`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        self.owner_type.as_ref().map_or_else(|| self.name.clone(), |owner| format!("{owner}::{}", self.name))
    }
}

/// The declarations of a file, except those that are compiled for tests only.
#[derive(Debug, Default)]
pub struct FileDeclarations {
    /// Types, traits and type aliases.
    pub types: Vec<TypeDeclaration>,
    /// Functions.
    pub functions: Vec<FunctionDeclaration>,
    /// Lines with a `Result` in a `Result` or an `Option` in an `Option`.
    pub nested_outcome_lines: Vec<usize>,
    /// New names that `use` lines give to imported items.
    pub renamed_imports: Vec<TypeDeclaration>,
}

impl FileDeclarations {
    /// Reads the declarations of a file.
    #[must_use]
    pub fn read(file: &syn::File) -> Self {
        let mut collector = DeclarationCollector::default();
        collector.visit_file(file);
        collector.declarations
    }
}

#[derive(Default)]
struct DeclarationCollector {
    declarations: FileDeclarations,
    owner: Option<String>,
    /// The reach of the trait around a method. The methods of a trait have the same reach.
    trait_reach: Option<FunctionReach>,
    in_trait_implementation: bool,
}

impl DeclarationCollector {
    fn add_type(&mut self, ident: &syn::Ident) {
        let line = ident.span().start().line;
        self.declarations.types.push(TypeDeclaration { name: ident.to_string(), line });
    }

    fn add_function(&mut self, signature: &syn::Signature, reach: FunctionReach) {
        let typed = || {
            signature.inputs.iter().filter_map(|input| match input {
                syn::FnArg::Typed(typed) => Some(typed),
                syn::FnArg::Receiver(_) => None,
            })
        };
        let named = |wanted: fn(&syn::Type) -> bool| -> Vec<String> {
            typed().filter(|parameter| wanted(&parameter.ty)).map(|parameter| parameter_name(&parameter.pat)).collect()
        };
        let returns_tuple = match &signature.output {
            syn::ReturnType::Default => false,
            syn::ReturnType::Type(_, returned) => is_tuple(returned),
        };
        self.declarations.functions.push(FunctionDeclaration {
            name: signature.ident.to_string(),
            owner_type: self.owner.clone(),
            line: signature.ident.span().start().line,
            reach,
            parameter_count: typed().count(),
            bool_parameters: named(is_bool),
            tuple_parameters: named(is_tuple),
            returns_tuple,
        });
    }

    fn visit_within_owner(
        &mut self,
        owner: Option<String>,
        trait_reach: Option<FunctionReach>,
        work: impl FnOnce(&mut Self),
    ) {
        let before = (self.owner.take(), self.trait_reach);
        (self.owner, self.trait_reach) = (owner, trait_reach);
        work(self);
        (self.owner, self.trait_reach) = before;
    }
}

impl<'ast> Visit<'ast> for DeclarationCollector {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test_only(item_attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add_type(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add_type(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.add_type(&item.ident);
        visit::visit_item_type(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add_type(&item.ident);
        self.visit_within_owner(Some(item.ident.to_string()), Some(reach_from_visibility(&item.vis)), |collector| {
            visit::visit_item_trait(collector, item);
        });
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let owner = match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
            _ => None,
        };
        let before = self.in_trait_implementation;
        self.in_trait_implementation = item.trait_.is_some();
        self.visit_within_owner(owner, None, |collector| visit::visit_item_impl(collector, item));
        self.in_trait_implementation = before;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.visit_within_owner(None, None, |collector| {
            collector.add_function(&item.sig, reach_from_visibility(&item.vis));
        });
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        // The trait decides on the signatures of its methods.
        if !self.in_trait_implementation {
            self.add_function(&item.sig, reach_from_visibility(&item.vis));
        }
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add_function(&item.sig, self.trait_reach.unwrap_or(FunctionReach::Private));
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        if let Some((outer, inner)) = find_outcome_argument(path)
            && let syn::Type::Path(inner) = inner
            && inner.path.segments.last().is_some_and(|segment| segment.ident == outer)
        {
            let line = path.path.segments.last().map_or(0, |segment| segment.ident.span().start().line);
            self.declarations.nested_outcome_lines.push(line);
        }
        visit::visit_type_path(self, path);
    }

    fn visit_use_rename(&mut self, rename: &'ast syn::UseRename) {
        let line = rename.rename.span().start().line;
        self.declarations.renamed_imports.push(TypeDeclaration { name: rename.rename.to_string(), line });
    }
}

fn reach_from_visibility(visibility: &syn::Visibility) -> FunctionReach {
    match visibility {
        syn::Visibility::Public(_) => FunctionReach::Public,
        syn::Visibility::Restricted(_) => FunctionReach::Restricted,
        syn::Visibility::Inherited => FunctionReach::Private,
    }
}

fn parameter_name(pattern: &syn::Pat) -> String {
    match pattern {
        syn::Pat::Ident(ident) => ident.ident.to_string(),
        _ => "_".to_owned(),
    }
}

fn is_bool(parameter: &syn::Type) -> bool {
    matches!(parameter, syn::Type::Path(path) if path.path.is_ident("bool"))
}

/// Returns whether a type is a tuple, also behind a reference, `Option` or `Result`.
fn is_tuple(whole: &syn::Type) -> bool {
    match whole {
        syn::Type::Tuple(tuple) => tuple.elems.len() > 1,
        syn::Type::Reference(reference) => is_tuple(&reference.elem),
        syn::Type::Paren(paren) => is_tuple(&paren.elem),
        syn::Type::Path(path) => find_outcome_argument(path).is_some_and(|(_, inner)| is_tuple(inner)),
        _ => false,
    }
}

/// Returns the name of an `Option` or `Result`, and its first type argument.
fn find_outcome_argument(path: &syn::TypePath) -> Option<(&'static str, &syn::Type)> {
    let last = path.path.segments.last()?;
    let outer = ["Result", "Option"].into_iter().find(|name| last.ident == name)?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(inner) => Some((outer, inner)),
        _ => None,
    })
}
