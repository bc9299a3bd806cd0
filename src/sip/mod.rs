//! The grammar of RFC 3261: one message at a time, no memory between messages, never an error.
//!
//! A [`Message`] owns its text and the places in it; typed fields are read on demand and borrow.
//! What the grammar forbids is read around and kept as a [`Defect`].

mod lex;
mod parse;
mod body;
mod glance;
mod place;
pub mod header;
pub mod message;
pub mod method;
pub mod status;
pub mod uri;
pub mod field;

pub use field::address::NameAddr;
pub use field::auth::Auth;
pub use field::contact::Contact;
pub use field::cseq::CSeq;
pub use field::event::Event;
pub use field::params::Params;
pub use field::rack::RAck;
pub use field::reason::Reason;
pub use field::replaces::Replaces;
pub use field::session_expires::{Refresher, SessionExpires};
pub use field::subscription_state::SubscriptionState;
pub use field::via::Via;
pub(crate) use field::via::plain_branch;
pub use field::warning::Warning;
pub use header::{HeaderName, HeaderSet};
pub use message::{Defect, DefectKind, Message, StartLine};
pub use method::Method;
pub use place::{Field, Span};
pub use status::Status;
pub use uri::Uri;
