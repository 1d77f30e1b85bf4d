//! Reads kernel structures at offsets that are constants by the time the verifier looks.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::{
    bpf_probe_read_kernel,
    generated::{self, bpf_get_current_task_btf, bpf_task_pt_regs},
};
use picket_abi::{Lost, Offsets};

/// Filled from the running kernel's BTF before the load; frozen then, so that each offset is a constant to the verifier.
#[unsafe(no_mangle)]
pub static OFFSETS: Offsets = Offsets::UNRESOLVED;

/// One offset. A volatile read of the single field: reading the whole structure would cost a load per field.
macro_rules! offset {
    ($field:ident) => {{
        // SAFETY: a static of this object; volatile so that the value from before the load is not folded in.
        unsafe { core::ptr::read_volatile(&raw const crate::kernel::OFFSETS.$field) }
    }};
}
pub(crate) use offset;

/// The address of a kernel object: typed for the verifier if it came from a hook's arguments and [`Object::follow`],
/// a plain number otherwise.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Object(pub *const u8);

impl Object {
    /// The task that runs this program.
    #[inline(always)]
    pub fn current_task() -> Self {
        // SAFETY: no arguments; the kernel returns a trusted pointer to the current task.
        Self(unsafe { bpf_get_current_task_btf() }.cast_const().cast())
    }

    /// A direct load, type-checked by the verifier: a wrong offset refuses the load of the program.
    ///
    /// Only for objects that came from a hook's arguments, [`Self::current_task`] or [`Self::follow`].
    #[inline(always)]
    pub fn load<T: Copy>(self, offset: u32) -> T {
        // SAFETY: the verifier proves that a field of this size lies at this offset of the object's type, and turns
        // the load into one that survives a stale pointer.
        unsafe { core::ptr::read_volatile(self.0.add(offset as usize).cast::<T>()) }
    }

    /// Follows a pointer field by a direct load; keeps the verifier's type.
    #[inline(always)]
    pub fn follow(self, offset: u32) -> Self {
        Self(self.load(offset))
    }

    /// A checked copy out of kernel memory: for addresses whose type the verifier does not know.
    #[inline(always)]
    pub fn read<T: Copy>(self, offset: u32) -> Result<T, Lost> {
        // SAFETY: the helper checks the address and reports a fault instead of taking it.
        unsafe { bpf_probe_read_kernel(self.0.wrapping_add(offset as usize).cast::<T>()) }
            .map_err(|_| Lost::ReadFailed)
    }

    /// Follows a pointer field by a checked copy; the result has no type.
    #[inline(always)]
    pub fn read_pointer(self, offset: u32) -> Result<Self, Lost> {
        self.read::<*const u8>(offset).map(Self)
    }

    /// The same address as just a number, for those that a hook was handed: the verifier lets nobody calculate with a pointer
    /// whose type it knows.
    ///
    /// VERIFIER(6.1): "math between ptr_ pointer and … is not allowed" in the sum that finds a deed's place.
    #[inline(always)]
    pub fn untyped(self) -> Result<Self, Lost> {
        // SAFETY: eight bytes of our own stack; what is copied has no type.
        unsafe { bpf_probe_read_kernel(&raw const self.0) }.map(Self).map_err(|_| Lost::ReadFailed)
    }

    /// The object's address, to be compared or stored as a key.
    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0 as u64
    }
}

/// A checked copy of some words of a structure, for fields that are looked at together: the helper's call costs more than
/// the bytes.
pub struct Window<const WORDS: usize> {
    object: Object,
    start: u32,
    words: MaybeUninit<[u64; WORDS]>,
}

impl<const WORDS: usize> Window<WORDS> {
    /// On the words of the object from `start` on. Closed: it shows nothing before it is opened.
    #[inline(always)]
    pub fn on(object: Object, start: u32) -> Self {
        Self { object, start: start & !7, words: MaybeUninit::uninit() }
    }

    /// Copies the words, in place: as a function's result they would be copied once more, on the stack.
    #[inline(always)]
    pub fn open(&mut self) -> Result<(), Lost> {
        let (to, size) = (self.words.as_mut_ptr(), size_of::<[u64; WORDS]>() as u32);
        let from = self.object.0.wrapping_add(self.start as usize);
        // SAFETY: room for the size; the helper checks the address and reports a fault instead of taking it.
        let failed = unsafe { generated::bpf_probe_read_kernel(to.cast(), size, from.cast()) };
        if failed == 0 { Ok(()) } else { Err(Lost::ReadFailed) }
    }

    /// A field: from the copy, or by itself where this kernel has it elsewhere. Offsets are constants by the time the verifier
    /// looks, so it drops one of the two ways.
    #[inline(always)]
    pub fn field<T: Copy>(&self, offset: u32) -> Result<T, Lost> {
        let within = offset.wrapping_sub(self.start) as usize;
        if size_of::<[u64; WORDS]>() - size_of::<T>() < within {
            return self.object.read(offset);
        }
        // SAFETY: inside the words, as was just compared.
        let field = unsafe { self.words.as_ptr().cast::<u8>().add(within) };
        // SAFETY: as above. Volatile, so that the copy is made and stays where it can be indexed.
        Ok(unsafe { core::ptr::read_volatile(field.cast::<T>()) })
    }

    #[inline(always)]
    pub fn pointer(&self, offset: u32) -> Result<Object, Lost> {
        self.field::<*const u8>(offset).map(Object)
    }
}

/// v2 id of the cgroup a task is in.
#[inline(always)]
pub fn cgroup_of(task: Object) -> u64 {
    let cgroup = task.follow(offset!(task_cgroups)).follow(offset!(css_set_dfl_cgrp));
    id_of_cgroup(cgroup)
}

/// Id of a cgroup: the inode number of its directory.
#[inline(always)]
pub fn id_of_cgroup(cgroup: Object) -> u64 {
    cgroup.follow(offset!(cgroup_kn)).load(offset!(kernfs_id))
}

/// Number of the system call that the current task is in. Without a meaning while it is in none.
#[inline(always)]
pub fn current_call() -> u64 {
    // SAFETY: the current task, as the helper wants it; the registers of its entry are always there.
    let registers = unsafe { bpf_task_pt_regs(bpf_get_current_task_btf()) };
    Object(registers as *const u8).load(offset!(regs_orig_ax))
}
