use alloc::vec::Vec;

use proptest::prelude::*;

use super::{DANGER, LAUNCHER, SyscallAbi, SyscallSet, is_dangerous};

#[test]
fn number_n_is_bit_n_modulo_64_of_word_n_by_64() {
    let set = SyscallSet::of(&[0, 63, 64, 511]);
    assert_eq!(set.words(), [1 | 1 << 63, 1, 0, 0, 0, 0, 0, 1 << 63]);
    assert_eq!(SyscallSet::from_words(set.words()), set);
}

#[test]
fn numbers_from_512_on_are_in_no_set() {
    let mut set = SyscallSet::from_words([u64::MAX; 8]);
    assert!(set.contains(511) && !set.contains(512) && !set.contains(u32::MAX));
    assert!(!set.insert(512));
    assert_eq!(set.numbers().count(), 512);
}

#[test]
fn the_danger_set_has_all_of_its_calls() {
    assert_eq!(DANGER.numbers().count(), 45);
    let reading_writing_and_starting = [0, 1, 2, 56, 59, 257];
    assert!(reading_writing_and_starting.iter().all(|number| !DANGER.contains(*number)));
}

#[test]
fn the_launcher_may_do_nothing_dangerous() {
    assert!(LAUNCHER.numbers().all(|number| !DANGER.contains(number)));
}

#[test]
fn one_dangerous_call_is_dangerous_in_every_abi() {
    // ptrace, mount, bpf, kexec_load: (native, ia32, x32)
    let cases = [(101, 26, 521), (165, 21, 165), (321, 357, 321), (246, 283, 528)];
    for (native, ia32, x32) in cases {
        assert!(is_dangerous(native, SyscallAbi::Native));
        assert!(is_dangerous(ia32, SyscallAbi::Ia32));
        assert!(is_dangerous(x32, SyscallAbi::X32));
        assert!(is_dangerous(x32 | 1 << 30, SyscallAbi::X32));
    }
    // read is harmless everywhere.
    assert!(!is_dangerous(0, SyscallAbi::Native));
    assert!(!is_dangerous(3, SyscallAbi::Ia32));
    assert!(!is_dangerous(1 << 30, SyscallAbi::X32));
}

proptest! {
    #[test]
    fn a_set_holds_what_was_put_in_and_nothing_else(numbers: Vec<u16>, probe in 0_u32..1024) {
        let numbers: Vec<u32> = numbers.into_iter().map(u32::from).collect();
        let put_in = probe < SyscallSet::LIMIT && numbers.contains(&probe);
        prop_assert_eq!(SyscallSet::of(&numbers).contains(probe), put_in);
    }
}
