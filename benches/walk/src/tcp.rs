//! TCP as far as the yardstick needs it: order, overlap, Content-Length.

use super::*;

/// One direction of a TCP connection.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) next: u32,
    /// The start of a message whose end has not arrived.
    pub(crate) partial: Vec<u8>,
    pub(crate) early: BTreeMap<u32, Vec<u8>>,
}

/// The TCP payload of an IPv4 frame, if one of its ports is 5060.
#[inline]
pub(crate) fn tcp_payload(frame: &[u8]) -> Option<(&[u8], u32, u32, u64)> {
    if *frame.get(23)? != 6 || frame[12..14] != [8, 0] {
        return None;
    }
    let at = 14 + usize::from(frame[14] & 15) * 4;
    let end = 14 + usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let tcp = frame.get(at..end)?;
    let ports = u32::from_be_bytes(tcp.get(0..4)?.try_into().unwrap());
    if ports >> 16 != 5060 && ports & 0xFFFF != 5060 {
        return None;
    }
    let seq = u32::from_be_bytes(tcp[4..8].try_into().unwrap());
    let key = hash(&frame[26..34]) ^ u64::from(ports);
    Some((tcp.get(usize::from(tcp[12] >> 4) * 4..)?, ports, seq, key))
}

/// Length of the first message in a stream, if it is complete.
#[inline]
pub(crate) fn message_length(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut body = 0;
    loop {
        let end = at + memchr(b'\n', &data[at..])?;
        let line = &data[at..end];
        at = end + 1;
        if line.len() < 2 {
            return (at + body <= data.len()).then_some(at + body);
        }
        if line[0] | 0x20 == b'c'
            && line.len() > 15
            && line[..15].eq_ignore_ascii_case(b"content-length:")
        {
            body = number(&line[15..]) as usize;
        }
    }
}

/// Calls `each` for every complete message at the start of `data`; returns what is left.
pub(crate) fn frame_messages<'a>(mut data: &'a [u8], each: &mut impl FnMut(&[u8])) -> &'a [u8] {
    loop {
        while data.starts_with(b"\r\n") {
            data = &data[2..];
        }
        let Some(length) = message_length(data) else { return data };
        each(&data[..length]);
        data = &data[length..];
    }
}

pub(crate) fn receive(stream: &mut Stream, seq: u32, payload: &[u8], each: &mut impl FnMut(&[u8])) {
    if stream.next == 0 {
        stream.next = seq;
    }
    let ahead = seq.wrapping_sub(stream.next);
    if ahead != 0 && ahead < 1 << 31 {
        stream.early.insert(seq, payload.to_vec());
        return;
    }
    let known = stream.next.wrapping_sub(seq) as usize;
    if known >= payload.len() {
        return;
    }
    let fresh = &payload[known..];
    stream.next = stream.next.wrapping_add(fresh.len() as u32);
    if stream.partial.is_empty() {
        let rest = frame_messages(fresh, each);
        stream.partial.extend_from_slice(rest);
    } else {
        stream.partial.extend_from_slice(fresh);
        let partial = std::mem::take(&mut stream.partial);
        let rest = frame_messages(&partial, each);
        stream.partial = rest.to_vec();
    }
    while let Some((&seq, _)) =
        stream.early.iter().find(|(s, _)| stream.next.wrapping_sub(**s) < 1 << 31)
    {
        let data = stream.early.remove(&seq).unwrap();
        receive(stream, seq, &data, each);
    }
}
