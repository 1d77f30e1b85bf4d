use proptest::prelude::*;
use zerocopy::IntoBytes;

use super::*;

fn header(kind: u16) -> Header {
    Header {
        abi: ABI_VERSION,
        kind,
        hook: 0,
        flags: 0,
        slot: 3,
        generation: 7,
        time: 1_000,
        start_time: 500,
        tgid: 40,
        tid: 41,
        cpu: 1,
        sequence: 9,
    }
}

fn open_record(path: &[u8], area: usize) -> Vec<u8> {
    file_record(kind::OPEN, 0, path, area)
}

fn file_record(kind: u16, operation: u32, path: &[u8], area: usize) -> Vec<u8> {
    let start = area - PATH_PAD - path.len();
    let file = File {
        inode: 12,
        device: 8 << 20 | 1,
        access: 3,
        links: 1,
        mode: 0o100_644,
        path_state: path_state::RESOLVED,
        path_start: u16::try_from(start).unwrap(),
        operation,
    };
    let mut bytes = header(kind).as_bytes().to_vec();
    bytes.extend_from_slice(file.as_bytes());
    let mut tail = vec![0xee; area];
    tail[start..start + path.len()].copy_from_slice(path);
    bytes.extend_from_slice(&tail);
    bytes
}

fn message(bytes: &[u8]) -> String {
    record(bytes).unwrap_err().to_string()
}

#[test]
fn a_sample_from_another_abi_is_refused_and_says_which() {
    insta::assert_snapshot!(message(&[0xff; 64]), @"probes speak ABI 65535, this sidecar speaks 5");
}

#[test]
fn a_record_of_an_unknown_kind_is_refused_and_says_which() {
    insta::assert_snapshot!(message(header(99).as_bytes()), @"unknown record kind 99");
}

#[test]
fn a_cut_record_says_what_it_lacks() {
    insta::assert_snapshot!(message(header(kind::SYSCALL).as_bytes()), @"a record of 48 bytes is too short for its kind 1");
}

#[test]
fn a_path_outside_its_area_is_refused() {
    let mut bytes = open_record(b"/etc/hosts", picket_abi::PATH_SHORT + PATH_PAD);
    let path_start_at = size_of::<Header>() + 26;
    bytes[path_start_at..path_start_at + 2].copy_from_slice(&600_u16.to_ne_bytes());
    insta::assert_snapshot!(message(&bytes), @"a record of kind 2 has the impossible path_start 600");
}

#[test]
fn short_and_long_records_of_an_open_say_the_same() {
    let short = record(&open_record(b"/etc/hosts", picket_abi::PATH_SHORT + PATH_PAD)).unwrap();
    let long = record(&open_record(b"/etc/hosts", picket_abi::PATH_LONG + PATH_PAD)).unwrap();
    assert_eq!(short, long);
    let Fact::Open { path, file, access, .. } = short.fact else { panic!("an open") };
    assert_eq!(path, ObservedPath::Resolved(b"/etc/hosts".to_vec()));
    assert_eq!(file, FileId { device: 8 << 20 | 1, inode: 12 });
    assert_eq!(access, AccessSet::READ.union(AccessSet::WRITE));
}

#[test]
fn a_mapped_address_is_the_ipv4_address_it_maps() {
    let record_bytes = Destination {
        header: header(kind::DESTINATION),
        address: zerocopy::transmute!(std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets()),
        port: 80,
        protocol: 262,
        socket_type: 1,
        operation: operation::CONNECT,
    };
    let Fact::Network { address, protocol, port, .. } =
        record(record_bytes.as_bytes()).unwrap().fact
    else {
        panic!("a network fact")
    };
    assert_eq!((address, protocol, port), (IpAddr::from([127, 0, 0, 1]), 6, 80));
}

proptest! {
    #[test]
    fn no_bytes_make_decoding_panic_or_read_past_their_end(bytes: Vec<u8>) {
        prop_assert!(record(&bytes).is_err() || size_of::<Header>() <= bytes.len());
    }

    #[test]
    fn no_body_behind_a_valid_header_makes_decoding_panic(
        kind in 0_u16..40,
        flags: u16,
        body in proptest::collection::vec(any::<u8>(), 0..5_000),
    ) {
        let mut bytes = Header { flags, ..header(kind) }.as_bytes().to_vec();
        bytes.extend_from_slice(&body);
        if let Ok(decoded) = record(&bytes) {
            prop_assert_eq!(decoded.sandbox, SandboxId { slot: 3, generation: 7 });
        }
    }
}

#[test]
fn a_record_is_booked_to_whom_it_names_even_if_the_rest_makes_no_sense() {
    let sandbox = SandboxId { slot: 3, generation: 7 };
    let nonsense = header(99);
    assert_eq!(origin(nonsense.as_bytes()), Some(Origin { sandbox, hook: 0 }));
    let nobodys = [
        Header { hook: u16::try_from(HOOKS).unwrap(), ..nonsense },
        Header { abi: ABI_VERSION + 1, ..nonsense },
    ];
    assert_eq!(nobodys.map(|header| origin(header.as_bytes())), [None; 2]);
    assert_eq!(origin(&nonsense.as_bytes()[1..]), None);
}

const SHORT: usize = picket_abi::PATH_SHORT + PATH_PAD;

#[test]
fn what_was_done_with_a_file_is_told_with_its_name_and_an_unknown_deed_is_refused() {
    const KIND: u16 = kind::FILE_OPERATION;
    let renamed = file_record(KIND, picket_abi::file_operation::RENAME_TO, b"/etc/hosts", SHORT);
    let Fact::FileOperation { operation, path, file, .. } = record(&renamed).unwrap().fact else {
        panic!("an operation")
    };
    assert_eq!(operation, picket_engine::FileOperation::RenameTo);
    assert_eq!(path, ObservedPath::Resolved(b"/etc/hosts".to_vec()));
    assert_eq!(file.inode, 12);
    let unknown = file_record(KIND, 99, b"/etc/hosts", SHORT);
    insta::assert_snapshot!(message(&unknown), @"a record of kind 20 has the impossible operation 99");
}

#[test]
fn what_a_thread_called_is_told_in_sums_and_half_of_them_are_refused() {
    let header = header(kind::CALLS);
    let sums = picket_abi::Calls { header, calls: 9, level_sum: 40, novel: 2, table: 5 };
    let expected = Fact::Calls { calls: 9, level_sum: 40, novel: 2, table: 5 };
    assert_eq!(record(sums.as_bytes()).unwrap().fact, expected);
    insta::assert_snapshot!(message(&sums.as_bytes()[..60]), @"a record of 60 bytes is too short for its kind 36");
}

#[test]
fn whose_process_or_socket_it_was_is_told_and_nobodys_is_refused() {
    let reach =
        picket_abi::Reach { header: header(kind::REACH), how: 1, whose: 3, tgid: 7, number: 9 };
    let expected = Fact::Reach {
        how: picket_engine::Reach::Signal,
        whose: picket_engine::Whose::Picket,
        process: 7,
        number: 9,
    };
    assert_eq!(record(reach.as_bytes()).unwrap().fact, expected);
    let nobodys = picket_abi::Reach { whose: 0, ..reach };
    insta::assert_snapshot!(message(nobodys.as_bytes()), @"a record of kind 21 has the impossible owner 0");

    let mut name = [0; picket_abi::UNIX_NAME];
    name[..3].copy_from_slice(b"bus");
    let header = header(kind::PEER);
    let peer = picket_abi::Peer { header, whose: 1, operation: 1, name_len: 3, name };
    let expected = Fact::Peer {
        operation: NetworkOperation::Connect,
        whose: picket_engine::Whose::Outside,
        name: b"bus".to_vec(),
    };
    assert_eq!(record(peer.as_bytes()).unwrap().fact, expected);
    let long = picket_abi::Peer { name_len: 113, ..peer };
    insta::assert_snapshot!(message(long.as_bytes()), @"a record of kind 22 has the impossible name_len 113");
}
