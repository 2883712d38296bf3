//! The rules: one test each. `SOURCE_RULES_ROOT` names another checkout to read.

use std::path::{Path, PathBuf};

use windrow_source_rules::crate_dependencies::{describe_undrawn_dependencies, read_drawn_dependencies};
use windrow_source_rules::declarations::{FunctionDeclaration, FunctionVisibility};
use windrow_source_rules::document_references::ReferencedFiles;
use windrow_source_rules::file_lists::describe_file_list_mistakes;
use windrow_source_rules::forbidden_words::find_forbidden_phrases;
use windrow_source_rules::module_tree::ModuleTree;
use windrow_source_rules::summary::{LocatedDeclaration, WorkspaceSummary};
use windrow_source_rules::workspace::{list_crates, read_text_file};

fn workspace_root() -> PathBuf {
    let other = std::env::var_os("SOURCE_RULES_ROOT").map(PathBuf::from);
    other.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

fn read_summary() -> WorkspaceSummary {
    WorkspaceSummary::read(&workspace_root()).expect("the workspace's sources")
}

#[track_caller]
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}: {}\n{}", found.len(), found.join("\n"));
}

fn describe_function(located: &LocatedDeclaration<FunctionDeclaration>) -> String {
    format!("{}:{}: {}", located.path, located.declaration.line, located.declaration.qualified_name())
}

#[test]
fn counts() {
    let summary = read_summary();
    println!("{summary}");
    println!(
        "types with names of one word: {}",
        summary.one_word_types().map(|one| one.declaration.name.as_str()).collect::<Vec<_>>().join(" ")
    );
    for circle in &summary.import_circle_descriptions_with_submodules {
        println!("if imports from own submodules count: {circle}");
    }
    for located in summary.functions_with_bool_parameter(FunctionVisibility::Restricted) {
        println!("takes a bool: {}", describe_function(located));
    }
    for located in summary.functions_with_tuple(FunctionVisibility::Restricted) {
        println!("takes or returns a tuple: {}", describe_function(located));
    }
}

#[test]
fn no_files_of_a_crate_import_each_other() {
    assert_none("circles of files", &read_summary().import_circle_descriptions);
}

#[test]
fn crates_depend_on_each_other_only_as_drawn() {
    let crates = list_crates(&workspace_root()).expect("the crates");
    let drawn =
        read_drawn_dependencies(&read_text_file(&workspace_root().join("ARCHITECTURE.md")).expect("text"), &crates);
    assert!(drawn.len() >= 4, "the drawing is not understood: {drawn:?}");
    assert_none("dependencies that ARCHITECTURE.md does not draw", &describe_undrawn_dependencies(&crates, &drawn));
}

#[test]
fn the_docs_of_a_crate_name_all_its_files() {
    let mut mistakes = Vec::new();
    for folder in list_crates(&workspace_root()).expect("the crates") {
        let tree = ModuleTree::read(&folder).expect("the modules of the crate");
        let found = describe_file_list_mistakes(&tree);
        mistakes.extend(found.into_iter().map(|mistake| format!("crates/{}: {mistake}", folder.name)));
    }
    assert_none("mistakes in tables of files", &mistakes);
}

/// The documents whose paths and constants must exist.
const DOCUMENTS_WITH_PATHS: [&str; 4] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/limits.md", "docs/testing.md"];

#[test]
fn documents_name_only_what_exists() {
    let root = workspace_root();
    let crates = list_crates(&root).expect("the crates");
    let files = ReferencedFiles { root: &root, crates: &crates };
    let mut mistakes = Vec::new();
    for document in DOCUMENTS_WITH_PATHS {
        let text = read_text_file(&root.join(document)).expect("text");
        let mut found = files.describe_missing_paths(&text);
        found.extend(files.describe_missing_constants(&text).expect("text files"));
        mistakes.extend(found.into_iter().map(|mistake| format!("{document}, {mistake}")));
    }
    assert_none("paths and constants that do not exist", &mistakes);
}

#[test]
fn a_path_or_constant_that_does_not_exist_is_found() {
    let root = workspace_root();
    let crates = list_crates(&root).expect("the crates");
    let files = ReferencedFiles { root: &root, crates: &crates };
    let text = "| `core/view.rs`, `core/gone.rs` | `MAX_WINDOW_MS`, `MAX_GONE` |\n`docs/faults.md` `docs/gone.txt` `a/b` `target/gone`";
    assert_eq!(files.describe_missing_paths(text), ["line 1: core/gone.rs", "line 2: docs/gone.txt"]);
    assert_eq!(files.describe_missing_constants(text).expect("text files"), ["line 1: MAX_GONE"]);
}

#[test]
fn architecture_md_is_read_in_one_sitting() {
    let text = read_text_file(&workspace_root().join("ARCHITECTURE.md")).expect("text");
    assert!(text.lines().count() <= 150, "{} lines", text.lines().count());
}

#[test]
fn at_most_a_quarter_of_the_types_have_names_of_one_word() {
    let summary = read_summary();
    let names: Vec<_> = summary.one_word_types().map(|located| located.declaration.name.as_str()).collect();
    assert!(summary.one_word_type_percent() <= 25, "{} %: {}", summary.one_word_type_percent(), names.join(" "));
}

#[test]
fn every_type_name_is_declared_once() {
    let summary = read_summary();
    let repeated =
        summary.repeated_type_names().into_iter().map(|(name, paths)| format!("{name}: {}", paths.join(", ")));
    assert_none("type names declared more than once", &repeated.collect::<Vec<_>>());
}

#[test]
fn no_type_shadows_the_prelude() {
    let summary = read_summary();
    let shadows = summary.prelude_shadows();
    let shadows: Vec<_> =
        shadows.map(|one| format!("{}:{}: {}", one.path, one.declaration.line, one.declaration.name)).collect();
    assert_none("types that shadow the prelude", &shadows);
}

#[test]
fn functions_say_what_they_do() {
    let found: Vec<_> = read_summary().functions_with_vague_name().map(describe_function).collect();
    assert_none("functions with a vague name", &found);
}

#[test]
fn functions_have_at_most_six_parameters() {
    let found: Vec<_> = read_summary().functions_with_many_parameters().map(describe_function).collect();
    assert_none("functions with too many parameters", &found);
}

#[test]
fn results_and_options_are_not_nested() {
    let summary = read_summary();
    let found: Vec<_> =
        summary.nested_results_and_options.iter().map(|one| format!("{}:{}", one.path, one.declaration)).collect();
    assert_none("Result in Result, Option in Option", &found);
}

/// Public functions that may take a `bool`, each with the reason.
const ALLOWED_BOOLS: [(&str, &str); 0] = [];

/// Public functions that may take or return a tuple, each with the reason.
const ALLOWED_TUPLES: [(&str, &str); 0] = [];

fn is_allowed(allowed: &[(&str, &str)], located: &LocatedDeclaration<FunctionDeclaration>) -> bool {
    let name = format!("{}: {}", located.path, located.declaration.qualified_name());
    allowed.iter().any(|(function, _)| *function == name)
}

#[test]
fn public_functions_take_no_bool() {
    let summary = read_summary();
    let found = summary
        .functions_with_bool_parameter(FunctionVisibility::Public)
        .filter(|located| !is_allowed(&ALLOWED_BOOLS, located));
    let found = found.map(|located| {
        format!("{} ({})", describe_function(located), located.declaration.bool_parameter_names.join(", "))
    });
    assert_none("pub functions that take a bool", &found.collect::<Vec<_>>());
}

#[test]
fn public_functions_take_and_return_no_tuple() {
    let summary = read_summary();
    let found = summary
        .functions_with_tuple(FunctionVisibility::Public)
        .filter(|located| !is_allowed(&ALLOWED_TUPLES, located));
    assert_none("pub functions that take or return a tuple", &found.map(describe_function).collect::<Vec<_>>());
}

#[test]
fn no_text_holds_a_forbidden_word() {
    let root = workspace_root();
    let found = find_forbidden_phrases(&root).expect("text files");
    let found = found.iter().map(|one| {
        let path = one.path.strip_prefix(&root).unwrap_or(&one.path);
        format!("{}:{}: {}", path.display(), one.line, one.phrase)
    });
    assert_none("forbidden words", &found.collect::<Vec<_>>());
}
