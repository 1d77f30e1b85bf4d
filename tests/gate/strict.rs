//! `confinement: strict` on a real kernel: a call that is not declared is held until it was heard and answered.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Mutex;

use picket::manifest::{Manifest, syscalls};
use picket::supervisor::{
    Attempt, CallFilter, Confinement, Exit, LaunchSpec, Listener, Ready, Running, start_gated,
};
use picket_engine::{SyscallAbi, SyscallSet};

use super::host::{
    PATIENCE, eventually, exit_of, has_event, pipe_from, sandbox, shell, spec, stand_in,
};

/// What shells and the stand-in call.
const MANIFEST: &str = "version: 1\nplugin: { name: gate-test, version: 1 }\nconfinement: strict\n\
                        syscalls: { allow: [\"@file-read\", \"@ipc\", \"@process\", \"@signal\"] }\n";

const PTRACE: &str = "101";

fn strict(mut spec: LaunchSpec) -> LaunchSpec {
    spec.confinement = Manifest::parse("manifest", MANIFEST.as_bytes()).unwrap().confinement();
    spec
}

/// A plugin that makes these calls and says each time what came of it, by error number.
fn caller(numbers: &[&str]) -> LaunchSpec {
    strict(spec(&stand_in(), &[&["call"], numbers].concat()))
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
    let mut spec = caller(&[PTRACE]);
    let mut output = pipe_from(&mut spec, 1);
    let (mut running, listener) = start(&spec);
    drop(spec);
    let held = hear(&listener);
    assert_eq!((held.number, held.abi), (101, SyscallAbi::Native));
    assert_eq!(held.arguments, [11, 12, 13, 14, 15, 16]);
    assert_eq!((held.process.tgid, held.process.tid), (running.pid(), running.pid()));
    // It says what came of the call as soon as that is known: nothing, while it is held.
    // Its caller is heard a moment before it sleeps, and until then the kernel says no more than that it runs.
    let state = format!("/proc/{}/syscall", running.pid());
    let is_inside = || std::fs::read_to_string(&state).unwrap().starts_with("101 0xb ");
    eventually("its caller sleeps inside the call", PATIENCE, is_inside);
    assert!(!is_readable(output.as_raw_fd()));
    held.refuse().unwrap();
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert_eq!((said.as_str(), exit_of(&mut running)), ("1 ", Exit::Code(0)), "EPERM, and on");
}

#[test]
fn a_declared_call_asks_nobody() {
    let (mut running, listener) = start(&caller(&["110"; 1_000]));
    assert_eq!(exit_of(&mut running), Exit::Code(0), "nobody answered, and nothing waited");
    assert!(!is_readable(listener.descriptor()));
}

#[test]
fn the_launchers_own_calls_need_no_grant_and_the_plugin_has_none_of_them() {
    let mut spec = caller(&[]);
    let nothing = CallFilter { calls: SyscallSet::EMPTY, foreign_abi: false, any_socket: false };
    spec.confinement = Confinement::Strict(nothing);
    let (running, listener) = start(&spec);
    let held = hear(&listener);
    assert_eq!(held.process.tgid, running.pid());
    assert_eq!(syscalls::name(held.number), Some("brk"), "the loader's first");
}

#[test]
fn f1_calls_of_a_program_that_is_executed_later_and_of_its_children_are_held_too() {
    let script = format!("{} call {PTRACE}; echo over", stand_in().display());
    let mut spec = strict(shell(&script));
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
    let mut spec = caller(&[PTRACE, PTRACE]);
    let mut output = pipe_from(&mut spec, 1);
    let (mut running, listener) = start(&spec);
    drop(spec);
    let held = hear(&listener);
    drop((held, listener));
    eventually("it goes on", PATIENCE, || is_readable(output.as_raw_fd()));
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    let missing = libc::ENOSYS;
    let expected = format!("{missing} {missing} ");
    assert_eq!((said, exit_of(&mut running)), (expected, Exit::Code(0)), "held, and later ones");
}

#[test]
fn a_sandbox_freezes_while_a_call_waits_to_be_heard() {
    let (running, listener) = start(&caller(&[PTRACE]));
    eventually("a call is held", PATIENCE, || is_readable(listener.descriptor()));
    running.sandbox().freeze().unwrap();
    let path = running.sandbox().path().to_owned();
    eventually("frozen", PATIENCE, || has_event(&path, "frozen 1"));
}

#[test]
fn what_is_frozen_before_the_answer_runs_nothing_after_it() {
    let mut spec = caller(&[PTRACE]);
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
    let (running, listener) = start(&caller(&[PTRACE]));
    let held = hear(&listener);
    running.sandbox().kill().unwrap();
    let path = running.sandbox().path().to_owned();
    eventually("killed", PATIENCE, || has_event(&path, "populated 0"));
    held.refuse().unwrap();
}

#[test]
fn signals_do_not_take_a_call_back_that_was_heard() {
    let mut spec = caller(&[PTRACE]);
    let mut output = pipe_from(&mut spec, 1);
    let (mut running, listener) = start(&spec);
    drop(spec);
    let held = hear(&listener);
    // It has a handler, so the wait would be interrupted and the call made again.
    signal(running.pid(), libc::SIGUSR1);
    // Time enough for it to be interrupted: as many programs come and go.
    for _ in 0..20 {
        assert!(Command::new("/bin/sh").args(["-c", ":"]).status().unwrap().success());
    }
    assert!(!is_readable(listener.descriptor()), "the call was made again");
    held.refuse().unwrap();
    eventually("it goes on", PATIENCE, || is_readable(output.as_raw_fd()));
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    assert_eq!((said.as_str(), exit_of(&mut running)), ("1 ", Exit::Code(0)));
    assert!(!is_readable(listener.descriptor()), "asked once");
}

#[expect(unsafe_code, reason = "std signals its own children only")]
fn signal(pid: u32, number: i32) {
    // SAFETY: touches no memory. The plugin is held in a call, so the pid is its own.
    let outcome = unsafe { libc::kill(pid.cast_signed(), number) };
    assert_eq!(outcome, 0);
}
