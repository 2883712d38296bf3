//! The vertices of the job: source, decoding, feature views, sink.

use windrow_core::WindowKind;
use windrow_core::text::format_duration_ms;
use windrow_spec::Pipeline;

/// A stage of the job, in Flink's terms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Vertex {
    /// The Kafka source.
    Source,
    /// The decoding of records to events.
    Decode,
    /// The feature view at this index in the pipeline.
    View(usize),
    /// The Redis sink.
    Sink,
}

impl Vertex {
    /// Returns the text from which the id of the vertex is computed. The text must never change, so that the id stays
    /// the same.
    pub(super) fn id_hash_input(self, pipeline: &Pipeline) -> String {
        match self {
            Self::Source => "source".to_owned(),
            Self::Decode => "decode".to_owned(),
            Self::View(_) => format!("view/{}", self.name(pipeline)),
            Self::Sink => "sink".to_owned(),
        }
    }

    /// Returns the name that Flink's pages show for the vertex.
    pub(super) fn name(self, pipeline: &Pipeline) -> String {
        match self {
            Self::Source => format!("Source: Kafka {}", pipeline.source.kafka().topic),
            Self::Decode => "Decode".to_owned(),
            Self::View(index) => pipeline.views.get(index).map(|view| view.name.to_string()).unwrap_or_default(),
            Self::Sink => "Sink: Redis".to_owned(),
        }
    }

    /// Returns a one-line description of the vertex for Flink's plan.
    pub(super) fn description(self, pipeline: &Pipeline) -> String {
        let Self::View(index) = self else { return self.name(pipeline) };
        let Some(view) = pipeline.views.get(index) else { return self.name(pipeline) };
        let window = match &view.window {
            WindowKind::Sliding { .. } => "sliding windows",
            WindowKind::Session { .. } => "session windows",
        };
        let lateness = match view.allowed_lateness_ms {
            0 => String::new(),
            lateness_ms => format!(", allowed lateness {}", format_duration_ms(lateness_ms)),
        };
        format!("{}: {} features of {window}{lateness}", view.name, view.features.len())
    }
}
