//! Mistakes in a pipeline file: collecting, ordering and rendering them.
//!
//! Owns: the parts of a mistake, the order of all mistakes, and their appearance. Does not own: finding mistakes (the
//! reader of each section).
//!
//! A reader reports a mistake to the [`collector::DiagnosticCollector`], which keeps it as a
//! [`diagnostic::Diagnostic`]. At the end, [`list::Diagnostics`] sorts all mistakes and computes their lines and
//! columns. [`render`] turns them into text.

pub(crate) mod code;
pub(crate) mod collector;
pub(crate) mod diagnostic;
pub(crate) mod list;
pub(crate) mod location;
pub(crate) mod render;
