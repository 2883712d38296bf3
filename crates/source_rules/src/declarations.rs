//! Names and signatures: the types and functions that a file declares.

use syn::visit::{self, Visit};

use crate::module_tree::{is_test_only, item_attributes};

/// A type, trait or type alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeDeclaration {
    /// Its name.
    pub name: String,
    /// The line of its name.
    pub line: usize,
}

/// From where a function can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionReach {
    /// It is `pub`, or a method of a `pub` trait.
    Public,
    /// It is `pub(crate)`, `pub(super)` or `pub(in …)`, or a method of such a trait.
    Restricted,
    /// Only from its module and those in it.
    Private,
}

/// A function, method or trait method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDeclaration {
    /// Its name.
    pub name: String,
    /// The type or trait that it belongs to.
    pub owner: Option<String>,
    /// The line of its name.
    pub line: usize,
    /// From where it can be called.
    pub reach: FunctionReach,
    /// Its parameters without `self`.
    pub parameters: usize,
    /// Names of parameters whose type is `bool`.
    pub bool_parameters: Vec<String>,
    /// Names of parameters whose type is a tuple, also behind a reference, `Option` or `Result`.
    pub tuple_parameters: Vec<String>,
    /// Whether it returns a tuple, also within `Option` or `Result`.
    pub returns_tuple: bool,
}

impl FunctionDeclaration {
    /// The name with its owner, as in `Histogram::observe`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        self.owner.as_ref().map_or_else(|| self.name.clone(), |owner| format!("{owner}::{}", self.name))
    }
}

/// What a file declares, without what is compiled for tests only.
#[derive(Debug, Default)]
pub struct Declarations {
    /// Types, traits and type aliases.
    pub types: Vec<TypeDeclaration>,
    /// Functions.
    pub functions: Vec<FunctionDeclaration>,
    /// Lines with a `Result` in a `Result` or an `Option` in an `Option`.
    pub nested_outcomes: Vec<usize>,
    /// Names that `use` lines bring into scope under another name.
    pub renamed_imports: Vec<TypeDeclaration>,
}

impl Declarations {
    /// Reads the declarations of a file.
    #[must_use]
    pub fn read(file: &syn::File) -> Self {
        let mut collector = Collector::default();
        collector.visit_file(file);
        collector.declarations
    }
}

#[derive(Default)]
struct Collector {
    declarations: Declarations,
    owner: Option<String>,
    /// The reach of the trait around a method; its methods have the same.
    trait_reach: Option<FunctionReach>,
    in_trait_implementation: bool,
}

impl Collector {
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
            owner: self.owner.clone(),
            line: signature.ident.span().start().line,
            reach,
            parameters: typed().count(),
            bool_parameters: named(is_bool),
            tuple_parameters: named(is_tuple),
            returns_tuple,
        });
    }

    fn within(&mut self, owner: Option<String>, trait_reach: Option<FunctionReach>, work: impl FnOnce(&mut Self)) {
        let before = (self.owner.take(), self.trait_reach);
        (self.owner, self.trait_reach) = (owner, trait_reach);
        work(self);
        (self.owner, self.trait_reach) = before;
    }
}

impl<'ast> Visit<'ast> for Collector {
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
        self.within(Some(item.ident.to_string()), Some(reach_of(&item.vis)), |collector| {
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
        self.within(owner, None, |collector| visit::visit_item_impl(collector, item));
        self.in_trait_implementation = before;
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.within(None, None, |collector| collector.add_function(&item.sig, reach_of(&item.vis)));
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        // A trait decides on the signatures of its methods.
        if !self.in_trait_implementation {
            self.add_function(&item.sig, reach_of(&item.vis));
        }
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add_function(&item.sig, self.trait_reach.unwrap_or(FunctionReach::Private));
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        if let Some((outer, inner)) = outcome_of(path)
            && let syn::Type::Path(inner) = inner
            && inner.path.segments.last().is_some_and(|segment| segment.ident == outer)
        {
            let line = path.path.segments.last().map_or(0, |segment| segment.ident.span().start().line);
            self.declarations.nested_outcomes.push(line);
        }
        visit::visit_type_path(self, path);
    }

    fn visit_use_rename(&mut self, rename: &'ast syn::UseRename) {
        let line = rename.rename.span().start().line;
        self.declarations.renamed_imports.push(TypeDeclaration { name: rename.rename.to_string(), line });
    }
}

fn reach_of(visibility: &syn::Visibility) -> FunctionReach {
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

/// Whether a type is a tuple, also behind a reference, `Option` or `Result`.
fn is_tuple(whole: &syn::Type) -> bool {
    match whole {
        syn::Type::Tuple(tuple) => tuple.elems.len() > 1,
        syn::Type::Reference(reference) => is_tuple(&reference.elem),
        syn::Type::Paren(paren) => is_tuple(&paren.elem),
        syn::Type::Path(path) => outcome_of(path).is_some_and(|(_, inner)| is_tuple(inner)),
        _ => false,
    }
}

/// `Option` or `Result`, and its first type argument.
fn outcome_of(path: &syn::TypePath) -> Option<(&'static str, &syn::Type)> {
    let last = path.path.segments.last()?;
    let outer = ["Result", "Option"].into_iter().find(|name| last.ident == name)?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(inner) => Some((outer, inner)),
        _ => None,
    })
}
