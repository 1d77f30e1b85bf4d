//! Code that no file on disk vouches for, and files that are mapped to be run.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use picket_engine::{AccessSet, Fact, FileRule, MemoryUse, Pattern, Policy, Unresolved};

use super::harness::{eye, nothing_declared, watched};
use super::place::Place;
use super::raw::{self, ANONYMOUS};
use super::seen::{Seen, at};

const READ: i32 = libc::PROT_READ;
const WRITE: i32 = libc::PROT_WRITE;
const EXEC: i32 = libc::PROT_EXEC;
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

impl Seen {
    fn memory(&self) -> Vec<MemoryUse> {
        self.facts(|record| match record.fact {
            Fact::Memory { how } => Some(how),
            _ => None,
        })
    }

    /// Path and links of each file that was mapped for execution.
    fn mapped(&self) -> Vec<(Result<PathBuf, Unresolved>, u32)> {
        self.facts(|record| match &record.fact {
            Fact::Mapped { path, links, .. } => Some((super::seen::shown(path), *links)),
            _ => None,
        })
    }

    fn maps(&self, path: &Path) -> bool {
        self.mapped().iter().any(|(mapped, _)| *mapped == at(path))
    }
}

/// These files may be opened so, and nothing else.
fn files(path: &Path, access: AccessSet) -> Policy {
    let path = Pattern::parse(path.to_str().unwrap()).unwrap();
    Policy { files: vec![FileRule { path, access, until: None }], ..nothing_declared() }
}

#[test]
fn c5_memory_that_is_mapped_for_execution_is_a_danger() {
    let seen = watched().act(|| {
        raw::map(READ | WRITE | EXEC, ANONYMOUS).unwrap();
    });
    assert_eq!(seen.memory(), [MemoryUse::Mapped]);
    seen.assert_found(&nothing_declared(), "danger executable_memory");
}

#[test]
fn c5_memory_that_is_written_first_and_made_executable_then_is_a_danger() {
    for protect in [raw::protect, raw::protect_by_key] {
        let seen = watched().act(|| {
            let page = raw::map(READ | WRITE, ANONYMOUS).unwrap();
            protect(page, READ | EXEC).unwrap();
        });
        assert_eq!(seen.memory(), [MemoryUse::Changed]);
        seen.assert_found(&nothing_declared(), "danger executable_memory");
    }
}

#[test]
fn c5_a_harmless_change_does_not_hide_the_one_that_follows_and_repeats_are_counted() {
    let seen = watched().act(|| {
        let page = raw::map(READ | WRITE, ANONYMOUS).unwrap();
        raw::protect(page, READ).unwrap();
        (0..5).for_each(|_| raw::protect(page, READ | EXEC).unwrap());
    });
    assert_eq!(seen.times(libc::SYS_mprotect), 1);
    assert_eq!(seen.memory(), [MemoryUse::Changed]);
    assert_eq!(seen.counts["memory"].aggregated, 4);
}

#[test]
fn c5_a_file_that_is_mapped_writable_and_executable_is_memory_of_ones_own() {
    let seen = watched().act(|| {
        let zero = File::open("/dev/zero").unwrap();
        raw::map(READ | WRITE | EXEC, zero.as_raw_fd()).unwrap();
    });
    assert_eq!(seen.memory(), [MemoryUse::Mapped]);
}

#[test]
fn c5_shared_memory_that_is_attached_for_execution_is_a_danger() {
    const SHM_EXEC: u64 = 0o100_000;
    let seen = watched().act(|| {
        let segment = raw::call_with(libc::SYS_shmget, [0, 4096, 0o700, 0, 0, 0]).unwrap();
        let segment = segment.cast_unsigned();
        raw::call_with(libc::SYS_shmat, [segment, 0, SHM_EXEC, 0, 0, 0]).unwrap();
        let remove = u64::from(libc::IPC_RMID.cast_unsigned());
        raw::call_with(libc::SYS_shmctl, [segment, remove, 0, 0, 0, 0]).unwrap();
    });
    seen.assert_found(&nothing_declared(), "danger executable_memory");
}

#[test]
fn c5_declared_executable_memory_is_reported_once_and_no_finding() {
    let policy = Policy { executable_memory: true, ..nothing_declared() };
    let seen = eye().watch(&policy).act(|| {
        raw::map(READ | EXEC, ANONYMOUS).unwrap();
        raw::map(READ | EXEC, ANONYMOUS).unwrap();
    });
    assert_eq!(seen.memory(), [MemoryUse::Mapped]);
    seen.assert_no(&policy, "executable_memory");
}

#[test]
fn memory_that_cannot_run_is_no_deed() {
    let seen = watched().act(|| {
        let page = raw::map(READ | WRITE, ANONYMOUS).unwrap();
        raw::protect(page, READ).unwrap();
    });
    assert_eq!(seen.memory(), []);
    assert_eq!(seen.counts["memory"].fired, 0);
}

#[test]
fn c4_a_program_that_the_loader_runs_shows_as_the_file_it_maps() {
    let place = Place::new();
    let program = place.join("program");
    fs::copy("/bin/true", &program).unwrap();
    // Without a right to be executed: only the loader can run it.
    Command::new("chmod").arg("0644").arg(&program).status().unwrap();
    let seen = watched().act(|| {
        Command::new(LOADER).arg(&program).status().unwrap();
    });
    assert!(seen.maps(&program), "{:?}", seen.mapped());
    let readable = files(&program, AccessSet::READ);
    seen.assert_no(&readable, "writable_code");
    // What the plugin may write to is no library.
    let writable = files(&program, AccessSet::READ | AccessSet::WRITE);
    seen.assert_found(&writable, "exec writable_code");
}

#[test]
fn c4_a_library_that_nobody_declared_is_a_finding_of_its_own() {
    let place = Place::new();
    let library = place.join("library");
    fs::copy("/bin/true", &library).unwrap();
    let seen = watched().act(|| {
        let library = File::open(&library).unwrap();
        raw::map(READ | EXEC, library.as_raw_fd()).unwrap();
        raw::map(READ | EXEC, library.as_raw_fd()).unwrap();
    });
    assert_eq!(seen.mapped(), [(at(&library), 1)]);
    assert_eq!(seen.counts["memory"].aggregated, 1);
    seen.assert_found(&nothing_declared(), "exec undeclared_exec");
}

#[test]
fn c4_code_of_a_memfd_or_of_an_unlinked_file_is_fileless() {
    let memory = watched().act(|| {
        let file = File::from(raw::memfd().unwrap());
        file.set_len(4096).unwrap();
        raw::map(READ | EXEC, file.as_raw_fd()).unwrap();
    });
    assert_eq!(memory.mapped(), [(Err(Unresolved::NoName), 0)]);
    memory.assert_found(&nothing_declared(), "exec fileless");
    let place = Place::new();
    let path = place.join("gone");
    fs::copy("/bin/true", &path).unwrap();
    let unlinked = watched().act(|| {
        let file = File::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        raw::map(READ | EXEC, file.as_raw_fd()).unwrap();
    });
    assert_eq!(unlinked.mapped(), [(Err(Unresolved::NoName), 0)]);
    unlinked.assert_found(&files(&path, AccessSet::READ), "exec fileless");
}

#[test]
fn what_the_kernel_maps_within_an_exec_is_reported_by_the_exec() {
    let place = Place::new();
    let program = place.join("program");
    super::programs::install(&program, &super::programs::wide());
    let seen = watched().act(|| {
        Command::new(&program).status().unwrap();
    });
    assert_eq!(seen.execs()[0].path, at(&program));
    assert!(!seen.maps(&program), "{:?}", seen.mapped());
}

#[test]
fn a_file_that_is_mapped_for_reading_is_no_code() {
    let seen = watched().act(|| {
        let file = File::open("/bin/true").unwrap();
        raw::map(READ, file.as_raw_fd()).unwrap();
    });
    assert_eq!(seen.mapped(), []);
}
