//! How a plugin's end, or its failure to start, is told.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use picket::supervisor::{ExecError, Exit, LaunchError, Notice, StartError, start_gated};

use super::host::{PATIENCE, eventually, exit_of, ready, sandbox, shell, spec, start};

#[test]
fn the_exit_code_is_reported() {
    assert_eq!(exit_of(&mut start(&shell("exit 7"))), Exit::Code(7));
}

#[test]
fn the_signal_is_reported() {
    assert_eq!(exit_of(&mut start(&shell("kill -9 $$"))), Exit::Signal(9));
}

#[test]
fn a_plugin_that_ends_at_once_was_still_started() {
    for _ in 0..50 {
        assert_eq!(exit_of(&mut start(&shell("exit 0"))), Exit::Code(0));
    }
}

fn refusal(program: &Path) -> io::Error {
    match start_gated(sandbox(), &spec(program, &[]), ready).unwrap_err() {
        StartError::Exec(ExecError::Refused { program: named, source }) => {
            assert_eq!(named, program);
            source
        }
        other => panic!("expected a refused exec, got {other:?}"),
    }
}

#[test]
fn a_program_that_is_not_there_is_reported_as_such() {
    assert_eq!(refusal(Path::new("/no/such/program")).kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_program_that_may_not_be_executed_is_reported_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    fs::write(&program, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(refusal(&program).kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_file_that_is_no_program_is_reported_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("program");
    fs::write(&program, "no program").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(refusal(&program).raw_os_error(), Some(libc::ENOEXEC));
}

#[test]
fn a_working_directory_that_cannot_be_entered_is_named_as_the_step() {
    let mut spec = shell("exit 0");
    spec.working_directory = "/no/such/directory".into();
    match start_gated(sandbox(), &spec, ready).unwrap_err() {
        StartError::Launch(LaunchError::Step { step, source }) => {
            assert_eq!(step, "entering the working directory");
            assert_eq!(source.kind(), io::ErrorKind::NotFound);
        }
        other => panic!("expected a failed step, got {other:?}"),
    }
}

#[test]
fn a_launcher_that_is_none_is_named() {
    let mut spec = shell("exit 0");
    spec.launcher.path = "/bin/sh".into();
    let error = start_gated(sandbox(), &spec, ready).unwrap_err().to_string();
    assert!(error.contains("is /bin/sh this build of Picket?"), "{error}");
    spec.launcher.path = "/no/such/launcher".into();
    let error = start_gated(sandbox(), &spec, ready).unwrap_err().to_string();
    assert!(error.contains("starting the launcher /no/such/launcher"), "{error}");
}

#[test]
fn a_killed_launcher_is_noticed_and_the_plugin_still_ends() {
    let mut running = start(&shell("while :; do :; done"));
    let (sandbox, launcher) = (running.sandbox().path().to_owned(), running.launcher_pid());
    fs::read_dir(format!("/proc/{launcher}")).unwrap();
    kill(launcher);
    let notice = running.wait_notice(Instant::now() + PATIENCE).unwrap();
    assert_eq!(notice, Some(Notice::LauncherLost));
    assert_eq!(running.next_notice(), None);
    running.end();
    eventually("the sandbox is removed", PATIENCE, || !sandbox.exists());
}

#[expect(unsafe_code, reason = "std signals its own children only")]
fn kill(pid: u32) {
    // SAFETY: touches no memory. The launcher is our child and not reaped, so the pid is its own.
    let outcome = unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) };
    assert_eq!(outcome, 0);
}
