//! System calls as numbers: which table they count in, which are declared, which are dangerous.
//!
//! Numbers are those of x86-64. Another architecture needs its own tables, not other logic.

mod arguments;

pub use arguments::Arguments;

closed_enum! {
    /// The table a system call number counts in.
    pub enum SyscallAbi {
        /// x86-64.
        Native = "native",
        /// 32-bit calls (`int 0x80`), with numbers of their own.
        Ia32 = "ia32",
        /// 32-bit pointers in 64-bit mode: native numbers with bit 30 set, and a few above 511.
        X32 = "x32",
    }
}

/// A set of system call numbers below [`SyscallSet::LIMIT`], laid out as the kernel side tests it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyscallSet([u64; 8]);

impl SyscallSet {
    /// No number at all.
    pub const EMPTY: Self = Self([0; 8]);
    /// Numbers from here on are in no set.
    pub const LIMIT: u32 = 512;

    /// The set of exactly these numbers; those beyond [`SyscallSet::LIMIT`] are left out.
    pub const fn of(numbers: &[u32]) -> Self {
        let mut set = Self::EMPTY;
        let mut rest = numbers;
        while let [number, others @ ..] = rest {
            set.insert(*number);
            rest = others;
        }
        set
    }

    /// The set whose words are these.
    pub const fn from_words(words: [u64; 8]) -> Self {
        Self(words)
    }

    /// `false`, and no change, when the number is beyond [`SyscallSet::LIMIT`].
    pub const fn insert(&mut self, number: u32) -> bool {
        if number >= Self::LIMIT {
            return false;
        }
        let (word, bit) = Self::place(number);
        // A slice pattern would hide the arithmetic; `place` keeps the index below 8.
        #[expect(clippy::indexing_slicing, reason = "number < 512, so the word is below 8")]
        {
            self.0[word] |= bit;
        }
        true
    }

    /// Whether the number is in the set.
    pub const fn contains(&self, number: u32) -> bool {
        if number >= Self::LIMIT {
            return false;
        }
        let (word, bit) = Self::place(number);
        #[expect(clippy::indexing_slicing, reason = "number < 512, so the word is below 8")]
        let word = self.0[word];
        word & bit != 0
    }

    /// Number `n` is bit `n % 64` of word `n / 64`.
    pub const fn words(&self) -> [u64; 8] {
        self.0
    }

    /// The numbers in ascending order.
    pub fn numbers(&self) -> impl Iterator<Item = u32> {
        let set = *self;
        (0..Self::LIMIT).filter(move |number| set.contains(*number))
    }

    const fn place(number: u32) -> (usize, u64) {
        ((number / 64) as usize, 1 << (number % 64))
    }
}

/// Calls that reach into other processes, the kernel or the host. Denied unless declared by name:
/// no group of a manifest may contain them.
pub const DANGER: SyscallSet = SyscallSet::of(&[
    101, 310, 311, 440,
    438, // ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd
    321, 298, 323, // bpf perf_event_open userfaultfd
    425, 426, 427, // io_uring_setup io_uring_enter io_uring_register
    175, 313, 176, 246,
    320, // init_module finit_module delete_module kexec_load kexec_file_load
    165, 166, 429, 428, 430, 431,
    432, // mount umount2 move_mount open_tree fsopen fsconfig fsmount
    433, 442, 155, 161, 308, 272, // fspick mount_setattr pivot_root chroot setns unshare
    250, 248, 249, 304, // keyctl add_key request_key open_by_handle_at
    167, 168, 169, 163, 179, // swapon swapoff reboot acct quotactl
    164, 227, 159, // settimeofday clock_settime adjtimex
    172, 173, 135, 212, // iopl ioperm personality lookup_dcookie
]);

/// `unshare`: whoever may call it may have namespaces, by `clone` and `clone3` as well.
pub const CLONE_FLAGS_DECLARED_BY: u32 = 272;

/// The same calls in the numbers of 32-bit code, with the older spellings that it still has.
const DANGER_IA32: SyscallSet = SyscallSet::of(&[
    26, 347, 348, 440,
    438, // ptrace process_vm_readv process_vm_writev process_madvise pidfd_getfd
    357, 336, 374, // bpf perf_event_open userfaultfd
    425, 426, 427, // io_uring_setup io_uring_enter io_uring_register
    128, 350, 129, 283, // init_module finit_module delete_module kexec_load
    21, 22, 52, 429, 428, 430, 431,
    432, // mount umount umount2 move_mount open_tree fsopen …
    433, 442, 217, 61, 346, 310, // fspick mount_setattr pivot_root chroot setns unshare
    288, 286, 287, 342, // keyctl add_key request_key open_by_handle_at
    87, 115, 88, 51, 131, // swapon swapoff reboot acct quotactl
    25, 79, 264, 404, 124, // stime settimeofday clock_settime clock_settime64 adjtimex
    110, 101, 136, 253, // iopl ioperm personality lookup_dcookie
]);

/// What the launcher may call between the gate and the entry point's `execve`, and nothing else:
/// write close rt_sigreturn execve exit restart_syscall exit_group execveat.
pub const LAUNCHER: SyscallSet = SyscallSet::of(&[1, 3, 15, 59, 60, 219, 231, 322]);

/// Whether the call is of the danger set, in whichever table its number counts.
pub const fn is_dangerous(number: u32, abi: SyscallAbi) -> bool {
    const X32_BIT: u32 = 1 << 30;
    match abi {
        SyscallAbi::Native => DANGER.contains(number),
        SyscallAbi::Ia32 => DANGER_IA32.contains(number),
        SyscallAbi::X32 => {
            let number = number & !X32_BIT;
            // ptrace kexec_load process_vm_readv process_vm_writev have numbers of their own.
            DANGER.contains(number) || matches!(number, 521 | 528 | 539 | 540)
        }
    }
}

#[cfg(test)]
mod tests;
