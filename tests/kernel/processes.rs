//! Programs, children and ends of processes are reported, each once.

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use picket_engine::Unresolved;
use serde_json::json;

use super::harness::watched;
use super::place::Place;
use super::programs;
use super::raw;
use super::seen::{Executed, at};

fn executed(path: &Path, arguments: &[&str]) -> Executed {
    let canonical = fs::canonicalize(path).unwrap();
    Executed {
        links: u32::try_from(fs::metadata(&canonical).unwrap().nlink()).unwrap(),
        path: at(canonical),
        script: None,
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        complete: true,
    }
}

#[test]
fn c1_a_program_is_reported_by_its_canonical_path_with_its_arguments() {
    let seen = watched().act(|| {
        let status = Command::new("/bin/sh").args(["-c", ":", "a b", ""]).status().unwrap();
        assert!(status.success());
    });
    assert_eq!(seen.execs(), [executed(Path::new("/bin/sh"), &["/bin/sh", "-c", ":", "a b", ""])]);
}

#[test]
fn a_program_run_again_is_reported_again() {
    let seen = watched().act(|| {
        for _ in 0..3 {
            Command::new("/bin/sh").args(["-c", ":"]).status().unwrap();
        }
    });
    assert_eq!(seen.execs().len(), 3);
}

#[test]
fn a_program_that_cannot_be_run_is_no_exec() {
    let place = Place::new();
    let seen = watched().act(|| drop(Command::new(place.join("absent")).status().unwrap_err()));
    assert_eq!(seen.execs(), []);
}

#[test]
fn f13_arguments_that_do_not_fit_are_kept_in_part_and_said_to_be_incomplete() {
    let long = "x".repeat(300);
    // "/bin/sh", "-c", ":" and the long one, each with its NUL: 10 bytes and what is left of 256.
    for (length, complete) in [(242, true), (243, false), (300, false)] {
        let seen = watched().act(|| {
            Command::new("/bin/sh").args(["-c", ":", &long[..length]]).status().unwrap();
        });
        let exec = seen.execs().remove(0);
        assert_eq!(exec.complete, complete, "{length} bytes");
        assert_eq!(
            exec.arguments.join(" ").len(),
            if complete { 255 } else { 256 },
            "{length} bytes"
        );
    }
}

#[test]
fn c3_a_script_is_told_by_its_text_and_its_interpreter_by_its_path() {
    let place = Place::new();
    let script = place.join("script");
    let seen = watched().act(|| {
        programs::install(&script, b"#!/bin/sh -e\nexit 3\n");
        assert_eq!(Command::new(&script).arg("one").status().unwrap().code(), Some(3));
    });
    let text = script.to_str().unwrap();
    let shell = executed(Path::new("/bin/sh"), &["/bin/sh", "-e", text, "one"]);
    assert_eq!(seen.execs(), [Executed { script: Some(script.clone()), ..shell }]);
}

#[test]
fn c2_a_program_in_memory_has_no_path_and_no_links() {
    let seen = watched().act(|| {
        let mut memory = fs::File::from(raw::memfd().unwrap());
        memory.write_all(&programs::wide()).unwrap();
        let reader = fs::File::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).unwrap();
        drop(memory);
        let path = format!("/proc/self/fd/{}", reader.as_raw_fd());
        assert_eq!(Command::new(path).status().unwrap().into_raw(), 0);
    });
    let exec = seen.execs().remove(0);
    assert_eq!((exec.path, exec.links), (Err(Unresolved::NoName), 0));
}

#[test]
fn c6_every_way_to_make_a_process_is_reported() {
    const VFORK: u64 = 0x4000;
    let (told, seen) = watched().tell(|| {
        let children = [0, VFORK].map(|flags| raw::clone_process(flags, None).unwrap());
        let mut spawned = Command::new("/bin/sh").args(["-c", ":"]).spawn().unwrap();
        let spawned_id = spawned.id();
        spawned.wait().unwrap();
        json!([std::process::id(), children[0], children[1], spawned_id])
    });
    let [parent, children @ ..]: [u32; 4] = serde_json::from_value(told).unwrap();
    let forks: Vec<_> =
        seen.forks().iter().map(|(who, process, thread)| (who.tgid, *process, *thread)).collect();
    assert_eq!(forks, children.map(|child| (parent, child, child)));
    assert_eq!(seen.exits(), children.map(|child| (child, 0)));
}

#[test]
fn a_thread_is_a_child_of_its_own_process_and_its_end_is_none_of_the_process() {
    let (told, seen) = watched().tell(|| {
        std::thread::spawn(|| {}).join().unwrap();
        json!(std::process::id())
    });
    let own = told.as_u64().unwrap();
    let forks = seen.forks();
    let [(_, process, thread)] = forks.as_slice() else { panic!("one thread, not {forks:?}") };
    assert_eq!(u64::from(*process), own);
    assert_ne!(process, thread);
    assert_eq!(seen.exits(), []);
}

#[test]
fn the_end_of_a_process_is_reported_with_its_code_or_signal() {
    for (script, status) in [("exit 7", 7 << 8), ("exit 0", 0), ("kill -9 $$", 9)] {
        let seen = watched().act(|| {
            Command::new("/bin/sh").args(["-c", script]).status().unwrap();
        });
        let codes: Vec<i32> = seen.exits().iter().map(|(_, code)| *code).collect();
        assert_eq!(codes, [status], "{script}");
    }
}
