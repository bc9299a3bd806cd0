//! `siplens live` on real traffic, between two network namespaces that each test makes for itself.

mod endings;
mod rights;
mod stage;
mod talk;
mod transports;
mod watcher;
