//! Rights are given up for good: a child of the test gives up its own and then tries what it may not.
//!
//! The child is this very program, told by an environment variable to play that part.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use siplens::cli::live::metrics::Listener;
use siplens::cli::live::privileges::{Wanted, confine_thread, give_up};

use crate::program::skip;

/// Where the child reads and writes; set for the child alone.
const STAGE: &str = "SIPLENS_TEST_PRIVILEGES";
/// What stands before each line of its report.
const MARK: &str = "child: ";

/// What the child did and was, by name.
type Report = BTreeMap<String, String>;

/// A directory with what a child may read and write, and the program it runs.
struct Stage {
    directory: tempfile::TempDir,
    program: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        open_to_all(directory.path());
        for name in ["readable", "writable"] {
            fs::create_dir(directory.path().join(name)).unwrap();
            open_to_all(&directory.path().join(name));
        }
        fs::write(directory.path().join("readable/in"), "in").unwrap();
        let closed = directory.path().join("readable/closed");
        fs::write(&closed, "closed").unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(directory.path().join("secret"), "secret").unwrap();
        Self { directory, program: std::env::current_exe().unwrap() }
    }

    /// Runs `test` again, as the child.
    fn play(&self, test: &str, prepare: impl FnOnce(&mut Command)) -> Report {
        let mut command = Command::new(&self.program);
        command
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(STAGE, self.directory.path())
            .env_remove("SUDO_UID")
            .env_remove("SUDO_GID")
            .current_dir("/");
        prepare(&mut command);
        let output = command.output().unwrap();
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{out}\n{err}");
        let lines = out.lines().filter_map(|line| line.split_once(MARK)?.1.split_once('='));
        lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

fn open_to_all(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

/// Where the child plays, in the child.
fn part() -> Option<PathBuf> {
    std::env::var_os(STAGE).map(PathBuf::from)
}

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

fn tell(key: &str, value: impl std::fmt::Display) {
    println!("{MARK}{key}={value}");
}

/// `ok`, or the name of what went wrong.
fn outcome<T>(result: io::Result<T>) -> String {
    result.map_or_else(|error| error.kind().to_string(), |_| "ok".to_owned())
}

/// Gives up the rights of the child and tries everything.
fn perform(stage: &Path, user: Option<&str>) {
    let mut files: Vec<_> = ["/proc/thread-self/status", "/proc/self/status"]
        .into_iter()
        .map(|path| File::open(path).unwrap())
        .collect();
    let output = File::create(stage.join("writable/first")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut wire = Wire::open();
    let wanted = Wanted {
        user,
        readable: vec![stage.join("readable")],
        reopened: vec![stage.join("readable/in"), stage.join("readable/closed")],
        writable: vec![stage.join("writable")],
        outputs: vec![&output],
    };
    let told = confine_thread(&wanted).unwrap();
    tell("notes", told.notes.join("; "));
    tell("lacking", told.lacking.unwrap_or_default());
    for (name, file) in ["thread", "process"].iter().zip(&mut files) {
        let mut status = String::new();
        file.read_to_string(&mut status).unwrap();
        for line in status.lines() {
            let (key, value) = line.split_once(':').unwrap();
            tell(&format!("{name}.{key}"), value.trim().replace('\t', " "));
        }
    }
    tell("owner", output.metadata().unwrap().uid());
    try_files(stage, &output);
    try_what_is_denied(&listener);
    tell("thread", std::thread::spawn(|| 7).join().unwrap());
    tell("capture", wire.as_mut().map_or("none".to_owned(), Wire::read));
}

fn try_files(stage: &Path, mut output: &File) {
    let read = |path: PathBuf| outcome(fs::read(path));
    tell("read passwd", read("/etc/passwd".into()));
    tell("read shadow", read("/etc/shadow".into()));
    tell("read secret", read(stage.join("secret")));
    tell("read allowed", read(stage.join("readable/in")));
    tell("list allowed", outcome(fs::read_dir(stage.join("readable"))));
    tell("list elsewhere", outcome(fs::read_dir("/etc")));
    tell("write where it reads", outcome(fs::write(stage.join("readable/x"), "x")));
    tell("write elsewhere", outcome(fs::write(stage.join("x"), "x")));
    tell("write open", outcome(output.write_all(b"more").and_then(|()| output.sync_all())));
    let (one, two) = (stage.join("writable/one"), stage.join("writable/two"));
    tell("create", outcome(fs::write(&one, "12345")));
    tell("rename", outcome(fs::rename(&one, &two)));
    let file = File::options().write(true).open(&two);
    tell("truncate", outcome(file.and_then(|file| file.set_len(2))));
    tell("read back", fs::read_to_string(&two).unwrap_or_default());
    tell("remove", outcome(fs::remove_file(&two)));
    tell("directory", outcome(fs::create_dir(stage.join("writable/deep"))));
    tell("link", outcome(std::os::unix::fs::symlink("/etc", stage.join("writable/link"))));
    // What libpcap reads whenever it is asked for its counters.
    tell("drops", read("/sys/class/net/lo/statistics/rx_missed_errors".into()));
    let zones = Path::new("/usr/share/zoneinfo/UTC");
    tell("zone", if zones.exists() { read(zones.into()) } else { "ok".to_owned() });
}

fn try_what_is_denied(listener: &TcpListener) {
    use nix::unistd::{Gid, Uid, setegid, seteuid, setgid, setuid};

    let root = Uid::from_raw(0);
    // The C library ends a process of which one thread may and another may not.
    let is_back = is_root()
        || setuid(root).is_ok()
        || seteuid(root).is_ok()
        || setgid(Gid::from_raw(0)).is_ok()
        || setegid(Gid::from_raw(0)).is_ok();
    tell("root again", is_back);
    tell("run", outcome(Command::new("/bin/true").status()));
    tell("connect", outcome(TcpStream::connect(listener.local_addr().unwrap())));
    tell("listen", outcome(TcpListener::bind("127.0.0.1:0")));
    tell("socket", outcome(UdpSocket::bind("127.0.0.1:0")));
    tell("raw socket", if Wire::open().is_some() { "ok" } else { "denied" });
}

/// A capture on loopback and someone who talks there.
struct Wire {
    #[cfg(libpcap)]
    capture: pcap::Capture<pcap::Active>,
    talker: UdpSocket,
}

impl Wire {
    #[cfg(libpcap)]
    fn open() -> Option<Self> {
        let capture = pcap::Capture::from_device("lo").ok()?.immediate_mode(true).timeout(100);
        let mut capture = capture.open().ok()?;
        let talker = UdpSocket::bind("127.0.0.1:0").ok()?;
        let port = talker.local_addr().ok()?.port();
        capture.filter(&format!("udp port {port}"), true).ok()?;
        Some(Self { capture, talker })
    }

    #[cfg(not(libpcap))]
    fn open() -> Option<Self> {
        let _ = Self::read;
        UdpSocket::bind("127.0.0.1:0").map(|talker| Self { talker }).ok()
    }

    /// What is said is read, and the statistics make sense.
    fn read(&mut self) -> String {
        self.talker.send_to(b"hello", self.talker.local_addr().unwrap()).unwrap();
        #[cfg(libpcap)]
        {
            let tail = match self.capture.next_packet() {
                Ok(packet) => {
                    String::from_utf8_lossy(&packet.data[packet.data.len() - 5..]).into_owned()
                }
                Err(error) => error.to_string(),
            };
            let stats = self.capture.stats().unwrap();
            format!("{tail} {} {}", stats.dropped, stats.if_dropped)
        }
        #[cfg(not(libpcap))]
        "none".to_owned()
    }
}

/// What holds whoever the child became.
fn assert_confined(report: &Report) {
    let is = |key: &str, value: &str| {
        assert_eq!(report.get(key).map(String::as_str), Some(value), "{key}: {report:#?}");
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        is(&format!("thread.{set}"), "0000000000000000");
    }
    is("thread.NoNewPrivs", "1");
    let open =
        ["read allowed", "list allowed", "write open", "create", "rename", "truncate", "remove"];
    for attempt in open {
        is(attempt, "ok");
    }
    is("read back", "12");
    is("root again", "false");
    is("thread", "7");
    assert_ne!(report["read shadow"], "ok");
    if report["lacking"].is_empty() {
        is("thread.Seccomp", "2");
        let closed = [
            "read passwd",
            "read secret",
            "list elsewhere",
            "write elsewhere",
            "write where it reads",
            "run",
            "connect",
            "listen",
            "socket",
            "directory",
            "link",
        ];
        for attempt in closed {
            is(attempt, "permission denied");
        }
        is("raw socket", "denied");
    } else {
        skip(&format!("what files and system calls may do: {}", report["lacking"]));
    }
    if report["capture"] != "none" {
        is("capture", "hello 0 0");
    }
}

#[test]
fn root_becomes_who_called_sudo_and_may_do_nothing_more() {
    const NAME: &str = "privileges::root_becomes_who_called_sudo_and_may_do_nothing_more";
    if let Some(stage) = part() {
        return perform(&stage, None);
    }
    if !is_root() {
        return skip("giving up root, without root");
    }
    let report = Stage::new().play(NAME, |command| {
        command.env("SUDO_UID", "12345").env("SUDO_GID", "23456");
    });
    for whole in ["thread", "process"] {
        assert_eq!(report[&format!("{whole}.Uid")], "12345 12345 12345 12345");
        assert_eq!(report[&format!("{whole}.Gid")], "23456 23456 23456 23456");
        assert_eq!(report[&format!("{whole}.Groups")], "23456");
    }
    assert_eq!(report["thread.CapBnd"], "0000000000000000");
    assert_eq!(report["owner"], "12345", "the file that root opened is the user's");
    let notes = &report["notes"];
    assert!(notes.starts_with("user 12345 may not open "), "{notes}");
    assert_eq!(notes.matches("may not open").count(), 1, "{notes}");
    assert!(notes.contains("readable/closed again"), "{notes}");
    assert_confined(&report);
}

#[test]
fn root_whom_nobody_called_becomes_nobody_and_says_so() {
    const NAME: &str = "privileges::root_whom_nobody_called_becomes_nobody_and_says_so";
    if let Some(stage) = part() {
        return perform(&stage, None);
    }
    if !is_root() {
        return skip("giving up root, without root");
    }
    let report = Stage::new().play(NAME, |command| {
        command.env("SUDO_UID", "0").env("SUDO_GID", "0");
    });
    assert!(!report["thread.Uid"].split(' ').any(|uid| uid == "0"), "{}", report["thread.Uid"]);
    assert!(
        !report["thread.Groups"].split(' ').any(|gid| gid == "0"),
        "{}",
        report["thread.Groups"]
    );
    assert!(report["notes"].contains("nobody") || report["notes"].contains("65534"));
    assert!(report["notes"].contains("--user"), "{}", report["notes"]);
    assert_confined(&report);
}

#[test]
fn root_becomes_the_user_that_is_named_by_number() {
    const NAME: &str = "privileges::root_becomes_the_user_that_is_named_by_number";
    if let Some(stage) = part() {
        return perform(&stage, Some("54321"));
    }
    if !is_root() {
        return skip("giving up root, without root");
    }
    let report = Stage::new().play(NAME, |command| {
        command.env("SUDO_UID", "12345").env("SUDO_GID", "12345");
    });
    assert_eq!(report["process.Uid"], "54321 54321 54321 54321");
    assert_eq!(report["process.Groups"], "54321");
    assert_confined(&report);
}

#[test]
fn root_that_is_kept_by_name_keeps_its_files_and_little_else() {
    const NAME: &str = "privileges::root_that_is_kept_by_name_keeps_its_files_and_little_else";
    if let Some(stage) = part() {
        return perform(&stage, Some("root"));
    }
    if !is_root() {
        return skip("giving up rights of root, without root");
    }
    let report = Stage::new().play(NAME, |_| {});
    assert_eq!(report["process.Uid"], "0 0 0 0");
    // CAP_DAC_OVERRIDE, to write where only root may.
    assert_eq!(report["thread.CapEff"], "0000000000000002");
    assert_eq!(report["thread.NoNewPrivs"], "1");
    if report["lacking"].is_empty() {
        for attempt in ["read shadow", "run", "socket", "write elsewhere"] {
            assert_eq!(report[attempt], "permission denied", "{attempt}");
        }
    }
}

#[test]
fn capabilities_of_the_file_are_gone_once_everything_is_open() {
    const NAME: &str = "privileges::capabilities_of_the_file_are_gone_once_everything_is_open";
    if let Some(stage) = part() {
        return perform(&stage, None);
    }
    if !is_root() {
        return skip("setcap, without root");
    }
    let mut stage = Stage::new();
    let program = stage.directory.path().join("program");
    fs::copy(&stage.program, &program).unwrap();
    let setcap = Command::new("setcap").arg("cap_net_raw,cap_net_admin=eip").arg(&program).status();
    if !setcap.is_ok_and(|status| status.success()) {
        return skip("setcap is not installed, or the file system has no capabilities");
    }
    stage.program = program;
    let report = stage.play(NAME, |command| {
        command.uid(12345).gid(12345);
    });
    assert_eq!(report["process.Uid"], "12345 12345 12345 12345");
    if cfg!(libpcap) {
        assert_eq!(report["capture"], "hello 0 0", "the file had the right to capture");
    }
    assert_confined(&report);
}

#[test]
fn rights_that_would_stay_with_another_thread_are_not_given_up() {
    let error = give_up(&Wanted::default()).unwrap_err();
    assert!(error.to_string().contains("threads run"), "{error:#}");
}

#[test]
fn an_unknown_user_and_a_directory_that_the_user_may_not_write_are_errors() {
    const NAME: &str =
        "privileges::an_unknown_user_and_a_directory_that_the_user_may_not_write_are_errors";
    if let Some(stage) = part() {
        let wanted = Wanted { user: Some("no such user"), ..Wanted::default() };
        tell("unknown", format!("{:#}", confine_thread(&wanted).unwrap_err()));
        let writable = vec![stage.join("secret-place")];
        let wanted = Wanted { user: Some("54321"), writable, ..Wanted::default() };
        return tell("closed", format!("{:#}", confine_thread(&wanted).unwrap_err()));
    }
    if !is_root() {
        return skip("giving up root, without root");
    }
    let stage = Stage::new();
    fs::create_dir(stage.directory.path().join("secret-place")).unwrap();
    let report = stage.play(NAME, |_| {});
    assert_eq!(report["unknown"], "there is no user \"no such user\"");
    assert!(report["closed"].starts_with("user 54321 may not create files in "), "{report:#?}");
    assert!(report["closed"].contains("--user"), "{report:#?}");
}

#[test]
fn numbers_are_served_when_all_rights_are_gone() {
    const NAME: &str = "privileges::numbers_are_served_when_all_rights_are_gone";
    if part().is_some() {
        let listener = Listener::bind("0").unwrap();
        let address = listener.address().unwrap();
        let told = confine_thread(&Wanted::default()).unwrap();
        tell("lacking", told.lacking.unwrap_or_default());
        listener.serve().unwrap().put("after\n# EOF\n".to_owned());
        tell("address", address);
        // Until the parent has seen enough.
        io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture", "--test-threads=1"])
        .env(STAGE, "/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines
        .by_ref()
        .find_map(|line| Some(line.split_once("child: address=")?.1.to_owned()))
        .expect("the child serves");
    let request = "GET /metrics HTTP/1.1\r\n\r\n";
    let answer = crate::metrics::ask(address.parse().unwrap(), request);
    drop(child.stdin.take());
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
    assert!(answer.ends_with("\r\n\r\nafter\n# EOF\n"), "{answer}");
}

#[test]
fn the_program_has_no_rights_left_when_it_prints_its_first_message() {
    if !is_root() {
        return skip("giving up root, without root");
    }
    let mut child = crate::program::program()
        .args(["live", "-"])
        .env("SUDO_UID", "12345")
        .env("SUDO_GID", "23456")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let capture = fs::read(crate::program::root().join("samples/call.pcap")).unwrap();
    input.write_all(&capture).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.next().is_some_and(|line| line.contains("REGISTER")));
    let mut threads = 0;
    for thread in fs::read_dir(format!("/proc/{}/task", child.id())).unwrap() {
        let status = fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(":\t"));
            line.unwrap_or_default().trim().to_owned()
        };
        assert_eq!(of("Uid"), "12345\t12345\t12345\t12345");
        assert_eq!(of("Gid"), "23456\t23456\t23456\t23456");
        assert_eq!(of("Groups"), "23456");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(of(set), "0000000000000000", "{set}");
        }
        assert_eq!(of("NoNewPrivs"), "1");
        threads += 1;
    }
    assert!(1 < threads, "one reads, another captures");
    drop(input);
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
}
