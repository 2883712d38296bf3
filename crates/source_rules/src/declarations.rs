//! The types, functions and renamed imports that a source file declares.

use syn::visit::{self, Visit};

use crate::module_tree::{is_test_only, item_attributes};

/// A type, trait or type alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeDeclaration {
    /// The name of the type.
    pub name: String,
    /// The number of the line that contains the name.
    pub line: usize,
}

/// The visibility of a function: which code can call the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionVisibility {
    /// Code in every crate can call the function. The function is `pub`, or a method of a `pub` trait.
    Public,
    /// Only code in the same crate can call the function. The function or its trait is `pub(crate)`, `pub(super)` or
    /// `pub(in …)`.
    Restricted,
    /// Only the module that declares the function, and the submodules of this module, can call the function.
    Private,
}

/// A function, method or trait method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDeclaration {
    /// The name of the function.
    pub name: String,
    /// The type or trait that the function belongs to; `None` for a function outside an `impl` and a trait.
    pub owner_type: Option<String>,
    /// The number of the line that contains the name.
    pub line: usize,
    /// The visibility of the function.
    pub visibility: FunctionVisibility,
    /// The number of parameters, not counting `self`.
    pub parameter_count: usize,
    /// The names of the parameters whose type is `bool`.
    pub bool_parameter_names: Vec<String>,
    /// The names of the parameters whose type is a tuple, or a reference, `Option` or `Result` of a tuple.
    pub tuple_parameter_names: Vec<String>,
    /// Whether the function returns a tuple, or a reference, `Option` or `Result` of a tuple.
    pub returns_tuple: bool,
}

impl FunctionDeclaration {
    /// Returns the function's name after the name of its type or trait, for example `Histogram::observe`.
    #[must_use]
    pub fn qualified_name(&self) -> String {
        self.owner_type.as_ref().map_or_else(|| self.name.clone(), |owner| format!("{owner}::{}", self.name))
    }
}

/// The declarations of a file, except declarations that are compiled for tests only.
#[derive(Debug, Default)]
pub struct FileDeclarations {
    /// The types, traits and type aliases of the file.
    pub types: Vec<TypeDeclaration>,
    /// The functions and methods of the file.
    pub functions: Vec<FunctionDeclaration>,
    /// The numbers of the lines with a `Result` of a `Result` or an `Option` of an `Option`.
    pub nested_result_or_option_line_numbers: Vec<usize>,
    /// The new names that `use … as …` lines give to imported items.
    pub renamed_imports: Vec<TypeDeclaration>,
}

impl FileDeclarations {
    /// Collects the declarations in the syntax tree of a file.
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
    /// The visibility of the trait whose methods the collector is reading; `None` outside a trait. The methods of a
    /// trait have the visibility of the trait.
    trait_visibility: Option<FunctionVisibility>,
    in_trait_implementation: bool,
}

impl DeclarationCollector {
    fn add_type(&mut self, ident: &syn::Ident) {
        let line = ident.span().start().line;
        self.declarations.types.push(TypeDeclaration { name: ident.to_string(), line });
    }

    fn add_function(&mut self, signature: &syn::Signature, visibility: FunctionVisibility) {
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
            syn::ReturnType::Type(_, returned) => is_or_wraps_tuple(returned),
        };
        self.declarations.functions.push(FunctionDeclaration {
            name: signature.ident.to_string(),
            owner_type: self.owner.clone(),
            line: signature.ident.span().start().line,
            visibility,
            parameter_count: typed().count(),
            bool_parameter_names: named(is_bool_type),
            tuple_parameter_names: named(is_or_wraps_tuple),
            returns_tuple,
        });
    }

    fn visit_within_owner(
        &mut self,
        owner: Option<String>,
        trait_visibility: Option<FunctionVisibility>,
        work: impl FnOnce(&mut Self),
    ) {
        let before = (self.owner.take(), self.trait_visibility);
        (self.owner, self.trait_visibility) = (owner, trait_visibility);
        work(self);
        (self.owner, self.trait_visibility) = before;
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
        self.visit_within_owner(Some(item.ident.to_string()), Some(convert_visibility(&item.vis)), |collector| {
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
            collector.add_function(&item.sig, convert_visibility(&item.vis));
        });
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        // A trait determines the signatures of its methods, so the methods in its implementations are not added.
        if !self.in_trait_implementation {
            self.add_function(&item.sig, convert_visibility(&item.vis));
        }
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add_function(&item.sig, self.trait_visibility.unwrap_or(FunctionVisibility::Private));
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_type_path(&mut self, path: &'ast syn::TypePath) {
        if let Some((outer, inner)) = split_result_or_option(path)
            && let syn::Type::Path(inner) = inner
            && inner.path.segments.last().is_some_and(|segment| segment.ident == outer)
        {
            let line = path.path.segments.last().map_or(0, |segment| segment.ident.span().start().line);
            self.declarations.nested_result_or_option_line_numbers.push(line);
        }
        visit::visit_type_path(self, path);
    }

    fn visit_use_rename(&mut self, rename: &'ast syn::UseRename) {
        let line = rename.rename.span().start().line;
        self.declarations.renamed_imports.push(TypeDeclaration { name: rename.rename.to_string(), line });
    }
}

fn convert_visibility(visibility: &syn::Visibility) -> FunctionVisibility {
    match visibility {
        syn::Visibility::Public(_) => FunctionVisibility::Public,
        syn::Visibility::Restricted(_) => FunctionVisibility::Restricted,
        syn::Visibility::Inherited => FunctionVisibility::Private,
    }
}

fn parameter_name(pattern: &syn::Pat) -> String {
    match pattern {
        syn::Pat::Ident(ident) => ident.ident.to_string(),
        _ => "_".to_owned(),
    }
}

fn is_bool_type(parameter: &syn::Type) -> bool {
    matches!(parameter, syn::Type::Path(path) if path.path.is_ident("bool"))
}

/// Returns whether a type is a tuple with at least two elements, or a reference, `Option` or `Result` of such a tuple.
fn is_or_wraps_tuple(whole: &syn::Type) -> bool {
    match whole {
        syn::Type::Tuple(tuple) => tuple.elems.len() > 1,
        syn::Type::Reference(reference) => is_or_wraps_tuple(&reference.elem),
        syn::Type::Paren(paren) => is_or_wraps_tuple(&paren.elem),
        syn::Type::Path(path) => split_result_or_option(path).is_some_and(|(_, inner)| is_or_wraps_tuple(inner)),
        _ => false,
    }
}

/// Splits an `Option<T>` or a `Result<T, E>`. Returns the text `Option` or `Result`, and the type `T`. Returns `None`
/// for other types.
fn split_result_or_option(path: &syn::TypePath) -> Option<(&'static str, &syn::Type)> {
    let last = path.path.segments.last()?;
    let outer = ["Result", "Option"].into_iter().find(|name| last.ident == name)?;
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        syn::GenericArgument::Type(inner) => Some((outer, inner)),
        _ => None,
    })
}
