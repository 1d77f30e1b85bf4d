//! A kernel that refuses: what Picket and the doctor say of it, cause and way out, and that nothing was started.

use std::process::Command;

use picket_tests::{picket, picket_program};

use super::plugin::Plugin;

const OBJECT: &[u8] = include_bytes!("../../ebpf/picket.bpf.o");

/// Both say this, and neither starts anything. `wrapped` puts the command in its surroundings.
#[track_caller]
fn check(words: &[&str], wrapped: impl Fn(&[&str]) -> Command) {
    let plugin = Plugin::new();
    let manifest = plugin.write("manifest.yaml", plugin.manifest());
    let manifest = manifest.to_str().unwrap();
    let output = wrapped(&["exec", "-m", manifest, "--", "sh", "-c", "exit 0"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("Nothing was started."), "{said}");
    let output = wrapped(&["doctor"]).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{told}");
    // It breaks its lines where they end.
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
        assert!(told.contains(word), "no {word:?} in {told}");
    }
}

#[test]
fn a_kernel_without_type_information_is_told_what_to_build_it_with() {
    check(&["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"], |arguments| {
        let mut command = Command::new("unshare");
        let hide = "mount -t tmpfs none /sys/kernel/btf && exec \"$@\"";
        command.args(["--mount", "--propagation", "private", "sh", "-c", hide, "sh"]);
        command.arg(picket_program()).args(arguments);
        command
    });
}

#[test]
fn a_kernel_without_a_hook_is_told_which_and_what_to_boot() {
    const NAME: &[u8] = b"\0btf_trace_sched_process_exit\0";
    const TYPES: &str = "/sys/kernel/btf/vmlinux";
    let mut types = std::fs::read(TYPES).unwrap();
    let at = types.windows(NAME.len()).position(|text| text == NAME).unwrap();
    types[at + 1] = b'x';
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("types");
    std::fs::write(&copy, types).unwrap();
    check(&["this kernel has no btf_trace_sched_process_exit", "boot Linux 6.1"], |arguments| {
        let mut command = Command::new("unshare");
        let cover = format!("mount --bind \"$0\" {TYPES} && exec \"$@\"");
        command.args(["--mount", "--propagation", "private", "sh", "-c", &cover]).arg(&copy);
        command.arg(picket_program()).args(arguments);
        command
    });
}

#[test]
fn a_program_that_the_verifier_refuses_is_named_with_the_verifiers_own_words() {
    /// `call bpf_get_current_task_btf`, and a call of a function that no kernel has.
    const CALL: [u8; 8] = [0x85, 0, 0, 0, 0x9e, 0, 0, 0];
    const NONE: [u8; 8] = [0x85, 0, 0, 0, 0xff, 0xff, 0xff, 0];
    let mut object = OBJECT.to_vec();
    let places = object.windows(CALL.len()).enumerate();
    let places: Vec<usize> = places.filter(|(_, at)| *at == CALL).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        object[at..at + NONE.len()].copy_from_slice(&NONE);
    }
    let place = tempfile::tempdir().unwrap();
    let broken = place.path().join("broken.o");
    std::fs::write(&broken, object).unwrap();
    check(&["the kernel refuses the program", "invalid func"], |arguments| {
        let mut command = picket();
        command.env("PICKET_BPF_OBJECT", &broken).args(arguments);
        command
    });
}

#[test]
fn without_bpffs_or_with_one_that_is_read_only_picket_works() {
    for options in ["ro", "rw"] {
        let plugin = Plugin::new();
        let manifest = plugin.write("manifest.yaml", plugin.manifest());
        let mut command = Command::new("unshare");
        let cover = "if [ \"$0\" = ro ]; then mount -t bpf -o ro none /sys/fs/bpf; else \
                     mount -t tmpfs none /sys/fs/bpf; fi && exec \"$@\"";
        command.args(["--mount", "--propagation", "private", "sh", "-c", cover, options]);
        command.arg(picket_program()).arg("exec").arg("-m").arg(manifest);
        command.args(["--output", "json", "--report-to"]).arg(plugin.path("reports"));
        command.current_dir(plugin.directory()).args(["--", "sh", "-c", "exit 4"]);
        plugin.run_command(command).assert_honest(4);
    }
}
