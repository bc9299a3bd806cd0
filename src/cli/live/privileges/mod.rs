//! Giving up rights: once devices, sockets and outputs are open, nothing more is needed of root.
//!
//! A stranger writes the octets that are parsed, so before the first of them is read the process
//! becomes an ordinary user, loses its capabilities, and may then neither open other files (Landlock)
//! nor make system calls that reading packets has no use for (seccomp). What the kernel does not
//! have is told and done without; root that cannot be given up is an error.

mod user;
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")
))]
mod calls;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
#[path = "calls/absent.rs"]
mod calls;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod rights;

use std::fs::File;
use std::path::PathBuf;

use anyhow::Context as _;
use nix::unistd::{AccessFlags, access};

use user::Successor;

/// What a run still has to do after its rights are gone.
#[derive(Default)]
pub struct Wanted<'a> {
    /// Whom to become, by name or number (`--user`).
    pub user: Option<&'a str>,
    /// Files and directories still to be read: where the followed file lies.
    pub readable: Vec<PathBuf>,
    /// Files that are opened again when another takes their name.
    pub reopened: Vec<PathBuf>,
    /// Directories in which files are still to be created, renamed and removed: a ring of captures.
    pub writable: Vec<PathBuf>,
    /// Outputs that were made for this run; those that belong to root are given to whom we become.
    pub outputs: Vec<&'a File>,
}

/// What there is to say about it.
#[derive(Debug, Default)]
pub struct Told {
    /// For everyone: who we are now, when nobody chose.
    pub notes: Vec<String>,
    /// For `-v`: what this kernel cannot restrict.
    pub lacking: Option<String>,
}

/// Gives up all rights but those `wanted`. To be called on the main thread before any other is
/// started, because Linux confines threads, and later ones inherit.
///
/// # Errors
/// When another thread runs already, when root cannot be given up for good, when the user is not
/// known, and when the user may not write where files are to be created.
pub fn give_up(wanted: &Wanted<'_>) -> anyhow::Result<Told> {
    #[cfg(target_os = "linux")]
    {
        // Without /proc it cannot be told; the order of the program still holds.
        let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
        anyhow::ensure!(threads == 1, "rights cannot be given up while {threads} threads run");
    }
    confine_thread(wanted)
}

/// [`give_up`] for the calling thread and those it starts; the user changes for all.
///
/// # Errors
/// As [`give_up`].
pub fn confine_thread(wanted: &Wanted<'_>) -> anyhow::Result<Told> {
    let mut told = Told::default();
    let successor = user::choose(wanted.user)?;
    told.notes.extend(successor.note());
    hand_over(wanted, &successor)?;
    #[cfg(target_os = "linux")]
    rights::bound(&successor);
    successor
        .become_it()
        .with_context(|| format!("cannot become {successor} (`--user root` stays root)"))?;
    #[cfg(target_os = "linux")]
    rights::clear(&successor)?;
    check_writable(wanted, &successor)?;
    told.notes.extend(unreadable(wanted, &successor));
    told.lacking = restrict(wanted)?;
    Ok(told)
}

/// What to do when a device may not be opened.
pub fn how_to_get_rights() -> String {
    let program = std::env::current_exe().unwrap_or_else(|_| "siplens".into());
    let program = quoted(&program.to_string_lossy());
    if cfg!(target_os = "linux") {
        format!(
            "run it with `sudo`, or once allow everyone who may run the program to capture: \
             `sudo setcap cap_net_raw,cap_net_admin=eip {program}`"
        )
    } else {
        "run it with `sudo`".to_owned()
    }
}

/// `path` as one word of a shell.
fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) {
        return path.to_owned();
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

/// Outputs that root made become those of the user, who will want to read them.
fn hand_over(wanted: &Wanted<'_>, successor: &Successor) -> anyhow::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let Some((uid, gid)) = successor.ids() else { return Ok(()) };
    for output in &wanted.outputs {
        let about = output.metadata().context("cannot look at an output")?;
        if about.is_file() && about.uid() == 0 {
            // A file system without owners refuses; the file stays open and is written all the same.
            let _ = fchown(output, Some(uid.as_raw()), Some(gid.as_raw()));
        }
    }
    Ok(())
}

/// What is open now, and may not be opened again: better told now than when it is rotated.
fn unreadable(wanted: &Wanted<'_>, successor: &Successor) -> Vec<String> {
    let is_barred = |path: &&PathBuf| access(path.as_path(), AccessFlags::R_OK).is_err();
    let tell = |path: &PathBuf| {
        format!(
            "{successor} may not open {} again: when another file takes its name, that one cannot \
             be read; choose who may with `--user`",
            path.display()
        )
    };
    wanted.reopened.iter().filter(is_barred).map(tell).collect()
}

/// Better now than when the first file of a ring is full.
fn check_writable(wanted: &Wanted<'_>, successor: &Successor) -> anyhow::Result<()> {
    for directory in &wanted.writable {
        let allowed = access(directory.as_path(), AccessFlags::W_OK | AccessFlags::X_OK);
        allowed.with_context(|| {
            format!(
                "{successor} may not create files in {}: let the directory belong to that user, \
                 or choose another with `--user`",
                directory.display()
            )
        })?;
    }
    Ok(())
}

/// Files and system calls; says what the kernel does not have.
#[cfg(target_os = "linux")]
fn restrict(wanted: &Wanted<'_>) -> anyhow::Result<Option<String>> {
    let mut lacking = Vec::new();
    nix::sys::prctl::set_no_new_privs().context("cannot renounce new privileges")?;
    // No core file with what others said: dumping needs root's consent from here on.
    let _ = nix::sys::prctl::set_dumpable(false);
    lacking.extend(files::restrict(&wanted.readable, &wanted.writable)?);
    lacking.extend(calls::restrict()?);
    let lacking = lacking.join(", ");
    Ok((!lacking.is_empty()).then(|| format!("this kernel does not restrict {lacking}")))
}

#[cfg(not(target_os = "linux"))]
fn restrict(_: &Wanted<'_>) -> anyhow::Result<Option<String>> {
    Ok(Some("files and system calls are restricted on Linux only".to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_words_about_rights_name_the_program_that_runs() {
        let words = how_to_get_rights();
        let program = std::env::current_exe().unwrap();
        assert!(words.contains("sudo"));
        if cfg!(target_os = "linux") {
            let line = format!("setcap cap_net_raw,cap_net_admin=eip {}", program.display());
            assert!(words.contains(&line), "{words}");
        }
    }

    #[test]
    fn a_path_with_blanks_is_one_word_of_the_shell() {
        assert_eq!(quoted("/usr/bin/siplens"), "/usr/bin/siplens");
        assert_eq!(quoted("/a b/it's"), r"'/a b/it'\''s'");
    }
}
