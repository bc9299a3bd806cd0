//! EDGE: where frames come from.
pub mod text;
