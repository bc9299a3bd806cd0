//! Serves the numbers of a live run over HTTP, on loopback unless told otherwise.
//!
//! A request is read by httparse into a buffer of fixed size, by a fixed number of threads, each
//! client within a fixed time. (The small servers there are hold lines, connections and threads
//! without bound, `tiny_http`, or can only bind a socket themselves, `oxhttp`: too late.)
//! The reader of packets only ever replaces a text; no client can make it wait for more than that.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use crate::view::live::metrics::CONTENT_TYPE;

/// Clients served at once; more wait in the kernel's queue, or are refused by it.
const THREADS: usize = 4;
/// Octets of a request.
const LONGEST: usize = 8 << 10;
/// Header fields of a request.
const FIELDS: usize = 64;
/// What one client may take from its first octet to the last it is sent.
const PATIENCE: Duration = Duration::from_secs(5);
/// Octets on the stack of a thread; a request and its header fields are all that lies there.
const STACK: usize = 256 << 10;

/// A socket that is bound, while there are still the rights for it; nobody is served yet.
pub struct Listener {
    socket: TcpListener,
    patience: Duration,
}

/// The text that clients get.
#[derive(Clone)]
pub struct Page(Arc<Mutex<Arc<str>>>);

impl Page {
    /// Replaces the text.
    pub fn put(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text.into();
    }

    fn text(&self) -> Arc<str> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Listener {
    /// Binds `address`: a port alone (`9464`, `:9464`) is one on loopback.
    ///
    /// # Errors
    /// When that is no address, or may not be listened on.
    pub fn bind(address: &str) -> anyhow::Result<Self> {
        let addresses = addresses(address)?;
        let socket = TcpListener::bind(addresses.as_slice())
            .with_context(|| format!("cannot serve metrics on {address}"))?;
        Ok(Self { socket, patience: PATIENCE })
    }

    /// Gives each client this much time instead of 5 seconds.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Starts to serve, with an empty page at first. The threads end with the process.
    ///
    /// # Errors
    /// When the system allows no more threads or file descriptors.
    pub fn serve(self) -> io::Result<Page> {
        let page = Page(Arc::new(Mutex::new("# EOF\n".into())));
        for _ in 0..THREADS {
            let (socket, page, patience) = (self.socket.try_clone()?, page.clone(), self.patience);
            let thread = thread::Builder::new().name("metrics".to_owned()).stack_size(STACK);
            thread.spawn(move || accept(&socket, &page, patience))?;
        }
        Ok(page)
    }
}

/// The addresses that `text` names.
fn addresses(text: &str) -> anyhow::Result<Vec<SocketAddr>> {
    let port = text.strip_prefix(':').unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]);
    }
    let found = text.to_socket_addrs().with_context(|| {
        format!("{text:?} is no address to listen on: give PORT, HOST:PORT or [IPV6]:PORT")
    })?;
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return Err(anyhow!("{text:?} has no address"));
    }
    Ok(found)
}

/// Serves one client after the other.
fn accept(socket: &TcpListener, page: &Page, patience: Duration) {
    loop {
        match socket.accept() {
            // What goes wrong with a client is its own affair.
            Ok((client, _)) => drop(answer(&Client::new(client, patience), page)),
            // Out of file descriptors, say: the next try must not be at once.
            Err(_) => thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// Who asks, and until when it may.
struct Client {
    stream: TcpStream,
    until: Instant,
}

impl Client {
    #[allow(clippy::disallowed_methods)] // The client's time, not that of packets.
    fn new(stream: TcpStream, patience: Duration) -> Self {
        Self { stream, until: Instant::now() + patience }
    }

    /// The time that is left.
    #[allow(clippy::disallowed_methods)] // The client's time, not that of packets.
    fn left(&self) -> io::Result<Duration> {
        match self.until.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        (&self.stream).read(buffer)
    }

    /// Takes what is still said, in bounds: a socket closed over unread octets takes the answer back.
    fn drain(&self) -> io::Result<()> {
        let mut buffer = [0; LONGEST];
        for _ in 0..8 {
            if self.read(&mut buffer)? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Writes all, or as much as the client takes in its time.
    fn write(&self, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            self.stream.set_write_timeout(Some(self.left()?))?;
            let written = (&self.stream).write(octets)?;
            if written == 0 {
                return Err(ErrorKind::WriteZero.into());
            }
            octets = octets.get(written..).unwrap_or_default();
        }
        Ok(())
    }
}

/// What is wanted of us.
enum Request {
    /// The path, and whether its body is wanted too (GET), or not (HEAD).
    Path(String, Body),
    OtherMethod,
    TooLong,
    Malformed,
}

#[derive(Clone, Copy)]
enum Body {
    Wanted,
    Unwanted,
}

fn answer(client: &Client, page: &Page) -> io::Result<()> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let (status, kind, text): (_, _, Arc<str>) = match receive(client)? {
        Request::Path(path, body) => {
            let (status, kind, text) = match path.as_str() {
                "/metrics" => ("200 OK", CONTENT_TYPE, page.text()),
                "/" => ("200 OK", TEXT, "The numbers are at /metrics\n".into()),
                _ => ("404 Not Found", TEXT, "The numbers are at /metrics\n".into()),
            };
            return send(client, status, kind, &text, body);
        }
        Request::OtherMethod => ("405 Method Not Allowed", TEXT, "Only GET\n".into()),
        Request::TooLong => ("431 Request Header Fields Too Large", TEXT, "Too long\n".into()),
        Request::Malformed => ("400 Bad Request", TEXT, "Not HTTP/1\n".into()),
    };
    send(client, status, kind, &text, Body::Wanted)?;
    client.drain()
}

/// Reads until the end of the header fields; a body is not waited for.
fn receive(client: &Client) -> io::Result<Request> {
    let mut buffer = [0; LONGEST];
    let mut filled = 0;
    loop {
        let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) else {
            return Ok(Request::TooLong);
        };
        let read = client.read(room)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(buffer.get(..filled).unwrap_or_default()) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => return Ok(understood(&request)),
            Err(httparse::Error::TooManyHeaders) => return Ok(Request::TooLong),
            Err(_) => return Ok(Request::Malformed),
        }
    }
}

fn understood(request: &httparse::Request<'_, '_>) -> Request {
    let body = match request.method {
        Some("GET") => Body::Wanted,
        Some("HEAD") => Body::Unwanted,
        _ => return Request::OtherMethod,
    };
    let target = request.path.unwrap_or_default();
    let path = target.split(['?', '#']).next().unwrap_or_default();
    Request::Path(path.to_owned(), body)
}

fn send(client: &Client, status: &str, kind: &str, text: &str, body: Body) -> io::Result<()> {
    let length = text.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Allow: GET, HEAD\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    );
    client.write(head.as_bytes())?;
    if let Body::Wanted = body {
        client.write(text.as_bytes())?;
    }
    client.stream.shutdown(std::net::Shutdown::Write)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_port_alone_is_one_on_loopback_and_others_are_written_out() {
        let of = |text: &str| addresses(text).unwrap().iter().map(ToString::to_string).collect();
        let is = |text: &str, address: &str| {
            let all: Vec<String> = of(text);
            assert_eq!(all, [address], "{text}");
        };
        is("9464", "127.0.0.1:9464");
        is(":9464", "127.0.0.1:9464");
        is("0.0.0.0:9464", "0.0.0.0:9464");
        is("[::1]:9464", "[::1]:9464");
        for wrong in ["", "host", "127.0.0.1", "99999", "::1"] {
            assert!(addresses(wrong).is_err(), "{wrong}");
        }
    }
}
