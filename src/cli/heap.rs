//! EDGE: how the allocator asks for memory, which needs `unsafe` to say.

/// Lets the allocator of glibc ask for memory by tens of MiB, to be called before threads begin.
///
/// The heap of every thread but the first grows otherwise by a page at a time, each with a call of
/// the system that the other threads wait for: a tenth of the time of an analysis. What is
/// asked for and not used takes no memory. Other allocators are left as they are.
#[allow(unsafe_code)]
pub(super) fn grow_by_much() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// As much as one heap of a thread can have.
        const STEP: libc::c_int = 64 << 20;
        // SAFETY: takes two numbers and may be called at any time; that it says no changes nothing.
        unsafe { libc::mallopt(libc::M_TOP_PAD, STEP) };
    }
}
