//! `Section`: a top-level key of kratos.yaml, and whether a running Kratos follows it.

/// What a change of a section takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesEffect {
    /// A running Kratos follows it (measured on v1.3.1, v25.4.0 and v26.2.0).
    Live,
    /// Kratos reads it at its start only.
    AtStart,
}

/// Declared beside the type that is rendered. A key that no section declares counts as read at the start: a restart too many
/// does less harm than a setting that never takes effect.
pub trait Section {
    const KEY: &'static str;
    const EFFECT: TakesEffect;
}
