//! A small whole trace with every bit flipped in turn, and cut at every byte.

use picket_engine::{
    AccessSet, Arguments, Arrival, Fact, FileId, IncidentId, Mode, NetworkOperation, ObservedArgv,
    ObservedPath, Order, Outcome, Policy, Process, SandboxId, Step, SyscallAbi,
};

use super::*;

const SANDBOX: SandboxId = SandboxId { slot: 0, generation: 1 };

fn at(nanos: u64) -> KernelTime {
    KernelTime::from_nanos(nanos)
}

fn run() -> Vec<Input> {
    let path = |text: &str| ObservedPath::Resolved(text.as_bytes().to_vec());
    let (file, links) = (FileId { device: 8, inode: 1 }, 1);
    let facts = [
        Fact::Exec {
            path: path("/opt/tool"),
            file,
            links,
            script: None,
            argv: ObservedArgv { bytes: b"tool\0\xff\0".to_vec(), complete: true },
        },
        Fact::Open { path: path("/srv/\u{e4}"), file, links, access: AccessSet::READ },
        Fact::Syscall { number: 83, abi: SyscallAbi::Native, arguments: Arguments::NONE },
        Fact::Network {
            operation: NetworkOperation::Connect,
            protocol: 6,
            address: [10, 0, 0, 1].into(),
            port: 80,
            refused: false,
        },
    ];
    let policy = Policy { mode: Mode::Enforce, ..Policy::nothing_declared() };
    let sandbox = SANDBOX;
    let mut inputs = vec![Input::Register { sandbox, policy, arrival: Arrival::Gated, at: at(1) }];
    for (sequence, fact) in (0..).zip(facts) {
        let order = Order { time: at(2), cpu: 0, sequence };
        let process = Process { tgid: 7, tid: 7, start: at(1) };
        inputs.push(Input::Event { sandbox, order, process, fact });
    }
    let (incident, step, outcome) = (IncidentId(1), Step::Freeze, Outcome::Done);
    inputs.push(Input::Receipt { sandbox, incident, step, outcome, at: at(3) });
    inputs.push(Input::Unregister { sandbox, at: at(4) });
    inputs
}

#[test]
fn every_flipped_bit_is_refused_with_its_place_or_changes_no_input() {
    let inputs = run();
    let (whole, _) = written(&inputs);
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap();
    let lines = whole.iter().filter(|byte| **byte == b'\n').count() as u64;
    let mut text = whole.clone();
    for place in 0..whole.len() {
        for bit in 0..8 {
            text[place] ^= 1 << bit;
            match read(&text) {
                Ok(read) => assert_eq!(read, inputs, "bit {bit} of byte {place}"),
                Err(TraceError::Corrupt { line, column, .. }) => {
                    assert!((1..=lines + 1).contains(&line) && 1 <= column, "{line}:{column}");
                }
                Err(TraceError::Foreign { .. } | TraceError::Newer { .. }) => {
                    assert!(place <= header, "bit {bit} of byte {place}");
                }
                // Without its end the last line is none.
                Err(TraceError::Truncated { .. }) => assert_eq!(place, whole.len() - 1),
                Err(error @ TraceError::Unreadable { .. }) => panic!("{error}"),
            }
            text[place] ^= 1 << bit;
        }
    }
}

#[test]
fn every_cut_is_refused_and_its_whole_inputs_can_be_used() {
    let inputs = run();
    let (whole, _) = written(&inputs);
    for length in 0..whole.len() {
        let text = &whole[..length];
        let error = read(text).unwrap_err();
        let expected = matches!(error, TraceError::Foreign { .. } | TraceError::Truncated { .. });
        assert!(expected, "{length}: {error}");
        let Ok(reader) = reader(text) else {
            continue;
        };
        let used: Vec<Input> = reader.incomplete(true).map(Result::unwrap).collect();
        assert!(inputs.starts_with(&used), "{length}");
    }
}
