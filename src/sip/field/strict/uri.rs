//! The grammar of URIs (section 19.1.1): `sip` and `sips` in full, of others only the octets.

use memchr::memchr;

use super::class::{Class, HEADER, HOST, OTHER, PARAM, PASSWORD, USER};
use super::{Broken, FaultKind, Verdict};
use crate::sip::Uri;
use crate::sip::uri::{scheme, split_userinfo};

/// A URI anywhere but in the request line.
pub(super) fn check(text: &[u8]) -> Verdict<'_> {
    let Ok((rest, scheme)) = scheme(text) else { return Err(bad(text)) };
    if !(scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips")) {
        return match OTHER.break_in_escaped(rest) {
            Some(at) => Err(bad(&rest[at..])),
            None if rest.is_empty() => Err(bad(rest)),
            None => Ok(()),
        };
    }
    let (userinfo, rest) = split_userinfo(rest);
    if let Some(userinfo) = userinfo {
        let colon = memchr(b':', userinfo).unwrap_or(userinfo.len());
        let (user, password) = userinfo.split_at(colon);
        if user.is_empty() {
            return Err(bad(userinfo));
        }
        escaped(USER, user)?;
        escaped(PASSWORD, password.get(1..).unwrap_or_default())?;
    }
    let (rest, headers) = rest.split_at(memchr(b'?', rest).unwrap_or(rest.len()));
    let (hostport, params) = rest.split_at(memchr(b';', rest).unwrap_or(rest.len()));
    if let Some(at) = break_in_hostport(hostport) {
        return Err(bad(&hostport[at..]));
    }
    check_params(params)?;
    escaped(HEADER, headers.get(1..).unwrap_or_default())
}

/// The Request-URI, which must have neither headers nor a `method` (section 19.1.1, table 1).
pub(super) fn check_request(text: &[u8]) -> Verdict<'_> {
    check(text)?;
    let Some(uri) = Uri::parse(text).filter(Uri::is_sip) else { return Ok(()) };
    let component = |at| Err(Broken::of(FaultKind::RuriComponent, at));
    if let Some(headers) = uri.headers {
        return component(headers);
    }
    match uri.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"method")) {
        Some((name, _)) => component(name),
        None => Ok(()),
    }
}

/// Where host and port, which are the same in Via, break their grammar.
pub(super) fn break_in_hostport(text: &[u8]) -> Option<usize> {
    let host_end = match text.first()? {
        b'[' => {
            let close = memchr(b']', text)?;
            let address = text[1..close].iter();
            let odd = address.clone().position(|o| !(o.is_ascii_hexdigit() || b":.".contains(o)));
            if let Some(at) = odd {
                return Some(at + 1);
            }
            close + 1
        }
        _ => HOST.break_in(text).unwrap_or(text.len()),
    };
    match text[host_end..].split_first() {
        _ if host_end == 0 => Some(0),
        None => None,
        Some((b':', port)) => {
            let digits = port.iter().take_while(|octet| octet.is_ascii_digit()).count();
            (digits == 0 || digits < port.len()).then_some(host_end + 1 + digits)
        }
        Some(_) => Some(host_end),
    }
}

fn check_params(params: &[u8]) -> Verdict<'_> {
    let mut rest = params;
    while let Some((b';', after)) = rest.split_first() {
        let (param, next) = after.split_at(memchr(b';', after).unwrap_or(after.len()));
        if param.is_empty() {
            let at = if after.is_empty() { rest } else { after };
            return Err(Broken::of(FaultKind::Separators, at));
        }
        let (name, value) = param.split_at(memchr(b'=', param).unwrap_or(param.len()));
        if name.is_empty() {
            return Err(bad(param));
        }
        escaped(PARAM, name)?;
        escaped(PARAM, value.get(1..).unwrap_or_default())?;
        rest = next;
    }
    Ok(())
}

fn escaped(class: Class, text: &[u8]) -> Verdict<'_> {
    class.break_in_escaped(text).map_or(Ok(()), |at| Err(bad(&text[at..])))
}

const fn bad(at: &[u8]) -> Broken<'_> {
    Broken::of(FaultKind::Uri, at)
}
