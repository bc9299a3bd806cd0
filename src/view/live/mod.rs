//! Views of what happens while it happens: lines of events, tables that refresh.

pub mod finding;
pub mod metrics;
pub mod registrations;
pub mod screen;
