//! From the document to a validated pipeline: one reader per section of the file.
//!
//! Owns: going on after every mistake. Every reader returns `None` where its section is not usable, having noted why;
//! nothing is judged by what could not be read, so one mistake is one report.

mod checkpoint;
mod condition;
mod dead_letters;
mod duration;
mod event;
mod feature;
mod fields;
mod key;
mod name;
mod sink;
mod source;
mod suggestion;
mod view;
mod watermark;
mod window;

pub(crate) use suggestion::did_you_mean;

use crate::{Pipeline, diagnostics::Mistakes, document::Node};
use fields::{Fields, Setting};

/// Reads the whole document.
pub(crate) fn pipeline(document: &Node, mistakes: &mut Mistakes<'_>) -> Option<Pipeline> {
    let mut root = Setting::root(document).table("tables", mistakes)?;
    let name = root.required("name", "name = \"ecommerce\"");
    let name = name.and_then(|setting| name::pipeline(&setting, mistakes));
    let source = source::read(&mut root, mistakes);
    let (event, vocabulary) = event::read(&mut root, mistakes);
    let watermark = watermark::read(&mut root, mistakes);
    let checkpoint = checkpoint::read(&mut root, mistakes);
    let sink = sink::read(&mut root, mistakes);
    let source_topic = source.as_ref().map(|source| source.topic.as_str());
    let dead_letters = dead_letters::read(&mut root, source_topic, mistakes);
    let views = view::read_all(&mut root, &vocabulary, mistakes);
    root.finish(mistakes);
    Some(Pipeline {
        name: name?,
        source: source?,
        event: event?,
        watermark: watermark?,
        checkpoint: checkpoint?,
        sink: sink?,
        dead_letters: dead_letters?,
        views: views?,
    })
}
