//! TLS 1.2 and 1.3 opened with a key log: two ordered byte streams in, plain octets out.
//!
//! A connection whose handshake was captured and whose secrets are known is opened; any other
//! tells what could be learned of it (server name, alerts) and why it stays shut. Records that do
//! not authenticate are refused, so a wrong key log never yields garbage.

mod alert;
mod connection;
mod handshake;
#[cfg(feature = "tls")]
mod keys;
mod keylog;
#[cfg(feature = "tls")]
mod record;
#[cfg(not(feature = "tls"))]
#[path = "without.rs"]
mod record;
mod secrets;
mod suite;

pub use alert::alert_word;
pub use connection::{Connection, Event, Verdict};
pub use keylog::{ClientRandom, KeyLog, Label};
pub use secrets::{More, Secrets};

/// True when `bytes` begin with a TLS handshake record that carries a hello.
pub fn is_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, 0..=4, _, _, 1 | 2, 0, ..])
}

/// True when `bytes` begin with the header of any TLS record of a sane length.
pub fn is_record(bytes: &[u8]) -> bool {
    match bytes {
        [kind @ 20..=23, 3, 0..=4, high, low, ..] => {
            let len = u16::from_be_bytes([*high, *low]);
            len <= connection::MAX_RECORD && (len > 0 || *kind == 23)
        }
        _ => false,
    }
}
