//! What every test of the gate needs: this host, a spec, a way to wait.

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use picket::supervisor::{
    CapabilitySet, CgroupRoot, Confinement, Deadlines, Exit, FrozenInfo, LaunchSpec,
    LauncherProgram, Notice, PassedDescriptor, Ready, Running, Sandbox, start_gated,
};
pub(crate) use picket_tests::PATIENCE;

pub(crate) fn root() -> CgroupRoot {
    CgroupRoot::find().expect("the gate's tests need a writable cgroup2 mount")
}

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::create(&root(), "gate-test").expect("the gate's tests need root")
}

pub(crate) fn picket_binary() -> PathBuf {
    env::var_os("PICKET_BIN")
        .expect("PICKET_BIN must name the built picket binary; run `cargo xtask test kernel`")
        .into()
}

pub(crate) fn stand_in() -> PathBuf {
    env::var_os("PICKET_STAND_IN")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_picket-stand-in").into())
        .into()
}

/// Starts `program` with nothing but standard descriptors on `/dev/null`.
pub(crate) fn spec(program: &Path, arguments: &[&str]) -> LaunchSpec {
    let mut all: Vec<OsString> = vec![program.into()];
    all.extend(arguments.iter().map(OsString::from));
    LaunchSpec {
        launcher: LauncherProgram { path: picket_binary(), arguments: vec!["__launch".into()] },
        program: program.into(),
        arguments: all,
        environment: Vec::new(),
        working_directory: "/".into(),
        descriptors: Vec::new(),
        capabilities: CapabilitySet::EMPTY,
        confinement: Confinement::Standard,
        wall: None,
        deadlines: Deadlines { launch: PATIENCE, exec: PATIENCE, ..Deadlines::STANDARD },
    }
}

pub(crate) fn shell(script: &str) -> LaunchSpec {
    spec(Path::new("/bin/sh"), &["-c", script])
}

/// Gives the plugin a pipe as descriptor `number`.
pub(crate) fn pipe_from(spec: &mut LaunchSpec, number: i32) -> PipeReader {
    let (reader, writer) = io::pipe().unwrap();
    spec.descriptors.push(PassedDescriptor::new(number, OwnedFd::from(writer)).unwrap());
    reader
}

pub(crate) fn ready(info: &FrozenInfo) -> Result<Ready, String> {
    Ok(Ready { nonce: info.nonce })
}

pub(crate) fn start(spec: &LaunchSpec) -> Running {
    start_gated(sandbox(), spec, ready).unwrap()
}

pub(crate) fn exit_of(running: &mut Running) -> Exit {
    match running.wait_notice(Instant::now() + PATIENCE).unwrap() {
        Some(Notice::Exited(exit)) => exit,
        other => panic!("expected the plugin's exit, got {other:?}"),
    }
}

/// Runs a plugin to its end and returns what it wrote to its standard output.
pub(crate) fn output_of(mut spec: LaunchSpec) -> (Exit, String) {
    let mut reader = pipe_from(&mut spec, 1);
    let mut running = start(&spec);
    // Our own write end would keep the pipe open.
    drop(spec);
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    (exit_of(&mut running), output)
}

/// Waits for a condition; panics with its name at the deadline.
pub(crate) fn eventually(what: &str, within: Duration, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds() {
        assert!(Instant::now() < deadline, "after {within:?} still not: {what}");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Whether `cgroup.events` of a sandbox has this line; false when the sandbox is gone.
pub(crate) fn has_event(sandbox: &Path, line: &str) -> bool {
    let mut events = String::new();
    // A cgroup that is removed while it is read answers with ENODEV.
    File::open(sandbox.join("cgroup.events"))
        .and_then(|mut file| file.read_to_string(&mut events))
        .is_ok_and(|_length| events.lines().any(|found| found == line))
}
