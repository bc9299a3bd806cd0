//! EDGE: what a run on live traffic needs beyond the pipeline: rights given up, numbers served.

pub mod metrics;
#[cfg(unix)]
pub mod privileges;
