//! What root can do to a running Picket's kernel side from outside, with nothing of Picket's but its process number.
#![expect(unsafe_code, reason = "bpf(2) and ptrace(2) have no safe wrapper in std")]

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use aya::maps::{MapData, MapInfo};

/// A link that a process holds, as `/proc` describes it.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its number.
    pub id: u32,
    /// The number of the program that it runs.
    pub program: u32,
    /// The process's descriptor of it.
    pub descriptor: RawFd,
    /// The cgroup that it hangs at, and as what.
    pub cgroup: Option<(u64, u32)>,
    /// The tracepoint.
    pub tracepoint: Option<String>,
}

/// Every link of a process.
///
/// # Panics
/// The process is gone.
#[must_use]
pub fn links(pid: u32) -> Vec<Link> {
    described(pid)
        .filter_map(|(descriptor, text)| {
            let number = |name: &str| field(&text, name)?.parse::<u64>().ok();
            let id = u32::try_from(number("link_id:")?).ok()?;
            let program = u32::try_from(number("prog_id:")?).ok()?;
            let kind = number("attach_type:").and_then(|kind| u32::try_from(kind).ok());
            let cgroup = number("cgroup_id:").zip(kind);
            let tracepoint = field(&text, "tp_name:").map(str::to_owned);
            Some(Link { id, program, descriptor, cgroup, tracepoint })
        })
        .collect()
}

/// The map of this name that a process holds.
///
/// # Panics
/// It holds none.
#[must_use]
pub fn map(pid: u32, name: &str) -> MapData {
    maps(pid, name).next().expect("a map with this name")
}

/// Every map of this name that a process holds: it may have several kernel sides.
///
/// # Panics
/// The process is gone, or a map meanwhile.
pub fn maps(pid: u32, name: &str) -> impl Iterator<Item = MapData> {
    let ids = described(pid).filter_map(|(_, text)| field(&text, "map_id:")?.parse().ok());
    let is_it = |id: &u32| MapInfo::from_id(*id).is_ok_and(|map| map.name_as_str() == Some(name));
    ids.filter(is_it).map(|id| MapData::from_id(id).expect("root may open it"))
}

/// The process by which a Picket tests its kernel side.
///
/// # Panics
/// The process is gone.
#[must_use]
pub fn canary(pid: u32) -> Option<u32> {
    let children = fs::read_dir(format!("/proc/{pid}/task")).expect("a process").flatten();
    let children = children.filter_map(|thread| {
        let all = fs::read_to_string(thread.path().join("children")).ok()?;
        all.split_whitespace().find(|child| is_canary(child))?.parse().ok()
    });
    children.into_iter().next()
}

/// Whether a process is one by which a Picket tests its kernel side.
#[must_use]
pub fn is_canary(pid: &str) -> bool {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.split(|&byte| byte == 0).nth(1) == Some(b"__canary")
}

/// Detaches a link, as `bpftool link detach` does.
///
/// # Panics
/// The kernel refuses.
pub fn detach(link: u32) {
    const LINK_DETACH: libc::c_int = 34;
    let link = open_link(link);
    bpf(LINK_DETACH, [word(link.as_raw_fd()), 0, 0]).expect("a link that can be detached");
}

/// Puts another program into a link.
///
/// # Panics
/// The kernel refuses.
pub fn replace_program(link: u32, program: BorrowedFd<'_>) {
    const LINK_UPDATE: libc::c_int = 29;
    let link = open_link(link);
    let arguments = [word(link.as_raw_fd()), word(program.as_raw_fd()), 0];
    bpf(LINK_UPDATE, arguments).expect("a link that can be updated");
}

/// Takes away what is behind a descriptor of a process whose first thread waits in a system call, as a debugger can: the
/// number becomes one more of standard error.
///
/// # Panics
/// The process cannot be traced, or does not wait.
pub fn take_from(pid: u32, descriptor: RawFd) {
    /// The two bytes of `syscall`.
    const SYSCALL: libc::c_long = 0x050f;
    let pid = pid.cast_signed();
    // SAFETY: numbers only.
    unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0, 0) };
    // SAFETY: numbers only.
    unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, pid, 0, 0) };
    stopped(pid);
    let saved = registers(pid);
    // SAFETY: reads a word of the other process.
    let there = unsafe { libc::ptrace(libc::PTRACE_PEEKTEXT, pid, saved.rip - 2, 0) };
    assert_eq!(there & 0xffff, SYSCALL, "it waits in no system call");
    let descriptor = u64::try_from(descriptor).expect("a descriptor");
    let dup2 = libc::user_regs_struct {
        rax: u64::try_from(libc::SYS_dup2).expect("a number"),
        orig_rax: u64::MAX,
        rdi: 2,
        rsi: descriptor,
        rip: saved.rip - 2,
        ..saved
    };
    set_registers(pid, &dup2);
    // SAFETY: numbers only.
    unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, pid, 0, 0) };
    stopped(pid);
    assert_eq!(registers(pid).rax, descriptor, "dup2");
    set_registers(pid, &saved);
    // SAFETY: numbers only.
    let detached = unsafe { libc::ptrace(libc::PTRACE_DETACH, pid, 0, 0) };
    assert_eq!(detached, 0, "{}", io::Error::last_os_error());
}

fn stopped(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: a process that is traced by this thread, and a place for its status.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) };
    assert!(waited == pid && libc::WIFSTOPPED(status), "{}", io::Error::last_os_error());
}

fn registers(pid: libc::pid_t) -> libc::user_regs_struct {
    // SAFETY: numbers, for which 0 is as good as any.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    // SAFETY: room for what the kernel writes.
    let outcome = unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, 0, &raw mut registers) };
    assert_eq!(outcome, 0, "{}", io::Error::last_os_error());
    registers
}

fn set_registers(pid: libc::pid_t, registers: &libc::user_regs_struct) {
    // SAFETY: what the kernel reads is all there.
    let outcome = unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, 0, &raw const *registers) };
    assert_eq!(outcome, 0, "{}", io::Error::last_os_error());
}

fn open_link(id: u32) -> OwnedFd {
    const LINK_GET_FD_BY_ID: libc::c_int = 30;
    let link = bpf(LINK_GET_FD_BY_ID, [id, 0, 0]).expect("a link with this number");
    // SAFETY: just made, owned by nobody else.
    unsafe { OwnedFd::from_raw_fd(link) }
}

fn bpf(command: libc::c_int, mut arguments: [u32; 3]) -> io::Result<RawFd> {
    let (at, size) = (arguments.as_mut_ptr(), size_of_val(&arguments));
    // SAFETY: three words, as long as it says.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, at, size) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    RawFd::try_from(answer).map_err(io::Error::other)
}

fn word(descriptor: RawFd) -> u32 {
    descriptor.cast_unsigned()
}

fn described(pid: u32) -> impl Iterator<Item = (RawFd, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("a process").flatten();
    entries.filter_map(|entry| {
        let descriptor = entry.file_name().to_str()?.parse().ok()?;
        Some((descriptor, fs::read_to_string(entry.path()).ok()?))
    })
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}
