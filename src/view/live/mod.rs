//! Ways to show what happens while it happens.

pub mod metrics;
