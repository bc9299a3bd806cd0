//! All integration tests, one binary: how the program and its parts behave from outside.

#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
// Numbers and texts of tests are small and known.
#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss)]
#![allow(clippy::format_collect, clippy::format_push_string)]
#![recursion_limit = "256"]

mod capture;
mod carriage;
mod audit;
mod cli;
mod compression;
mod damage;
mod differential;
mod docs;
mod escapes;
mod evidence;
mod expectations;
mod fleet;
mod follow;
mod foreign;
mod fragments;
mod hep;
#[cfg(all(feature = "live", unix))]
mod hep_listen;
#[cfg(all(feature = "live", target_os = "linux"))]
mod interrupts;
mod keeping;
#[cfg(feature = "live")]
mod live;
mod live_registrations;
#[cfg(feature = "live")]
mod live_sources;
#[cfg(all(feature = "live", libpcap, target_os = "linux"))]
mod live_net;
mod logs;
mod losses;
#[cfg(feature = "live")]
mod metrics;
mod mutation;
mod net;
mod oracle;
mod probes;
mod presentation;
#[cfg(all(feature = "live", target_os = "linux"))]
mod privileges;
mod program;
mod registrations;
mod rules;
mod samples;
mod savefile;
mod sctp;
#[cfg(all(feature = "live", target_os = "linux"))]
mod second_screen;
mod reader;
mod support;
mod tcp;
mod tls;
mod torture;
mod ladders;
mod layers;
mod limits;
mod model;
mod shards;
mod view;
mod websocket;
mod wire;
