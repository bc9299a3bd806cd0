//! One typed header field value per file: lax readers that read around what is wrong; `strict`
//! says what that is.

pub mod address;
pub mod auth;
pub mod contact;
pub mod cseq;
pub mod event;
pub mod params;
pub mod rack;
pub mod reason;
pub mod replaces;
pub mod session_expires;
pub mod strict;
pub mod subscription_state;
pub mod via;
pub mod warning;
