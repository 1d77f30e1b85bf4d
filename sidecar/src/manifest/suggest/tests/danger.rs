//! What is never granted, and how it is left to a person.

use picket_engine::{
    Arguments, DANGER, Departure, Fact, FileId, MemoryUse, Mode, NetworkOperation, ObservedPath,
    SyscallAbi, Unresolved, Whose,
};

use super::{
    super::super::Manifest, call, exec, lines_leaving, network, read, run, script, suggested, write,
};

/// This is not granted: the only thing said of it is a comment.
#[track_caller]
fn left(deed: Fact, comment: &str) {
    let lines = lines_leaving([deed], 1);
    assert!(lines.iter().all(|line| line.trim_start().starts_with('#')), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains(comment)), "no {comment:?} in {lines:#?}");
}

#[test]
fn no_call_of_the_danger_set_is_granted() {
    for number in DANGER.numbers() {
        let run = run([
            Fact::Syscall { number, abi: SyscallAbi::Native, arguments: Arguments::NONE },
            call("mkdir"),
        ]);
        let suggestion = suggested(&[&run]);
        let manifest = Manifest::parse("x", suggestion.text().as_bytes()).unwrap();
        assert!(!manifest.declared.calls.numbers.contains(number), "{}", suggestion.text());
        assert_eq!(manifest.mode(), Mode::Shadow);
    }
    left(call("ptrace"), "# - ptrace  # dangerous: a person must decide; first by tool[4242]");
}

#[test]
fn another_abi_is_left_to_a_person() {
    left(
        Fact::Syscall { number: 4, abi: SyscallAbi::Ia32, arguments: Arguments::NONE },
        "# syscalls: { foreign_abi: true }  # dangerous: a person must decide",
    );
}

#[test]
fn programs_that_anybody_could_have_put_there_are_left_to_a_person() {
    left(exec("/tmp/x"), "# - { path: /tmp/x }  # dangerous, in a place where anybody may write");
    left(exec("/dev/shm/a/b"), "anybody may write");
    left(script(b"/var/tmp/x.sh", "/usr/bin/dash"), "anybody may write");
    left(script(b"./x.sh", "/usr/bin/dash"), "call it by its absolute path");
    let own = run([write("/opt/app/new"), exec("/opt/app/new")]);
    assert!(suggested(&[&own]).text().contains("the plugin wrote it itself"));
}

#[test]
fn programs_without_a_name_are_left_to_a_person() {
    let mut memory = exec("/x");
    if let Fact::Exec { path, links, .. } = &mut memory {
        (*path, *links) = (ObservedPath::Unresolved(Unresolved::NoName), 0);
    }
    left(memory, "in no directory; cannot be granted: a person must decide");
}

#[test]
fn protected_and_sensitive_files_are_left_to_a_person() {
    for path in [
        "/etc/shadow",
        "/root/.ssh/id_ed25519",
        "/home/u/.aws/credentials",
        "/run/docker.sock",
        "/etc/sudoers.d/x",
        "/dev/sda",
        "/dev/mem",
        "/proc/1/cmdline",
        "/proc/4242/environ",
    ] {
        left(read(path), "# - /");
    }
    for path in ["/etc/passwd", "/usr/bin/ls", "/proc/sys/kernel/core_pattern", "/etc/cron.d/x"] {
        left(write(path), "# - /");
    }
    let mut linked = read("/srv/looks-harmless");
    if let Fact::Open { file, .. } = &mut linked {
        *file = FileId { device: 8, inode: 666 };
    }
    let run = run([linked]);
    assert!(suggested(&[&run]).text().contains("dangerous, a protected file"));
}

#[test]
fn what_no_manifest_can_say_is_told_as_a_comment() {
    left(read(b"/srv/caf\xe9"), "not UTF-8; cannot be written in a manifest");
    let mut nameless = read("/x");
    if let Fact::Open { path, .. } = &mut nameless {
        *path = ObservedPath::Unresolved(Unresolved::TooLong);
    }
    left(nameless, "its path is not known");
    left(network(NetworkOperation::Send, 17, "10.0.0.1", 0), "port 0, which only `any` covers");
    left(network(NetworkOperation::Send, 1, "10.0.0.1", 0), "protocol 1, which only `any` covers");
}

#[test]
fn sockets_of_others_are_left_to_a_person_with_the_name_that_would_declare_them() {
    let peer = |name: &[u8]| Fact::Peer {
        operation: NetworkOperation::Connect,
        whose: Whose::Outside,
        name: name.to_vec(),
    };
    left(peer(b"bus*"), "# - \"@bus\\\\*\"  # a socket of somebody outside: a person must decide");
    left(peer(b""), "a nameless Unix socket of somebody outside was talked to");
    left(peer(b"\xff"), "a nameless Unix socket");
}

#[test]
fn an_escape_is_told_and_nothing_grants_it() {
    left(Fact::Left { how: Departure::Migrated, cgroup: 1 }, "a task was moved out");
    left(Fact::Entered {}, "a task came in from outside");
}

#[test]
fn sockets_that_reach_past_the_rules_are_left_to_a_person_and_others_granted() {
    let socket = |family, socket_type, protocol| Fact::Socket {
        family,
        socket_type,
        protocol,
        refused: false,
    };
    left(socket(17, 3, 0), "# - packet  # dangerous: a person must decide; first by tool[4242]");
    left(socket(2, 3, 1), "# - raw  # dangerous");
    left(socket(77, 1, 0), "# - unnamed  # no kind with a name; cannot be granted");
    let granted = lines_leaving([socket(16, 3, 0), socket(16, 2, 0)], 0);
    assert_eq!(granted[..2], ["network:", "  sockets:"]);
    assert!(granted[2].starts_with("    - netlink  # first by tool[4242]"), "{granted:?}");
}

#[test]
fn code_of_its_own_making_and_namespaces_are_left_to_a_person() {
    let comment = "# memory: { executable: true }  # dangerous: a person must decide; first by";
    left(Fact::Memory { how: MemoryUse::Changed }, comment);
    let nameless = ObservedPath::Unresolved(Unresolved::NoName);
    left(Fact::Mapped { path: nameless, file: FileId { device: 8, inode: 3 }, links: 0 }, comment);
    left(Fact::Namespaces { flags: 0x1000_0000 }, "`unshare` under syscalls.allow would grant");
    let path = ObservedPath::Resolved(b"/srv/out/lib.so".to_vec());
    let mapped = Fact::Mapped { path, file: FileId { device: 8, inode: 3 }, links: 1 };
    let lines = lines_leaving([write("/srv/out/lib.so"), mapped], 1);
    assert!(lines.iter().any(|line| line.starts_with(comment)), "{lines:?}");
}
