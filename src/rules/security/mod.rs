//! What endangers the network or its users (X).

pub(super) mod scanner_user_agent;
pub(super) mod cleartext_credentials;

/// True for a request signed by a scanning tool.
pub fn is_scanner(message: &crate::sip::Message) -> bool {
    scanner_user_agent::is_signed(message)
}
