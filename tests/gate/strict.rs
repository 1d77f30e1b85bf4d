//! `confinement: strict` on a real kernel: a call that is not declared is held until it was heard and answered.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::sync::Mutex;

use picket::manifest::syscalls;
use picket::supervisor::{
    Attempt, CallFilter, Confinement, Exit, LaunchSpec, Listener, Ready, Running, start_gated,
};
use picket_engine::{SyscallAbi, SyscallSet};

use super::host::{PATIENCE, eventually, exit_of, has_event, pipe_from, sandbox, shell, spec};

/// What dash and perl call in these tests.
const CALLS: &str = "access arch_prctl brk clock_nanosleep clone clone3 close dup2 execve exit exit_group fcntl fstat \
                     futex getcwd getegid geteuid getgid getpid getppid getrandom gettid getuid ioctl lseek lstat mmap \
                     mprotect mremap munmap newfstatat open openat pipe pipe2 poll prctl pread64 prlimit64 read \
                     readlink restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn set_robust_list \
                     set_tid_address stat statx sysinfo time umask uname vfork wait4 write";

const PERL: &str = "/usr/bin/perl";

/// Says what came of a call, by its error number.
fn attempt(number: libc::c_long) -> String {
    format!("$! = 0; syscall({number}, 11, 12, 13, 14, 15, 16); print $! + 0; print ' ';")
}

fn declared() -> SyscallSet {
    let number = |name| syscalls::number(name).unwrap_or_else(|| panic!("no call {name}")).into();
    SyscallSet::of(&CALLS.split_ascii_whitespace().map(number).collect::<Vec<u32>>())
}

fn strict(mut spec: LaunchSpec) -> LaunchSpec {
    spec.confinement = filter(declared());
    spec
}

fn filter(calls: SyscallSet) -> Confinement {
    Confinement::Strict(CallFilter { calls, foreign_abi: false, any_socket: false })
}

fn perl(script: &str) -> LaunchSpec {
    strict(spec(PERL.as_ref(), &["-e", &format!("$| = 1; {script}")]))
}

/// Starts it, and answers with where its refused calls are heard.
fn start(spec: &LaunchSpec) -> (Running, Listener) {
    let heard = Mutex::new(None);
    let running = start_gated(sandbox(), spec, |info| {
        heard.lock().unwrap().clone_from(&info.attempts);
        Ok::<_, String>(Ready { nonce: info.nonce })
    });
    (running.unwrap(), heard.into_inner().unwrap().expect("a strict start has a listener"))
}

/// Whether there is something to read, now.
fn is_readable(descriptor: i32) -> bool {
    let mut entry = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    poll(&mut entry);
    entry.revents & libc::POLLIN != 0
}

#[expect(unsafe_code, reason = "std has no poll")]
fn poll(entry: &mut libc::pollfd) {
    // SAFETY: one entry, which outlives the call.
    let outcome = unsafe { libc::poll(entry, 1, 0) };
    assert!(0 <= outcome);
}

fn hear(listener: &Listener) -> Attempt {
    eventually("a call is held", PATIENCE, || is_readable(listener.descriptor()));
    listener.hear().unwrap().expect("it is held")
}

#[test]
fn a_refused_call_is_heard_with_all_its_arguments_and_returns_only_after_the_answer() {
    let mut spec = perl(&attempt(libc::SYS_ptrace));
    let mut output = pipe_from(&mut spec, 1);
    let (mut running, listener) = start(&spec);
    drop(spec);
    let held = hear(&listener);
    assert_eq!((held.number, held.abi), (101, SyscallAbi::Native));
    assert_eq!(held.arguments, [11, 12, 13, 14, 15, 16]);
    assert_eq!((held.process.tgid, held.process.tid), (running.pid(), running.pid()));
    // It says what came of the call as soon as that is known: nothing, while it is held.
    let state = std::fs::read_to_string(format!("/proc/{}/syscall", running.pid())).unwrap();
    assert!(state.starts_with("101 0xb "), "inside the call: {state}");
    assert!(!is_readable(output.as_raw_fd()));
    held.refuse().unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert_eq!((said.as_str(), exit_of(&mut running)), ("1 ", Exit::Code(0)), "EPERM, and on");
}

#[test]
fn a_declared_call_asks_nobody() {
    let script = "for (1..1000) { getppid } exit 7";
    let (mut running, listener) = start(&perl(script));
    assert_eq!(exit_of(&mut running), Exit::Code(7), "nobody answered, and nothing waited");
    assert!(!is_readable(listener.descriptor()));
}

#[test]
fn the_launchers_own_calls_need_no_grant_and_the_plugin_has_none_of_them() {
    let mut spec = perl("1");
    spec.confinement = filter(SyscallSet::EMPTY);
    let (running, listener) = start(&spec);
    let held = hear(&listener);
    assert_eq!(held.process.tgid, running.pid());
    assert_eq!(syscalls::name(held.number), Some("brk"), "the loader's first");
}

#[test]
fn f1_calls_of_a_program_that_is_executed_later_and_of_its_children_are_held_too() {
    let inner = attempt(libc::SYS_ptrace).replace('$', "\\$");
    let mut spec = strict(shell(&format!("{PERL} -e \"{inner}\"; echo over")));
    let mut output = pipe_from(&mut spec, 1);
    let (mut running, listener) = start(&spec);
    drop(spec);
    let held = hear(&listener);
    assert_ne!(held.process.tgid, running.pid(), "a child's");
    held.refuse().unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert_eq!((said.as_str(), exit_of(&mut running)), ("1 over\n", Exit::Code(0)));
}

#[test]
fn when_nobody_hears_any_more_the_kernel_refuses_by_itself() {
    let mut spec = perl(&attempt(libc::SYS_ptrace).repeat(2));
    let mut output = pipe_from(&mut spec, 1);
    let (mut running, listener) = start(&spec);
    drop(spec);
    let held = hear(&listener);
    drop((held, listener));
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    let missing = libc::ENOSYS;
    let expected = format!("{missing} {missing} ");
    assert_eq!((said, exit_of(&mut running)), (expected, Exit::Code(0)), "held, and later ones");
}

#[test]
fn a_sandbox_freezes_while_a_call_waits_to_be_heard() {
    let (running, listener) = start(&perl(&attempt(libc::SYS_ptrace)));
    eventually("a call is held", PATIENCE, || is_readable(listener.descriptor()));
    running.sandbox().freeze().unwrap();
    let path = running.sandbox().path().to_owned();
    eventually("frozen", PATIENCE, || has_event(&path, "frozen 1"));
}

#[test]
fn what_is_frozen_before_the_answer_runs_nothing_after_it() {
    let mut spec = perl(&attempt(libc::SYS_ptrace));
    let output = pipe_from(&mut spec, 1);
    let (running, listener) = start(&spec);
    let held = hear(&listener);
    running.sandbox().freeze().unwrap();
    held.refuse().unwrap();
    let path = running.sandbox().path().to_owned();
    eventually("frozen", PATIENCE, || has_event(&path, "frozen 1"));
    assert!(!is_readable(output.as_raw_fd()), "not one instruction");
}

#[test]
fn a_call_whose_caller_was_killed_is_no_error() {
    let (running, listener) = start(&perl(&attempt(libc::SYS_ptrace)));
    let held = hear(&listener);
    running.sandbox().kill().unwrap();
    let path = running.sandbox().path().to_owned();
    eventually("killed", PATIENCE, || has_event(&path, "populated 0"));
    held.refuse().unwrap();
}

#[test]
fn signals_do_not_take_a_call_back_that_was_heard() {
    // Its alarm would interrupt the wait; the filter asks the kernel for waits that only death ends.
    let script = format!("$SIG{{USR1}} = sub {{ print 'signal ' }}; {}", attempt(libc::SYS_ptrace));
    let mut spec = perl(&script);
    let mut output = pipe_from(&mut spec, 1);
    let (mut running, listener) = start(&spec);
    drop(spec);
    let held = hear(&listener);
    signal(running.pid(), libc::SIGUSR1);
    held.refuse().unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert!(said.contains("signal ") && said.contains("1 "), "{said}");
    assert_eq!(exit_of(&mut running), Exit::Code(0));
    assert!(!is_readable(listener.descriptor()), "asked once");
}

#[expect(unsafe_code, reason = "std signals its own children only")]
fn signal(pid: u32, number: i32) {
    // SAFETY: touches no memory. The plugin is held in a call, so the pid is its own.
    let outcome = unsafe { libc::kill(pid.cast_signed(), number) };
    assert_eq!(outcome, 0);
}
