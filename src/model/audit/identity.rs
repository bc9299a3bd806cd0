//! Who registers what where: keys of devices, registrars and bindings (RFC 3261 section 19.1.4,
//! RFC 5626, GB/T 28181 annex E).

use std::fmt::Write as _;

use crate::octets::octets;
use crate::sip::{NameAddr, Uri};

/// The device an address names: a GB/T 28181 identifier alone (its host part differs by vendor
/// and over time), else user@host without port.
pub fn device(uri: &[u8]) -> String {
    let Some(uri) = Uri::parse(uri) else { return text(uri) };
    let user = uri.user.map(text).unwrap_or_default();
    if is_gb_id(user.trim()) {
        return user.trim().to_owned();
    }
    if uri.scheme.eq_ignore_ascii_case(b"tel") {
        return user;
    }
    let mut name = user;
    name.reserve(1 + uri.host.len());
    name.push('@');
    push_lower(uri.host, &mut name);
    name
}

/// The registrar a Request-URI names: its identifier, else its host without port.
pub fn registrar(uri: &[u8]) -> String {
    let Some(uri) = Uri::parse(uri) else { return text(uri) };
    let user = uri.user.map(text).unwrap_or_default();
    if is_gb_id(user.trim()) {
        return user.trim().to_owned();
    }
    let mut host = String::with_capacity(uri.host.len());
    push_lower(uri.host, &mut host);
    host
}

/// The binding a Contact makes: `+sip.instance` and `reg-id`, else user, host, port, transport.
pub fn binding(contact: &NameAddr<'_>) -> String {
    if let Some(instance) = contact.params.value("+sip.instance") {
        let id = contact.params.value("reg-id").unwrap_or(b"-");
        return format!("instance:{}/{}", text(instance).trim_matches('"'), text(id));
    }
    let Some(uri) = contact.parsed_uri() else { return text(contact.uri) };
    let user = uri.user.map(octets).unwrap_or_default();
    let transport = uri.params.value("transport");
    let port = ":65535".len();
    let length = user.len() + 1 + uri.host.len() + port + transport.map_or(0, |t| 1 + t.len());
    let mut key = String::with_capacity(length);
    key.push_str(&user);
    key.push('@');
    push_lower(uri.host, &mut key);
    let _ = write!(key, ":{}", uri.port.unwrap_or(5060));
    if let Some(transport) = transport {
        key.push(';');
        push_lower(transport, &mut key);
    }
    key
}

/// Appends `bytes` in lower case.
fn push_lower(bytes: &[u8], out: &mut String) {
    let text = octets(bytes);
    if text.is_ascii() {
        out.extend(text.bytes().map(|octet| char::from(octet.to_ascii_lowercase())));
    } else {
        out.push_str(&text.to_lowercase());
    }
}

/// True for a domain that is neither the beginning of an identifier, nor an address, nor of the
/// test network (GB/T 28181-2022 section 6.1.2).
pub(super) fn is_odd_domain(domain: &str, device: &str, registrar: &str) -> bool {
    let is_of = |id: &str| id.get(..10).is_some_and(|prefix| domain.starts_with(prefix));
    let known = domain.parse::<std::net::IpAddr>().is_ok() || domain.ends_with(".spvmn.cn");
    !known && !is_of(device) && !is_of(registrar)
}

/// True for the 20 digits of an identifier, or the 18 of coding rule B (2016 only).
pub fn is_gb_id(text: &str) -> bool {
    matches!(text.len(), 18 | 20) && text.bytes().all(|b| b.is_ascii_digit())
}

/// The parts of a 20-digit identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GbId<'a> {
    /// Digits 1 to 8: administrative area, 7 and 8 the basic unit.
    pub area: &'a str,
    /// Digits 9 and 10.
    pub industry: &'a str,
    /// Digits 11 to 13: 131 camera, 132 IPC, 111 DVR, 118 NVR, 200 signalling server …
    pub kind: &'a str,
    /// Digit 14: network.
    pub network: &'a str,
    /// Digits 15 to 20.
    pub serial: &'a str,
}

impl<'a> GbId<'a> {
    /// Takes a 20-digit identifier apart.
    pub fn of(id: &'a str) -> Option<Self> {
        (id.len() == 20 && is_gb_id(id)).then(|| Self {
            area: &id[..8],
            industry: &id[8..10],
            kind: &id[10..13],
            network: &id[13..14],
            serial: &id[14..],
        })
    }

    /// What the type code stands for.
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            "111" => "DVR",
            "112" => "video server",
            "113" => "encoder",
            "114" => "decoder",
            "115" => "video matrix",
            "118" => "NVR",
            "130" => "hybrid DVR",
            "131" => "camera",
            "132" => "network camera",
            "133" => "display",
            "134" => "alarm input",
            "135" => "alarm output",
            "200" => "signalling server",
            "201" => "web application server",
            "202" => "media server",
            "203" => "proxy server",
            "204" => "security server",
            "205" => "alarm server",
            "206" => "database server",
            "207" => "GIS server",
            "208" => "management server",
            "209" => "access gateway",
            "210" => "media storage server",
            "211" => "secure access gateway",
            "215" => "business group",
            "216" => "virtual organization",
            "300" | "301" | "302" | "303" => "center user",
            "400" | "401" | "402" | "403" => "terminal user",
            _ => match self.kind.as_bytes()[0] {
                b'1' => "front-end device",
                b'2' => "platform device",
                b'3' | b'4' => "user",
                b'5' => "platform connected outside",
                _ => "reserved",
            },
        }
    }

    /// What the industry code stands for (GB/T 28181-2022 annex E, 2016 annex D).
    pub fn industry_name(&self) -> &'static str {
        match self.industry {
            "00" => "public order, roads",
            "01" => "public order, communities",
            "02" => "public order, own sites",
            "03" => "public order, other",
            "04" => "traffic, roads",
            "05" => "traffic, checkpoints",
            "06" => "traffic, own sites",
            "07" => "traffic, other",
            "08" => "city management",
            "09" => "health and environment",
            "10" => "inspection and customs",
            "11" => "education",
            "12" => "civil aviation",
            "13" => "railways",
            "14" => "shipping",
            "40" => "agriculture, forestry, fishing",
            _ => "other industry",
        }
    }

    /// What the network digit stands for.
    pub fn network_name(&self) -> &'static str {
        match self.network {
            "0" | "1" | "2" | "3" | "4" => "surveillance network",
            "5" => "public security network",
            "6" => "government network",
            "7" => "Internet",
            "8" => "social resources network",
            _ => "reserved",
        }
    }
}

fn text(bytes: &[u8]) -> String {
    octets(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_identifier_is_taken_apart() {
        let id = GbId::of("11010000121310000034").unwrap();
        assert_eq!((id.area, id.industry, id.kind), ("11010000", "12", "131"));
        assert_eq!((id.network, id.serial), ("0", "000034"));
        assert_eq!(id.kind_name(), "camera");
        assert_eq!(GbId::of("110100001213100000"), None);
    }
}
