//! What the program answers, computed as the kernel computes it.

use picket_engine::DANGER;
use proptest::prelude::*;

use super::*;

const X86_64: u32 = 0xc000_003e;
const SECRET: Pass = Pass(0x0123_4567_89ab_cdef);
const NOTHING: CallFilter =
    CallFilter { calls: SyscallSet::EMPTY, foreign_abi: false, any_socket: false };

/// A call as a filter sees it.
#[derive(Clone, Copy, Debug)]
struct Call {
    number: u32,
    architecture: u32,
    arguments: [u64; 6],
}

fn native(number: i64) -> Call {
    with(number, [0; 6])
}

fn with(number: i64, arguments: [u64; 6]) -> Call {
    Call { number: u32::try_from(number).unwrap(), architecture: X86_64, arguments }
}

impl Call {
    /// `struct seccomp_data`.
    fn bytes(self) -> Vec<u8> {
        let mut bytes = [self.number.to_le_bytes(), self.architecture.to_le_bytes()].concat();
        bytes.extend([0; 8]);
        bytes.extend(self.arguments.iter().flat_map(|argument| argument.to_le_bytes()));
        bytes
    }
}

/// Whether a call is let through; anything else must be a notification.
fn allows(program: &[sock_filter], call: Call) -> bool {
    let data = call.bytes();
    let (mut at, mut value) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = program[at].clone();
        at += 1;
        let mut jump = |holds: bool| at += usize::from(if holds { jt } else { jf });
        match code {
            LOAD => {
                let place = usize::try_from(k).unwrap();
                value = u32::from_le_bytes(data[place..place + 4].try_into().unwrap());
            }
            0x54 => value &= k,
            0x05 => at += usize::try_from(k).unwrap(),
            JUMP_IF_EQUAL => jump(value == k),
            0x25 => jump(k < value),
            0x35 => jump(k <= value),
            JUMP_IF_SET => jump(value & k != 0),
            RETURN if k == libc::SECCOMP_RET_ALLOW => return true,
            RETURN => {
                assert_eq!(k, libc::SECCOMP_RET_USER_NOTIF, "refused without a word");
                return false;
            }
            other => panic!("instruction {other:#x}"),
        }
    }
}

fn of(filter: &CallFilter) -> BpfProgram {
    program(filter, SECRET).unwrap()
}

fn calls(numbers: &[i64]) -> SyscallSet {
    let numbers: Vec<u32> = numbers.iter().map(|&number| u32::try_from(number).unwrap()).collect();
    SyscallSet::of(&numbers)
}

#[test]
fn exactly_the_declared_native_calls_are_let_through() {
    let declared = calls(&[libc::SYS_read, libc::SYS_getpid, 462]);
    let program = of(&CallFilter { calls: declared, ..NOTHING });
    for number in 0..2_000 {
        assert_eq!(allows(&program, native(i64::from(number))), declared.contains(number));
    }
}

#[test]
fn f1_calls_of_the_danger_set_are_let_through_in_no_table_unless_declared() {
    let foreign = CallFilter { foreign_abi: true, ..NOTHING };
    for (filter, ordinary) in [(NOTHING, false), (foreign, true)] {
        let program = of(&filter);
        for number in 0..1_100 {
            let ia32 = Call { number, architecture: I386, arguments: [0; 6] };
            let x32 = Call { number: number | X32_BIT, architecture: X86_64, arguments: [0; 6] };
            let fine = |abi, number| ordinary && !is_dangerous(number, abi);
            assert_eq!(allows(&program, ia32), fine(SyscallAbi::Ia32, number), "{ia32:?}");
            assert_eq!(allows(&program, x32), fine(SyscallAbi::X32, number | X32_BIT), "{x32:?}");
        }
        assert!(DANGER.numbers().all(|number| !allows(&program, native(number.into()))));
    }
}

#[test]
fn f2_x32_is_not_a_way_round_the_declared_numbers() {
    let program = of(&CallFilter { calls: calls(&[libc::SYS_read]), ..NOTHING });
    assert!(allows(&program, native(libc::SYS_read)));
    assert!(!allows(&program, native(libc::SYS_read | i64::from(X32_BIT))));
}

#[test]
fn only_the_launcher_gets_past_with_calls_that_are_not_declared() {
    let program = of(&NOTHING);
    for call in Pass::CALLS {
        for (last, allowed) in [(SECRET.0, true), (0, false), (SECRET.0 ^ 1 << 63, false)] {
            let call = with(call, [1, 2, 3, 4, 5, last]);
            assert_eq!(allows(&program, call), allowed, "{call:?}");
        }
    }
    assert!(!allows(&program, with(libc::SYS_ptrace, [SECRET.0; 6])));
}

#[test]
fn a_filter_of_the_plugins_own_would_hide_attempts_so_it_takes_seccomp_declared() {
    let own = |high: u64| with(libc::SYS_prctl, [high << 32 | 22, 2, 0, 0, 0, 0]);
    let declared = calls(&[libc::SYS_prctl]);
    let program = of(&CallFilter { calls: declared, ..NOTHING });
    assert!(allows(&program, with(libc::SYS_prctl, [15, 1, 0, 0, 0, 0])));
    // The kernel takes the lower half, so the upper must not make a difference.
    assert!(!allows(&program, own(0)) && !allows(&program, own(7)));
    let both = calls(&[libc::SYS_prctl, libc::SYS_seccomp]);
    assert!(allows(&of(&CallFilter { calls: both, ..NOTHING }), own(0)));
}

#[test]
fn d9_to_d12_sockets_that_no_hook_follows_take_socket_declared_by_name() {
    let named = CallFilter { calls: calls(&[libc::SYS_socket]), any_socket: true, ..NOTHING };
    let grouped = CallFilter { any_socket: false, ..named };
    let (named, grouped) = (of(&named), of(&grouped));
    let flags = 0o2_004_000; // SOCK_CLOEXEC | SOCK_NONBLOCK
    let followed = [
        (1, 1, 0),
        (1, 5, 0),
        (2, 1, 0),
        (2, 1, 6),
        (2, 1, 262),
        (2, 2, 17),
        (10, 1, 6),
        (10, 2, 0),
        (16, 3, 0),
    ];
    let others = [
        (2, 3, 1),
        (2, 2, 1),
        (2, 1, 132),
        (2, 5, 132),
        (10, 3, 58),
        (16, 3, 9),
        (16, 2, 15),
        (17, 3, 0),
        (40, 1, 0),
        (38, 5, 0),
        (31, 3, 1),
        (2, 10, 0),
        (0, 0, 0),
    ];
    let cases = followed.map(|it| (it, true)).into_iter().chain(others.map(|it| (it, false)));
    for ((family, kind, protocol), allowed) in cases {
        let call = with(libc::SYS_socket, [family, kind | flags, protocol, 0, 0, 0]);
        assert_eq!(allows(&grouped, call), allowed, "{family} {kind} {protocol}");
        assert!(allows(&named, call));
        // Upper halves say nothing to the kernel.
        let call = with(libc::SYS_socket, [family | 2 << 32, kind, protocol | 6 << 32, 0, 0, 0]);
        assert_eq!(allows(&grouped, call), allowed, "{family} {kind} {protocol}, upper halves");
    }
}

#[test]
fn everything_declared_is_still_a_program_that_the_kernel_takes() {
    let all = SyscallSet::from_words([u64::MAX; 8]);
    let program = of(&CallFilter { calls: all, foreign_abi: true, any_socket: false });
    assert!(program.len() <= 4_096, "{}", program.len());
}

proptest! {
    #[test]
    fn whatever_is_declared_no_call_is_refused_without_a_word(
        words: [u64; 8], foreign_abi: bool, any_socket: bool, number in 0..2_048_u32,
        architecture in prop_oneof![Just(X86_64), Just(I386), Just(0x4000_0028_u32)],
        arguments: [u64; 6],
    ) {
        let calls = SyscallSet::from_words(words);
        let program = of(&CallFilter { calls, foreign_abi, any_socket });
        let allowed = allows(&program, Call { number, architecture, arguments });
        let declared = match architecture {
            X86_64 => calls.contains(number),
            _ => foreign_abi,
        };
        prop_assert!(!allowed || declared);
    }
}
