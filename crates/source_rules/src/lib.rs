//! Reads the sources of the workspace and checks the rules that the compiler does not.
//!
//! ```text
//!  Cargo.toml, src/**/*.rs ──► workspace ──► module_tree ──► imports ──► import_circles   files that import each other
//!                                  │                └──────► declarations ──► summary     names, shapes, counts
//!                                  └───────► crate_arrows ◄── ARCHITECTURE.md             dependencies that are drawn
//!  all text files ───────────────────────► forbidden_words                                words that no text may hold
//! ```
//!
//! Read [`module_tree`] first, then [`imports`], then `tests/rules.rs`, where each rule is one test. `cargo test -p
//! windrow-source-rules` checks the rules without building the other crates. With `SOURCE_RULES_ROOT=FOLDER` the tests
//! read another checkout, and `-- --nocapture counts` prints the counts.

pub mod crate_arrows;
pub mod declarations;
pub mod forbidden_words;
pub mod import_circles;
pub mod imports;
pub mod module_tree;
pub mod summary;
pub mod workspace;
