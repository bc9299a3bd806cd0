//! Call traffic over UDP: `calls`, `mixed` (with RTP) and `frag` (with IP fragments).

use crate::Options;
use crate::call::{Call, Delay, Hop, Media, Outcome, Step};
use crate::net::{self, Endpoint};
use crate::pcap::Writer;
use crate::rng::{Rng, derive};
use crate::sched::{Queue, Time};
use crate::truth::Truth;
use std::io::{self, Write};

enum Event {
    NewCall,
    /// The next message of the call in this slot.
    Step(usize),
    /// A datagram sent again unchanged: source, destination, payload.
    Again(Endpoint, Endpoint, Vec<u8>),
    /// A finished frame.
    Frame(Vec<u8>),
    /// The next RTP packet: slot, generation, from the caller, sequence number.
    Rtp(usize, u64, bool, u16),
    /// The next RTCP report: slot, generation, from the caller, number of RTP packets so far.
    Rtcp(usize, u64, bool, u32),
}

pub fn delay(d: Delay, call: &Call, rng: &mut Rng) -> u64 {
    match d {
        Delay::None => 0,
        Delay::Processing => rng.range(200, 2_500),
        Delay::Network => rng.range(3_000, 30_000),
        Delay::Alerting => rng.range(60_000, 400_000),
        Delay::Ringing => call.ringing_us,
        Delay::Talking => call.talking_us,
    }
}

pub fn new_call(index: u64, rng: &mut Rng, o: &Options, transport: &'static str) -> Call {
    let seed = derive(o.seed, index);
    let v6 = rng.percent(o.v6_percent);
    let phone = derive(seed, 77) % o.phones;
    let gateway = (derive(seed, 78) % 40) as u8 + 1;
    // A media port is not used again for the next 20,000 calls.
    let port = 10_000 + 2 * (index % 20_000) as u16;
    let (caller, callee, proxy) = if v6 {
        (
            Endpoint::v6(0x20, 0x1_0000 + phone as u32, 5060),
            Endpoint::v6(0x30, u32::from(gateway), 5060),
            Endpoint::v6(0x10, 5, 5060),
        )
    } else {
        (
            Endpoint::v4(10, 20 + (phone >> 16) as u8, (phone >> 8) as u8, phone as u8, 5060),
            Endpoint::v4(10, 30, 0, gateway, 5060),
            Endpoint::v4(10, 10, 0, 5, 5060),
        )
    };
    Call {
        seed,
        outcome: Outcome::choose(rng, o.failed_percent),
        step: 0,
        caller,
        callee,
        proxy,
        caller_media: caller.with_port(port),
        callee_media: callee.with_port(port),
        transport,
        ringing_us: rng.range(1_500_000, 9_000_000),
        talking_us: ((rng.exp(o.talk_s) + 0.5).min(o.talk_s * 8.0) * 1e6) as u64,
        large: rng.percent(o.large_percent),
        talking: false,
    }
}

pub struct Scripts(Vec<(Outcome, Vec<Step>)>);

impl Scripts {
    pub fn new() -> Self {
        Scripts(Outcome::ALL.iter().map(|&o| (o, o.script())).collect())
    }

    pub fn of(&self, outcome: Outcome) -> &[Step] {
        &self.0.iter().find(|(o, _)| *o == outcome).unwrap().1
    }
}

/// Whether to start another call, and when.
pub struct Arrivals {
    pub started: u64,
}

impl Arrivals {
    pub fn more(&self, o: &Options, bytes: u64) -> bool {
        match o.calls {
            Some(n) => self.started < n,
            None => bytes < o.size,
        }
    }
}

pub fn generate<W: Write>(o: &Options, out: &mut Writer<W>, truth: &mut Truth) -> io::Result<()> {
    let mut rng = Rng::new(o.seed);
    let mut queue = Queue::new();
    let scripts = Scripts::new();
    let mut calls: Vec<Option<Call>> = Vec::new();
    let mut generations: Vec<u64> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut arrivals = Arrivals { started: 0 };
    let mut text = Vec::with_capacity(4096);
    let mut ip_id = 0u32;

    queue.push(o.start, Event::NewCall);
    while let Some((now, event)) = queue.pop() {
        match event {
            Event::NewCall => {
                if !arrivals.more(o, out.bytes) {
                    continue;
                }
                let call = new_call(arrivals.started, &mut rng, o, "udp");
                arrivals.started += 1;
                truth.one("call_ids");
                truth.one(&format!("calls.{}", call.outcome.name()));
                let slot = free.pop().unwrap_or_else(|| {
                    calls.push(None);
                    generations.push(0);
                    calls.len() - 1
                });
                calls[slot] = Some(call);
                queue.push(now, Event::Step(slot));
                queue.push(now + (rng.exp(1e6 / o.cps)) as Time, Event::NewCall);
            }
            Event::Step(slot) => {
                let call = calls[slot].as_mut().unwrap();
                let script = scripts.of(call.outcome);
                let step = script[call.step];
                call.step += 1;
                let (src, dst) = call.source_and_destination(step.hop);
                call.render(&step, &mut text);
                truth.message(&text);
                ip_id = ip_id.wrapping_add(1);
                let segment = net::udp(src, dst, &text);
                let frames = net::ip_frames(src.ip, dst.ip, net::UDP, ip_id, o.mtu, &segment);
                if let [frame] = frames.as_slice() {
                    out.packet(now, frame)?;
                } else {
                    truth.one("fragmented_messages");
                    truth.add("fragments", frames.len() as u64);
                    fragments(now, frames, &mut rng, &mut queue, truth);
                }
                if rng.percent(o.retransmit_percent) {
                    truth.one("retransmissions");
                    queue.push(
                        now + rng.range(495_000, 520_000),
                        Event::Again(src, dst, text.clone()),
                    );
                }
                if step.media != Media::Unchanged && o.rtp {
                    call.talking = step.media == Media::Starts;
                    if call.talking {
                        for from_caller in [true, false] {
                            let g = generations[slot];
                            let first = rng.range(5_000, 40_000);
                            queue.push(now + first, Event::Rtp(slot, g, from_caller, 0));
                            queue.push(
                                now + first + 2_500_000,
                                Event::Rtcp(slot, g, from_caller, 0),
                            );
                        }
                    }
                }
                match script.get(call.step) {
                    Some(next) => {
                        let next = now + delay(next.delay, call, &mut rng);
                        queue.push(next, Event::Step(slot));
                    }
                    None => {
                        calls[slot] = None;
                        generations[slot] += 1;
                        free.push(slot);
                    }
                }
            }
            Event::Again(src, dst, payload) => {
                truth.message(&payload);
                ip_id = ip_id.wrapping_add(1);
                let segment = net::udp(src, dst, &payload);
                let frames = net::ip_frames(src.ip, dst.ip, net::UDP, ip_id, o.mtu, &segment);
                if frames.len() > 1 {
                    truth.one("fragmented_messages");
                    truth.add("fragments", frames.len() as u64);
                }
                for frame in &frames {
                    out.packet(now, frame)?;
                }
            }
            Event::Frame(frame) => out.packet(now, &frame)?,
            Event::Rtp(slot, generation, from_caller, seq) => {
                let Some(call) = talking(&calls, &generations, slot, generation) else { continue };
                truth.one("rtp_packets");
                let (src, dst) = media_path(call, from_caller);
                let ssrc = call.ssrc(from_caller);
                text.clear();
                text.extend([0x80, if seq == 0 { 0x88 } else { 8 }]);
                text.extend((seq.wrapping_add(ssrc as u16)).to_be_bytes());
                text.extend((u32::from(seq) * 160).wrapping_add(ssrc / 3).to_be_bytes());
                text.extend(ssrc.to_be_bytes());
                for _ in 0..20 {
                    text.extend(rng.next().to_le_bytes());
                }
                ip_id = ip_id.wrapping_add(1);
                let segment = net::udp(src, dst, &text);
                for frame in net::ip_frames(src.ip, dst.ip, net::UDP, ip_id, o.mtu, &segment) {
                    out.packet(now, &frame)?;
                }
                let jitter = rng.range(0, 600) as Time;
                queue.push(
                    now + 19_700 + jitter,
                    Event::Rtp(slot, generation, from_caller, seq.wrapping_add(1)),
                );
            }
            Event::Rtcp(slot, generation, from_caller, sent) => {
                let Some(call) = talking(&calls, &generations, slot, generation) else { continue };
                truth.one("rtcp_packets");
                let (src, dst) = media_path(call, from_caller);
                let sent = sent + if sent == 0 { 125 } else { 250 };
                rtcp(&mut text, now, call, from_caller, sent);
                ip_id = ip_id.wrapping_add(1);
                let (src, dst) = (src.with_port(src.port + 1), dst.with_port(dst.port + 1));
                let segment = net::udp(src, dst, &text);
                for frame in net::ip_frames(src.ip, dst.ip, net::UDP, ip_id, o.mtu, &segment) {
                    out.packet(now, &frame)?;
                }
                let next = now + rng.range(4_500_000, 5_500_000);
                queue.push(next, Event::Rtcp(slot, generation, from_caller, sent));
            }
        }
    }
    Ok(())
}

/// Fragments leave back to back; some pairs swap places and some are sent with a gap in between.
fn fragments(
    now: Time,
    mut frames: Vec<Vec<u8>>,
    rng: &mut Rng,
    queue: &mut Queue<Event>,
    truth: &mut Truth,
) {
    if rng.percent(10.0) {
        frames.reverse();
        truth.one("fragmented_messages_out_of_order");
    }
    if rng.percent(2.0) {
        frames.push(frames[0].clone());
        truth.one("fragmented_messages_with_duplicate");
    }
    let gap = if rng.percent(30.0) { rng.range(2_000, 20_000) } else { rng.range(2, 15) };
    for (i, frame) in frames.into_iter().enumerate() {
        queue.push(now + i as Time * gap, Event::Frame(frame));
    }
}

fn talking<'a>(
    calls: &'a [Option<Call>],
    generations: &[u64],
    slot: usize,
    generation: u64,
) -> Option<&'a Call> {
    calls[slot].as_ref().filter(|c| c.talking && generations[slot] == generation)
}

fn media_path(call: &Call, from_caller: bool) -> (Endpoint, Endpoint) {
    if from_caller {
        (call.caller_media, call.callee_media)
    } else {
        (call.callee_media, call.caller_media)
    }
}

/// A sender report with one report block and a CNAME.
fn rtcp(out: &mut Vec<u8>, now: Time, call: &Call, from_caller: bool, sent: u32) {
    let (own, other) = (call.ssrc(from_caller), call.ssrc(!from_caller));
    out.clear();
    out.extend([0x81, 200, 0, 12]);
    out.extend(own.to_be_bytes());
    out.extend(((now / 1_000_000) as u32).wrapping_add(2_208_988_800).to_be_bytes());
    out.extend((((now % 1_000_000) << 32) / 1_000_000).to_be_bytes().split_at(4).1);
    out.extend((sent * 160).wrapping_add(own / 3).to_be_bytes());
    out.extend(sent.to_be_bytes());
    out.extend((sent * 160).to_be_bytes());
    out.extend(other.to_be_bytes());
    out.extend([0, 0, 0, 0]);
    out.extend((sent + (other & 0xFFFF)).to_be_bytes());
    out.extend(20u32.to_be_bytes());
    out.extend([0; 8]);
    out.extend([0x81, 202, 0, 4]);
    out.extend(own.to_be_bytes());
    out.extend([1, 9]);
    out.extend(b"user@host");
    out.push(0);
}

/// The caller's leg only, for captures that see one leg. A long delay on the other leg is kept by
/// moving it to the next message of this one.
pub fn caller_leg(steps: &[Step]) -> Vec<Step> {
    let mut leg = Vec::new();
    let mut carried = None;
    for &(mut step) in steps {
        if matches!(step.delay, Delay::Alerting | Delay::Ringing | Delay::Talking) {
            carried = Some(step.delay);
        }
        if matches!(step.hop, Hop::CallerToProxy | Hop::ProxyToCaller) {
            step.delay = carried.take().unwrap_or(step.delay);
            leg.push(step);
        }
    }
    leg
}
