//! All integration tests, one binary: how the program and its parts behave from outside.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![recursion_limit = "256"]

mod capture;
mod audit;
mod cli;
mod differential;
mod docs;
mod logs;
mod mutation;
mod net;
mod program;
mod rules;
mod samples;
mod reader;
mod support;
mod tls;
mod torture;
mod layers;
mod limits;
mod model;
mod shards;
mod view;
mod wire;
