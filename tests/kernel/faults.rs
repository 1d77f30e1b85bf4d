//! The self-test can fail: type information that lies about one field makes Picket refuse to run.
//!
//! The verifier compares types, so a wrong offset that meets another field of the same type passes it. Each fault here
//! swaps the places of two fields in a copy of the kernel's type information, and shows Picket that copy.

use std::fs;
use std::path::Path;

use picket::probe::btf::KERNEL_BTF;
use picket_tests::picket;
use serde_json::{Value, json};

use super::actor::Actor;
use super::place::Place;
use super::raw;

/// Runs a plugin that does nothing, with this type information in the place of the kernel's: exit code and words.
fn run_with(type_information: &[u8]) -> (i64, String) {
    let place = Place::new();
    let manifest = place.join("manifest.yaml");
    let text = "version: 1\nplugin: { name: nothing, version: 1.0.0 }\nexec:\n  - path: /bin/sh\n";
    fs::write(&manifest, text).unwrap();
    let copy = place.join("btf");
    fs::write(&copy, type_information).unwrap();
    let mut actor = Actor::start(|| {
        raw::own_mounts().unwrap();
        raw::bind_mount(&copy, Path::new(KERNEL_BTF)).unwrap();
        let mut command = picket();
        command.arg("exec").arg("--manifest").arg(&manifest).args(["--", "/bin/sh", "-c", ":"]);
        let output = command.output().unwrap();
        json!([output.status.code(), String::from_utf8_lossy(&output.stderr)])
    });
    let told: Value = actor.act();
    (told[0].as_i64().unwrap(), told[1].as_str().unwrap().to_owned())
}

#[test]
fn a_faithful_copy_of_the_type_information_is_as_good_as_the_kernels() {
    let (code, words) = run_with(&fs::read(KERNEL_BTF).unwrap());
    assert_eq!(code, 0, "{words}");
}

#[test]
fn a_field_that_is_not_where_it_is_said_to_be_is_found_before_anything_starts() {
    const PICKET_FAILED: i64 = 125;
    let faults = [
        ("task_struct", "tgid", "exit_code"),
        ("task_struct", "tgid", "pid"),
        ("task_struct", "start_boottime", "utime"),
        ("task_struct", "exit_code", "exit_signal"),
        ("signal_struct", "live", "sigcnt"),
        ("inode", "i_ino", "i_size"),
        ("super_block", "s_dev", "s_time_gran"),
        ("dentry", "d_parent", "d_inode"),
        ("file", "f_mode", "f_flags"),
        ("kernfs_node", "id", "priv"),
        ("", "arg_start", "env_start"),
    ];
    let sound = fs::read(KERNEL_BTF).unwrap();
    let mut unseen = Vec::new();
    for (structure, one, other) in faults {
        let mut lie = sound.clone();
        assert_eq!(swap(&mut lie, structure, one, other), 1, "{structure} with {one} and {other}");
        let (code, words) = run_with(&lie);
        // Where the lie changes a type the verifier finds it; the self-test finds the others.
        let found = words.contains("self-test") || words.contains("the kernel refuses the program");
        if code != PICKET_FAILED || !found {
            unseen.push(format!("{one} for {other}: exit code {code}, {words}"));
        }
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
}

/// Swaps the places of two members in every structure of that name that has both; how many there are.
fn swap(btf: &mut [u8], structure: &str, one: &str, other: &str) -> usize {
    const STRUCTURE: usize = 4;
    let word = |btf: &[u8], at: usize| u32::from_le_bytes(btf[at..at + 4].try_into().unwrap());
    let size = |btf: &[u8], at| usize::try_from(word(btf, at)).unwrap();
    let header = size(btf, 4);
    let (types, strings) = (header + size(btf, 8), header + size(btf, 16));
    let end = types + size(btf, 12);
    let mut n_swapped = 0;
    let mut at = types;
    while at < end {
        let info = size(btf, at + 4);
        let (kind, count) = (info >> 24 & 0x1f, info & 0xffff);
        let details = at + 12;
        let is_named = |at: usize, name: &str| {
            let text = &btf[strings + size(btf, at)..];
            text.starts_with(name.as_bytes()) && text[name.len()] == 0
        };
        if kind == STRUCTURE && is_named(at, structure) {
            let member = |name: &str| {
                (0..count).map(|index| details + 12 * index).find(|&at| is_named(at, name))
            };
            if let (Some(one), Some(other)) = (member(one), member(other)) {
                let (one, other) = (one + 8, other + 8);
                let kept = word(btf, one).to_le_bytes();
                btf.copy_within(other..other + 4, one);
                btf[other..other + 4].copy_from_slice(&kept);
                n_swapped += 1;
            }
        }
        // Bytes that follow a type, by its kind.
        at = details
            + match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                4 | 5 | 15 | 19 => 12 * count,
                6 | 13 => 8 * count,
                _ => 0,
            };
    }
    n_swapped
}
