//! Which system calls may still be made: all of them, on machines for which there is no list.

/// Says what cannot be restricted.
///
/// # Errors
/// Never here.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
#[allow(clippy::unnecessary_wraps)] // The signature is that of machines with a list.
pub(super) fn restrict() -> anyhow::Result<Option<String>> {
    Ok(Some(format!("system calls ({})", std::env::consts::ARCH)))
}
