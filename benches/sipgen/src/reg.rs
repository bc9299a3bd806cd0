//! GB/T 28181 cameras: periodic REGISTER with digest challenge, and Keepalive MESSAGEs.

use crate::Options;
use crate::net::{self, Endpoint};
use crate::pcap::Writer;
use crate::rng::{Rng, derive};
use crate::sched::{Queue, Time};
use crate::truth::Truth;
use std::collections::HashSet;
use std::io::{self, Write};

const DOMAIN: &str = "3402000000";
const SERVER_ID: &str = "34020000002000000001";
const AGENTS: [&str; 5] = [
    "Embedded Net DVR/NVR/DVS",
    "IP Camera",
    "Dahua SIP UAS V1.0",
    "Uniview IPC/IPC-B2202",
    "Hikvision/DS-2CD3T46WD",
];

/// What is wrong with a camera, if anything; the generator lists them in the truth file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Registers again only after 2 to 5 times its interval.
    LateRegistration,
    /// Goes silent for good at some point.
    Offline,
    /// Always answers the challenge wrongly and gets 403.
    WrongPassword,
    /// Goes on registering but stops sending Keepalive.
    KeepaliveStops,
    /// Restarts: new Call-ID, CSeq starts again, Contact port changes.
    Reboots,
    /// Uses the identifier of another camera.
    DuplicateId,
}

struct Camera {
    seed: u64,
    id: String,
    address: Endpoint,
    fault: Fault,
    fault_at: Time,
    boots: u64,
    cseq: u32,
    sn: u32,
    new_call_id_each_time: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    Register,
    Challenge,
    Authorized,
    Accepted,
    Forbidden,
    Keepalive,
    KeepaliveOk,
}

enum Event {
    Register(usize),
    Keepalive(usize),
    /// The rest of an exchange: camera, kind, CSeq, serial number of the exchange.
    Reply(usize, Kind, u32, u64),
    Again(Endpoint, Endpoint, Vec<u8>),
}

impl Camera {
    fn new(index: u64, seed: u64, o: &Options, span_us: Time, truth: &mut Truth) -> Self {
        let seed = derive(seed, index);
        let fault = match derive(seed, 1) % 1000 {
            0..=9 => Fault::LateRegistration,
            10..=14 => Fault::Offline,
            15..=19 => Fault::WrongPassword,
            20..=24 => Fault::KeepaliveStops,
            25..=29 => Fault::Reboots,
            30..=31 if index > 0 => Fault::DuplicateId,
            _ => Fault::None,
        };
        let number = if fault == Fault::DuplicateId { index - 1 } else { index };
        let id = format!("34020000001320{number:06}");
        let list = match fault {
            Fault::None => None,
            Fault::LateRegistration => Some("late_registration"),
            Fault::Offline => Some("offline"),
            Fault::WrongPassword => Some("wrong_password"),
            Fault::KeepaliveStops => Some("keepalive_stops"),
            Fault::Reboots => Some("reboots"),
            Fault::DuplicateId => Some("duplicate_id"),
        };
        if let Some(list) = list {
            truth.list(list, id.clone());
        }
        let port = if derive(seed, 2) % 10 == 0 {
            20_000 + (derive(seed, 3) % 40_000) as u16
        } else {
            5060
        };
        let ip = index + 257;
        Camera {
            seed,
            id,
            address: Endpoint::v4(10, 64 + (ip >> 16) as u8, (ip >> 8) as u8, ip as u8, port),
            fault,
            fault_at: o.start + span_us / 4 + derive(seed, 4) % (span_us / 2).max(1),
            boots: 0,
            cseq: 1 + (derive(seed, 5) % 50) as u32,
            sn: (derive(seed, 6) % 10_000) as u32,
            new_call_id_each_time: derive(seed, 7) % 10 == 0,
        }
    }

    fn call_id(&self, serial: u64) -> String {
        let serial = if self.new_call_id_each_time { serial } else { 0 };
        let v = derive(self.seed, 100 + self.boots * 1_000_000 + serial);
        format!("{}@{}", v % 4_000_000_000, self.address.ip)
    }
}

macro_rules! line {
    ($out:expr, $($arg:tt)*) => {{
        write!($out, $($arg)*).unwrap();
        $out.extend_from_slice(b"\r\n");
    }};
}

fn render(
    c: &Camera,
    kind: Kind,
    cseq: u32,
    serial: u64,
    now: Time,
    expires: u64,
    out: &mut Vec<u8>,
) -> String {
    use Kind::*;
    out.clear();
    let keepalive = matches!(kind, Keepalive | KeepaliveOk);
    let method = if keepalive { "MESSAGE" } else { "REGISTER" };
    let request = matches!(kind, Register | Authorized | Keepalive);
    match kind {
        Register | Authorized | Keepalive => {
            line!(out, "{method} sip:{SERVER_ID}@{DOMAIN} SIP/2.0")
        }
        Challenge => line!(out, "SIP/2.0 401 Unauthorized"),
        Accepted | KeepaliveOk => line!(out, "SIP/2.0 200 OK"),
        Forbidden => line!(out, "SIP/2.0 403 Forbidden"),
    }
    let branch = derive(c.seed, 5_000_000 + serial * 64 + u64::from(cseq)) % 4_000_000_000;
    if request {
        line!(out, "Via: SIP/2.0/UDP {};rport;branch=z9hG4bK{branch}", c.address);
    } else {
        line!(
            out,
            "Via: SIP/2.0/UDP {};rport={};branch=z9hG4bK{branch};received={}",
            c.address,
            c.address.port,
            c.address.ip
        );
    }
    let call_id = if keepalive {
        format!("{}@{}", derive(c.seed, 9_000_000 + serial) % 4_000_000_000, c.address.ip)
    } else {
        c.call_id(serial)
    };
    let tag =
        derive(c.seed, 7_000_000 + if keepalive { serial + 1 } else { c.boots }) % 4_000_000_000;
    line!(out, "From: <sip:{}@{DOMAIN}>;tag={tag}", c.id);
    let to = if keepalive { SERVER_ID } else { &c.id };
    if request {
        line!(out, "To: <sip:{to}@{DOMAIN}>");
    } else {
        line!(out, "To: <sip:{to}@{DOMAIN}>;tag={}", derive(c.seed, serial) % 4_000_000_000);
    }
    line!(out, "Call-ID: {call_id}");
    line!(out, "CSeq: {cseq} {method}");
    let nonce = derive(c.seed, 8_000_000 + serial);
    let agent = AGENTS[(c.seed % 5) as usize];
    let mut body = Vec::new();
    match kind {
        Register | Authorized => {
            line!(out, "Contact: <sip:{}@{}>", c.id, c.address);
            if let Authorized = kind {
                line!(
                    out,
                    "Authorization: Digest username=\"{}\", realm=\"{DOMAIN}\", nonce=\"{nonce:016x}{:08x}\", uri=\"sip:{SERVER_ID}@{DOMAIN}\", response=\"{:016x}{:016x}\", algorithm=MD5",
                    c.id,
                    nonce >> 32,
                    derive(nonce, 1),
                    derive(nonce, 2)
                );
            }
            line!(out, "Max-Forwards: 70");
            line!(out, "User-Agent: {agent}");
            line!(out, "Expires: {expires}");
        }
        Challenge => {
            line!(out, "User-Agent: LiveGBS v230921");
            line!(
                out,
                "WWW-Authenticate: Digest realm=\"{DOMAIN}\",nonce=\"{nonce:016x}{:08x}\",algorithm=MD5",
                nonce >> 32
            );
        }
        Accepted => {
            line!(out, "Contact: <sip:{}@{}>;expires={expires}", c.id, c.address);
            line!(out, "User-Agent: LiveGBS v230921");
            line!(out, "Date: {}", iso(now));
            line!(out, "Expires: {expires}");
        }
        Forbidden | KeepaliveOk => line!(out, "User-Agent: LiveGBS v230921"),
        Keepalive => {
            line!(out, "Max-Forwards: 70");
            line!(out, "User-Agent: {agent}");
            line!(out, "Content-Type: Application/MANSCDP+xml");
            line!(body, "<?xml version=\"1.0\" encoding=\"GB2312\"?>");
            line!(body, "<Notify>");
            line!(body, "<CmdType>Keepalive</CmdType>");
            line!(body, "<SN>{}</SN>", c.sn);
            line!(body, "<DeviceID>{}</DeviceID>", c.id);
            line!(body, "<Status>OK</Status>");
            line!(body, "<Info>\r\n</Info>");
            line!(body, "</Notify>");
        }
    }
    line!(out, "Content-Length: {}\r\n", body.len());
    out.extend_from_slice(&body);
    call_id
}

/// `YYYY-MM-DDTHH:MM:SS.mmm` in the time of China, as GB/T 28181 platforms send it.
fn iso(us: Time) -> String {
    let us = us + 8 * 3_600_000_000;
    let (days, ms) = (us / 86_400_000_000, us / 1000 % 86_400_000);
    // Civil-from-days (Hinnant), for dates after 1970.
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (d, m) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let y = yoe + era * 400 + u64::from(m <= 2);
    let (h, min, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}.{:03}", ms % 1000)
}

pub fn generate<W: Write>(o: &Options, out: &mut Writer<W>, truth: &mut Truth) -> io::Result<()> {
    let mut rng = Rng::new(o.seed);
    let mut queue = Queue::new();
    let server = Endpoint::v4(192, 168, 10, 5, 5060);
    let interval = o.interval_s * 1_000_000;
    let refresh = o.register_s.map_or(interval, |s| s * 1_000_000);
    // About 3,300 bytes per camera and interval.
    let by_size = (o.size as f64 / (o.cameras as f64 * 3_300.0) * interval as f64) as Time;
    let span = o.hours.map_or(by_size, |hours| (hours * 3_600_000_000.0) as Time);
    let is_over = |now: Time, bytes: u64| match o.hours {
        Some(_) => o.start + span <= now,
        None => o.size <= bytes,
    };
    let expires = if refresh <= 3_000_000_000 { 3600 } else { 2 * refresh / 1_000_000 };
    let mut cameras: Vec<Camera> =
        (0..o.cameras).map(|i| Camera::new(i, o.seed, o, span, truth)).collect();
    for i in 0..cameras.len() {
        let first = o.start + rng.range(0, refresh - 1);
        queue.push(first, Event::Register(i));
        queue.push(first + rng.range(1_000_000, interval), Event::Keepalive(i));
    }
    let mut call_ids = HashSet::new();
    let mut serial = 0u64;
    let mut text = Vec::with_capacity(2048);
    let mut ip_id = 0u32;

    while let Some((now, event)) = queue.pop() {
        let (index, kind, cseq, exchange) = match event {
            Event::Register(i) => {
                if is_over(now, out.bytes) {
                    continue;
                }
                let c = &mut cameras[i];
                let faulty = now >= c.fault_at;
                if faulty && c.fault == Fault::Offline {
                    continue;
                }
                if faulty && c.fault == Fault::Reboots && c.boots == 0 {
                    c.boots = 1;
                    c.cseq = 1;
                    c.address.port = 20_000 + (derive(c.seed, 33) % 40_000) as u16;
                }
                serial += 1;
                c.cseq += 1;
                let mut wait = refresh - 50_000 + rng.range(0, 100_000);
                if c.fault == Fault::LateRegistration && rng.percent(30.0) {
                    wait = wait * rng.range(20, 50) / 10;
                }
                queue.push(now + wait, Event::Register(i));
                (i, Kind::Register, c.cseq, serial)
            }
            Event::Keepalive(i) => {
                if is_over(now, out.bytes) {
                    continue;
                }
                let c = &mut cameras[i];
                let stopped =
                    now >= c.fault_at && matches!(c.fault, Fault::Offline | Fault::KeepaliveStops);
                if stopped || c.fault == Fault::WrongPassword {
                    continue;
                }
                serial += 1;
                c.sn += 1;
                let wait = interval - 50_000 + rng.range(0, 100_000);
                queue.push(now + wait, Event::Keepalive(i));
                (i, Kind::Keepalive, 20, serial)
            }
            Event::Reply(i, kind, cseq, exchange) => (i, kind, cseq, exchange),
            Event::Again(src, dst, payload) => {
                truth.message(&payload);
                ip_id = ip_id.wrapping_add(1);
                let segment = net::udp(src, dst, &payload);
                for frame in net::ip_frames(src.ip, dst.ip, net::UDP, ip_id, o.mtu, &segment) {
                    out.packet(now, &frame)?;
                }
                continue;
            }
        };
        let camera = &cameras[index];
        let call_id = render(camera, kind, cseq, exchange, now, expires, &mut text);
        // Days of traffic have more of them than fit.
        if o.hours.is_none() {
            call_ids.insert(call_id);
        }
        truth.message(&text);
        ip_id = ip_id.wrapping_add(1);
        let (src, dst) = match kind {
            Kind::Register | Kind::Authorized | Kind::Keepalive => (camera.address, server),
            _ => (server, camera.address),
        };
        let segment = net::udp(src, dst, &text);
        for frame in net::ip_frames(src.ip, dst.ip, net::UDP, ip_id, o.mtu, &segment) {
            out.packet(now, &frame)?;
        }
        if rng.percent(o.retransmit_percent) {
            truth.one("retransmissions");
            queue.push(now + rng.range(495_000, 520_000), Event::Again(src, dst, text.clone()));
        }
        let wait = rng.range(2_000, 40_000);
        let wrong = camera.fault == Fault::WrongPassword;
        let next = match kind {
            Kind::Register => Some((Kind::Challenge, cseq)),
            Kind::Challenge => {
                cameras[index].cseq += 1;
                Some((Kind::Authorized, cseq + 1))
            }
            Kind::Authorized if wrong => Some((Kind::Forbidden, cseq)),
            Kind::Authorized => Some((Kind::Accepted, cseq)),
            Kind::Keepalive => Some((Kind::KeepaliveOk, cseq)),
            Kind::Accepted | Kind::Forbidden | Kind::KeepaliveOk => None,
        };
        if let Some((kind, cseq)) = next {
            queue.push(now + wait, Event::Reply(index, kind, cseq, exchange));
        }
    }
    truth.add("cameras", o.cameras);
    if o.hours.is_none() {
        truth.add("call_ids", call_ids.len() as u64);
    }
    Ok(())
}
