//! The length that the record of a log names for its message.

/// What may follow the number of octets of a message: others count something else.
const BEHIND: [&[u8]; 6] = [b" from ", b") from ", b" to ", b") to ", b" Request ", b" Response "];

/// The length in octets that stands right before a message: `len: 394, data: REGISTER ...`,
/// `(440 bytes) from UDP:...`, `recv 440 bytes from ...`. `lines` are those before the start line,
/// the nearest last; rulers and empty lines are passed over.
pub(super) fn named<'a>(lines: impl DoubleEndedIterator<Item = &'a [u8]>) -> Option<usize> {
    let is_ruler = |line: &&[u8]| line.iter().all(|b| matches!(b, b' ' | b'\t' | b'-' | b'='));
    let line = lines.rev().find(|line| !is_ruler(line))?;
    after_len(line).or_else(|| before_bytes(line))
}

/// The number of `len: 394`, `recvLen: 394`, `len=394`.
fn after_len(line: &[u8]) -> Option<usize> {
    let at = line.windows(4).position(|four| {
        four[..3].eq_ignore_ascii_case(b"len") && matches!(four[3], b':' | b'=')
    })?;
    let rest = line.get(at + 4..)?.trim_ascii_start();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    number(&rest[..digits])
}

/// The number of `440 bytes from`.
fn before_bytes(line: &[u8]) -> Option<usize> {
    let at = memchr::memmem::find(line, b" bytes")?;
    let behind = &line[at + b" bytes".len()..];
    if !BEHIND.iter().any(|words| behind.starts_with(words)) {
        return None;
    }
    let digits = line[..at].iter().rev().take_while(|b| b.is_ascii_digit()).count();
    number(&line[at - digits..at])
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], length: Option<usize>) {
        assert_eq!(named(lines.iter().map(|line| line.as_bytes())), length, "{lines:?}");
    }

    #[test]
    fn the_length_of_a_record_is_read_where_it_speaks_of_the_message() {
        check(&["2022/03/30 15:02:20 sip.go:15: len: 394, data: "], Some(394));
        check(&["sip.go:120: sendLen: 417, sendData: "], Some(417));
        check(
            &["<--- Received SIP request (440 bytes) from UDP:192.0.2.1:5060 --->", ""],
            Some(440),
        );
        check(&["recv 440 bytes from udp/[192.0.2.1]:5060 at 08:00:00.0:", "-----", ""], Some(440));
        check(
            &[".TX 362 bytes Response msg 401/REGISTER/cseq=1 to UDP 192.0.2.1:5060:"],
            Some(362),
        );
        check(&["len: 394, data: of another message", "08:00:00 something else", ""], None);
        check(&["12 bytes free"], None);
        check(&["len: , data: "], None);
        check(&[], None);
    }
}
