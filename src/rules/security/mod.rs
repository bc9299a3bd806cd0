//! What endangers the network or its users (X).

pub(super) mod scanner_user_agent;
pub(super) mod cleartext_credentials;
