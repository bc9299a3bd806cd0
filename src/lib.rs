//! siplens: a pure function of a capture, `frames → Model + findings`, with a thin rim of I/O.
//!
//! The order of the modules is the law: a module uses those above it, never those below.
//! `capture` (edge) stands beside the core: it knows `frame` and nothing further down.

pub mod time;
pub mod frame;
pub mod limits;
pub mod octets;
mod near;
pub mod capture;
pub mod net;
pub mod transport;
pub mod sip;
pub mod sdp;
pub mod model;
pub mod rules;
pub mod engine;
#[cfg(feature = "cli")]
pub mod view;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod fuzz;
