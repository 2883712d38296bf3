//! The search for circles on small crates: if it found none, an empty list would mean nothing.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use windrow_source_rules::import_circles::describe_import_circles;
use windrow_source_rules::imports::SubmoduleImports;
use windrow_source_rules::module_tree::ModuleTree;
use windrow_source_rules::workspace::list_crates;

/// The circles of a crate with these source files.
fn circles_of(files: &[(&str, &str)], submodule_imports: SubmoduleImports) -> Vec<String> {
    let root = TempDir::new().expect("a folder");
    let folder = root.path().join("crates/sample");
    fs::create_dir_all(folder.join("src/inner")).expect("a folder");
    fs::write(folder.join("Cargo.toml"), "[dependencies]\n").expect("written");
    for (name, text) in files {
        fs::write(folder.join("src").join(Path::new(name)), text).expect("written");
    }
    let crates = list_crates(root.path()).expect("a crate");
    let tree = ModuleTree::read(&crates[0]).expect("its modules");
    describe_import_circles(&tree, submodule_imports)
}

fn assert_one_circle(files: &[(&str, &str)], submodule_imports: SubmoduleImports, edges: &[&str]) {
    let circles = circles_of(files, submodule_imports);
    assert_eq!(circles.len(), 1, "{circles:?}");
    for edge in edges {
        assert!(circles[0].contains(edge), "{edge} is not in: {}", circles[0]);
    }
}

#[test]
fn a_direct_circle_is_named_file_by_file() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::Second;\npub struct First(Second);\n"),
        ("b.rs", "use super::a::First;\npub struct Second(Option<Box<First>>);\n"),
    ];
    let edges = ["src/a.rs imports src/b.rs (line 1: crate::b::Second)", "src/b.rs imports src/a.rs"];
    assert_one_circle(&files, SubmoduleImports::Ignored, &edges);
}

#[test]
fn a_circle_through_re_exports_and_a_third_file_is_found() {
    let files = [
        ("lib.rs", "mod a;\nmod inner;\npub use inner::Second;\npub use a::*;\n"),
        ("a.rs", "use crate::Second;\npub struct First(Second);\n"),
        ("inner.rs", "mod b;\nmod c;\npub use b::Second;\n"),
        ("inner/b.rs", "pub struct Second(super::c::Third);\n"),
        ("inner/c.rs", "use crate::First;\npub struct Third(Option<Box<First>>);\n"),
    ];
    let edges = ["src/a.rs imports src/inner/b.rs", "src/inner/b.rs imports src/inner/c.rs (super::c::Third)"];
    assert_one_circle(&files, SubmoduleImports::Ignored, &edges);
}

#[test]
fn an_imported_module_is_followed_to_the_items_that_are_used() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b;\npub fn first() { assert!(b::second()); }\n"),
        ("b.rs", "use crate::a;\npub fn second() -> bool { a::first(); true }\n"),
    ];
    assert_one_circle(&files, SubmoduleImports::Ignored, &["src/a.rs imports src/b.rs (line 1: b::second)"]);
}

#[test]
fn submodules_are_parts_of_their_file_unless_they_are_counted() {
    let files = [
        ("lib.rs", "mod inner;\n"),
        ("inner.rs", "mod b;\nuse b::second;\npub const LIMIT: usize = 3;\npub fn first() { second(); }\n"),
        ("inner/b.rs", "use super::LIMIT;\npub fn second() { let _ = LIMIT; }\n"),
    ];
    assert_eq!(circles_of(&files, SubmoduleImports::Ignored), Vec::<String>::new());
    assert_one_circle(&files, SubmoduleImports::Counted, &["src/inner.rs imports src/inner/b.rs"]);
}

#[test]
fn what_only_tests_import_makes_no_circle() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\n"),
        ("a.rs", "use crate::b::Second;\npub struct First(Second);\n"),
        ("b.rs", "pub struct Second;\n#[cfg(test)]\nmod tests { use crate::a::First; }\n"),
    ];
    assert_eq!(circles_of(&files, SubmoduleImports::Ignored), Vec::<String>::new());
}
