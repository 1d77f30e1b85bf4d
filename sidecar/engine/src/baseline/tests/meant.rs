//! What templates say, taken apart again.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::reduced::after_start;
use super::*;
use crate::testing::*;
use crate::*;

#[track_caller]
fn check(family: Family, template: &str, expected: Meaning<'_>) {
    assert_eq!(meaning(family, template), Some(expected), "{template}");
}

#[test]
fn each_template_says_what_was_done() {
    let exec = |script, program| Meaning::Exec { script, program };
    check(Family::Exec, "/bin/cat", exec(None, "/bin/cat"));
    check(Family::Exec, "/a by /b by /bin/sh", exec(Some("/a by /b"), "/bin/sh"));
    let file = |done, path| Meaning::File { done, path };
    check(Family::Path, "read+write /a b/*.c", file("read+write", "/a b/*.c"));
    check(Family::Directory, "unlink /", file("unlink", "/"));
    let call = |number, abi| Meaning::Call { number, abi };
    check(Family::Syscall, "257", call(257, SyscallAbi::Native));
    check(Family::Syscall, "ia32 11", call(11, SyscallAbi::Ia32));
    let refused = Meaning::RefusedCall { number: 165, abi: SyscallAbi::Native };
    check(Family::Errno, "syscall 165 refused", refused);
    check(Family::Errno, "connect refused", Meaning::Other);
    check(Family::Deed, "socket netlink", Meaning::Socket(SocketClass::Netlink));
    check(Family::Deed, "memory mapped", Meaning::Memory);
    check(Family::Deed, "entered", Meaning::Other);
}

#[test]
fn what_was_cut_or_has_no_known_path_says_nothing() {
    let long = format!("/{}", "é".repeat(400));
    let run = after_start(Vec::from([read(&long)]));
    let (template, _) = run.of(Family::Path).next().unwrap();
    assert_eq!(meaning(Family::Path, template), None);
    for (family, template) in [
        (Family::Path, "read ?no_name"),
        (Family::Exec, "?no_name"),
        (Family::Exec, "/a by ?no_name"),
        (Family::Syscall, "x"),
        (Family::Destination, "connect here tcp 1"),
        (Family::Destination, "connect 10.0.0.0/24 tcp 1 2"),
        (Family::Context, "1 2 3 4"),
    ] {
        assert_eq!(meaning(family, template), None, "{template}");
    }
}

proptest! {
    #[test]
    fn a_destination_is_in_the_network_that_its_template_says(
        address in prop_oneof![
            any::<u32>().prop_map(|bits| IpAddr::from(Ipv4Addr::from(bits))),
            any::<u128>().prop_map(|bits| IpAddr::from(Ipv6Addr::from(bits))),
        ],
        port: u16,
        protocol: u8,
        operation in prop::sample::select(NetworkOperation::ALL),
    ) {
        let fact = Fact::Network { operation, protocol, address, port, refused: false };
        let run = after_start(Vec::from([fact]));
        let template = run.of(Family::Destination).next().unwrap().0.to_string();
        let Some(Meaning::Destination(meant)) = meaning(Family::Destination, &template) else {
            return Err(TestCaseError::fail(template));
        };
        prop_assert!(meant.network.contains(&address.to_canonical()), "{}", template);
        prop_assert_eq!((meant.operation, meant.protocol), (operation, protocol));
        prop_assert!(meant.port.is_none_or(|meant| meant == port), "{}", template);
    }

    #[test]
    fn no_text_makes_reading_a_template_panic(
        family in prop::sample::select(Family::ALL), text: String,
    ) {
        drop(meaning(family, &text).map(|meant| format!("{meant:?}")));
    }
}
