//! What a plugin finds when it looks around, and what it cannot do although it is uid 0.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use picket::supervisor::{CapabilitySet, Exit, PassedDescriptor};

use super::host::{output_of, picket_binary, root, sandbox, shell, spec, stand_in};

fn identity() -> (Exit, String) {
    let mut spec = spec(&stand_in(), &["identity"]);
    spec.environment = vec![("DECLARED".into(), "yes".into())];
    spec.working_directory = "/usr".into();
    output_of(spec)
}

fn has(output: &str, line: &str) {
    assert!(output.lines().any(|found| found == line), "no line {line:?} in:\n{output}");
}

#[test]
fn it_has_no_capabilities_and_no_exec_can_give_it_any() {
    let (exit, output) = identity();
    assert_eq!(exit, Exit::Code(0), "{output}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        has(&output, &format!("{set} 0000000000000000"));
    }
    has(&output, "NoNewPrivs 1");
}

#[test]
fn it_finds_the_declared_environment_directory_and_descriptors_and_no_others() {
    let (_exit, output) = identity();
    let environment: Vec<&str> =
        output.lines().filter(|line| line.starts_with("environment")).collect();
    assert_eq!(environment, ["environment DECLARED=yes"]);
    has(&output, "directory /usr");
    has(&output, "descriptors [0, 1, 2]");
}

#[test]
fn its_signals_are_as_a_program_expects_them() {
    let (_exit, output) = identity();
    has(&output, "SigBlk 0000000000000000");
    // SIGPIPE is bit 12. Rust's runtime ignores it in Picket, the launcher and this plugin; the
    // shell shows what was inherited.
    let script = "while read name mask; do case $name in SigIgn:) echo $mask;; esac; done \
                  < /proc/self/status";
    let (_exit, output) = output_of(shell(script));
    assert_eq!(output, "0000000000000000\n");
}

#[test]
fn it_has_no_terminal() {
    let (_exit, output) = identity();
    has(&output, "terminal 0");
}

#[test]
fn it_runs_as_the_caller() {
    let (_exit, output) = identity();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
    has(&output, &format!("Uid {}", uids.trim()));
}

#[test]
fn a_declared_capability_is_kept_and_no_other() {
    let mut spec = spec(&stand_in(), &["identity"]);
    spec.capabilities = CapabilitySet::EMPTY.with("CAP_NET_BIND_SERVICE").unwrap();
    let (_exit, output) = output_of(spec);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        has(&output, &format!("{set} 0000000000000400"));
    }
}

#[test]
fn a_declared_descriptor_arrives_under_its_number_also_when_numbers_cross() {
    let (mut from_five, five) = io::pipe().unwrap();
    let (mut from_three, three) = io::pipe().unwrap();
    let mut spec = shell("echo to five >&5; echo to three >&3");
    for (number, file) in [(5, OwnedFd::from(five)), (3, OwnedFd::from(three))] {
        spec.descriptors.push(PassedDescriptor::new(number, file).unwrap());
    }
    let (exit, _output) = output_of(spec);
    assert_eq!(exit, Exit::Code(0));
    let mut text = String::new();
    from_five.read_to_string(&mut text).unwrap();
    from_three.read_to_string(&mut text).unwrap();
    assert_eq!(text, "to five\nto three\n");
}

/// What a plugin says of itself whose Picket was started by a careless caller, with a descriptor 9 that is not closed
/// at exec.
fn identity_under_a_careless_caller(descriptor: impl Into<Stdio>) -> String {
    let output = Command::new("/bin/sh")
        .args(["-c", r#"exec 9<&0 </dev/null; exec "$0" "$@""#])
        .arg(stand_in())
        .arg("picket")
        .arg(picket_binary())
        .args(["1000", "running"])
        .arg(stand_in())
        .arg("identity")
        .env_clear()
        .env("SECRET", "in Picket's environment")
        .stdin(descriptor)
        .stderr(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a12_a_descriptor_and_a_secret_that_picket_inherited_do_not_reach_the_plugin() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"secret").unwrap();
    let output = identity_under_a_careless_caller(file);
    has(&output, "descriptors [0, 1, 2]");
    assert!(!output.contains("SECRET"), "{output}");
}

#[test]
fn d15_a_connected_socket_that_picket_inherited_does_not_reach_the_plugin() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(server.local_addr().unwrap()).unwrap();
    has(&identity_under_a_careless_caller(OwnedFd::from(socket)), "descriptors [0, 1, 2]");
}

#[test]
fn a13_a_file_that_picket_inherited_cannot_be_mapped() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"secret").unwrap();
    has(&identity_under_a_careless_caller(file), "mapping descriptor 9: EBADF");
}

#[test]
fn a14_nothing_that_the_launcher_had_mapped_is_mapped_in_the_plugin() {
    let (_exit, output) = identity();
    let mapped: Vec<&str> =
        output.lines().filter_map(|line| line.strip_prefix("mapped ")).collect();
    // The launcher is a copy of Picket, whose program and heap it has.
    let program = stand_in().display().to_string();
    let picket = picket_binary().display().to_string();
    assert!(mapped.contains(&program.as_str()), "{mapped:?}");
    assert!(!mapped.contains(&picket.as_str()), "{mapped:?}");
}

#[test]
fn it_reaches_neither_launcher_nor_picket_nor_any_cgroup() {
    let neighbour = sandbox();
    let root = root();
    let cgroups = [root.mount(), &root.home(), neighbour.path()]
        .map(|path| path.to_str().unwrap().to_owned());
    let mut arguments = vec!["intruder"];
    arguments.extend(cgroups.iter().map(String::as_str));
    let (exit, output) = output_of(spec(&stand_in(), &arguments));
    assert_eq!(exit, Exit::Code(0), "{output}");
    let done: Vec<&str> = output.lines().filter(|line| !line.starts_with("refused ")).collect();
    assert_eq!(done, Vec::<&str>::new(), "{output}");
    // Each was tried: an intruder that does nothing is refused nothing.
    for tried in [
        "launcher: read its memory",
        "launcher: trace it",
        "launcher: signal it",
        "picket: see its descriptors",
        "cgroup 0: write cgroup.procs",
        "cgroup 0: write cgroup.freeze",
        "cgroup 2: clone into it",
        "write /proc/sys/kernel/core_pattern",
        "uncover",
    ] {
        assert!(output.contains(&format!("refused {tried}: ")), "{tried} in:\n{output}");
    }
}

#[test]
fn where_the_cgroup_tree_was_it_finds_its_own_cgroup() {
    let mount = root().mount().display().to_string();
    let script = format!("read pid < {mount}/cgroup.procs; echo $pid $$");
    let (_exit, output) = output_of(shell(&script));
    let (listed, own) = output.trim().split_once(' ').unwrap();
    assert_eq!(listed, own);
}
