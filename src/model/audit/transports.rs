//! The transports a device used, in one octet.

use crate::transport::Transport;

const ALL: [Transport; 7] = [
    Transport::Udp,
    Transport::Tcp,
    Transport::Tls,
    Transport::Ws,
    Transport::Wss,
    Transport::Sctp,
    Transport::Unknown,
];

/// A set of transports.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Transports(u8);

impl Transports {
    pub(super) fn insert(&mut self, transport: Transport) {
        self.0 |= 1 << transport as u8;
    }

    pub(super) const fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Transport> {
        ALL.into_iter().filter(move |transport| self.0 & 1 << *transport as u8 != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_has_a_place_of_its_own() {
        for transport in ALL {
            let mut set = Transports::default();
            set.insert(transport);
            assert!(set.iter().eq([transport]));
        }
        let mut set = Transports::default();
        ALL.into_iter().rev().for_each(|transport| set.insert(transport));
        assert!(set.iter().eq(ALL));
    }
}
