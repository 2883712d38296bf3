//! Reads the sources of the workspace and checks rules that the compiler does not check.
//!
//! ```text
//!  Cargo.toml, src/**/*.rs ──► workspace ──► module_tree ──► imports ──► import_circles   files that import each other
//!                                  │                └──────► declarations ──► summary     names and signatures
//!                                  └───────► crate_dependencies ◄── ARCHITECTURE.md       dependencies between crates
//!  all text files ───────────────────────► forbidden_words                                words that no text may have
//! ```
//!
//! Read [`module_tree`] first, then [`imports`], then `tests/rules.rs`, where each rule is one test. `cargo test -p
//! windrow-source-rules` checks the rules without building the other crates. `SOURCE_RULES_ROOT=FOLDER` lets the tests
//! read another checkout. With the arguments `-- --nocapture counts`, `cargo test` also prints the counts of
//! [`summary`].

pub mod crate_dependencies;
pub mod declarations;
pub mod forbidden_words;
pub mod import_circles;
pub mod imports;
pub mod module_tree;
pub mod summary;
pub mod workspace;
