//! Key schedules: PRF of TLS 1.2 (RFC 5246 section 5), HKDF of TLS 1.3 (RFC 8446 section 7).

use hmac::{EagerHash, Hmac, KeyInit, Mac as _};
use sha2::{Sha256, Sha384};

use super::suite::Hash;

/// HMAC of the concatenated `parts`.
pub(super) fn hmac(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    match hash {
        Hash::Sha256 => digest::<Sha256>(key, parts),
        Hash::Sha384 => digest::<Sha384>(key, parts),
    }
}

/// HMAC with the hash `D`. Any key length is right for HMAC, so this cannot fail.
pub(super) fn digest<D: EagerHash>(key: &[u8], parts: &[&[u8]]) -> Vec<u8>
where
    Hmac<D>: KeyInit + hmac::Mac,
{
    let Ok(mut mac) = <Hmac<D> as KeyInit>::new_from_slice(key) else { return Vec::new() };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// `P_hash` of TLS 1.2, `len` octets.
pub(super) fn prf(hash: Hash, secret: &[u8], label: &[u8], seed: &[&[u8]], len: usize) -> Vec<u8> {
    let mut labelled = vec![label];
    labelled.extend_from_slice(seed);
    let mut chain = hmac(hash, secret, &labelled);
    let mut out = Vec::with_capacity(len + 48);
    while out.len() < len {
        let mut parts: Vec<&[u8]> = vec![&chain];
        parts.extend_from_slice(&labelled);
        out.extend_from_slice(&hmac(hash, secret, &parts));
        chain = hmac(hash, secret, &[&chain]);
    }
    out.truncate(len);
    out
}

/// HKDF-Expand-Label with an empty context, `len` octets (at most one hash length is ever asked).
pub(super) fn expand_label(hash: Hash, secret: &[u8], label: &str, len: usize) -> Vec<u8> {
    let mut info = (len as u16).to_be_bytes().to_vec();
    info.push(6 + label.len() as u8);
    info.extend_from_slice(b"tls13 ");
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    let mut out = hmac(hash, secret, &[&info, &[1]]);
    out.truncate(len);
    out
}
