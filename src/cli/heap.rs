//! EDGE: how the allocator asks for memory, which needs `unsafe` to say.

/// Lets the allocator of glibc ask for memory by tens of MiB, to be called before the threads of an
/// analysis begin.
///
/// The heap of every thread but the first grows otherwise by a page at a time, each with a call of
/// the system that the other threads wait for: a tenth of the time of an analysis. What is
/// asked for takes no memory until it is used; what is freed at the end of a heap is kept, which is
/// right for a process that ends soon. Other allocators are left as they are.
#[allow(unsafe_code)]
pub(super) fn grow_by_much() {
    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    {
        /// As much as one heap of a thread can have.
        const STEP: libc::c_int = 64 << 20;
        // SAFETY: takes two numbers. It must not run beside itself or the first call of malloc: it
        // is called from here only, by the main thread, long after that.
        unsafe { libc::mallopt(libc::M_TOP_PAD, STEP) };
    }
}
