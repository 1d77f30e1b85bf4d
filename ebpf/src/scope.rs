//! Which sandbox does a task belong to? By cgroup, descendants included.

use aya_ebpf::{
    macros::map,
    maps::{Array, HashMap},
};
use picket_abi::{Member, SLOT_STARTING, SYSCALL_WORDS, Shelf, Slot, TaskOf, WAYS, shelf};

use crate::kernel::{self, Object};

/// Sandboxes being watched. Key: slot. Value: their settings. Writer: picket. Reader: every probe.
#[map]
static SLOTS: Array<Slot> = Array::with_max_entries(64, 0);

/// Binary logarithm of the places in [`SHELVES`]. Written before the load, like the offsets.
#[unsafe(no_mangle)]
static SHELF_BITS: u32 = 10;

/// Members at the place that their id gives. Key: [`shelf`] for picket's, the next for the kernel programs'. Value: up to two.
/// Writer: picket (what it admits), `cgroup_mkdir` and `cgroup_rmdir` (descendants). Reader: every probe.
#[map]
static SHELVES: Array<Shelf> = Array::with_max_entries(2 << 10, 0);

/// All cgroups that belong to a sandbox. Key: v2 cgroup id. Value: slot and generation.
/// Writer: picket (what it admits), `cgroup_mkdir` (descendants), `cgroup_rmdir`. Reader: probes, where a shelf was full.
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

    /// The sandbox in its epoch: the first word of all that is remembered of it.
    #[inline(always)]
    pub fn era(&self) -> u64 {
        // SAFETY: a word of a live map element. Volatile, so that a caller can read it before what is written before it.
        let epoch = unsafe { core::ptr::read_volatile(&raw const self.settings.epoch) };
        u64::from(self.slot) | u64::from(epoch) << 32
    }

    /// Whether what the sandbox shows is remembered as seen: not while its launcher still acts.
    #[inline(always)]
    pub fn remembers(&self) -> bool {
        self.settings.flags & SLOT_STARTING == 0
    }

    /// The table that says how unexpected its calls are: 0 for none, also while its launcher still acts.
    #[inline(always)]
    pub fn table(&self) -> u32 {
        // SAFETY: a word of a live map element. Volatile: its writer is another CPU, and it must not be read twice.
        let word = unsafe { core::ptr::read_volatile(&raw const self.settings.table) };
        if word == 0 || !self.remembers() { 0 } else { word }
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

/// The sandbox of a cgroup. No helper is called: a look at a hash table costs three times as much as the whole way here.
#[inline(always)]
pub fn of_cgroup(cgroup: u64) -> Option<Scope> {
    let place = place_of(cgroup);
    let (ours, theirs) = (SHELVES.get_ptr(place)?, SHELVES.get_ptr(place | 1)?);
    if let Some(member) = on_shelf(ours, cgroup) {
        return of_slot(member.slot, member.generation);
    }
    // SAFETY: an element of an array map; only the address of a field is formed.
    let all_of_ours_fit = is_zero(unsafe { &raw const (*ours).spilled });
    if all_of_ours_fit {
        if let Some(member) = on_shelf(theirs, cgroup) {
            return of_slot(member.slot, member.generation);
        }
        // SAFETY: as above.
        if is_zero(unsafe { &raw const (*theirs).spilled }) {
            return None;
        }
    }
    // SAFETY: a member that is being removed may be read as another member; the generation check below and the
    // cgroup's own end make that the same as being a moment earlier or later.
    let member = unsafe { MEMBERS.get(cgroup) }?;
    of_slot(member.slot, member.generation)
}

#[inline(always)]
fn place_of(cgroup: u64) -> u32 {
    // SAFETY: a static of this object; volatile so that the value from before the load is not folded in.
    shelf(cgroup, unsafe { core::ptr::read_volatile(&raw const SHELF_BITS) })
}

#[inline(always)]
fn is_zero(word: *const u32) -> bool {
    // SAFETY: callers pass a field of a map element. Volatile: its writer is another CPU.
    unsafe { core::ptr::read_volatile(word) == 0 }
}

/// Whose the cgroup is, if it lies on this shelf.
#[inline(always)]
fn on_shelf(shelf: *const Shelf, cgroup: u64) -> Option<Member> {
    let mut way = 0;
    while way < WAYS {
        let (id, member) = way_of(shelf.cast_mut(), way);
        // SAFETY: a word of a map element. Volatile: its writer is another CPU.
        if unsafe { core::ptr::read_volatile(id) } == cgroup {
            // SAFETY: as above; what is half written has no generation yet, or none any more.
            return Some(unsafe { core::ptr::read_volatile(member) });
        }
        way += 1;
    }
    None
}

/// Where a way has its cgroup and its member.
#[inline(always)]
fn way_of(shelf: *mut Shelf, way: usize) -> (*mut u64, *mut Member) {
    // SAFETY: an element of an array map; only the address of a field is formed.
    let ids = unsafe { (&raw mut (*shelf).cgroups).cast::<u64>() };
    // SAFETY: as above.
    let members = unsafe { (&raw mut (*shelf).members).cast::<Member>() };
    // SAFETY: callers count below WAYS.
    let id = unsafe { ids.add(way) };
    // SAFETY: as above.
    (id, unsafe { members.add(way) })
}

/// The sandbox in a slot, if it is still that one.
#[inline(always)]
pub fn of_slot(slot: u32, generation: u32) -> Option<Scope> {
    let settings = SLOTS.get(slot)?;
    (generation != 0 && settings.generation == generation).then_some(Scope { slot, settings })
}

/// A new cgroup below a watched one is watched too. `Err` when the table is full.
///
/// The kernel makes and removes cgroups one at a time (`cgroup_mutex`), so the second shelf has one writer at a time.
#[inline(always)]
pub fn adopt_cgroup(cgroup: u64, scope: &Scope) -> Result<(), i32> {
    let member = Member { slot: scope.slot, generation: scope.generation() };
    MEMBERS.insert(cgroup, member, 0)?;
    if let Some(shelf) = SHELVES.get_ptr_mut(place_of(cgroup) | 1)
        && !put(shelf, cgroup, member)
    {
        // It stays so when the way is free again: all that it costs is a look at the table.
        // SAFETY: an element of an array map; only the address of a field is formed.
        let spilled = unsafe { &raw mut (*shelf).spilled };
        // SAFETY: as above.
        unsafe { core::ptr::write_volatile(spilled, 1) };
    }
    Ok(())
}

/// False when no way is free.
#[inline(always)]
fn put(shelf: *mut Shelf, cgroup: u64, member: Member) -> bool {
    let mut way = 0;
    while way < WAYS {
        let (id, owner) = way_of(shelf, way);
        // SAFETY: a word of a map element.
        if unsafe { core::ptr::read_volatile(id) } == 0 {
            // The owner first: who finds the cgroup finds him.
            // SAFETY: as above.
            unsafe { core::ptr::write_volatile(owner, member) };
            // SAFETY: as above.
            unsafe { core::ptr::write_volatile(id, cgroup) };
            return true;
        }
        way += 1;
    }
    false
}

/// A cgroup is gone. What picket put on its own shelf it takes from there itself.
#[inline(always)]
pub fn forget_cgroup(cgroup: u64) {
    // Not found is the usual case: most cgroups of a host are not watched.
    let _ = MEMBERS.remove(cgroup);
    let Some(shelf) = SHELVES.get_ptr_mut(place_of(cgroup) | 1) else { return };
    let mut way = 0;
    while way < WAYS {
        let (id, owner) = way_of(shelf, way);
        // SAFETY: a word of a map element.
        if unsafe { core::ptr::read_volatile(id) } == cgroup {
            // SAFETY: as above.
            unsafe { core::ptr::write_volatile(id, 0) };
            // SAFETY: as above.
            unsafe { core::ptr::write_volatile(owner, Member { slot: 0, generation: 0 }) };
        }
        way += 1;
    }
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
