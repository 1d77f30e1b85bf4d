//! Layouts shared by Picket's kernel programs and its user space.
//!
//! Integers and byte arrays only: no enum, bool, reference or implicit padding crosses the boundary,
//! so that every bit pattern is a value that the decoder can look at and refuse. A change of any layout here bumps
//! [`ABI_VERSION`], the size assertion beside it and the changelog.
#![no_std]
#![forbid(unsafe_code)]

mod config;
mod count;
mod deed;
mod offsets;
mod record;
mod refusal;
pub mod surprise;
mod traffic;

pub use config::{
    MAX_NET_RULES, Member, NetRule, RULE_BANKS, SLOT_EXECUTABLE_MEMORY, SLOT_REFUSE_LISTEN,
    SLOT_REFUSE_NETWORK, SLOT_STARTING, SYSCALL_WORDS, SYSCALLS, Shelf, Slot, TaskOf, WAYS,
    rule_operation, shelf,
};
pub use count::{Counts, HOOKS, Lost, SlotCounts, hook};
pub use deed::{Memory, Namespaces, Socket, memory_use, new_namespace, socket_class};
pub use offsets::{ABSENT, Offsets};
pub use record::{
    ARGV_MAX, Calls, Destination, Exec, ExecLong, ExecShort, Exit, File, FileLong, FileShort, Fork,
    GIVEN_MAX, Header, Left, PATH_LONG, PATH_PAD, PATH_SHORT, PathTail, Peer, Reach, Syscall,
    UNIX_NAME, abi_of_call, departure, file_operation, flag, kind, operation, path_state, reach,
    whose,
};
pub use refusal::{NAME_MAX, Refusal};
pub use traffic::Traffic;

/// Version of every layout in this crate; the first field of each record.
pub const ABI_VERSION: u16 = 5;
