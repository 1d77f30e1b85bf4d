//! Picket's kernel programs: one hook a file, thin entries, every failure counted.
//!
//! A hook asks `scope` whether the acting task belongs to a watched sandbox, `count`s the firing, looks whether this
//! sandbox has shown the same before in this epoch, and only if not hands a record to `output`.
//! Offsets of kernel fields are constants that user space resolved from the running kernel's BTF before the load.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch, core_intrinsics)]
#![expect(
    internal_features,
    reason = "the bpf target has no atomic read-modify-write in core::sync"
)]

mod arguments;
mod bounds;
mod count;
mod deed;
mod file;
mod file_operation;
mod hooks;
mod kernel;
mod network;
mod output;
mod path;
mod peer;
mod reach;
mod scope;
mod seen;
mod sequence;
mod traffic;
mod uring;

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// A panic must be a load failure: the verifier refuses an endless loop.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
