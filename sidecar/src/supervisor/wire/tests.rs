use super::*;

fn instructions() -> Instructions {
    Instructions {
        program: c"/bin/true".into(),
        arguments: vec![c"true".into(), c"".into(), CString::new(vec![b'x'; 70_000]).unwrap()],
        environment: vec![c"A=\xff".into()],
        working_directory: c"/".into(),
        sandbox: c"/sys/fs/cgroup/picket/a.1".into(),
        numbers: vec![0, 1, 2, 9],
        capabilities: CapabilitySet::from_bits(1 << 10),
        confinement: Confinement::Standard,
        wall: Some(vec![(c"/usr/lib".to_owned(), Ways::READ), (c"/tmp".to_owned(), Ways::WRITE)]),
        orphan: Duration::from_millis(1_500),
    }
}

fn strict() -> Instructions {
    let calls = SyscallSet::of(&[0, 63, 64, 511]);
    let filter = CallFilter { calls, foreign_abi: false, any_socket: true };
    Instructions { confinement: Confinement::Strict(filter), ..instructions() }
}

#[test]
fn instructions_arrive_as_they_were_sent() {
    assert_eq!(Instructions::decode(&instructions().encode()), Ok(instructions()));
    assert_eq!(Instructions::decode(&strict().encode()), Ok(strict()));
}

#[test]
fn instructions_cut_short_anywhere_or_followed_by_more_are_refused() {
    let mut shorter = strict();
    shorter.arguments.truncate(2);
    let bytes = shorter.encode();
    for length in 0..bytes.len() {
        assert_eq!(Instructions::decode(&bytes[..length]), Err(Malformed), "{length} bytes");
    }
    assert_eq!(Instructions::decode(&[&bytes[..], b"x"].concat()), Err(Malformed));
}

#[test]
fn a_false_length_is_refused_without_allocating_for_it() {
    let mut bytes = Vec::new();
    put(&mut bytes, MARK);
    bytes.extend([0xff; 4]);
    assert_eq!(Instructions::decode(&bytes), Err(Malformed));
}

#[test]
fn every_report_arrives_as_it_was_sent() {
    let endings = [Ending::Code(0), Ending::Code(255), Ending::Signal(9)];
    let exits = endings
        .into_iter()
        .flat_map(|ending| [true, false].map(|executed| Report::Exited { ending, executed }));
    let failures = Step::ALL.map(|step| Report::Failed { step, errno: 13 });
    let cloned = [Report::Cloned { child: 4_194_304 }, Report::Unattended];
    for report in exits.chain(failures).chain(cloned) {
        assert_eq!(Report::decode(&report.encode()), Ok(report));
    }
}

#[test]
fn a_report_of_the_wrong_length_or_kind_is_refused() {
    for bytes in
        [&b""[..], b"E", b"E\x01\0\0\0", b"E\x01\0\0\0\0\0", b"X\0\0\0\0\0", b"F\xff\0\0\0\0"]
    {
        assert_eq!(Report::decode(bytes), Err(Malformed), "{bytes:?}");
    }
}

#[test]
fn every_word_arrives_as_it_was_sent() {
    for word in [Word::Starting, Word::Goodbye] {
        assert_eq!(Word::decode(&word.encode()), Ok(word));
    }
    assert_eq!(Word::decode(b"?"), Err(Malformed));
}
