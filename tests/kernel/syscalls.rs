//! A system call is reported once, a dangerous one each time, whichever way it enters the kernel.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use picket_engine::{Policy, SyscallAbi, SyscallSet};

use super::harness::{eye, nothing_declared, watched};
use super::place::Place;
use super::programs;
use super::raw;

/// `ptrace` with a request that nothing understands.
fn ptrace() {
    raw::call(libc::SYS_ptrace, 0xdead, 0).unwrap_err();
}

#[test]
fn a_call_is_reported_once_and_counted_from_then_on() {
    let seen = watched().act(|| {
        for _ in 0..100 {
            raw::call(libc::SYS_getppid, 0, 0).unwrap();
        }
    });
    assert_eq!(seen.times(libc::SYS_getppid), 1);
    assert!(99 <= seen.counts["syscall"].aggregated);
}

#[test]
fn a_declared_call_is_reported_once_too() {
    let number = u32::try_from(libc::SYS_getppid).unwrap();
    let policy = Policy { syscalls: SyscallSet::of(&[number]), ..nothing_declared() };
    let seen = eye().watch(&policy).act(|| {
        raw::call(libc::SYS_getppid, 0, 0).unwrap();
        raw::call(libc::SYS_getppid, 0, 0).unwrap();
    });
    assert_eq!(seen.times(libc::SYS_getppid), 1);
}

#[test]
fn an_undeclared_call_of_the_danger_set_is_reported_each_time() {
    let seen = watched().act(|| (0..5).for_each(|_| ptrace()));
    assert_eq!(seen.times(libc::SYS_ptrace), 5);
}

#[test]
fn a_declared_call_of_the_danger_set_is_a_call_like_others() {
    let number = u32::try_from(libc::SYS_ptrace).unwrap();
    let policy = Policy { syscalls: SyscallSet::of(&[number]), ..nothing_declared() };
    let seen = eye().watch(&policy).act(|| (0..5).for_each(|_| ptrace()));
    assert_eq!(seen.times(libc::SYS_ptrace), 1);
}

#[test]
fn numbers_beyond_the_table_are_reported_each_time() {
    let seen = watched().act(|| {
        for number in [511, 512, 513, 100_000] {
            raw::call(number, 0, 0).unwrap_err();
            raw::call(number, 0, 0).unwrap_err();
        }
    });
    let times = [511, 512, 513, 100_000].map(|number| seen.times(number));
    assert_eq!(times, [1, 2, 2, 2]);
}

#[test]
fn f2_an_x32_call_is_told_apart_even_where_the_kernel_has_none() {
    const X32_BIT: libc::c_long = 0x4000_0000;
    let seen = watched().act(|| {
        // A kernel without x32 answers ENOSYS, after we have seen it.
        drop(raw::call(X32_BIT | libc::SYS_getpid, 0, 0));
    });
    let x32: Vec<_> =
        seen.syscalls().into_iter().filter(|(abi, _)| *abi == SyscallAbi::X32).collect();
    assert_eq!(x32, [(SyscallAbi::X32, u32::try_from(X32_BIT | libc::SYS_getpid).unwrap())]);
}

#[test]
fn f1_a_32_bit_call_is_told_apart_from_the_native_one_of_its_number() {
    const GETPID: u32 = 20;
    const EXIT: u32 = 1;
    let ia32 = |number| (SyscallAbi::Ia32, number);
    let cases = [
        (programs::wide(), vec![ia32(GETPID)]),
        (programs::narrow(), vec![ia32(GETPID), ia32(EXIT)]),
    ];
    for (program, expected) in cases {
        let place = Place::new();
        let path = place.join("program");
        let seen = watched().act(|| {
            programs::install(&path, &program);
            let status = Command::new(&path).status().unwrap();
            assert_eq!(
                status.into_raw(),
                0,
                "does this kernel have 32-bit calls (IA32_EMULATION)?"
            );
        });
        let mut calls = seen.syscalls();
        calls.retain(|(abi, _)| *abi == SyscallAbi::Ia32);
        assert_eq!(calls, expected);
    }
}
