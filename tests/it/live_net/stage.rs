//! Two network namespaces with a wire between them; gone when the test is over, however it ends.

use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use super::watcher::eventually;
use crate::program::skip;

/// How the two ends of the wire are addressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];
}

/// A namespace, and its end of the wire.
pub struct Place {
    pub namespace: String,
    pub interface: String,
    host: u8,
}

/// Two namespaces and the wire.
pub struct Stage {
    /// Where siplens watches, and callers are.
    pub near: Place,
    /// Where those are who are called.
    pub far: Place,
}

impl Stage {
    /// A stage; `None`, said aloud, where none can be made.
    pub fn new() -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if let Some(lacking) = lacking() {
            skip(&format!("live on real traffic: {lacking}"));
            return None;
        }
        let name = format!("{}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let place = |end: &str, host| Place {
            namespace: format!("siplens{name}{end}"),
            interface: format!("s{name}{end}"),
            host,
        };
        let stage = Self { near: place("a", 1), far: place("b", 2) };
        if let Err(refused) = stage.build() {
            skip(&format!("live on real traffic: no namespaces: {}", refused.trim()));
            return None;
        }
        stage.try_out();
        Some(stage)
    }

    /// Waits until the wire carries both families both ways: neighbors are found by then.
    fn try_out(&self) {
        for family in Family::BOTH {
            let bind =
                |place: &Place| place.within(|| UdpSocket::bind(place.at(family, 9)).unwrap());
            let (near, far) = (bind(&self.near), bind(&self.far));
            for (one, other, to) in [(&near, &far, &self.far), (&far, &near, &self.near)] {
                other.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
                eventually("the wire to carry", || {
                    one.send_to(b"?", to.at(family, 9)).ok()?;
                    other.recv(&mut [0]).ok()
                });
            }
        }
    }

    fn build(&self) -> Result<(), String> {
        let Self { near, far } = self;
        ip("-batch", &format!("netns add {}\nnetns add {}\n", near.namespace, far.namespace))?;
        ip(
            "-batch",
            &format!(
                "link add {} netns {} type veth peer name {} netns {}\n",
                near.interface, near.namespace, far.interface, far.namespace
            ),
        )?;
        for place in [near, far] {
            place.ip(&format!(
                "addr add {}/24 dev {link}\naddr add {}/64 dev {link} nodad\n\
                 link set lo up\nlink set {link} addrgenmode none\nlink set {link} up\n",
                place.address(Family::V4),
                place.address(Family::V6),
                link = place.interface,
            ))?;
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for place in [&self.near, &self.far] {
            // One that was never made is not there.
            let _ = ip("-batch", &format!("netns delete {}\n", place.namespace));
        }
    }
}

impl Place {
    pub fn address(&self, family: Family) -> IpAddr {
        let text = match family {
            Family::V4 => format!("10.99.0.{}", self.host),
            Family::V6 => format!("fd99::{}", self.host),
        };
        text.parse().unwrap()
    }

    pub fn at(&self, family: Family, port: u16) -> SocketAddr {
        SocketAddr::new(self.address(family), port)
    }

    /// Runs commands of `ip`, one a line, in this namespace.
    pub fn ip(&self, lines: &str) -> Result<(), String> {
        feed(Command::new("ip").args(["-n", &self.namespace, "-batch", "-"]), lines)
    }

    /// Does something in this namespace: sockets that it makes stay there.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        // The thread ends in the namespace; the one that called was never in it.
        thread::scope(|scope| {
            let acts = scope.spawn(|| {
                let path = format!("/run/netns/{}", self.namespace);
                setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                act()
            });
            acts.join().unwrap()
        })
    }

    /// Packets that went out of its end of the wire, as the interface counts them.
    pub fn sent(&self) -> u64 {
        self.counter("tx_packets")
    }

    /// Packets that came in.
    pub fn received(&self) -> u64 {
        self.counter("rx_packets")
    }

    fn counter(&self, name: &str) -> u64 {
        let path = format!("/sys/class/net/{}/statistics/{name}", self.interface);
        let output = self.command("cat").arg(path).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
    }

    /// A program to be run in this namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace, program])
            .current_dir(crate::program::root());
        command
    }
}

/// Why there can be no stage.
fn lacking() -> Option<&'static str> {
    if !nix::unistd::Uid::effective().is_root() {
        return Some("without root");
    }
    (!is_installed("ip")).then_some("without ip (iproute2)")
}

/// Whether `program` is there to be run.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn ip(option: &str, lines: &str) -> Result<(), String> {
    feed(Command::new("ip").args([option, "-"]), lines)
}

fn feed(command: &mut Command, lines: &str) -> Result<(), String> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    child.stdin.take().unwrap().write_all(lines.as_bytes()).map_err(|error| error.to_string())?;
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}
