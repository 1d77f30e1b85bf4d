//! Without a right, timely READY no instruction of the plugin is executed.

use std::fs;
use std::io::Read;
use std::sync::mpsc;
use std::time::Duration;

use picket::supervisor::{
    AdmissionRefusal, FrozenInfo, LaunchSpec, Nonce, Ready, StartError, start_gated,
};

use super::host::{exit_of, pipe_from, ready, sandbox, shell, start};

const ALLOWED: Duration = Duration::from_millis(1);

/// The plugin's first act leaves two traces: a file, and a byte in a pipe.
fn telltale(marker: &std::path::Path) -> LaunchSpec {
    shell(&format!("echo ran > {}; echo ran", marker.display()))
}

fn fail(_info: &FrozenInfo) -> Result<Ready, String> {
    Err("a hook did not see its canary".to_owned())
}

fn answer_wrongly(_info: &FrozenInfo) -> Result<Ready, String> {
    Ok(Ready { nonce: Nonce::from_bytes([0; 16]) })
}

fn answer_late(info: &FrozenInfo) -> Result<Ready, String> {
    // A hook that never reports, given up on too late.
    let (_silent, reports) = mpsc::channel::<()>();
    assert!(reports.recv_timeout(ALLOWED * 3).is_err());
    ready(info)
}

#[test]
fn no_instruction_runs_in_200_starts_with_prepare_failing_late_or_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("marker");
    for round in 0..200 {
        let mut spec = telltale(&marker);
        let mut output = pipe_from(&mut spec, 1);
        let refusal = match round % 3 {
            0 => start_gated(sandbox(), &spec, fail),
            1 => start_gated(sandbox(), &spec, answer_wrongly),
            _ => {
                spec.deadlines.prepare = ALLOWED;
                start_gated(sandbox(), &spec, answer_late)
            }
        }
        .unwrap_err();
        let as_expected = match round % 3 {
            0 => matches!(refusal, StartError::Prepare(_)),
            1 => matches!(refusal, StartError::Admission(AdmissionRefusal::WrongNonce)),
            _ => matches!(refusal, StartError::Admission(AdmissionRefusal::Late { .. })),
        };
        assert!(as_expected, "round {round}: {refusal:?}");
        drop(spec);
        let mut written = Vec::new();
        // The end of the pipe: every process that could have written is gone.
        output.read_to_end(&mut written).unwrap();
        assert_eq!(written, b"", "round {round}");
        assert!(!marker.exists(), "round {round}");
    }
}

#[test]
fn the_same_plugin_does_run_with_a_right_answer() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("marker");
    let mut running = start(&telltale(&marker));
    exit_of(&mut running);
    assert_eq!(fs::read_to_string(marker).unwrap(), "ran\n");
}

#[test]
fn a_refused_start_leaves_no_sandbox_behind() {
    let sandbox = sandbox();
    let path = sandbox.path().to_owned();
    start_gated(sandbox, &shell("exit 0"), fail).unwrap_err();
    assert!(!path.exists());
}

#[test]
fn prepare_is_told_who_is_frozen() {
    let sandbox = sandbox();
    let (path, id) = (sandbox.path().to_owned(), sandbox.id());
    let mut told = None;
    let running = start_gated(sandbox, &shell("exit 0"), |info| {
        told = Some(info.clone());
        ready(info)
    })
    .unwrap();
    let info = told.unwrap();
    assert_eq!((info.cgroup_id, &info.cgroup_path, info.pid), (id, &path, running.pid()));
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    assert_ne!(own.to_str().unwrap(), format!("mnt:[{}]", info.mount_namespace));
}
