//! Writes capture files octet by octet: pcap in its variants, pcapng block by block.

/// Byte order of the file that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    fn u64(self, value: u64) -> [u8; 8] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

pub const MICRO: u32 = 0xa1b2_c3d4;
pub const NANO: u32 = 0xa1b2_3c4d;
pub const MODIFIED: u32 = 0xa1b2_cd34;

/// A pcap file under construction.
pub struct Pcap {
    pub bytes: Vec<u8>,
    pub order: Order,
    pub magic: u32,
}

impl Pcap {
    /// A file of Ethernet frames in microseconds.
    pub fn new() -> Self {
        Self::with(Order::Little, MICRO, 1)
    }

    /// A file of the variant `magic` whose link-type field is `network`.
    pub fn with(order: Order, magic: u32, network: u32) -> Self {
        let mut bytes = order.u32(magic).to_vec();
        bytes.extend(order.u16(2));
        bytes.extend(order.u16(4));
        bytes.extend(order.u32(0));
        bytes.extend(order.u32(0));
        bytes.extend(order.u32(65_535));
        bytes.extend(order.u32(network));
        Self { bytes, order, magic }
    }

    /// Adds a record.
    pub fn frame(mut self, seconds: u32, fraction: u32, packet: &[u8]) -> Self {
        let length = packet.len() as u32;
        for field in [seconds, fraction, length, length] {
            self.bytes.extend(self.order.u32(field));
        }
        if self.magic == MODIFIED {
            // Interface index, protocol, packet type and padding.
            self.bytes.extend([0; 8]);
        }
        self.bytes.extend(packet);
        self
    }
}

/// A pcapng file under construction.
pub struct PcapNg {
    pub bytes: Vec<u8>,
    order: Order,
}

impl PcapNg {
    /// A file that begins with a section of this byte order.
    pub fn new(order: Order) -> Self {
        Self { bytes: Vec::new(), order }.section(order)
    }

    /// Begins another section.
    pub fn section(mut self, order: Order) -> Self {
        self.order = order;
        let mut body = order.u32(0x1a2b_3c4d).to_vec();
        body.extend(order.u16(1));
        body.extend(order.u16(0));
        body.extend(order.u64(u64::MAX));
        self.block(0x0a0d_0d0a, &body)
    }

    /// Adds any block, padded.
    pub fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padded = body.len().next_multiple_of(4);
        let length = padded as u32 + 12;
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(self.order.u32(length));
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(self.order.u32(length));
        self
    }

    fn options(&self, options: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (code, value) in options {
            bytes.extend(self.order.u16(*code));
            bytes.extend(self.order.u16(value.len() as u16));
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        if !options.is_empty() {
            bytes.extend([0; 4]);
        }
        bytes
    }

    /// Adds an interface.
    pub fn interface(self, link: u16, snap: u32, options: &[(u16, Vec<u8>)]) -> Self {
        let mut body = self.order.u16(link).to_vec();
        body.extend([0; 2]);
        body.extend(self.order.u32(snap));
        body.extend(self.options(options));
        self.block(1, &body)
    }

    /// Adds an interface whose clock is `resolution` (`if_tsresol`) and starts at `offset` seconds.
    pub fn clocked(self, link: u16, resolution: u8, offset: i64) -> Self {
        let offset = self.order.u64(offset as u64).to_vec();
        self.interface(link, 0, &[(9, vec![resolution]), (14, offset)])
    }

    /// Adds an enhanced packet block.
    pub fn packet(self, interface: u32, ticks: u64, packet: &[u8]) -> Self {
        self.packet_with(interface, ticks, packet, &[])
    }

    /// Adds an enhanced packet block with options.
    pub fn packet_with(
        self,
        interface: u32,
        ticks: u64,
        packet: &[u8],
        options: &[(u16, Vec<u8>)],
    ) -> Self {
        let length = packet.len() as u32;
        let mut body = Vec::new();
        for field in [interface, (ticks >> 32) as u32, ticks as u32, length, length] {
            body.extend(self.order.u32(field));
        }
        body.extend(packet);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(self.options(options));
        self.block(6, &body)
    }

    /// Adds a simple packet block of a packet that was `wire` octets long.
    pub fn simple(self, wire: u32, packet: &[u8]) -> Self {
        let mut body = self.order.u32(wire).to_vec();
        body.extend(packet);
        self.block(3, &body)
    }

    /// Adds an obsolete packet block.
    pub fn obsolete(self, interface: u16, drops: u16, ticks: u64, packet: &[u8]) -> Self {
        let mut body = self.order.u16(interface).to_vec();
        body.extend(self.order.u16(drops));
        let length = packet.len() as u32;
        for field in [(ticks >> 32) as u32, ticks as u32, length, length] {
            body.extend(self.order.u32(field));
        }
        body.extend(packet);
        self.block(2, &body)
    }

    /// Adds a decryption secrets block.
    pub fn secrets(self, kind: u32, secrets: &[u8]) -> Self {
        let mut body = self.order.u32(kind).to_vec();
        body.extend(self.order.u32(secrets.len() as u32));
        body.extend(secrets);
        self.block(10, &body)
    }

    /// Adds a name resolution block with one IPv4 name.
    pub fn name(self, address: [u8; 4], name: &str) -> Self {
        let mut body = self.order.u16(1).to_vec();
        body.extend(self.order.u16(4 + name.len() as u16 + 1));
        body.extend(address);
        body.extend(name.as_bytes());
        body.push(0);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend([0; 4]);
        self.block(4, &body)
    }

    /// Adds interface statistics with drops by the interface and by the system.
    pub fn statistics(self, interface: u32, by_interface: u64, by_system: u64) -> Self {
        let mut body = self.order.u32(interface).to_vec();
        body.extend([0; 8]);
        let counters =
            [(5, self.order.u64(by_interface).to_vec()), (7, self.order.u64(by_system).to_vec())];
        body.extend(self.options(&counters));
        self.block(5, &body)
    }
}
