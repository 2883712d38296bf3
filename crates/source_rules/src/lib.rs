//! Reads the sources of the workspace and checks rules that the compiler does not check.
//!
//! ```text
//!  Cargo.toml, src/**/*.rs ──► workspace ──► module_tree ──► imports ──► import_circles   files that import each other
//!                                  │                └──────► declarations ──► summary     names and signatures
//!                                  │                └──────► file_lists                  tables of files in crate docs
//!                                  ├───────► crate_dependencies ◄── ARCHITECTURE.md       dependencies between crates
//!                                  └───────► document_references ◄── documents            paths and constants
//!  all text files ───────────────────────► forbidden_words                                words that no text may have
//! ```
//!
//! Read [`module_tree`] first, then [`imports`], then `tests/rules.rs`, where each rule is one test. `cargo test -p
//! windrow-source-rules` checks the rules without building the other crates. `SOURCE_RULES_ROOT=FOLDER` lets the tests
//! read another checkout. With the arguments `-- --nocapture counts`, `cargo test` also prints the counts of
//! [`summary`].
//!
//! # Files
//!
//! Paths are relative to `src`.
//!
//! | file | content |
//! |---|---|
//! | `crate_dependencies.rs` | dependencies between crates that `ARCHITECTURE.md` does not draw |
//! | `declarations.rs` | the types, functions and renamed imports that a file declares |
//! | `document_references.rs` | paths and constants in documents that lead nowhere |
//! | `file_lists.rs` | files that the docs of their crate do not name |
//! | `forbidden_words.rs` | words that no text may contain |
//! | `import_circles.rs` | files of a crate that import each other, also through other files |
//! | `imports.rs` | finds the imports between the files of a crate |
//! | `module_tree.rs` | the modules of a crate, without code for tests |
//! | `summary.rs` | names and signatures that break a rule, over all crates |
//! | `workspace.rs` | the crates, their dependencies on each other, their source files |
//!
//! # Where a change goes
//!
//! - **A forbidden word**: `source_rules/forbidden_words.rs`.
//! - **A rule for names or shapes of the code**: `source_rules/tests/rules.rs`, where each rule is one test.
//!   `source_rules/declarations.rs`: what is read from a file. `source_rules/summary.rs`: what breaks the rule.
//! - **A rule for imports**: `source_rules/imports.rs`: what counts as an import. `source_rules/import_circles.rs`,
//!   `source_rules/tests/circles.rs`.

pub mod crate_dependencies;
pub mod declarations;
pub mod document_references;
pub mod file_lists;
pub mod forbidden_words;
pub mod import_circles;
pub mod imports;
pub mod module_tree;
pub mod summary;
pub mod workspace;
