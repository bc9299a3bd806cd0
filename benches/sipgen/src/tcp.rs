//! SIP over long-lived TCP connections: several messages per segment, messages split across
//! segments at any byte, reordered and retransmitted segments, CRLF keepalives.

use crate::Options;
use crate::call::{Call, Hop, Step};
use crate::calls::{Arrivals, Scripts, caller_leg, delay, new_call};
use crate::net::{self, Endpoint, Tcp, flag};
use crate::pcap::Writer;
use crate::rng::{Rng, derive};
use crate::sched::{Queue, Time};
use crate::truth::Truth;
use std::collections::BTreeMap;
use std::io::{self, Write};

const MSS: usize = 1448;

enum Event {
    NewCall,
    Step(usize),
    /// Send what is buffered on this connection and direction.
    Flush(usize, usize),
    Segment(usize, usize, Segment),
    /// A pure acknowledgement by the receiver of this direction.
    Ack(usize, usize),
    Ping(usize),
    Close(usize, usize),
}

struct Segment {
    seq: u32,
    data: Vec<u8>,
    push: bool,
}

/// One direction of a connection.
struct Half {
    buffer: Vec<u8>,
    flushing: bool,
    next: u32,
    /// The receiver's view: everything before this has arrived.
    received: u32,
    early: BTreeMap<u32, u32>,
    unacknowledged: u32,
}

struct Connection {
    client: Endpoint,
    server: Endpoint,
    halves: [Half; 2],
}

impl Connection {
    fn ends(&self, direction: usize) -> (Endpoint, Endpoint) {
        if direction == 0 { (self.client, self.server) } else { (self.server, self.client) }
    }
}

struct Net<'a, W: Write> {
    out: &'a mut Writer<W>,
    ip_id: u32,
    start: Time,
}

impl<W: Write> Net<'_, W> {
    fn send(
        &mut self,
        now: Time,
        c: &Connection,
        direction: usize,
        seq: u32,
        flags: u8,
        data: &[u8],
    ) -> io::Result<()> {
        let (src, dst) = c.ends(direction);
        let ack = if flags & flag::ACK != 0 { c.halves[1 - direction].received } else { 0 };
        let clock = ((now - self.start) / 1000) as u32;
        let header = Tcp { seq, ack, flags, ts: (clock + 1000, clock.saturating_sub(3) + 1000) };
        self.ip_id = self.ip_id.wrapping_add(1);
        let segment = net::tcp(src, dst, &header, data);
        for frame in net::ip_frames(src.ip, dst.ip, net::TCP, self.ip_id, 1500, &segment) {
            self.out.packet(now, &frame)?;
        }
        Ok(())
    }
}

pub fn generate<W: Write>(o: &Options, out: &mut Writer<W>, truth: &mut Truth) -> io::Result<()> {
    let mut rng = Rng::new(o.seed);
    let mut queue = Queue::new();
    let scripts = Scripts::new();
    let legs: Vec<Vec<Step>> =
        crate::call::Outcome::ALL.iter().map(|&outcome| caller_leg(scripts.of(outcome))).collect();
    let leg = |call: &Call| {
        &legs[crate::call::Outcome::ALL.iter().position(|&x| x == call.outcome).unwrap()]
    };
    let mut net = Net { out, ip_id: 0, start: o.start };
    let mut arrivals = Arrivals { started: 0 };
    let mut calls: Vec<Option<(Call, usize)>> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut text = Vec::with_capacity(4096);

    let mut connections = Vec::new();
    for i in 0..o.connections {
        let seed = derive(o.seed, 0x7C9 + i as u64);
        let client =
            Endpoint::v4(10, 40, (i >> 8) as u8, i as u8 + 1, 32_768 + (seed % 28_000) as u16);
        let half = |isn: u32| Half {
            buffer: Vec::new(),
            flushing: false,
            next: isn,
            received: isn,
            early: BTreeMap::new(),
            unacknowledged: 0,
        };
        // Sequence numbers of the first connection wrap around early.
        let isn = if i == 0 { 0u32.wrapping_sub(100_000) } else { derive(seed, 1) as u32 };
        let mut c = Connection {
            client,
            server: Endpoint::v4(10, 10, 0, 5, 5060),
            halves: [half(isn), half(derive(seed, 2) as u32)],
        };
        // A quarter of the connections were there before the capture started.
        if i % 4 != 3 {
            let at = o.start + i as Time * 400;
            for direction in [0, 1] {
                let seq = c.halves[direction].next;
                let flags = if direction == 0 { flag::SYN } else { flag::SYN | flag::ACK };
                net.send(at + direction as Time * 120, &c, direction, seq, flags, &[])?;
                c.halves[direction].next = seq.wrapping_add(1);
                c.halves[direction].received = seq.wrapping_add(1);
            }
            let seq = c.halves[0].next;
            net.send(at + 240, &c, 0, seq, flag::ACK, &[])?;
            truth.one("tcp_handshakes");
        }
        queue.push(o.start + rng.range(5_000_000, 35_000_000), Event::Ping(i));
        connections.push(c);
    }
    truth.add("tcp_connections", o.connections as u64);

    queue.push(o.start + 1_000_000, Event::NewCall);
    let mut closing = false;
    while let Some((now, event)) = queue.pop() {
        match event {
            Event::NewCall => {
                if !arrivals.more(o, net.out.bytes) {
                    if !closing {
                        closing = true;
                        let end = now + ((o.talk_s * 8.0 + 20.0) * 1e6) as Time;
                        for i in 0..connections.len() {
                            if i % 2 == 0 {
                                queue.push(end + i as Time * 700, Event::Close(i, 0));
                                queue.push(end + i as Time * 700 + 300, Event::Close(i, 1));
                            }
                        }
                    }
                    continue;
                }
                let mut call = new_call(arrivals.started, &mut rng, o, "tcp");
                arrivals.started += 1;
                truth.one("call_ids");
                truth.one(&format!("calls.{}", call.outcome.name()));
                let connection = rng.range(0, o.connections as u64 - 1) as usize;
                call.caller = connections[connection].client;
                call.caller_media = call.caller.with_port(call.caller_media.port);
                let slot = free.pop().unwrap_or_else(|| {
                    calls.push(None);
                    calls.len() - 1
                });
                calls[slot] = Some((call, connection));
                queue.push(now, Event::Step(slot));
                queue.push(now + (rng.exp(1e6 / o.cps)) as Time, Event::NewCall);
            }
            Event::Step(slot) => {
                let (call, connection) = calls[slot].as_mut().unwrap();
                let (steps, i) = (leg(call), *connection);
                let step = steps[call.step];
                call.step += 1;
                call.render(&step, &mut text);
                truth.message(&text);
                let direction = usize::from(step.hop == Hop::ProxyToCaller);
                match steps.get(call.step) {
                    Some(next) => {
                        let at = now + delay(next.delay, call, &mut rng) + 40_000;
                        queue.push(at, Event::Step(slot));
                    }
                    None => {
                        calls[slot] = None;
                        free.push(slot);
                    }
                }
                let half = &mut connections[i].halves[direction];
                half.buffer.extend_from_slice(&text);
                if !half.flushing {
                    half.flushing = true;
                    let wait = match rng.range(0, 9) {
                        0..=3 => rng.range(50, 300),
                        4..=8 => rng.range(2_000, 40_000),
                        _ => rng.range(40_000, 150_000),
                    };
                    queue.push(now + wait, Event::Flush(i, direction));
                }
            }
            Event::Flush(i, direction) => {
                truth.one("tcp_writes");
                let half = &mut connections[i].halves[direction];
                let mut data = std::mem::take(&mut half.buffer);
                half.flushing = false;
                // Sometimes the tail stays behind, cut at any byte.
                if data.len() > 1 && rng.percent(o.cut_percent) {
                    truth.one("tcp_writes_cut");
                    half.buffer = data.split_off(rng.range(1, data.len() as u64 - 1) as usize);
                    half.flushing = true;
                    queue.push(now + rng.range(1_000, 60_000), Event::Flush(i, direction));
                }
                let pieces = data.len().div_ceil(MSS);
                let mut order: Vec<usize> = (0..pieces).collect();
                let mut late = vec![0; pieces];
                for p in 0..pieces {
                    if rng.percent(o.reorder_percent) {
                        truth.one("tcp_out_of_order");
                        if p + 1 < pieces {
                            order.swap(p, p + 1);
                        } else {
                            late[p] = rng.range(2_000, 30_000);
                        }
                    }
                }
                let first = half.next;
                half.next = first.wrapping_add(data.len() as u32);
                for (k, &p) in order.iter().enumerate() {
                    let start = p * MSS;
                    let end = (start + MSS).min(data.len());
                    let segment = |data: &[u8]| Segment {
                        seq: first.wrapping_add(start as u32),
                        data: data.to_vec(),
                        push: end == data.len(),
                    };
                    let at = now + k as Time * 12 + late[p];
                    truth.one("tcp_segments");
                    queue.push(at, Event::Segment(i, direction, segment(&data[start..end])));
                    if rng.percent(o.retransmit_percent) {
                        truth.one("tcp_retransmitted");
                        // One in four retransmissions carries only the tail of the segment.
                        let skip = if rng.percent(25.0) && end - start > 2 {
                            (end - start) / 3
                        } else {
                            0
                        };
                        let again = Segment {
                            seq: first.wrapping_add((start + skip) as u32),
                            data: data[start + skip..end].to_vec(),
                            push: true,
                        };
                        queue.push(
                            at + rng.range(5_000, 210_000),
                            Event::Segment(i, direction, again),
                        );
                    }
                }
            }
            Event::Segment(i, direction, s) => {
                let flags = flag::ACK | if s.push { flag::PSH } else { 0 };
                net.send(now, &connections[i], direction, s.seq, flags, &s.data)?;
                let half = &mut connections[i].halves[direction];
                receive(half, s.seq, s.data.len() as u32);
                half.unacknowledged += 1;
                if half.unacknowledged == 2 {
                    half.unacknowledged = 0;
                    queue.push(now + rng.range(100, 900), Event::Ack(i, direction));
                }
            }
            Event::Ack(i, direction) => {
                let c = &connections[i];
                // What the acknowledging side has sent so far.
                let seq = c.halves[1 - direction].received;
                net.send(now, c, 1 - direction, seq, flag::ACK, &[])?;
            }
            Event::Ping(i) => {
                if closing {
                    continue;
                }
                // Never in the middle of a message: everything written must have been sent.
                if connections[i].halves.iter().any(|h| h.flushing) {
                    queue.push(now + 1_000, Event::Ping(i));
                    continue;
                }
                queue.push(now + 30_000_000, Event::Ping(i));
                truth.one("tcp_pings");
                for (direction, data) in [(0, &b"\r\n\r\n"[..]), (1, &b"\r\n"[..])] {
                    let half = &mut connections[i].halves[direction];
                    let segment = Segment { seq: half.next, data: data.to_vec(), push: true };
                    half.next = half.next.wrapping_add(data.len() as u32);
                    queue
                        .push(now + direction as Time * 900, Event::Segment(i, direction, segment));
                }
            }
            Event::Close(i, direction) => {
                let seq = connections[i].halves[direction].next;
                net.send(now, &connections[i], direction, seq, flag::FIN | flag::ACK, &[])?;
                let half = &mut connections[i].halves[direction];
                half.next = seq.wrapping_add(1);
                half.received = half.next;
                if direction == 1 {
                    let seq = connections[i].halves[0].next;
                    net.send(now + 150, &connections[i], 0, seq, flag::ACK, &[])?;
                    truth.one("tcp_closed");
                }
            }
        }
    }
    Ok(())
}

/// Records that `len` bytes from `seq` on have arrived.
fn receive(half: &mut Half, seq: u32, len: u32) {
    half.early.insert(seq, len.max(half.early.get(&seq).copied().unwrap_or(0)));
    loop {
        let ready = half
            .early
            .iter()
            .map(|(&s, &l)| (s, l))
            .find(|&(s, _)| half.received.wrapping_sub(s) < 0x8000_0000);
        let Some((s, l)) = ready else { return };
        half.early.remove(&s);
        let end = s.wrapping_add(l);
        if end.wrapping_sub(half.received) < 0x8000_0000 {
            half.received = end;
        }
    }
}
