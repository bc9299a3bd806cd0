//! Packet filters in the language of tcpdump, applied to the frames of files.

#[cfg(all(feature = "live", libpcap))]
#[path = "filter/bpf.rs"]
mod engine;
#[cfg(not(all(feature = "live", libpcap)))]
#[path = "filter/absent.rs"]
mod engine;

pub use engine::Filter;

/// Why a packet filter cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// libpcap does not understand the expression.
    #[error("packet filter `{expression}`: {reason}; see pcap-filter(7)")]
    Expression {
        /// The expression as given.
        expression: String,
        /// What libpcap says.
        reason: String,
    },
    /// This program was built without libpcap.
    #[error(
        "packet filters need libpcap, and this siplens was built without it: install it (Debian: \
         apt-get install libpcap-dev) and build with the feature `live`; or filter by -f"
    )]
    NoLibpcap,
}

/// The expression, and one that also lets through what a packet filter cannot see into.
///
/// A filter by port misses all fragments of a datagram but the first, which alone has ports, and a
/// filter by anything misses what lies behind a VLAN tag.
#[cfg_attr(not(all(feature = "live", libpcap)), allow(dead_code))]
struct Widened {
    /// For links that carry VLAN tags.
    tagged: String,
    /// For the others, on which libpcap refuses `vlan`.
    plain: String,
    /// What it takes besides, in words.
    besides: &'static str,
    /// What `plain` takes besides, in words.
    fragments: Option<&'static str>,
}

/// Widens an expression of ports, hosts, networks and protocols; `None` for any other, whose author
/// said what is meant octet by octet.
#[cfg_attr(not(all(feature = "live", libpcap)), allow(dead_code))]
fn widen(expression: &str) -> Option<Widened> {
    const KNOWING: &[&str] = &[
        "vlan",
        "mpls",
        "pppoed",
        "pppoes",
        "geneve",
        "vxlan",
        "ether",
        "link",
        "wlan",
        "llc",
        "inbound",
        "outbound",
        "ifname",
        "on",
        "less",
        "greater",
        "len",
        "protochain",
    ];
    let words = || {
        expression
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty())
    };
    if expression.contains('[') || words().any(|word| KNOWING.contains(&word)) {
        return None;
    }
    words().next()?;
    let by_port = words().any(|word| matches!(word, "port" | "portrange"));
    let (plain, besides) = if by_port {
        (
            // The offset of an IPv4 fragment; the fragment header of IPv6.
            format!("({expression}) or (ip[6:2] & 0x1fff != 0) or (ip6 proto 44)"),
            "IP fragments, and packets in VLANs that match inside",
        )
    } else {
        (format!("({expression})"), "packets in VLANs that match inside")
    };
    Some(Widened {
        // `vlan` moves the offsets of all that follows it, so each stands last.
        tagged: format!("{plain} or (vlan and ({plain} or (vlan and ({plain}))))"),
        plain,
        besides,
        fragments: by_port.then_some("IP fragments"),
    })
}
