//! A Unix socket is connected or sent to: whose the other end is, and the record if it is not of the sandbox.
//!
//! A socket belongs to the cgroup of the task that made it, which the kernel keeps in the socket itself. One with a file
//! is told by that file, so that a rule for its path can speak of it; one without by its abstract name, or as nameless.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use picket_abi::{Lost, Peer, UNIX_NAME, file_operation, hook, kind, operation, whose};

use crate::{
    bounds,
    count::{self, Done},
    file_operation as files,
    kernel::{Object, offset},
    output::{self, Ring},
    reach::SEEN_REACHES,
    scope::{self, Scope},
};

/// `sun_family`, and the NUL that begins an abstract name.
const BEFORE_NAME: u32 = 3;

/// Counts that the current task uses the socket of somebody (`struct sock`), and reports it if it is not of the same
/// sandbox.
#[inline(always)]
pub fn observe(operation: u16, other: Object) {
    if let Some(scope) = scope::current() {
        count::account(&scope, hook::PEER, || report(&scope, operation, other));
    }
}

/// As [`observe`], for a `struct socket`.
#[inline(always)]
pub fn observe_socket(operation: u16, other: Object) {
    if let Some(scope) = scope::current() {
        count::account(&scope, hook::PEER, || {
            // VERIFIER(6.12): "pointer arithmetic on trusted_ptr_or_null_ prohibited": what a socket leads to may be
            // null to the verifier; a checked copy of the address is just a number.
            report(&scope, operation, other.read_pointer(offset!(socket_sk))?)
        });
    }
}

#[inline(always)]
fn report(scope: &Scope, operation: u16, other: Object) -> Result<Done, Lost> {
    let cgroup = other.read_pointer(offset!(sock_cgroup))?;
    let id: u64 = cgroup.read_pointer(offset!(cgroup_kn))?.read(offset!(kernfs_id))?;
    let whose = match scope::of_cgroup(id) {
        Some(there) if there.slot == scope.slot => return Ok(Done::Filtered),
        Some(_) => whose::SANDBOX,
        None => whose::OUTSIDE,
    };
    let path = Object(other.0.wrapping_add(offset!(unix_path) as usize));
    let dentry = path.read_pointer(offset!(path_dentry))?;
    if !dentry.0.is_null() {
        let as_file = if operation == operation::CONNECT {
            file_operation::CONNECT_UNIX
        } else {
            file_operation::SEND_UNIX
        };
        return files::report_peer(scope, as_file, path);
    }
    let how = u64::from(kind::PEER) << 32 | u64::from(operation);
    let deed = [scope.era(), how, other.untyped()?.address(), 0];
    if SEEN_REACHES.has(&deed) {
        return Ok(Done::Aggregated);
    }
    send(scope, operation, whose, other)?;
    // After the record is in: see `file::report_open`.
    if scope.remembers() {
        SEEN_REACHES.remember(&deed);
    }
    Ok(Done::Submitted)
}

#[inline(always)]
fn send(scope: &Scope, operation: u16, whose: u32, other: Object) -> Result<(), Lost> {
    let address = other.read_pointer(offset!(unix_addr))?;
    let length: u32 =
        if address.0.is_null() { 0 } else { address.read(offset!(unix_address_len))? };
    // 0..=127 after the mask, 0..=112 after the comparison.
    let named = bounds::below::<128>(u64::from(length.saturating_sub(BEFORE_NAME)));
    let named = if (UNIX_NAME as u64) < named { UNIX_NAME as u64 } else { named };
    let header = output::header(scope, hook::PEER, kind::PEER, 0);
    let mut entry = Ring::Verdicts.reserve::<Peer>()?;
    entry.write(Peer { header, whose, operation, name_len: named as u16, name: [0; UNIX_NAME] });
    let record = entry.as_mut_ptr();
    // SAFETY: a field of the reserved slot; only its address is formed.
    let name = unsafe { (&raw mut (*record).name).cast::<u8>() };
    let from = address.0.wrapping_add((offset!(unix_address_name) + BEFORE_NAME) as usize);
    // SAFETY: the helper checks the source; the field has room for any `named`. What cannot be read stays zero.
    unsafe { bpf_probe_read_kernel(name.cast(), named as u32, from.cast()) };
    entry.submit(0);
    Ok(())
}
