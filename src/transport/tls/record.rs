//! Opening one protected record; what does not authenticate is refused, never guessed.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes128Gcm, Aes256Gcm, KeyInit};
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use chacha20poly1305::ChaCha20Poly1305;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use super::keys;
use super::suite::{Mac, Protection, Suite};

/// The keys of one direction.
pub(super) struct Opener {
    cipher: Cipher,
    iv: Vec<u8>,
    form: Form,
    sequence: u64,
    /// Suite and traffic secret of TLS 1.3, from which the next generation follows.
    lineage: Option<(Suite, Vec<u8>)>,
}

/// Rules of the record layer that differ by version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Tls12,
    Tls12EncryptThenMac,
    Tls13,
}

enum Cipher {
    Gcm128(Box<Aes128Gcm>),
    Gcm256(Box<Aes256Gcm>),
    ChaCha(Box<ChaCha20Poly1305>),
    Cbc { key: Vec<u8>, mac: Mac, mac_key: Vec<u8> },
}

/// A record that opened: its true content type and its content.
pub(super) struct Opened {
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

impl Opener {
    /// Keys of one direction of TLS 1.3 from its traffic secret.
    pub(super) fn tls13(suite: Suite, secret: &[u8]) -> Option<Self> {
        let len = match suite.protection {
            Protection::Gcm(len) => len,
            Protection::ChaCha => 32,
            Protection::Cbc(..) => return None,
        };
        let key = keys::expand_label(suite.hash, secret, "key", len);
        let iv = keys::expand_label(suite.hash, secret, "iv", 12);
        let cipher = Cipher::aead(suite.protection, &key)?;
        let lineage = Some((suite, secret.to_vec()));
        Some(Self { cipher, iv, form: Form::Tls13, sequence: 0, lineage })
    }

    /// Keys of both directions of TLS 1.2 (RFC 5246 section 6.3): client's, server's.
    pub(super) fn tls12(
        suite: Suite,
        master: &[u8],
        client_random: &[u8; 32],
        server_random: &[u8; 32],
        encrypt_then_mac: bool,
    ) -> Option<(Self, Self)> {
        let (mac_len, key_len, iv_len) = match suite.protection {
            Protection::Gcm(len) => (0, len, 4),
            Protection::ChaCha => (0, 32, 12),
            Protection::Cbc(len, mac) => (mac.len(), len, 0),
        };
        let seed: [&[u8]; 2] = [server_random, client_random];
        let len = 2 * (mac_len + key_len + iv_len);
        let block = keys::prf(suite.hash, master, b"key expansion", &seed, len);
        let mut rest = &block[..];
        let mut take = |n: usize| {
            let (head, tail) = rest.split_at(n);
            rest = tail;
            head
        };
        let (client_mac, server_mac) = (take(mac_len), take(mac_len));
        let (client_key, server_key) = (take(key_len), take(key_len));
        let (client_iv, server_iv) = (take(iv_len), take(iv_len));
        let form = match suite.protection {
            Protection::Cbc(..) if encrypt_then_mac => Form::Tls12EncryptThenMac,
            _ => Form::Tls12,
        };
        let side = |mac_key: &[u8], key: &[u8], iv: &[u8]| {
            let cipher = match suite.protection {
                Protection::Cbc(_, mac) => {
                    Cipher::Cbc { key: key.into(), mac, mac_key: mac_key.into() }
                }
                aead => Cipher::aead(aead, key)?,
            };
            Some(Self { cipher, iv: iv.into(), form, sequence: 0, lineage: None })
        };
        Some((side(client_mac, client_key, client_iv)?, side(server_mac, server_key, server_iv)?))
    }

    /// The keys after a `KeyUpdate` (RFC 8446 section 7.2); `None` before TLS 1.3.
    pub(super) fn updated(&self) -> Option<Self> {
        let (suite, secret) = self.lineage.as_ref()?;
        let next = keys::expand_label(suite.hash, secret, "traffic upd", secret.len());
        Self::tls13(*suite, &next)
    }

    /// Opens the record with this header and payload. When records were lost, up to `skip` of
    /// them are passed over. `None` when it does not authenticate.
    pub(super) fn open(&mut self, header: [u8; 5], payload: &[u8], skip: u64) -> Option<Opened> {
        for sequence in self.sequence..=self.sequence.saturating_add(skip) {
            let plain = self.try_open(sequence, header, payload);
            if let Some(content) = plain {
                self.sequence = sequence + 1;
                return self.unwrap_content(header[0], content);
            }
        }
        None
    }

    fn try_open(&self, sequence: u64, header: [u8; 5], payload: &[u8]) -> Option<Vec<u8>> {
        match &self.cipher {
            Cipher::Gcm128(cipher) => self.aead(&**cipher, sequence, header, payload),
            Cipher::Gcm256(cipher) => self.aead(&**cipher, sequence, header, payload),
            Cipher::ChaCha(cipher) => self.aead(&**cipher, sequence, header, payload),
            Cipher::Cbc { key, mac, mac_key } => {
                let tag = |length: usize, parts: &[&[u8]]| {
                    let mut head = sequence.to_be_bytes().to_vec();
                    head.extend_from_slice(&header[..3]);
                    head.extend_from_slice(&(length as u16).to_be_bytes());
                    let mut all: Vec<&[u8]> = vec![&head];
                    all.extend_from_slice(parts);
                    match mac {
                        Mac::Sha1 => keys::digest::<Sha1>(mac_key, &all),
                        Mac::Sha256 => keys::digest::<Sha256>(mac_key, &all),
                        Mac::Sha384 => keys::digest::<Sha384>(mac_key, &all),
                    }
                };
                if self.form == Form::Tls12EncryptThenMac {
                    let (body, seen) =
                        payload.split_at_checked(payload.len().checked_sub(mac.len())?)?;
                    if tag(body.len(), &[body]) != seen {
                        return None;
                    }
                    unpad(cbc(key, body)?)
                } else {
                    let plain = unpad(cbc(key, payload)?)?;
                    let (content, seen) =
                        plain.split_at_checked(plain.len().checked_sub(mac.len())?)?;
                    (tag(content.len(), &[content]) == seen).then(|| content.to_vec())
                }
            }
        }
    }

    fn aead<A: Aead>(
        &self,
        cipher: &A,
        sequence: u64,
        header: [u8; 5],
        payload: &[u8],
    ) -> Option<Vec<u8>> {
        let (nonce, sealed) = match (self.form, self.iv.len()) {
            // Four octets of salt, eight in the record (RFC 5288 section 3).
            (Form::Tls12, 4) => {
                let (explicit, sealed) = payload.split_at_checked(8)?;
                ([&self.iv, explicit].concat(), sealed)
            }
            // Sequence number xor IV (RFC 8446 section 5.3, RFC 7905 section 2).
            _ => {
                let mut nonce = self.iv.clone();
                for (octet, count) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
                    *octet ^= count;
                }
                (nonce, payload)
            }
        };
        let mut aad = Vec::with_capacity(13);
        if self.form == Form::Tls13 {
            aad.extend_from_slice(&header);
        } else {
            aad.extend_from_slice(&sequence.to_be_bytes());
            aad.extend_from_slice(&header[..3]);
            aad.extend_from_slice(&(sealed.len().checked_sub(16)? as u16).to_be_bytes());
        }
        let nonce = nonce.as_slice().try_into().ok()?;
        cipher.decrypt(nonce, Payload { msg: sealed, aad: &aad }).ok()
    }

    /// TLS 1.3 hides the content type behind the content and zero padding (section 5.4).
    fn unwrap_content(&self, kind: u8, mut content: Vec<u8>) -> Option<Opened> {
        if self.form != Form::Tls13 {
            return Some(Opened { kind, content });
        }
        while content.last() == Some(&0) {
            content.pop();
        }
        let kind = content.pop()?;
        Some(Opened { kind, content })
    }
}

impl Cipher {
    fn aead(protection: Protection, key: &[u8]) -> Option<Self> {
        Some(match protection {
            Protection::Gcm(16) => Self::Gcm128(Box::new(Aes128Gcm::new_from_slice(key).ok()?)),
            Protection::Gcm(_) => Self::Gcm256(Box::new(Aes256Gcm::new_from_slice(key).ok()?)),
            Protection::ChaCha => {
                Self::ChaCha(Box::new(ChaCha20Poly1305::new_from_slice(key).ok()?))
            }
            Protection::Cbc(..) => return None,
        })
    }
}

/// Decrypts explicit IV and blocks; the padding stays on.
fn cbc(key: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let (iv, body) = payload.split_at_checked(16)?;
    if body.is_empty() || body.len() % 16 != 0 {
        return None;
    }
    let mut plain = body.to_vec();
    if key.len() == 16 {
        let mode = cbc::Decryptor::<aes::Aes128>::new_from_slices(key, iv).ok()?;
        mode.decrypt_padded::<NoPadding>(&mut plain).ok()?;
    } else {
        let mode = cbc::Decryptor::<aes::Aes256>::new_from_slices(key, iv).ok()?;
        mode.decrypt_padded::<NoPadding>(&mut plain).ok()?;
    }
    Some(plain)
}

/// Takes TLS padding off: n octets of value n and the length octet n.
fn unpad(mut plain: Vec<u8>) -> Option<Vec<u8>> {
    let pad = *plain.last()?;
    let keep = plain.len().checked_sub(pad as usize + 1)?;
    if plain[keep..].iter().any(|&octet| octet != pad) {
        return None;
    }
    plain.truncate(keep);
    Some(plain)
}
