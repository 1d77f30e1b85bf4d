//! Which sandbox does a task belong to? By cgroup, descendants included.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap},
};
use picket_abi::{Member, SLOT_STARTING, SYSCALL_WORDS, Slot, TaskOf};

use crate::kernel::{self, Object};

/// Sandboxes being watched. Key: slot. Value: their settings. Writer: picket. Reader: every probe.
#[map]
static SLOTS: Array<Slot> = Array::with_max_entries(64, 0);

/// Cgroups that belong to a sandbox. Key: v2 cgroup id. Value: slot and generation.
/// Writer: picket (top cgroups), `cgroup_mkdir` (descendants), `cgroup_rmdir`. Reader: every probe.
#[map]
static MEMBERS: HashMap<u64, Member> = HashMap::with_max_entries(1024, 0);

/// Tasks by the sandbox they were last seen in. Key: thread id, initial pid namespace. Value: slot, generation, start.
/// Writer: fork, attach and exit. Reader: the same: it tells a departure when the task has already left.
#[map]
static TASKS: HashMap<u32, TaskOf> = HashMap::with_max_entries(16_384, 0);

/// System calls shown in this epoch. Key: slot. Value: bit set like `Slot::declared`.
/// Writer: `sys_enter`; picket clears it when the epoch is raised. Reader: `sys_enter`.
#[map]
static SEEN_SYSCALLS: Array<[u64; SYSCALL_WORDS]> = Array::with_max_entries(64, 0);

/// A live sandbox and its settings.
#[derive(Clone, Copy)]
pub struct Scope {
    pub slot: u32,
    pub settings: &'static Slot,
}

impl Scope {
    pub fn generation(&self) -> u32 {
        self.settings.generation
    }

    /// Whether what the sandbox shows is remembered as seen: not while its launcher still acts.
    #[inline(always)]
    pub fn remembers(&self) -> bool {
        self.settings.flags & SLOT_STARTING == 0
    }

    pub fn is(&self, task: TaskOf) -> bool {
        self.slot == task.slot && self.generation() == task.generation
    }

    /// The word of shown system calls that holds bit `word * 64`.
    #[inline(always)]
    pub fn seen_syscalls(&self, word: usize) -> Option<*mut u64> {
        let words = SEEN_SYSCALLS.get_ptr_mut(self.slot)?.cast::<u64>();
        // SAFETY: `word` is below SYSCALL_WORDS (callers mask it), so the pointer stays inside the element.
        Some(unsafe { words.add(word) })
    }
}

/// The sandbox of the task that runs this program.
#[inline(always)]
pub fn current() -> Option<Scope> {
    of_task(Object::current_task())
}

/// The sandbox of a task.
#[inline(always)]
pub fn of_task(task: Object) -> Option<Scope> {
    of_cgroup(kernel::cgroup_of(task))
}

/// The sandbox of a cgroup.
#[inline(always)]
pub fn of_cgroup(cgroup: u64) -> Option<Scope> {
    // SAFETY: a member that is being removed may be read as another member; the generation check below and the
    // cgroup's own end make that the same as being a moment earlier or later.
    let member = unsafe { MEMBERS.get(cgroup) }?;
    of_slot(member.slot, member.generation)
}

/// The sandbox in a slot, if it is still that one.
#[inline(always)]
pub fn of_slot(slot: u32, generation: u32) -> Option<Scope> {
    let settings = SLOTS.get(slot)?;
    (generation != 0 && settings.generation == generation).then_some(Scope { slot, settings })
}

/// A new cgroup below a watched one is watched too. `Err` when the table is full.
#[inline(always)]
pub fn adopt_cgroup(cgroup: u64, scope: &Scope) -> Result<(), i32> {
    let member = Member { slot: scope.slot, generation: scope.generation() };
    MEMBERS.insert(cgroup, member, 0)
}

/// A cgroup is gone.
#[inline(always)]
pub fn forget_cgroup(cgroup: u64) {
    // Not found is the usual case: most cgroups of a host are not watched.
    let _ = MEMBERS.remove(cgroup);
}

/// Where a task was seen last.
#[inline(always)]
pub fn last_of(tid: u32, start_time: u64) -> Option<TaskOf> {
    // SAFETY: an entry that is removed meanwhile fails the comparison of start times.
    let last = unsafe { TASKS.get(tid) }?;
    (last.start_time == start_time).then_some(*last)
}

/// Remembers where a task is. `Err` when the table is full.
#[inline(always)]
pub fn remember_task(tid: u32, start_time: u64, scope: &Scope) -> Result<(), i32> {
    TASKS.insert(tid, TaskOf { slot: scope.slot, generation: scope.generation(), start_time }, 0)
}

/// A task has ended or left.
#[inline(always)]
pub fn forget_task(tid: u32) {
    // Not found is fine: the task was never in a sandbox.
    let _ = TASKS.remove(tid);
}
