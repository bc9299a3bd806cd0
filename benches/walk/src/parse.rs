//! One message: its header lines found, a summary of it kept.

use super::*;

#[allow(dead_code)]
pub(crate) struct Summary {
    pub(crate) time_us: u64,
    pub(crate) branch: u64,
    pub(crate) tags: u64,
    pub(crate) dialog: u32,
    pub(crate) cseq: u32,
    pub(crate) start: u32,
    pub(crate) length: u16,
    pub(crate) body: u16,
    pub(crate) ports: u32,
    pub(crate) code: u16,
}

pub(crate) fn parse(payload: &[u8], tally: &mut Tally, time_us: u64, ports: u32, start: usize) {
    let mut s = Summary {
        time_us,
        branch: 0,
        tags: 0,
        dialog: 0,
        cseq: 0,
        start: start as u32,
        length: payload.len() as u16,
        body: 0,
        ports,
        code: 0,
    };
    let Some(end) = memchr(b'\n', payload) else { return };
    let first = &payload[..end];
    if first.starts_with(b"SIP/2.0 ") {
        s.code = number(&first[8..]) as u16;
    } else if !first.trim_ascii_end().ends_with(b"SIP/2.0") {
        return;
    }
    let mut rest = &payload[end + 1..];
    let mut id = 0;
    while let Some(end) = memchr(b'\n', rest) {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        if line.len() < 2 {
            break;
        }
        let Some(colon) = memchr(b':', line) else { continue };
        let value = &line[colon + 1..];
        let name = line[..colon].trim_ascii_end();
        match name.len() {
            3 if name.eq_ignore_ascii_case(b"via") => {
                if s.branch == 0 {
                    s.branch = after(value, b"branch=").map_or(0, hash);
                }
            }
            2 if name.eq_ignore_ascii_case(b"to") => {
                s.tags ^= after(value, b";tag=").map_or(0, hash)
            }
            4 if name.eq_ignore_ascii_case(b"from") => {
                s.tags ^= after(value, b";tag=").map_or(0, hash)
            }
            4 if name.eq_ignore_ascii_case(b"cseq") => s.cseq = number(value),
            7 if name.eq_ignore_ascii_case(b"call-id") => id = hash(value.trim_ascii()),
            14 if name.eq_ignore_ascii_case(b"content-length") => s.body = number(value) as u16,
            _ => {}
        }
    }
    if id != 0 {
        s.dialog = tally.table.add(id, 1);
        tally.messages += 1;
        tally.sum ^= id;
        tally.summaries.push(s);
    }
}

/// The parameter `;name=` of a header value.
#[inline]
pub(crate) fn parameter<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    for at in memchr::memchr_iter(b';', line) {
        let rest = &line[at + 1..];
        if rest.len() > name.len()
            && rest[..name.len()].eq_ignore_ascii_case(name)
            && rest[name.len()] == b'='
        {
            let value = &rest[name.len() + 1..];
            let end = value
                .iter()
                .position(|b| matches!(b, b';' | b'\r' | b' ' | b',' | b'>'))
                .unwrap_or(value.len());
            return Some(&value[..end]);
        }
    }
    None
}

/// Bit `i` is set where `block[i]` is a line feed.
#[inline]
pub(crate) fn line_feeds(block: &[u8]) -> u64 {
    #[cfg(target_feature = "avx2")]
    if block.len() >= 64 {
        use std::arch::x86_64::*;
        unsafe {
            let lf = _mm256_set1_epi8(b'\n' as i8);
            let a = _mm256_loadu_si256(block.as_ptr().cast());
            let b = _mm256_loadu_si256(block.as_ptr().add(32).cast());
            let a = _mm256_movemask_epi8(_mm256_cmpeq_epi8(a, lf)) as u32;
            let b = _mm256_movemask_epi8(_mm256_cmpeq_epi8(b, lf)) as u32;
            return u64::from(a) | u64::from(b) << 32;
        }
    }
    block.iter().take(64).enumerate().fold(0, |m, (i, &b)| m | u64::from(b == b'\n') << i)
}

pub(crate) fn fast(payload: &[u8], tally: &mut Tally, time_us: u64, ports: u32, start: usize) {
    let mut s = Summary {
        time_us,
        branch: 0,
        tags: 0,
        dialog: 0,
        cseq: 0,
        start: start as u32,
        length: payload.len() as u16,
        body: 0,
        ports,
        code: 0,
    };
    let mut id = 0;
    let mut line_start = 0;
    let mut first = true;
    let mut at = 0;
    'message: while at < payload.len() {
        let mut mask = line_feeds(&payload[at..]);
        while mask != 0 {
            let end = at + mask.trailing_zeros() as usize;
            mask &= mask - 1;
            let line = &payload[line_start..end];
            line_start = end + 1;
            if line.len() < 4 {
                break 'message;
            }
            if first {
                first = false;
                if line.starts_with(b"SIP/2.0 ") {
                    s.code = number(&line[8..]) as u16;
                } else if !line.trim_ascii_end().ends_with(b"SIP/2.0") {
                    return;
                }
                continue;
            }
            match line[0] | 0x20 {
                b'v' if line[..4].eq_ignore_ascii_case(b"via:") => {
                    if s.branch == 0 {
                        s.branch = parameter(&line[4..], b"branch").map_or(0, hash);
                    }
                }
                b't' if line[..3].eq_ignore_ascii_case(b"to:") => {
                    s.tags ^= parameter(&line[3..], b"tag").map_or(0, hash)
                }
                b'f' if line.len() > 5 && line[..5].eq_ignore_ascii_case(b"from:") => {
                    s.tags ^= parameter(&line[5..], b"tag").map_or(0, hash)
                }
                b'c' if line.len() > 9 => {
                    if line[..8].eq_ignore_ascii_case(b"call-id:") {
                        id = hash(line[8..].trim_ascii());
                    } else if line[..5].eq_ignore_ascii_case(b"cseq:") {
                        s.cseq = number(&line[5..]);
                    } else if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:")
                    {
                        s.body = number(&line[15..]) as u16;
                    }
                }
                _ => {}
            }
        }
        at += 64;
    }
    if id != 0 {
        s.dialog = tally.table.add(id, 1);
        tally.messages += 1;
        tally.sum ^= id;
        tally.summaries.push(s);
    }
}
