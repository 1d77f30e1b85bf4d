//! Layouts shared by Picket's kernel programs and its user space.
//!
//! Integers and byte arrays only: no enum, bool, reference or implicit padding crosses the boundary,
//! so that every bit pattern is a value that the decoder can look at and refuse. A change of any layout here bumps
//! [`ABI_VERSION`], the size assertion beside it and the changelog.
#![no_std]
#![forbid(unsafe_code)]

mod config;
mod count;
mod offsets;
mod record;
pub mod surprise;

pub use config::{
    DestinationKey, FileKey, MAX_NET_RULES, Member, NetRule, RULE_BANKS, SLOT_REFUSE_LISTEN,
    SLOT_REFUSE_NETWORK, SLOT_STARTING, SYSCALL_WORDS, SYSCALLS, Slot, TaskOf, rule_operation,
};
pub use count::{Counts, HOOKS, Lost, counts_index, hook};
pub use offsets::{ABSENT, Offsets};
pub use record::{
    ARGV_MAX, Destination, Exec, ExecLong, ExecShort, Exit, File, FileLong, FileShort, Fork,
    GIVEN_MAX, Header, Left, PATH_LONG, PATH_PAD, PATH_SHORT, PathTail, Syscall, abi_of_call,
    departure, flag, kind, operation, path_state,
};

/// Version of every layout in this crate; the first field of each record.
pub const ABI_VERSION: u16 = 1;
