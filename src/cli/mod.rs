//! EDGE: the words of the user become settings, and outcomes become exit codes.

pub mod args;
pub mod choice;
pub mod closing;
pub mod facts;
pub mod filter;
pub mod output;
pub mod window;
