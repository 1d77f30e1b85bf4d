//! Programs, network, system calls and processes.

use picket_engine::{Fact, NetworkOperation};

use super::{INIT, call, connect, exec, granted, network, run_of, script, suggested};

const BIND: NetworkOperation = NetworkOperation::Bind;

#[test]
fn programs_are_one_line_each_and_scripts_name_their_interpreter() {
    let deeds =
        [exec("/usr/bin/cat"), script(b"/opt/app/x.sh", "/usr/bin/dash"), exec("/usr/bin/cat")];
    let expected =
        ["  - { path: /usr/bin/cat }", "  - { path: /opt/app/x.sh, interpreter: /usr/bin/dash }"];
    assert_eq!(granted(deeds), expected);
}

#[test]
fn addresses_stay_apart_and_ports_without_a_gap_are_a_range() {
    let expected = [
        "network:",
        "  connect:",
        "    - { to: 10.0.0.1, port: 80-82 }",
        "    - { to: 10.0.0.1, port: 90 }",
        "    - { to: 10.0.0.2, port: 80 }",
        "    - { to: 10.0.0.2, port: 53, protocol: udp }",
        "    - { to: \"::1\", port: 80 }",
        "  listen:",
        "    - { address: 127.0.0.1, port: 8000 }",
    ];
    let found = granted([
        connect("10.0.0.1", 81),
        connect("10.0.0.1", 80),
        connect("10.0.0.1", 82),
        connect("10.0.0.1", 90),
        connect("::ffff:10.0.0.2", 80),
        network(NetworkOperation::Send, 17, "10.0.0.2", 53),
        connect("::1", 80),
        network(BIND, 6, "127.0.0.1", 8000),
        network(BIND, 6, "127.0.0.1", 0),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn a_port_that_the_kernel_picked_is_another_one_next_time() {
    let ephemeral = connect("127.0.0.1", 40_123);
    let range = "    - { to: 127.0.0.1, port: 32768-60999 }";
    let exact = "    - { to: 127.0.0.1, port: 40123 }";
    assert_eq!(granted([network(BIND, 6, "127.0.0.1", 0), ephemeral.clone()])[2], range);
    assert_eq!(granted([ephemeral])[2], exact);
}

#[test]
fn a_listener_at_a_port_that_the_kernel_picked_is_granted_those_that_it_picks_from() {
    let listen = |port| network(NetworkOperation::Listen, 6, "127.0.0.1", port);
    let line = |port: &str| format!("    - {{ address: 127.0.0.1, port: {port} }}");
    let bound = network(BIND, 6, "127.0.0.1", 0);
    assert_eq!(granted([bound, listen(40_123), listen(40_200)])[2], line("32768-60999"));
    assert_eq!(granted([listen(0)])[2], line("any"));
    let own = network(BIND, 6, "127.0.0.1", 40_123);
    assert_eq!(granted([own, listen(40_123)])[2], line("40123"));
}

#[test]
fn calls_of_the_runtime_group_are_left_out_and_groups_stand_for_their_calls() {
    let calls = |names: &[&str]| granted(names.iter().map(|name| call(name)));
    assert_eq!(calls(&["read", "mmap"]), Vec::<String>::new());
    let allow = |names: &[&str]| -> Vec<String> {
        let names = names.iter().map(|name| format!("    - {name}"));
        ["syscalls:".to_owned(), "  allow:".to_owned()].into_iter().chain(names).collect()
    };
    assert_eq!(calls(&["mkdir"]), allow(&["mkdir"]));
    assert_eq!(calls(&["clone", "execve", "wait4", "pipe2"]), allow(&["\"@process\"", "pipe2"]));
    assert_eq!(calls(&["socket", "connect"]), allow(&["\"@network-io\""]));
    assert_eq!(calls(&["pkey_alloc", "pkey_free"]), allow(&["\"@pkey\""]));
    assert_eq!(calls(&["setuid", "setgid"]), allow(&["setgid", "setuid"]));
}

fn fork(child: u32) -> Fact {
    Fact::Fork { child_tgid: child, child_tid: child }
}

#[track_caller]
fn processes(deeds: Vec<(u32, Fact)>, expected: &str) {
    let run = run_of(deeds);
    let suggestion = suggested(&[&run]);
    assert_eq!(suggestion.text().lines().last(), Some(expected));
    assert_eq!(suggestion.prove(&[&run]).unwrap().uncovered, []);
}

#[test]
fn processes_have_a_quarter_to_spare_and_never_more_than_there_were() {
    let exit = |tgid| (tgid, Fact::Exit { code: 0 });
    let thread = (INIT, Fact::Fork { child_tgid: INIT, child_tid: 9 });
    processes(vec![thread], "processes: { max: 1 }  # at most 1 seen at once, 1 altogether");
    processes(
        vec![(INIT, fork(9)), exit(9)],
        "processes: { max: 2 }  # at most 2 seen at once, 2 altogether",
    );
    processes(
        vec![(INIT, fork(9)), exit(9), (INIT, fork(10)), exit(10)],
        "processes: { max: 3 }  # at most 2 seen at once, 3 altogether",
    );
}
