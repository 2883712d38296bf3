//! Collects, sorts and renders the mistakes in a pipeline file.
//!
//! Owns: the parts of a mistake, the order of all mistakes, and their text. Does not own: finding mistakes (the reader
//! of each section finds them).
//!
//! The reader of a section reports a mistake to the [`collector::DiagnosticCollector`], which stores a
//! [`diagnostic::Diagnostic`]. At the end, [`list::Diagnostics`] sorts all mistakes and computes their lines and
//! columns. [`render`] turns the sorted mistakes into text.

pub(crate) mod code;
pub(crate) mod collector;
pub(crate) mod diagnostic;
pub(crate) mod list;
pub(crate) mod location;
pub(crate) mod render;
