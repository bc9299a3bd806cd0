//! Ways to show the model: every view writes to a sink it is given, and changes nothing.
//!
//! Views read a [`Subject`] (what was found) and a [`Style`] (how to draw it). They open no file
//! but the sink, read no environment and never decide what is a violation.

pub mod style;
mod digits;
pub mod clock;
pub mod visible;
pub mod secret;
pub mod frames;
pub mod subject;
pub mod ladder;
pub mod text;
pub mod markup;
pub mod svg;
pub mod mermaid;
pub mod json;
pub mod csv;
pub mod table;
pub mod explain;
mod line;
pub mod message;
pub mod messages;
pub mod list;
pub mod registrations;
pub mod page;
pub mod plain;
pub mod quote;
pub mod check;
pub mod sarif;
pub mod completeness;
pub mod html;
#[cfg(feature = "live")]
pub mod live;

pub use clock::TimeStyle;
pub use ladder::Ladder;
pub use style::{Charset, Coloring, Format, Style};
pub use subject::{MessageRow, Relation, Subject};
