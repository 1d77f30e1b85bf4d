//! The floor: an empty program at the entry of system calls, of which nothing but the kernel's own way to it remains.
//!
//! It differs from machine to machine by more than all that a program can do there (25 ns on one, 150 on another whose processor
//! needs slow returns against speculation), so no added time says anything without it.
#![expect(
    unsafe_code,
    reason = "bpf(2) for a program of two instructions; the loader wants an object file"
)]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `BPF_PROG_LOAD` and `BPF_RAW_TRACEPOINT_OPEN`.
const LOAD: libc::c_long = 5;
const OPEN: libc::c_long = 17;
/// `BPF_PROG_TYPE_RAW_TRACEPOINT`
const RAW_TRACEPOINT: u32 = 17;
/// `r0 = 0`, `exit`.
const NOTHING: [u64; 2] = [0xb7, 0x95];
const LICENSE: &CStr = c"GPL";
const NAME: &CStr = c"sys_enter";

/// The program, attached until this is dropped.
pub(crate) struct Floor {
    _link: OwnedFd,
}

/// The beginning of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
struct ProgramAttributes {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
}

/// The same for `BPF_RAW_TRACEPOINT_OPEN`.
#[repr(C)]
struct LinkAttributes {
    name: u64,
    program: u32,
    reserved: u32,
}

impl Floor {
    pub(crate) fn attach() -> io::Result<Self> {
        let program = bpf(
            LOAD,
            &ProgramAttributes {
                kind: RAW_TRACEPOINT,
                instructions: 2,
                code: NOTHING.as_ptr() as u64,
                license: LICENSE.as_ptr() as u64,
            },
        )?;
        let link = bpf(
            OPEN,
            &LinkAttributes {
                name: NAME.as_ptr() as u64,
                program: program.as_raw_fd().cast_unsigned(),
                reserved: 0,
            },
        )?;
        Ok(Self { _link: link })
    }
}

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<OwnedFd> {
    let at = &raw const *attributes;
    // SAFETY: the attributes and all that they point at outlive the call, which makes a descriptor or fails.
    let made = unsafe { libc::syscall(libc::SYS_bpf, command, at, size_of::<T>()) };
    match i32::try_from(made) {
        // SAFETY: the kernel has just made it for us.
        Ok(made) if 0 <= made => Ok(unsafe { OwnedFd::from_raw_fd(made) }),
        _ => Err(io::Error::last_os_error()),
    }
}
