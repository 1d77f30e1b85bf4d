//! Declared against seen, both ways.

use picket_engine::{AccessSet, NetworkOperation};

use super::{super::suggest::tests as made, declaring};

#[test]
fn each_rule_that_nothing_needed_is_named_with_its_line() {
    let manifest = declaring(
        "exec:\n  - { path: /opt/app/tool }\n  - { path: /opt/app/other }\n\
         files:\n  read:\n    - /srv/seen\n    - /srv/never\n    - /srv/tree/**\n  write:\n    - /srv/seen\n\
         network:\n  connect:\n    - { to: 10.0.0.0/8, port: 80 }\n    - { to: 10.0.0.1, port: 81 }\n  \
         listen:\n    - { address: 127.0.0.1, port: 80 }\n\
         syscalls: { allow: [mkdir, rmdir, \"@signal\", \"@timer\"] }\n",
    );
    let run = made::run([
        made::read("/srv/seen"),
        made::read("/srv/tree/a"),
        made::network(NetworkOperation::Connect, 6, "10.0.0.1", 80),
        made::call("mkdir"),
        made::call("rt_sigpending"),
        made::call("read"),
    ]);
    let difference = manifest.differ(&[&run]).unwrap();
    let unused: Vec<String> = difference
        .unused
        .iter()
        .map(|rule| format!("{} {} {}", rule.line, rule.list, rule.rule))
        .collect();
    let expected = [
        "5 exec /opt/app/other",
        "9 files.read /srv/never",
        "12 files.write /srv/seen",
        "16 network.connect 10.0.0.1 port 81 (tcp)",
        "18 network.listen 127.0.0.1 port 80 (tcp)",
        "19 syscalls.allow @timer",
        "19 syscalls.allow rmdir",
    ];
    assert_eq!(unused, expected);
    assert_eq!((difference.undeclared.len(), difference.facts), (0, 7));
}

#[test]
fn what_was_seen_and_not_declared_is_what_the_engine_would_have_said() {
    let manifest = declaring("exec: [{ path: /opt/app/tool }]\n");
    let write = made::open("/srv/a", AccessSet::WRITE);
    let run = made::run([made::read("/srv/a"), write, made::call("mkdir"), made::exec("/bin/x")]);
    let difference = manifest.differ(&[&run]).unwrap();
    let reasons: Vec<_> = difference.undeclared.iter().map(|one| one.reason.as_str()).collect();
    let expected = ["undeclared_path", "undeclared_path", "undeclared_syscall", "undeclared_exec"];
    assert_eq!(reasons, expected);
    assert_eq!(difference.unused, []);
}
