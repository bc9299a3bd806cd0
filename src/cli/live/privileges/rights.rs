//! The capabilities of Linux: those of root, and those that `setcap` gave the file.

use std::collections::HashSet;

use anyhow::{Context as _, ensure};
use caps::{CapSet, Capability};

use super::user::Successor;

/// Takes from the bounding set what no later step may bring back; only root can.
pub(super) fn bound(successor: &Successor) {
    // A container may have taken the right to do so; no-new-privs then closes the same door.
    let given_up = caps::all().into_iter().filter(|own| !is_kept(successor, *own));
    given_up.for_each(|own| drop(caps::drop(None, CapSet::Bounding, own)));
}

/// Empties the sets of this thread.
///
/// # Errors
/// When a capability stays.
pub(super) fn clear(successor: &Successor) -> anyhow::Result<()> {
    // Kernels before 4.3 have no ambient set.
    let _ = caps::clear(None, CapSet::Ambient);
    let held = caps::read(None, CapSet::Permitted).context("cannot read the capabilities")?;
    let kept: HashSet<_> = held.into_iter().filter(|own| is_kept(successor, *own)).collect();
    // Effective goes before permitted, of which it has to be a part.
    for (set, kept) in [
        (CapSet::Inheritable, &HashSet::new()),
        (CapSet::Effective, &kept),
        (CapSet::Permitted, &kept),
    ] {
        caps::set(None, set, kept).context("cannot give up the capabilities")?;
        let left = caps::read(None, set).context("cannot read the capabilities")?;
        ensure!(left == *kept, "capabilities stayed: {left:?}");
    }
    Ok(())
}

/// Who asked to stay root did so to write where only root may: that, and no more.
fn is_kept(successor: &Successor, capability: Capability) -> bool {
    *successor == Successor::Root && capability == Capability::CAP_DAC_OVERRIDE
}
