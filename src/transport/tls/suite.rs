//! The cipher suites that are opened, by their registry numbers.

/// Hash of the key schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

/// How records are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protection {
    /// AES-GCM with a key of that many octets.
    Gcm(usize),
    /// ChaCha20-Poly1305.
    ChaCha,
    /// AES-CBC with a key of that many octets, and HMAC.
    Cbc(usize, Mac),
}

/// HMAC of CBC suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    /// HMAC-SHA-1, 20 octets.
    Sha1,
    /// HMAC-SHA-256, 32 octets.
    Sha256,
    /// HMAC-SHA-384, 48 octets.
    Sha384,
}

#[cfg(feature = "tls")]
impl Mac {
    /// Octets of the tag, and of the key.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// A cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    /// Record protection.
    pub(super) protection: Protection,
    /// Hash of PRF or HKDF.
    pub(super) hash: Hash,
}

impl Suite {
    /// The suite with this number (the TLS Cipher Suites registry), when it is one we open.
    pub(super) fn of(number: u16) -> Option<Self> {
        use Hash::{Sha256, Sha384};
        use Protection::{Cbc, ChaCha, Gcm};
        let (protection, hash) = match number {
            // 0x13xx is TLS 1.3. RSA, DHE-RSA, DHE-DSS, ECDH, ECDHE of TLS 1.2: the key exchange
            // does not matter to us.
            0x1301 | 0x009c | 0x009e | 0x00a2 | 0xc02b | 0xc02d | 0xc02f | 0xc031 => {
                (Gcm(16), Sha256)
            }
            0x1302 | 0x009d | 0x009f | 0x00a3 | 0xc02c | 0xc02e | 0xc030 | 0xc032 => {
                (Gcm(32), Sha384)
            }
            0x1303 | 0xcca8..=0xccaa => (ChaCha, Sha256),
            0x002f | 0x0032 | 0x0033 | 0xc004 | 0xc009 | 0xc00e | 0xc013 => {
                (Cbc(16, Mac::Sha1), Sha256)
            }
            0x0035 | 0x0038 | 0x0039 | 0xc005 | 0xc00a | 0xc00f | 0xc014 => {
                (Cbc(32, Mac::Sha1), Sha256)
            }
            0x003c | 0x0040 | 0x0067 | 0xc023 | 0xc025 | 0xc027 | 0xc029 => {
                (Cbc(16, Mac::Sha256), Sha256)
            }
            0x003d | 0x006a | 0x006b => (Cbc(32, Mac::Sha256), Sha256),
            0xc024 | 0xc026 | 0xc028 | 0xc02a => (Cbc(32, Mac::Sha384), Sha384),
            _ => return None,
        };
        Some(Self { protection, hash })
    }
}
