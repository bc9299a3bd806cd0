//! The encapsulations a packet was found in, and the names they are shown by.

use std::collections::HashMap;
use std::fmt;
use std::hash::RandomState;
use std::net::IpAddr;

use smallvec::SmallVec;

use crate::net::PathId;
use crate::net::skip::Skip;

/// Paths that get a number; addresses of tunnels are chosen by strangers.
const PATHS: usize = 4096;

/// The hosts of an IP header: sender, receiver.
pub(super) type Hosts = (IpAddr, IpAddr);

/// One layer around a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Encapsulation {
    Vlan(u16),
    Backbone { service: u32 },
    Mpls { label: u32 },
    Pppoe { session: u16 },
    Ip(Hosts),
    Gre { hosts: Hosts, key: Option<u32> },
    Erspan { hosts: Hosts, session: u16 },
    EtherIp(Hosts),
    Vxlan { hosts: Hosts, network: u32 },
    Geneve { hosts: Hosts, network: u32 },
    Gtp { hosts: Hosts, tunnel: u32 },
    L2tp { hosts: Hosts, tunnel: u16, session: u16 },
    Esp { spi: u32 },
}

impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = |f: &mut fmt::Formatter<'_>, (from, to): &Hosts| write!(f, " {from} > {to}");
        match self {
            Self::Vlan(id) => write!(f, "vlan {id}"),
            Self::Backbone { service } => write!(f, "802.1ah {service}"),
            Self::Mpls { label } => write!(f, "mpls {label}"),
            Self::Pppoe { session } => write!(f, "pppoe {session:#06x}"),
            Self::Esp { spi } => write!(f, "esp {spi:#010x}"),
            Self::Ip(hosts) => {
                write!(f, "ip")?;
                between(f, hosts)
            }
            Self::Gre { hosts, key: None } => {
                write!(f, "gre")?;
                between(f, hosts)
            }
            Self::Gre { hosts, key: Some(key) } => {
                write!(f, "gre {key:#x}")?;
                between(f, hosts)
            }
            Self::Erspan { hosts, session } => {
                write!(f, "erspan {session}")?;
                between(f, hosts)
            }
            Self::EtherIp(hosts) => {
                write!(f, "etherip")?;
                between(f, hosts)
            }
            Self::Vxlan { hosts, network } => {
                write!(f, "vxlan {network}")?;
                between(f, hosts)
            }
            Self::Geneve { hosts, network } => {
                write!(f, "geneve {network}")?;
                between(f, hosts)
            }
            Self::Gtp { hosts, tunnel } => {
                write!(f, "gtp-u {tunnel:#x}")?;
                between(f, hosts)
            }
            Self::L2tp { hosts, tunnel, session } => {
                write!(f, "l2tp {tunnel}/{session}")?;
                between(f, hosts)
            }
        }
    }
}

/// The layers peeled from the frame at hand, outermost first.
#[derive(Debug)]
pub(super) struct Trail {
    layers: SmallVec<[Encapsulation; 4]>,
    depth: usize,
}

impl Trail {
    pub(super) fn new(depth: usize) -> Self {
        Self { layers: SmallVec::new(), depth }
    }

    pub(super) fn push(&mut self, layer: Encapsulation) -> Result<(), Skip> {
        if self.depth <= self.layers.len() {
            return Err(Skip::TooDeep);
        }
        self.layers.push(layer);
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.layers.len()
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.layers.truncate(len);
    }

    pub(super) fn clear(&mut self) {
        self.layers.clear();
    }

    pub(super) fn set(&mut self, layers: &[Encapsulation]) {
        self.layers.clear();
        self.layers.extend_from_slice(layers);
    }
}

/// All paths seen, by number.
#[derive(Debug, Default)]
pub(super) struct Paths {
    known: Vec<Path>,
    numbers: HashMap<Box<[Encapsulation]>, PathId, RandomState>,
    last: PathId,
}

#[derive(Debug)]
struct Path {
    layers: Box<[Encapsulation]>,
    name: Box<str>,
}

impl Paths {
    /// The number of a path; once there are too many, all further ones share one.
    pub(super) fn number(&mut self, trail: &Trail) -> PathId {
        let layers = &trail.layers[..];
        if layers.is_empty() {
            return PathId(0);
        }
        if self.layers(self.last) == layers {
            return self.last;
        }
        if let Some(&number) = self.numbers.get(layers) {
            self.last = number;
            return number;
        }
        if PATHS <= self.known.len() {
            return PathId(u16::MAX);
        }
        let names: Vec<String> = layers.iter().map(Encapsulation::to_string).collect();
        self.known.push(Path { layers: layers.into(), name: names.join(" / ").into() });
        let number = PathId(self.known.len() as u16);
        self.numbers.insert(layers.into(), number);
        self.last = number;
        number
    }

    /// The layers of a path, empty when it was not kept.
    pub(super) fn layers(&self, id: PathId) -> &[Encapsulation] {
        self.path(id).map_or(&[], |path| &path.layers)
    }

    /// The name of a path.
    pub(super) fn name(&self, id: PathId) -> &str {
        match id {
            PathId(0) => "",
            _ => self.path(id).map_or("one of many tunnels", |path| &path.name),
        }
    }

    fn path(&self, id: PathId) -> Option<&Path> {
        self.known.get(usize::from(id.0).checked_sub(1)?)
    }
}
