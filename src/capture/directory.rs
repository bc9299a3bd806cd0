//! Directories as inputs: every file in them, in the order of their names.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::capture::Error;
use crate::capture::kind::Kind;

/// What a directory holds.
#[derive(Default)]
pub(super) struct Listing {
    /// Captures and what is compressed, sorted by path.
    pub(super) captures: Vec<PathBuf>,
    /// Files that are something else.
    pub(super) others: u64,
    /// What could not be looked at.
    pub(super) errors: Vec<Error>,
}

/// Looks through a directory and those in it; links to directories are not followed, so that a
/// circle of links ends.
pub(super) fn list(root: &Path) -> Listing {
    let mut listing = Listing::default();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        if let Err(error) = look(&directory, &mut open, &mut listing) {
            listing.errors.push(Error::of_open(&super::printable(&directory), error));
        }
    }
    listing.captures.sort();
    listing
}

fn look(directory: &Path, open: &mut Vec<PathBuf>, listing: &mut Listing) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let about = match fs::symlink_metadata(&path) {
            Ok(about) if about.is_symlink() => match fs::metadata(&path) {
                Ok(target) if target.is_file() => target,
                _ => continue,
            },
            Ok(about) => about,
            Err(_) => continue,
        };
        if about.is_dir() {
            open.push(path);
        } else if about.is_file() {
            match kind(&path) {
                Ok(Kind::Text | Kind::Unknown) => listing.others += 1,
                Ok(_) => listing.captures.push(path),
                Err(error) => {
                    listing.errors.push(Error::of_open(&super::printable(&path), error));
                }
            }
        } else {
            // Opening a pipe or a device would wait, or worse.
            listing.others += 1;
        }
    }
    Ok(())
}

fn kind(path: &Path) -> io::Result<Kind> {
    let mut head = Vec::with_capacity(Kind::ENOUGH);
    File::open(path)?.take(Kind::ENOUGH as u64).read_to_end(&mut head)?;
    Ok(Kind::of(&head))
}
