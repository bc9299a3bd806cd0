//! `siplens live` on real traffic, between two network namespaces that each test makes for itself.

#![allow(clippy::disallowed_methods)] // Deadlines are of the time of whoever runs the tests.

mod agents;
mod endings;
mod flood;
mod floods;
mod lapses;
mod losses;
mod phones;
mod rights;
mod stage;
mod talk;
mod terminal;
mod transports;
mod watcher;
