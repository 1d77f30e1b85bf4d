//! What the kernel allows, asked without any of Picket's code: the other opinion in a comparison.
#![expect(unsafe_code, reason = "bpf(2) has no safe wrapper in std")]

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::Command;

use super::offsets::bpftool;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const BPF_PROG_TYPE_LSM: u32 = 29;
const BPF_LSM_MAC: u32 = 27;

/// `r0 = 0; exit`.
const DO_NOTHING: [u64; 2] = [0xb7, 0x95];

/// Whether an LSM program that does nothing can be loaded and attached, and `bpf` is among the security modules that
/// the kernel asks. Without the latter the program attaches and is never run.
pub(crate) fn lsm_programs_run() -> bool {
    let attached =
        load_lsm_program(type_id("bpf_lsm_file_open")).and_then(|program| attach(&program));
    if attached.is_err() {
        return false;
    }
    const MODULES: &str = "/sys/kernel/security/lsm";
    let modules = fs::read_to_string(MODULES).unwrap_or_else(|error| {
        panic!("{MODULES}: {error}; mount it: mount -t securityfs securityfs /sys/kernel/security")
    });
    modules.trim().split(',').any(|module| module == "bpf")
}

/// The number of a function in the kernel's type information, from `bpftool`.
fn type_id(function: &str) -> u32 {
    let output = Command::new(bpftool())
        .args(["btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "raw"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let wanted = format!("] FUNC '{function}' ");
    let line = text.lines().find(|line| line.contains(&wanted)).unwrap();
    line[1..].split(']').next().unwrap().parse().unwrap()
}

fn load_lsm_program(attach_to: u32) -> io::Result<OwnedFd> {
    let mut attributes = Attributes([0; 128]);
    attributes.set(0, BPF_PROG_TYPE_LSM.to_ne_bytes());
    attributes.set(4, 2_u32.to_ne_bytes());
    attributes.set(8, (DO_NOTHING.as_ptr() as u64).to_ne_bytes());
    attributes.set(16, (c"GPL".as_ptr() as u64).to_ne_bytes());
    attributes.set(68, BPF_LSM_MAC.to_ne_bytes());
    attributes.set(108, attach_to.to_ne_bytes());
    attributes.give_to(BPF_PROG_LOAD)
}

fn attach(program: &OwnedFd) -> io::Result<OwnedFd> {
    let mut attributes = Attributes([0; 128]);
    attributes.set(8, program.as_raw_fd().to_ne_bytes());
    attributes.give_to(BPF_RAW_TRACEPOINT_OPEN)
}

/// `union bpf_attr`; what is not set is zero.
#[repr(C, align(8))]
struct Attributes([u8; 128]);

impl Attributes {
    fn set<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        self.0[at..at + N].copy_from_slice(&bytes);
    }

    fn give_to(&self, command: libc::c_int) -> io::Result<OwnedFd> {
        let size = size_of_val(&self.0);
        // SAFETY: attributes of that size; the addresses in them are of constants.
        let made = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_ptr(), size) };
        let Ok(descriptor @ 0..) = RawFd::try_from(made) else {
            return Err(io::Error::last_os_error());
        };
        // SAFETY: the kernel has just made it for us.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }
}
