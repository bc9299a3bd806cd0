//! Finds libpcap for the `live` feature, so that a missing one never stops the build.
//!
//! The pcap crate links to libpcap by its development name (`libpcap.so`), which many machines do
//! not have although the library itself is there. In order: what `LIBPCAP_LIBDIR`, pkg-config or the
//! usual directories offer; a link of that name to the run-time library; and with neither an empty
//! archive that satisfies the linker, with `cfg(libpcap)` unset so that nothing is called in it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where libraries lie, besides what `SIPLENS_LIBRARY_DIRS` names instead (tests, unusual systems).
const USUAL: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/arm-linux-gnueabihf",
    "/usr/lib/i386-linux-gnu",
    "/usr/lib/riscv64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/lib64",
    "/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
    "/opt/homebrew/lib",
];

/// Names under which the linker finds the library.
const DEVELOPMENT: &[&str] = &["libpcap.so", "libpcap.a", "libpcap.dylib"];
/// Names of the library itself: Debian's, and everyone else's.
const RUN_TIME: &[&str] = &["libpcap.so.0.8", "libpcap.so.1"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBPCAP_LIBDIR");
    println!("cargo:rerun-if-env-changed=SIPLENS_LIBRARY_DIRS");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    if env::var_os("CARGO_FEATURE_LIVE").is_none() {
        return;
    }
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else { return };
    if !found_for_development() && !linked_to_run_time(&out) {
        stand_in(&out);
        return;
    }
    println!("cargo:rustc-cfg=libpcap");
}

/// True when the linker finds libpcap as it is.
fn found_for_development() -> bool {
    if let Some(directory) = env::var_os("LIBPCAP_LIBDIR") {
        return holds(Path::new(&directory), DEVELOPMENT).is_some();
    }
    // macOS has it in the SDK; a cross build knows only what pkg-config tells.
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "macos") {
        return true;
    }
    if env::var_os("SIPLENS_LIBRARY_DIRS").is_none() && pkg_config_knows_it() {
        return true;
    }
    match directories().iter().find(|directory| holds(directory, DEVELOPMENT).is_some()) {
        Some(directory) => {
            println!("cargo:rustc-link-search=native={}", directory.display());
            true
        }
        None => false,
    }
}

fn pkg_config_knows_it() -> bool {
    let program = env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    Command::new(program).args(["--exists", "libpcap"]).status().is_ok_and(|done| done.success())
}

/// Gives the run-time library its development name in `out`.
fn linked_to_run_time(out: &Path) -> bool {
    let directories = directories();
    let library = directories.iter().find_map(|directory| holds(directory, RUN_TIME));
    let Some(library) = library else { return false };
    let link = out.join("libpcap.so");
    let _ = fs::remove_file(out.join("libpcap.a"));
    let _ = fs::remove_file(&link);
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(&library, &link);
    #[cfg(not(unix))]
    let linked = fs::copy(&library, &link).map(|_| ());
    println!("cargo:rustc-link-search=native={}", out.display());
    linked.is_ok()
}

/// Puts an empty archive where libpcap would be and says what that costs.
fn stand_in(out: &Path) {
    let _ = fs::remove_file(out.join("libpcap.so"));
    if let Err(error) = fs::write(out.join("libpcap.a"), "!<arch>\n") {
        println!("cargo:warning=cannot write to {}: {error}", out.display());
        return;
    }
    println!("cargo:rustc-link-search=native={}", out.display());
    println!(
        "cargo:warning=libpcap was not found: built without packet filters and live capture. \
         Install it (Debian, Ubuntu: apt-get install libpcap-dev; Fedora: dnf install \
         libpcap-devel; Alpine: apk add libpcap-dev) or name its directory in LIBPCAP_LIBDIR, \
         then `cargo clean -p siplens` and build again. Reading files needs none of it."
    );
}

/// The directories to search, none of them when building for another machine.
fn directories() -> Vec<PathBuf> {
    if let Some(named) = env::var_os("SIPLENS_LIBRARY_DIRS") {
        return env::split_paths(&named).collect();
    }
    if env::var_os("HOST") != env::var_os("TARGET") {
        return Vec::new();
    }
    USUAL.iter().map(PathBuf::from).collect()
}

/// The first of `names` that lies in `directory`.
fn holds(directory: &Path, names: &[&str]) -> Option<PathBuf> {
    names.iter().map(|name| directory.join(name)).find(|path| path.exists())
}
