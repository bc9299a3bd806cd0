//! Whom to become: who called sudo, who was named, or nobody.

use std::ffi::CString;
use std::fmt;

use anyhow::{Context as _, anyhow, bail, ensure};
use nix::unistd::{self, Gid, Uid, User};

/// Group and user number of `nobody` where no such user is known.
const NOBODY: u32 = 65_534;

/// Who the process is from here on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Successor {
    /// The same as before, who is not root.
    Same,
    /// Root, because that was asked for by name.
    Root,
    /// Another user.
    User {
        /// Name, for the groups; not every number has one.
        name: Option<String>,
        /// User number.
        uid: Uid,
        /// Main group.
        gid: Gid,
        /// Why this one.
        reason: Reason,
    },
}

/// Why a user is the one to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// By `--user`.
    Named,
    /// Called us through sudo, or runs a program that is root by its file.
    Caller,
    /// Nobody is known.
    Nobody,
}

impl Successor {
    /// User and group, when they change.
    pub(super) fn ids(&self) -> Option<(Uid, Gid)> {
        match self {
            Self::User { uid, gid, .. } => Some((*uid, *gid)),
            Self::Same | Self::Root => None,
        }
    }

    /// A sentence for who has not chosen.
    pub(super) fn note(&self) -> Option<String> {
        let Self::User { reason: Reason::Nobody, .. } = self else { return None };
        Some(format!(
            "started as root, goes on as {self}; choose with `--user NAME` (`--user root` stays root)"
        ))
    }

    /// Changes groups, group and user, and makes sure that there is no way back.
    ///
    /// # Errors
    /// When the system refuses, or would let us back.
    pub(super) fn become_it(&self) -> anyhow::Result<()> {
        let Self::User { name, uid, gid, .. } = self else { return Ok(()) };
        let (uid, gid) = (*uid, *gid);
        set_groups(name.as_deref(), gid).context("its groups")?;
        // Saved ids go too: setgid and setuid of root set all three.
        unistd::setgid(gid).context("its group")?;
        unistd::setuid(uid).context("its user")?;
        ensure!(is_all(uid, gid)?, "the ids did not change");
        let is_back = unistd::setuid(Uid::from_raw(0)).is_ok()
            || unistd::seteuid(Uid::from_raw(0)).is_ok()
            || (gid.as_raw() != 0 && unistd::setegid(Gid::from_raw(0)).is_ok());
        ensure!(!is_back, "root could be had back");
        Ok(())
    }
}

impl fmt::Display for Successor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => write!(f, "user {}", Uid::effective()),
            Self::Root => f.write_str("root"),
            Self::User { name: Some(name), .. } => write!(f, "user {name:?}"),
            Self::User { uid, .. } => write!(f, "user {uid}"),
        }
    }
}

/// Who comes after us; `named` by `--user`.
///
/// # Errors
/// When that user is not known, or may not be chosen by who runs us.
pub(super) fn choose(named: Option<&str>) -> anyhow::Result<Successor> {
    let (real, effective) = (Uid::current(), Uid::effective());
    if !effective.is_root() {
        return match named.map(look_up).transpose()? {
            Some(user) if user.uid != effective => {
                bail!("only root can become another user: leave `--user` out, or run with `sudo`")
            }
            _ => Ok(Successor::Same),
        };
    }
    // Root by the mode of the file: whoever runs it has no say over others.
    if !real.is_root() {
        ensure!(named.is_none(), "`--user` is for root alone");
        let user = User::from_uid(real).ok().flatten();
        return Ok(known(user, real, Gid::current(), Reason::Caller));
    }
    if let Some(named) = named {
        let user = look_up(named)?;
        if user.uid.is_root() {
            return Ok(Successor::Root);
        }
        return Ok(known(user.name, user.uid, user.gid, Reason::Named));
    }
    let variable = |name| std::env::var(name).ok();
    if let Some((uid, gid)) = sudo(variable("SUDO_UID").as_deref(), variable("SUDO_GID").as_deref())
    {
        return Ok(known(User::from_uid(uid).ok().flatten(), uid, gid, Reason::Caller));
    }
    let user = User::from_name("nobody").ok().flatten();
    let (uid, gid) = user.as_ref().map_or((NOBODY.into(), NOBODY.into()), |u| (u.uid, u.gid));
    Ok(known(user, uid, gid, Reason::Nobody))
}

/// Who called sudo; `None` for root itself and for what is no number.
fn sudo(uid: Option<&str>, gid: Option<&str>) -> Option<(Uid, Gid)> {
    let number = |text: Option<&str>| text?.parse::<u32>().ok().filter(|number| *number != 0);
    Some((Uid::from_raw(number(uid)?), Gid::from_raw(number(gid)?)))
}

/// A user by name or by number.
struct Found {
    name: Option<User>,
    uid: Uid,
    gid: Gid,
}

fn look_up(named: &str) -> anyhow::Result<Found> {
    let by_name = User::from_name(named).with_context(|| format!("cannot look up {named:?}"))?;
    if let Some(user) = by_name {
        return Ok(Found { uid: user.uid, gid: user.gid, name: Some(user) });
    }
    let number: u32 = named.parse().map_err(|_| anyhow!("there is no user {named:?}"))?;
    // All ones mean "as it is" to the kernel.
    ensure!(number != u32::MAX, "there is no user {named:?}");
    let uid = Uid::from_raw(number);
    let name = User::from_uid(uid).ok().flatten();
    // A number without an entry is a group of its own, as containers have it.
    let gid = name.as_ref().map_or(Gid::from_raw(number), |user| user.gid);
    Ok(Found { name, uid, gid })
}

fn known(user: Option<User>, uid: Uid, gid: Gid, reason: Reason) -> Successor {
    Successor::User { name: user.map(|user| user.name), uid, gid, reason }
}

/// The groups of the user, or its own alone.
fn set_groups(name: Option<&str>, gid: Gid) -> anyhow::Result<()> {
    #[cfg(not(target_vendor = "apple"))]
    match name.map(CString::new) {
        Some(Ok(name)) => unistd::initgroups(&name, gid)?,
        _ => unistd::setgroups(&[gid])?,
    }
    // macOS keeps the groups of a user in a directory service and resolves them by the user.
    #[cfg(target_vendor = "apple")]
    let _ = (name.map(CString::new), gid);
    Ok(())
}

/// True when real, effective and, where it can be seen, saved ids are those.
fn is_all(uid: Uid, gid: Gid) -> anyhow::Result<bool> {
    #[cfg(target_os = "linux")]
    {
        let (users, groups) = (unistd::getresuid()?, unistd::getresgid()?);
        let users = [users.real, users.effective, users.saved];
        let groups = [groups.real, groups.effective, groups.saved];
        Ok(users.iter().all(|own| *own == uid) && groups.iter().all(|own| *own == gid))
    }
    #[cfg(not(target_os = "linux"))]
    Ok(Uid::current() == uid
        && Uid::effective() == uid
        && Gid::current() == gid
        && Gid::effective() == gid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn who_called_sudo_is_a_number_that_is_not_root() {
        let of = |uid: u32, gid: u32| Some((Uid::from_raw(uid), Gid::from_raw(gid)));
        assert_eq!(sudo(Some("1000"), Some("100")), of(1000, 100));
        assert_eq!(sudo(Some("0"), Some("0")), None);
        assert_eq!(sudo(Some("1000"), None), None);
        assert_eq!(sudo(Some("-1"), Some("x")), None);
    }

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        assert!(look_up("root").unwrap().uid.is_root());
        assert!(look_up("0").unwrap().uid.is_root());
        assert_eq!(look_up("4000000000").unwrap().gid.as_raw(), 4_000_000_000);
        assert!(look_up("no such user").is_err());
        assert!(look_up("4294967295").is_err());
    }
}
