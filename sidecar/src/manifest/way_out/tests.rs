use std::collections::BTreeMap;

use picket_engine::{
    Arguments, FileId, FileOperation, Input, MemoryUse, ObservedArgv, Reach, Unresolved,
};

use super::*;
use crate::manifest::{Manifest, replay, suggest::tests as made};

/// A manifest with the entry point and these lines.
fn declaring(lines: &[Grant]) -> Manifest {
    let mut keys: BTreeMap<&str, String> = BTreeMap::new();
    let mut exec = "{ path: /opt/app/tool }".to_owned();
    for grant in lines {
        match grant.list.split_once('.') {
            None => exec.push_str(&format!(", {}", grant.value)),
            Some((key, _)) => {
                let line = grant.line();
                let inner = line.split_once('.').unwrap().1;
                keys.entry(key).or_default().push_str(&format!("{inner}, "));
            }
        }
    }
    let mut text =
        format!("version: 1\nplugin: {{ name: tool, version: 1.0.0 }}\nexec: [{exec}]\n");
    for (key, inner) in keys {
        text.push_str(&format!("{key}: {{ {inner} }}\n"));
    }
    Manifest::parse("x", text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn found(lines: &[Grant], run: &[Input]) -> Vec<Finding> {
    replay::judge(&declaring(lines), &[run]).unwrap().findings
}

/// The way out of the one finding of a run in which this was done.
#[track_caller]
fn out_of(fact: Fact) -> WayOut {
    let run = made::run([fact]);
    let [finding] = &found(&[], &run)[..] else { panic!("not one finding") };
    way_out(finding)
}

fn socket(family: u32) -> Fact {
    Fact::Socket { family, socket_type: 3, protocol: 0, refused: false }
}

fn foreign(number: u32) -> Fact {
    Fact::Syscall { number, abi: SyscallAbi::Ia32, arguments: Arguments::NONE }
}

fn file() -> FileId {
    FileId { device: 8, inode: 7 }
}

#[test]
fn whoever_writes_the_line_has_no_finding_any_more() {
    let path = |text: &str| ObservedPath::Resolved(text.as_bytes().to_vec());
    let script = Fact::Exec {
        path: path("/usr/bin/dash"),
        file: file(),
        links: 1,
        script: Some(b"/opt/app/run*.sh".to_vec()),
        argv: ObservedArgv { bytes: b"sh\0".to_vec(), complete: true },
    };
    let renamed = Fact::FileOperation {
        operation: FileOperation::Rename,
        path: path("/srv/a b"),
        file: file(),
        links: 1,
        access: AccessSet::WRITE,
    };
    for (fact, expected) in [
        (made::read("/srv/data"), "files.read: [/srv/data]"),
        (made::read("/srv/*"), "files.read: [\"/srv/\\\\*\"]"),
        (
            made::open("/srv/x", AccessSet::READ.union(AccessSet::WRITE)),
            "files.read: [/srv/x]; files.write: [/srv/x]",
        ),
        (renamed, "files.write: [\"/srv/a b\"]"),
        (made::exec("/opt/app/other"), "exec: [{ path: /opt/app/other }]"),
        (script, "exec: [{ path: \"/opt/app/run\\\\*.sh\", interpreter: /usr/bin/dash }]"),
        (
            made::network(NetworkOperation::Connect, 6, "10.0.0.1", 80),
            "network.connect: [{ to: 10.0.0.1, port: 80 }]",
        ),
        (
            made::network(NetworkOperation::Send, 17, "fd00::1", 53),
            "network.connect: [{ to: \"fd00::1\", port: 53, protocol: udp }]",
        ),
        (
            made::network(NetworkOperation::Bind, 132, "127.0.0.1", 80),
            "network.listen: [{ address: 127.0.0.1, port: 80, protocol: any }]",
        ),
        (socket(16), "network.sockets: [netlink]"),
        (socket(17), "network.sockets: [packet]"),
        (made::call("mkdir"), "syscalls.allow: [mkdir]"),
        (made::call("ptrace"), "syscalls.allow: [ptrace]"),
        (Fact::Namespaces { flags: 0x2000_0000 }, "syscalls.allow: [unshare]"),
        (foreign(5), "syscalls.foreign_abi: true"),
        (Fact::Memory { how: MemoryUse::Mapped }, "memory.executable: true"),
        (
            Fact::Mapped { path: path("/srv/lib.x"), file: file(), links: 1 },
            "files.read: [/srv/lib.x]",
        ),
        (
            Fact::Mapped { path: path("/srv/lib.x"), file: file(), links: 0 },
            "memory.executable: true",
        ),
        (Fact::Fork { child_tgid: 5_000, child_tid: 5_000 }, "processes.max: 2"),
        (
            Fact::Peer {
                operation: NetworkOperation::Connect,
                whose: Whose::Outside,
                name: b"bus".to_vec(),
            },
            "network.unix: [\"@bus\"]",
        ),
    ] {
        let run = made::run([fact.clone()]);
        let out = out_of(fact);
        let lines: Vec<String> = out.lines.iter().map(Grant::line).collect();
        assert_eq!(lines.join("; "), expected);
        assert_eq!(found(&out.lines, &run), [], "{expected}");
    }
}

#[test]
fn what_opens_the_machine_comes_with_a_warning() {
    for fact in [
        made::call("ptrace"),
        made::exec("/tmp/program"),
        made::read("/home/ada/.ssh/id"),
        made::open("/usr/bin/dash", AccessSet::WRITE),
        made::network(NetworkOperation::Connect, 6, "169.254.169.254", 80),
        socket(17),
        foreign(5),
        Fact::Memory { how: MemoryUse::Mapped },
        Fact::Namespaces { flags: 0x2000_0000 },
    ] {
        let out = out_of(fact);
        assert!(!out.lines.is_empty() && out.remark.is_some(), "{out:?}");
    }
    for fact in [made::read("/srv/data"), made::call("mkdir"), socket(16)] {
        assert_eq!(out_of(fact).remark, None);
    }
}

#[test]
fn what_no_line_would_allow_is_said_to_be_so() {
    let nameless = ObservedPath::Unresolved(Unresolved::NoName);
    for fact in [
        // `ptrace` of the 32-bit table.
        foreign(26),
        Fact::Syscall { number: 100_000, abi: SyscallAbi::Native, arguments: Arguments::NONE },
        made::read(b"/srv/\xff"),
        made::open("/srv/../x", AccessSet::READ),
        Fact::Open { path: nameless, file: file(), links: 1, access: AccessSet::READ },
        Fact::Reach { how: Reach::Signal, whose: Whose::Outside, process: 1, number: 9 },
        Fact::Peer {
            operation: NetworkOperation::Connect,
            whose: Whose::Picket,
            name: b"x".to_vec(),
        },
        Fact::Left { how: picket_engine::Departure::Migrated, cgroup: 1 },
        socket(9_999),
    ] {
        let out = out_of(fact);
        assert!(out.lines.is_empty() && out.remark.is_some(), "{out:?}");
    }
}
