//! The secrets of a run: key logs, those that grow among them, and sessions that may be resumed.

use std::collections::HashMap;

use super::handshake::{ClientHello, ServerHello};
use super::keylog::{KeyLog, Label};

/// Sessions remembered for resumption.
const MAX_SESSIONS: usize = 16_384;

/// What a key log that grows has come to since this was asked last: whole lines.
pub type More = Box<dyn FnMut() -> Vec<u8> + Send>;

/// Secrets of the run: the key log, and sessions seen that may be resumed.
#[derive(Default)]
pub struct Secrets {
    /// The key log.
    pub log: KeyLog,
    more: Option<More>,
    sessions: HashMap<Box<[u8]>, Box<[u8]>>,
}

impl Secrets {
    /// The key log grows: `more` is asked where a connection lacks secrets.
    pub fn grow(&mut self, more: More) {
        self.log.forget_first();
        self.more = Some(more);
    }

    /// True when the key log grows.
    pub(super) const fn is_growing(&self) -> bool {
        self.more.is_some()
    }

    /// Asks whether the log has grown.
    pub(super) fn look(&mut self) {
        if let Some(more) = &mut self.more {
            self.log.add(&more());
        }
    }

    pub(super) fn master(&self, client: &ClientHello, server: &ServerHello) -> Option<Box<[u8]>> {
        let logged = self.log.get(&client.random, Label::Master).map(Into::into);
        logged.or_else(|| {
            // Resumed by identifier (RFC 5246 section 7.3) or by ticket (RFC 5077).
            let session = (!server.session.is_empty()).then_some(&server.session);
            session
                .and_then(|id| self.sessions.get(id))
                .or_else(|| self.sessions.get(&client.ticket).filter(|_| !client.ticket.is_empty()))
                .cloned()
        })
    }

    pub(super) fn remember(&mut self, name: &[u8], master: &[u8]) {
        if !name.is_empty() && self.sessions.len() < MAX_SESSIONS {
            self.sessions.insert(name.into(), master.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_sessions_are_remembered_than_allowed() {
        let mut secrets = Secrets::default();
        for n in 0..MAX_SESSIONS + 10 {
            secrets.remember(&n.to_be_bytes(), &[1; 48]);
        }
        assert_eq!(secrets.sessions.len(), MAX_SESSIONS);
    }
}
