//! EDGE: where frames come from.
