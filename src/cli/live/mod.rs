//! EDGE: what a run on live traffic needs beyond the pipeline: rights given up, numbers served.

#[cfg(unix)]
pub mod privileges;
