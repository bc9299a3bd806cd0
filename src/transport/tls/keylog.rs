//! The secrets of TLS connections in the NSS key log format (SSLKEYLOGFILE).

use std::collections::HashMap;

/// 32 octets a client chose: they name a connection in a key log.
pub type ClientRandom = [u8; 32];

/// Which secret of a connection (the labels of the key log format).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// `CLIENT_RANDOM`: the master secret of TLS 1.2 and older.
    Master,
    /// `CLIENT_EARLY_TRAFFIC_SECRET`.
    ClientEarly,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET`.
    ClientHandshake,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    ServerHandshake,
    /// `CLIENT_TRAFFIC_SECRET_0`.
    ClientTraffic,
    /// `SERVER_TRAFFIC_SECRET_0`.
    ServerTraffic,
}

impl Label {
    fn of(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"CLIENT_RANDOM" => Self::Master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => Self::ClientEarly,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => Self::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => Self::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => Self::ClientTraffic,
            b"SERVER_TRAFFIC_SECRET_0" => Self::ServerTraffic,
            _ => return None,
        })
    }
}

/// Secrets kept: those of 200,000 connections and more, in 200 MB.
const MOST: usize = 1 << 20;

type Known = HashMap<(ClientRandom, Label), Box<[u8]>>;

/// Secrets by connection. Lines may come from several files and from inside a pcapng.
pub struct KeyLog {
    secrets: Known,
    /// Secrets that came before them, of a log that grows.
    before: Option<Known>,
    most: usize,
    malformed: u64,
    left_out: u64,
}

impl Default for KeyLog {
    fn default() -> Self {
        Self { secrets: HashMap::new(), before: None, most: MOST, malformed: 0, left_out: 0 }
    }
}

impl KeyLog {
    /// Takes in the lines of `text`. Comments, empty lines and labels of other uses are passed
    /// over; a line with a known label that cannot be read is counted.
    pub fn add(&mut self, text: &[u8]) {
        for line in text.split(|&b| b == b'\n') {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let label = words.next().map(Label::of);
            let known = match label {
                Some(Some(label)) => label,
                // Labels of other uses (EXPORTER_SECRET, QUIC, RSA) are letters, digits and `_`.
                _ if line[0].is_ascii_uppercase() => continue,
                _ => {
                    self.malformed += 1;
                    continue;
                }
            };
            let random =
                words.next().and_then(unhex).and_then(|r| ClientRandom::try_from(&*r).ok());
            let secret = words.next().and_then(unhex).filter(|s| (16..=64).contains(&s.len()));
            if let Some(before) = &mut self.before
                && self.most / 2 <= self.secrets.len()
            {
                *before = std::mem::take(&mut self.secrets);
            }
            match (random, secret) {
                (Some(_), Some(_)) if self.most <= self.secrets.len() => self.left_out += 1,
                (Some(random), Some(secret)) => {
                    self.secrets.insert((random, known), secret);
                }
                _ => self.malformed += 1,
            }
        }
    }

    /// The secret `label` of the connection `random`.
    pub fn get(&self, random: &ClientRandom, label: Label) -> Option<&[u8]> {
        let name = (*random, label);
        let before = || self.before.as_ref().and_then(|before| before.get(&name));
        self.secrets.get(&name).or_else(before).map(|secret| &**secret)
    }

    /// From now on lets the secrets go that came first, where there is no room for more.
    pub fn forget_first(&mut self) {
        self.before.get_or_insert_default();
    }

    /// True when there is no secret at all.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// How many secrets there are.
    pub fn len(&self) -> usize {
        self.secrets.len() + self.before.as_ref().map_or(0, HashMap::len)
    }

    /// How many secrets were left out because there are too many.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// How many lines could not be read.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }
}

fn unhex(text: &[u8]) -> Option<Box<[u8]>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |b: u8| (b as char).to_digit(16);
    text.chunks_exact(2)
        .map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8))
        .collect::<Option<Vec<u8>>>()
        .map(Vec::into_boxed_slice)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_log_without_end_is_held_in_bounds() {
        let mut log = KeyLog { most: 2, ..KeyLog::default() };
        for n in 0..5 {
            log.add(format!("CLIENT_RANDOM {n:064x} {n:096x}").as_bytes());
        }
        assert_eq!((log.len(), log.left_out()), (2, 3));
        let mut growing = KeyLog { most: 4, ..KeyLog::default() };
        growing.forget_first();
        for n in 0..99 {
            growing.add(format!("CLIENT_RANDOM {n:064x} {n:096x}").as_bytes());
            assert!(growing.len() <= 4);
        }
        let mut last = [0; 32];
        last[31] = 98;
        assert!(growing.get(&last, Label::Master).is_some() && growing.left_out() == 0);
    }

    #[test]
    fn a_key_log_is_read_around_what_it_does_not_know() {
        let random = "ab".repeat(32);
        let text = format!(
            "# comment\r\n\r\nCLIENT_RANDOM {random} {}\r\nEXPORTER_SECRET {random} 00\n\
             CLIENT_RANDOM {random}\nCLIENT_RANDOM zz 00\n\x00\x01binary\n\
             SERVER_TRAFFIC_SECRET_0 {random} {}",
            "0c".repeat(48),
            "0d".repeat(32)
        );
        let mut log = KeyLog::default();
        log.add(text.as_bytes());
        assert_eq!(log.len(), 2);
        assert_eq!(log.malformed(), 3);
        assert_eq!(log.get(&[0xab; 32], Label::Master).unwrap(), [0x0c; 48]);
        assert_eq!(log.get(&[0xab; 32], Label::ServerTraffic).unwrap(), [0x0d; 32]);
        assert!(log.get(&[0xab; 32], Label::ClientTraffic).is_none());
    }
}
