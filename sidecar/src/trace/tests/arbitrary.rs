//! Any input at all, biased towards a few sandboxes so that some of them mean something.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use ipnet::IpNet;
use picket_engine::*;
use proptest::{collection::vec, option, prelude::*, sample::select};

fn time() -> impl Strategy<Value = KernelTime> {
    any::<u64>().prop_map(KernelTime::from_nanos)
}

fn sandbox() -> impl Strategy<Value = SandboxId> {
    (0..2_u32, 0..2_u32).prop_map(|(slot, generation)| SandboxId { slot, generation })
}

fn file() -> impl Strategy<Value = FileId> {
    (any::<u64>(), any::<u64>()).prop_map(|(device, inode)| FileId { device, inode })
}

fn files() -> impl Strategy<Value = BTreeSet<FileId>> {
    prop::collection::btree_set(file(), 0..3)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)]
}

fn word<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    select(all)
}

fn access() -> impl Strategy<Value = AccessSet> {
    let ways = [AccessSet::READ, AccessSet::WRITE, AccessSet::EXECUTE];
    prop::sample::subsequence(ways.to_vec(), 0..=3)
        .prop_map(|ways| ways.into_iter().fold(AccessSet::NONE, AccessSet::union))
}

fn pattern() -> impl Strategy<Value = Pattern> {
    "(/[a-z \u{e4}\u{1}]{1,4}\\*?){0,4}(/\\*\\*)?"
        .prop_map(|text| Pattern::parse(if text.is_empty() { "/" } else { &text }).unwrap())
}

fn argument() -> impl Strategy<Value = ArgPattern> {
    "[a-z*/-]{0,6}".prop_map(|text| ArgPattern::parse(&text).unwrap())
}

fn exec_rule() -> impl Strategy<Value = ExecRule> {
    let argv = option::of(vec(argument(), 0..3));
    (pattern(), option::of(pattern()), argv, option::of(time()))
        .prop_map(|(path, interpreter, argv, until)| ExecRule { path, interpreter, argv, until })
}

fn endpoint() -> impl Strategy<Value = EndpointRule> {
    let network = (any::<IpAddr>(), 0..=32_u8).prop_map(|(ip, bits)| IpNet::new(ip, bits).unwrap());
    (network, any::<u16>(), any::<u16>(), word(Protocol::ALL), option::of(time())).prop_map(
        |(network, low, high, protocol, until)| EndpointRule {
            network,
            ports: low..=high,
            protocol,
            until,
        },
    )
}

fn policy() -> impl Strategy<Value = Policy> {
    let file_rule = (pattern(), access(), option::of(time()))
        .prop_map(|(path, access, until)| FileRule { path, access, until });
    let rules = (
        vec(exec_rule(), 0..3),
        vec(file_rule, 0..3),
        vec(endpoint(), 0..3),
        vec(endpoint(), 0..3),
    );
    let sets = (files(), files(), option::of(file()), any::<[u64; 8]>());
    let actions = vec(word(Action::ALL), Capability::ALL.len());
    let rest =
        (any::<bool>(), any::<u32>(), any::<Duration>(), word(OnExpiry::ALL), word(Mode::ALL));
    let deeds = (vec(word(SocketClass::ALL), 0..4), any::<bool>(), vec(argument(), 0..3));
    let denials = (word(Action::ALL), word(Action::ALL));
    let more = (deeds, denials);
    (rules, sets, actions, rest, more).prop_map(|(rules, sets, actions, rest, more)| {
        let ((sockets, executable_memory, peers), (first, repeated)) = more;
        let (exec, files, connect, listen) = rules;
        let (protected, inherited, entry, words) = sets;
        let (foreign_abi, max_processes, hold, on_expiry, mode) = rest;
        let actions = Capability::ALL
            .iter()
            .zip(actions)
            .fold(Actions::strict(), |all, (capability, action)| all.with(*capability, action))
            .with_denials(Denials { first, repeated });
        Policy {
            exec,
            files,
            protected,
            inherited,
            entry,
            connect,
            listen,
            syscalls: SyscallSet::from_words(words),
            foreign_abi,
            sockets: sockets.into_iter().fold(SocketSet::EMPTY, SocketSet::with),
            peers,
            executable_memory,
            max_processes,
            actions,
            containment: ContainmentPlan { hold, on_expiry },
            mode,
        }
    })
}

fn path() -> impl Strategy<Value = ObservedPath> {
    prop_oneof![
        bytes().prop_map(ObservedPath::Resolved),
        "(/[a-z]{1,3}){1,4}".prop_map(|text| ObservedPath::Resolved(text.into_bytes())),
        word(Unresolved::ALL).prop_map(ObservedPath::Unresolved),
    ]
}

fn fact() -> impl Strategy<Value = Fact> {
    let argv =
        (bytes(), any::<bool>()).prop_map(|(bytes, complete)| ObservedArgv { bytes, complete });
    prop_oneof![
        (any::<u32>(), word(SyscallAbi::ALL), any::<[Option<u64>; 6]>()).prop_map(
            |(number, abi, arguments)| Fact::Syscall {
                number,
                abi,
                arguments: Arguments::of(arguments)
            }
        ),
        (any::<u32>(), any::<u32>(), any::<u32>(), any::<bool>()).prop_map(
            |(family, socket_type, protocol, refused)| Fact::Socket {
                family,
                socket_type,
                protocol,
                refused
            }
        ),
        word(MemoryUse::ALL).prop_map(|how| Fact::Memory { how }),
        (path(), file(), any::<u32>()).prop_map(|(path, file, links)| Fact::Mapped {
            path,
            file,
            links
        }),
        any::<u32>().prop_map(|flags| Fact::Namespaces { flags }),
        (path(), file(), any::<u32>(), access())
            .prop_map(|(path, file, links, access)| Fact::Open { path, file, links, access }),
        (path(), file(), any::<u32>(), option::of(bytes()), argv).prop_map(
            |(path, file, links, script, argv)| Fact::Exec { path, file, links, script, argv }
        ),
        (word(NetworkOperation::ALL), any::<u8>(), any::<IpAddr>(), any::<u16>(), any::<bool>())
            .prop_map(|(operation, protocol, address, port, refused)| Fact::Network {
                operation,
                protocol,
                address,
                port,
                refused
            }),
        (any::<u32>(), any::<u32>())
            .prop_map(|(child_tgid, child_tid)| Fact::Fork { child_tgid, child_tid }),
        any::<i32>().prop_map(|code| Fact::Exit { code }),
        (word(Departure::ALL), any::<u64>()).prop_map(|(how, cgroup)| Fact::Left { how, cgroup }),
        Just(Fact::Entered {}),
        about_objects(),
    ]
}

fn about_objects() -> impl Strategy<Value = Fact> {
    prop_oneof![
        (word(FileOperation::ALL), path(), file(), any::<u32>(), access()).prop_map(
            |(operation, path, file, links, access)| Fact::FileOperation {
                operation,
                path,
                file,
                links,
                access
            }
        ),
        (word(Reach::ALL), word(Whose::ALL), any::<u32>(), any::<u32>())
            .prop_map(|(how, whose, process, number)| Fact::Reach { how, whose, process, number }),
        (word(NetworkOperation::ALL), word(Whose::ALL), bytes())
            .prop_map(|(operation, whose, name)| Fact::Peer { operation, whose, name }),
        (any::<u32>(), word(SyscallAbi::ALL), any::<[u64; 6]>(), any::<bool>()).prop_map(
            |(number, abi, arguments, by_arguments)| Fact::Denied {
                number,
                abi,
                arguments,
                by_arguments
            }
        ),
        any::<[u32; 4]>().prop_map(|[calls, level_sum, novel, table]| Fact::Calls {
            calls,
            level_sum,
            novel,
            table
        }),
    ]
}

fn arrival() -> impl Strategy<Value = Arrival> {
    prop_oneof![
        Just(Arrival::Gated),
        time().prop_map(|until| Arrival::Empty { until }),
        any::<Vec<u32>>().prop_map(|processes| Arrival::Running { processes }),
    ]
}

pub(super) fn input() -> impl Strategy<Value = Input> {
    let order = (time(), any::<u32>(), any::<u32>()).prop_map(|(time, cpu, sequence)| Order {
        time,
        cpu,
        sequence,
    });
    let process = (any::<u32>(), any::<u32>(), time()).prop_map(|(tgid, tid, start)| Process {
        tgid,
        tid,
        start,
    });
    let notice = prop_oneof![
        Just(Notice::Started),
        any::<i32>().prop_map(|code| Notice::Exited { code }),
        Just(Notice::Unattended),
        Just(Notice::LauncherLost),
    ];
    prop_oneof![
        2 => (sandbox(), policy(), arrival(), time())
            .prop_map(|(sandbox, policy, arrival, at)| Input::Register { sandbox, policy, arrival, at }),
        1 => (sandbox(), policy(), time())
            .prop_map(|(sandbox, policy, at)| Input::Policy { sandbox, policy, at }),
        6 => (sandbox(), order, process, fact())
            .prop_map(|(sandbox, order, process, fact)| Input::Event { sandbox, order, process, fact }),
        1 => (sandbox(), any::<u64>(), time())
            .prop_map(|(sandbox, lost, at)| Input::Loss { sandbox, lost, at }),
        1 => (sandbox(), prop::collection::btree_map(word(Resource::ALL), any::<u64>(), 0..5), time())
            .prop_map(|(sandbox, usage, at)| {
                Input::Resources { sandbox, usage: usage.into_iter().collect(), at }
            }),
        1 => (option::of(sandbox()), word(Tampering::ALL), time())
            .prop_map(|(sandbox, tampering, at)| Input::Tampered { sandbox, tampering, at }),
        1 => (sandbox(), notice, time())
            .prop_map(|(sandbox, notice, at)| Input::Supervisor { sandbox, notice, at }),
        1 => (sandbox(), 0..3_u32, word(Step::ALL), word(Outcome::ALL), time()).prop_map(
            |(sandbox, incident, step, outcome, at)| Input::Receipt {
                sandbox, incident: IncidentId(incident), step, outcome, at
            }
        ),
        1 => time().prop_map(|at| Input::Tick { at }),
        1 => (sandbox(), time()).prop_map(|(sandbox, at)| Input::Unregister { sandbox, at }),
    ]
}
