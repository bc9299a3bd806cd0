//! Numbers and addresses as text, appended to a buffer: no format string, nothing allocated.

use std::io::Write as _;
use std::net::IpAddr;

use crate::net::Endpoint;

/// Appends the decimal digits of `value`.
pub(super) fn append_number(mut value: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
        first -= 1;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Appends `192.0.2.1` or `2001:db8::1`.
pub(super) fn append_address(ip: IpAddr, out: &mut Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => {
            for (index, octet) in ip.octets().into_iter().enumerate() {
                if index != 0 {
                    out.push(b'.');
                }
                append_number(u64::from(octet), out);
            }
        }
        IpAddr::V6(ip) => {
            let _ = write!(out, "{ip}");
        }
    }
}

/// Appends an endpoint as it is displayed: `192.0.2.1:5060`, `[2001:db8::1]:5060`, `unknown`.
pub(super) fn append_endpoint(end: Endpoint, out: &mut Vec<u8>) {
    match end.known() {
        Some(Endpoint { ip: ip @ IpAddr::V4(_), port }) => {
            append_address(ip, out);
            out.push(b':');
            append_number(u64::from(port), out);
        }
        _ => {
            let _ = write!(out, "{end}");
        }
    }
}

/// Fills `out` with the decimal digits of `value`, zeros before them; what does not fit is cut at
/// the left.
pub(super) fn fill(out: &mut [u8], mut value: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Fills up what was appended from `start` on to `width` columns: with blanks behind it.
pub(super) fn pad_to(start: usize, width: usize, out: &mut Vec<u8>) {
    out.resize(out.len().max(start + width), b' ');
}

/// The same with blanks before it.
pub(super) fn pad_left_to(start: usize, width: usize, out: &mut Vec<u8>) {
    let missing = (start + width).saturating_sub(out.len());
    out.splice(start..start, std::iter::repeat_n(b' ', missing));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(append: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = b"> ".to_vec();
        append(&mut out);
        String::from_utf8(out).unwrap_or_default()
    }

    #[test]
    fn numbers_and_endpoints_are_as_they_are_displayed() {
        for value in [0, 7, 10, 65_535, u64::MAX] {
            assert_eq!(text(|out| append_number(value, out)), format!("> {value}"));
        }
        for ip in ["192.0.2.1", "0.0.0.0", "2001:db8::1", "::ffff:192.0.2.1"] {
            let Ok(ip) = ip.parse() else { continue };
            assert_eq!(text(|out| append_address(ip, out)), format!("> {ip}"));
            for port in [0, 5060] {
                let end = Endpoint { ip, port };
                assert_eq!(text(|out| append_endpoint(end, out)), format!("> {end}"));
            }
        }
        assert_eq!(text(|out| append_endpoint(Endpoint::UNKNOWN, out)), "> unknown");
    }

    #[test]
    fn what_is_longer_than_its_room_stays_whole() {
        for width in 0..6 {
            let padded = |pad: fn(usize, usize, &mut Vec<u8>)| {
                text(|out| {
                    out.extend_from_slice(b"abc");
                    pad(2, width, out);
                })
            };
            assert_eq!(padded(pad_to), format!("> {:width$}", "abc"));
            assert_eq!(padded(pad_left_to), format!("> {:>width$}", "abc"));
        }
    }
}
