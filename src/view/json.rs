//! JSON: frozen types of its own, by version (docs/json.md).

/// The version of the format, in every JSON document.
pub const VERSION: &str = "siplens/1";
