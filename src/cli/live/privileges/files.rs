//! Which files may still be opened: Landlock, as much of it as the kernel has.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, Scope,
};

/// The newest set of restrictions that is asked for; the crate leaves out what the kernel lacks.
const NEWEST: ABI = ABI::V9;

/// Time zones are read when the first time of day is written.
const ZONES: &[&str] = &[
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/usr/share/lib/zoneinfo",
    "/usr/lib/zoneinfo",
    "/etc/zoneinfo",
];

/// Lets this thread, and those it starts, read `readable` and write in `writable`, and nothing
/// else; no TCP connection can be made or awaited anew. Says what the kernel cannot restrict.
///
/// # Errors
/// When the kernel has Landlock and refuses.
pub(super) fn restrict(
    readable: &[PathBuf],
    writable: &[PathBuf],
) -> anyhow::Result<Option<String>> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let keeping = reading
        | AccessFs::WriteFile
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
        | AccessFs::Truncate;
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(NEWEST)))
        .and_then(|rules| rules.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .context("cannot restrict files")?;
    for path in readable.iter().cloned().chain(devices()).chain(ZONES.iter().map(PathBuf::from)) {
        rules = allow(rules, &path, reading)?;
    }
    for path in writable {
        rules = allow(rules, path, keeping)?;
    }
    let status = rules.restrict_self().context("cannot restrict files")?;
    Ok(lacking(status.landlock))
}

/// `rules`, and `access` to what lies at and under `path`, if anything does.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> anyhow::Result<RulesetCreated> {
    let Ok(place) = PathFd::new(path) else { return Ok(rules) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
    rules
        .add_rule(PathBeneath::new(place, access))
        .with_context(|| format!("cannot allow {}", path.display()))
}

/// What is asked of devices while they capture. In `statistics` libpcap reads, each time it is asked,
/// how many packets a device missed: closed, it would take what it counted at the start for packets
/// that came back. `flags` tells whether a device is up.
fn devices() -> impl Iterator<Item = PathBuf> {
    let devices = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    devices.flat_map(|device| ["statistics", "flags"].map(|name| device.path().join(name)))
}

/// What of the above the running kernel does not do; ABI numbers are those of landlock(7).
fn lacking(status: LandlockStatus) -> Option<String> {
    let LandlockStatus::Available { effective_abi, .. } = status else {
        return Some("which files are opened (no Landlock)".to_owned());
    };
    match effective_abi {
        ABI::Unsupported | ABI::V1 | ABI::V2 => Some("truncating files (Landlock 3)".to_owned()),
        // New sockets are refused as a system call already.
        _ => None,
    }
}
