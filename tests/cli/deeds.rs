//! Programs, destinations and system calls that were not declared: each is frozen, and killed when
//! the hold is over.

use std::fs::{self, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::plugin::{LINGER, Plugin};
use super::run::Ended;

fn with_perl() -> Plugin {
    Plugin::new().may_run("path: /usr/bin/perl")
}

/// Runs a line of perl, which then waits for what comes.
fn perl(plugin: &Plugin, line: &str) -> Ended {
    let mut command = plugin.exec();
    command.args(["--", "perl", "-e", &format!("{line}; 1 while 1")]);
    plugin.run_command(command)
}

/// `$there` is a loopback address with this port.
fn tcp(port: u16) -> String {
    format!("socket(S, 2, 1, 6) or exit 9; $there = pack('SnNx8', 2, {port}, 0x7f000001)")
}

#[test]
fn executing_an_undeclared_program_is_contained() {
    let ended = Plugin::new().run(&format!("id; {LINGER}"));
    ended.assert_contained("exec", "undeclared_exec");
    assert_eq!(ended.of("finding")[0]["deed"], "executed /usr/bin/id", "{ended:?}");
}

#[test]
fn an_entry_point_that_was_not_declared_is_contained() {
    let plugin = Plugin::new();
    let mut command = plugin.exec();
    command.args(["--", "tail", "-f", "/dev/null"]);
    plugin.run_command(command).assert_contained("exec", "undeclared_exec");
}

#[test]
fn a_program_with_undeclared_arguments_is_contained() {
    let plugin = Plugin::new().may_run("path: /usr/bin/env, argv: [env, sleep, \"*\"]");
    plugin.run("env sleep 0; exec env sleep 0.0").assert_honest(0);
    let ended = plugin.run(&format!("env sleep 0 0; {LINGER}"));
    ended.assert_contained("exec", "undeclared_arguments");
}

#[test]
fn a_script_with_an_undeclared_interpreter_is_contained() {
    let plugin = Plugin::new()
        .may_run("path: DIRECTORY/tool, interpreter: /bin/bash")
        .declares("files: { read: [DIRECTORY/tool] }");
    let tool = plugin.write("tool", "#!/usr/bin/perl\n1 while 1;\n");
    fs::set_permissions(&tool, Permissions::from_mode(0o755)).unwrap();
    let ended = plugin.run("exec DIRECTORY/tool");
    ended.assert_contained("exec", "undeclared_interpreter");
}

#[test]
fn connecting_to_an_undeclared_port_is_contained_and_never_arrives() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let port = server.local_addr().unwrap().port();
    let ended = perl(&with_perl(), &format!("{}; connect(S, $there)", tcp(port)));
    ended.assert_contained("network", "undeclared_destination");
    assert_eq!(server.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn connecting_to_a_declared_port_is_not() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let plugin = with_perl()
        .declares(&format!("network: {{ connect: [{{ to: 127.0.0.1, port: {port} }}] }}"));
    perl(&plugin, &format!("{}; connect(S, $there) or exit 8; exit 5", tcp(port))).assert_honest(5);
    server.accept().unwrap();
}

#[test]
fn sending_to_an_undeclared_port_is_contained() {
    let line = "socket(S, 2, 2, 17); send(S, 'x', 0, pack('SnNx8', 2, 9, 0x7f000001))";
    perl(&with_perl(), line).assert_contained("network", "undeclared_destination");
}

#[test]
fn binding_an_undeclared_port_is_contained() {
    // A port that was free a moment ago: whether it still is makes no difference to the deed.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ended = perl(&with_perl(), &format!("{}; bind(S, $there)", tcp(port)));
    ended.assert_contained("listen", "undeclared_listener");
}

#[test]
fn making_a_user_namespace_is_contained() {
    let plugin = Plugin::new().may_run("path: /usr/bin/unshare").may_run("path: /usr/bin/true");
    let ended = plugin.run(&format!("unshare -U true; {LINGER}"));
    ended.assert_contained("danger", "dangerous_syscall");
    assert_eq!(ended.of("finding")[0]["deed"], "called unshare(CLONE_NEWUSER)", "{ended:?}");
}

#[test]
fn tracing_is_contained() {
    let number = libc::SYS_ptrace;
    let ended = perl(&with_perl(), &format!("syscall({number}, 0, 0, 0, 0)"));
    ended.assert_contained("danger", "dangerous_syscall");
}

#[test]
fn an_undeclared_call_is_contained_where_the_manifest_says_so() {
    let plugin = with_perl().declares("actions: { syscalls: freeze }");
    let number = libc::SYS_sched_setaffinity;
    let ended = perl(&plugin, &format!("syscall({number}, 0, 0, 0)"));
    ended.assert_contained("syscalls", "undeclared_syscall");
}

#[test]
fn an_undeclared_call_is_only_told_by_default() {
    let number = libc::SYS_sched_setaffinity;
    let ended = perl(&with_perl(), &format!("syscall({number}, 0, 0, 0); exit 6"));
    assert_eq!(ended.code, 6, "{ended:?}");
    assert_eq!(ended.of("finding")[0]["action"], "alert", "{ended:?}");
    assert_eq!(ended.of("contain").len(), 0, "{ended:?}");
}

#[test]
fn more_processes_than_declared_are_contained() {
    let plugin = Plugin::new().may_be(3);
    plugin.run("sleep 0 & sleep 0 & wait; sleep 0 & sleep 0 & wait").assert_honest(0);
    let ended = plugin.run("sleep 99 & sleep 99 & sleep 99 & wait");
    ended.assert_contained("processes", "too_many_processes");
}
