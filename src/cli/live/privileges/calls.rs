//! Which system calls may still be made: a list of what reading, printing and keeping packets
//! needs, everything else is refused.
//!
//! Refused calls fail with EPERM instead of ending the process: a library that tries something new
//! on some machine must not stop a capture in production.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Calls that are allowed with any arguments.
#[rustfmt::skip]
const ALLOWED: &[i64] = &[
    // Files that are open; `follow` and the ring look at sizes and at what a name stands for now.
    libc::SYS_read, libc::SYS_readv, libc::SYS_pread64, libc::SYS_preadv,
    libc::SYS_write, libc::SYS_writev, libc::SYS_pwrite64, libc::SYS_pwritev,
    libc::SYS_lseek, libc::SYS_close, libc::SYS_fcntl, libc::SYS_dup, libc::SYS_dup3,
    libc::SYS_statx, libc::SYS_fstat, libc::SYS_newfstatat, libc::SYS_fstatfs, libc::SYS_statfs,
    libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_ftruncate, libc::SYS_fallocate,
    libc::SYS_fadvise64, libc::SYS_flock,
    // Files by name; which ones is Landlock's.
    libc::SYS_openat, libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_faccessat,
    libc::SYS_faccessat2, libc::SYS_readlinkat, libc::SYS_getdents64, libc::SYS_getcwd,
    // Sockets that are open: packets (poll, statistics), HEP, metrics. None is made, bound or
    // connected anew.
    libc::SYS_accept, libc::SYS_accept4, libc::SYS_recvfrom, libc::SYS_recvmsg, libc::SYS_recvmmsg,
    libc::SYS_sendto, libc::SYS_sendmsg, libc::SYS_shutdown, libc::SYS_getsockopt,
    libc::SYS_getsockname, libc::SYS_getpeername,
    // Waiting.
    libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_epoll_create1, libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait, libc::SYS_eventfd2, libc::SYS_pipe2, libc::SYS_futex,
    libc::SYS_nanosleep, libc::SYS_clock_nanosleep, libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    // Time.
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_gettimeofday,
    // Memory; mapping code is below.
    libc::SYS_munmap, libc::SYS_mremap, libc::SYS_madvise, libc::SYS_brk,
    // Threads begin and end; clone is below. clone3 is refused so that clone is tried instead.
    libc::SYS_clone3, libc::SYS_set_robust_list, libc::SYS_rseq, libc::SYS_sched_getaffinity,
    libc::SYS_exit, libc::SYS_exit_group,
    // Signals to ourselves: Ctrl-C, broken pipes, a panic.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_sigaltstack,
    // About ourselves.
    libc::SYS_getpid, libc::SYS_gettid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid,
    libc::SYS_getegid, libc::SYS_getrandom, libc::SYS_getrusage, libc::SYS_sysinfo,
    libc::SYS_uname,
];

/// The same under the names older machines have for them.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLDER: &[i64] = &[
    libc::SYS_open, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_unlink,
    libc::SYS_rename, libc::SYS_renameat, libc::SYS_readlink, libc::SYS_poll, libc::SYS_select,
    libc::SYS_epoll_wait, libc::SYS_time, libc::SYS_dup2,
];
/// renameat, which the libc crate does not name here.
#[cfg(target_arch = "aarch64")]
const OLDER: &[i64] = &[38];
#[cfg(target_arch = "riscv64")]
const OLDER: &[i64] = &[];

/// What may be asked of an open file: is it a terminal, how wide, is there anything to read; and,
/// by libpcap when a device goes away, whether it still has its name and is up.
///
/// Signed or not, 32 bits or 64: that differs by C library.
#[allow(clippy::cast_possible_wrap, clippy::unnecessary_cast)]
const REQUESTS: &[i64] = &[
    libc::TCGETS as i64,
    libc::TIOCGWINSZ as i64,
    libc::FIONREAD as i64,
    libc::FIONBIO as i64,
    libc::FIOCLEX as i64,
    libc::SIOCGIFFLAGS as i64,
    libc::SIOCGIFNAME as i64,
    libc::SIOCGIFINDEX as i64,
];

/// Flags with which a thread is cloned, and not a process or a namespace.
const THREAD: libc::c_int = libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND;
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// Name of an anonymous mapping (prctl(2)); newer C libraries name the stacks of threads.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// Restricts this thread and those it starts. Says what cannot be restricted.
///
/// # Errors
/// When the kernel has seccomp and refuses.
pub(super) fn restrict() -> anyhow::Result<Option<String>> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(Some(format!("system calls ({})", std::env::consts::ARCH)));
    };
    let first = compile(redirected(), SeccompAction::Allow, refusal(libc::ENOSYS), arch)?;
    let second = compile(allowed()?, refusal(libc::EPERM), SeccompAction::Allow, arch)?;
    for (at, program) in [first, second].iter().enumerate() {
        match seccompiler::apply_filter(program) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error)) if at == 0 && is_unknown(&error) => {
                return Ok(Some("system calls (no seccomp)".to_owned()));
            }
            Err(error) => return Err(anyhow!(error).context("cannot restrict system calls")),
        }
    }
    Ok(None)
}

/// True when the kernel has no seccomp, or the container we run in keeps it from us.
fn is_unknown(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL | libc::EPERM))
}

fn refusal(reason: libc::c_int) -> SeccompAction {
    SeccompAction::Errno(reason.unsigned_abs())
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
    arch: TargetArch,
) -> anyhow::Result<BpfProgram> {
    let filter = SeccompFilter::new(rules, otherwise, matched, arch);
    filter.and_then(BpfProgram::try_from).context("cannot compile the list of system calls")
}

/// The flags of clone3 lie in memory, where a filter cannot look. As unknown it makes the C library
/// fall back to clone, the flags of which can be seen. Of two filters the stricter verdict counts.
fn redirected() -> Rules {
    Rules::from([(libc::SYS_clone3, Vec::new())])
}

/// All that is allowed, by number.
fn allowed() -> anyhow::Result<Rules> {
    let mut rules: Rules = ALLOWED.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    let requests = REQUESTS.iter().map(|request| equals(1, wide(*request)));
    rules.insert(libc::SYS_ioctl, requests.collect::<Result<_, _>>()?);
    let thread = (wide(THREAD | NAMESPACES), wide(THREAD));
    rules.insert(libc::SYS_clone, vec![masked(0, thread.0, thread.1)?]);
    // Memory that is written must never be run.
    let code = wide(libc::PROT_EXEC);
    rules.insert(libc::SYS_mmap, vec![masked(2, code, 0)?]);
    rules.insert(libc::SYS_mprotect, vec![masked(2, code, 0)?]);
    // Timeouts of accepted connections; nothing of packets or routes. (pcap_close asks for its ring
    // to be taken down, in vain; closing the socket does that too.)
    let levels = [libc::SOL_SOCKET, libc::IPPROTO_TCP].map(|level| equals(1, wide(level)));
    rules.insert(libc::SYS_setsockopt, levels.into_iter().collect::<Result<_, _>>()?);
    let settings = [wide(libc::PR_SET_NAME), PR_SET_VMA].map(|setting| equals(0, setting));
    rules.insert(libc::SYS_prctl, settings.into_iter().collect::<Result<_, _>>()?);
    // Limits are read (the stack of a thread), of ourselves, and not set.
    let unset = SeccompCondition::new(2, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?;
    rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![unset])?]);
    // A panic that aborts raises a signal, in this process.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![equals(0, own)?]);
    Ok(rules)
}

/// A flag or a number of the kernel as a filter compares it: 32 bits, whatever its sign.
#[allow(clippy::cast_sign_loss)]
fn wide(value: impl Into<i64>) -> u64 {
    value.into() as u64 & 0xffff_ffff
}

fn equals(argument: u8, value: u64) -> anyhow::Result<SeccompRule> {
    rule(argument, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u64, value: u64) -> anyhow::Result<SeccompRule> {
    rule(argument, SeccompCmpOp::MaskedEq(mask), value)
}

fn rule(argument: u8, operator: SeccompCmpOp, value: u64) -> anyhow::Result<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
    Ok(SeccompRule::new(vec![condition])?)
}
