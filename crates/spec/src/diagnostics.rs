//! Mistakes in a pipeline file: collecting, ordering and rendering them.
//!
//! Owns: the parts of a mistake, the order of all mistakes, and their appearance. Does not own: finding mistakes (the
//! reader of each section).
//!
//! A reader reports to a [`collector::DiagnosticCollector`], which builds a [`diagnostic::Diagnostic`]. The finished
//! [`list_objects::Diagnostics`] computes lines and columns, and [`render`] prints them.

pub(crate) mod code;
pub(crate) mod collector;
pub(crate) mod diagnostic;
pub(crate) mod list;
pub(crate) mod location;
pub(crate) mod render;
