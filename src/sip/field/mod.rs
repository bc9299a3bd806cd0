//! One typed header field value per file.

pub mod address;
pub mod auth;
pub mod contact;
pub mod cseq;
pub mod params;
pub mod strict;
pub mod via;
