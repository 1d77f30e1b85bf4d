//! What a second thread rewrites while a call runs: what is reported is what the kernel used, to the last of 200,000.
//!
//! A sandbox tells of a file or destination once, so that of all opens of a file only the first could be compared. Here
//! the acts are those of a sandbox that is still starting: nothing is remembered of it, so each open and each connect
//! sends a record of its own. The actor asks the kernel after each call what it has got (`fstat`, `getpeername`), and the
//! records, in their order, have to be that list: as many, each with the same object. Between the two threads there is no
//! lock. How often the race was won is asserted as well: what the memory said just before the call was then not what the
//! kernel used, and a hook that reads the memory would differ there.
//!
//! What a running sandbox tells of is compared as a set, over many rounds with an epoch for each.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use picket::clock;
use picket_engine::NetworkOperation::Connect;
use picket_engine::{
    AccessSet, EndpointRule, FileId, FileRule, Mode, Pattern, Policy, Protocol, SyscallSet,
};
use serde_json::{Value, json};

use super::harness::{Eye, Watched, eye, nothing_declared, on_emulated_processors};
use super::place::{Place, identity};
use super::raw::{self, SharedAddress, SharedPath};
use super::seen::{Seen, TCP, UDP, Used, at, used};

/// Opens, and connects of datagram sockets.
fn n_races() -> usize {
    if on_emulated_processors() { 10_000 } else { 200_000 }
}

/// Connections with somebody at their other end.
fn n_connections() -> usize {
    n_races() / 10
}

/// Races for whose records the ring of ordinary ones has room while nobody reads.
const BATCH: usize = 500;

/// So many times the races are run while none is won: where one thread makes all processors they seldom meet.
const PATIENT: usize = 20;

/// Rounds with an epoch of their own.
const ROUNDS: usize = 100;

/// Does the one while another thread does the other without end.
fn while_another<T>(meddle: impl Fn() + Sync, act: impl FnOnce() -> T) -> T {
    let (turns, done) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                meddle();
                turns.fetch_add(1, Ordering::Relaxed);
            }
        });
        while turns.load(Ordering::Relaxed) == 0 {
            std::hint::spin_loop();
        }
        let outcome = act();
        done.store(true, Ordering::Relaxed);
        outcome
    })
}

/// A sandbox that tells of everything each time, because it is still starting, under a kernel side of its own: nobody
/// else's records take the room of these.
fn telling_of_each() -> Watched {
    let eye: &'static Eye = Box::leak(Box::new(Eye::open().unwrap()));
    // Declared, so that the calls' records are ordinary ones.
    let calls: Vec<u32> = (0..512).collect();
    eye.prepare(&Policy { syscalls: SyscallSet::of(&calls), ..nothing_declared() })
}

/// What came of races: how many there were, how many records differ from the real object, and how often the memory said
/// something else just before.
#[derive(Debug, Default)]
struct Tally {
    races: usize,
    differing: usize,
    won: usize,
}

/// Races batch after batch. `act` answers what was used, in order, and how often the race was won; `compare` how many of
/// the records differ.
fn tally(
    sandbox: &mut Watched,
    races: usize,
    act: impl Fn() -> (Vec<Value>, usize),
    compare: impl Fn(&Seen, Vec<Value>) -> usize,
) -> Tally {
    let mut tally = Tally::default();
    while tally.races < races || tally.won == 0 && tally.races < PATIENT * races {
        let (told, seen) = sandbox.tell(|| json!(act()));
        let (really, won): (Vec<Value>, usize) = serde_json::from_value(told).unwrap();
        let lost: u64 = seen.counts.values().map(|counts| counts.dropped + counts.error).sum();
        assert_eq!(lost, 0, "{:?}", seen.counts);
        tally.races += really.len();
        tally.won += won;
        tally.differing += compare(&seen, really);
        sandbox.forget();
    }
    tally
}

/// How many places of two lists are not the same.
fn differing<T: PartialEq>(recorded: &[T], really: &[T]) -> usize {
    let pairs = recorded.iter().zip(really);
    pairs.filter(|(recorded, really)| recorded != really).count()
        + recorded.len().abs_diff(really.len())
}

/// Opens of a path whose two last letters another thread rewrites one by one: the inode that each has got, and how
/// often it was not the file whose name stood there before.
fn race_opens(place: &Path, inodes: &BTreeMap<u64, &str>, opens: usize) -> (Vec<Value>, usize) {
    let text = SharedPath::new(&place.join("aa"));
    let meddle = || {
        text.end_with(b"bb");
        text.end_with(b"aa");
    };
    while_another(meddle, || {
        let (mut really, mut won) = (Vec::new(), 0);
        for _ in 0..opens {
            let before = inodes.values().find(|name| text.ends_with(name.as_bytes()));
            let inode = File::from(text.open().unwrap()).metadata().unwrap().ino();
            won += usize::from(before.is_some_and(|before| inodes.get(&inode) != Some(before)));
            really.push(json!(inode));
        }
        (really, won)
    })
}

#[test]
fn a1_of_200_000_racing_opens_no_record_differs_from_the_file_that_was_opened() {
    let place = Place::new();
    // Half rewritten it is the name of a file, too.
    let names = ["aa", "ab", "ba", "bb"];
    let files = names.map(|name| identity(&File::open(place.file(name)).unwrap()));
    let inodes: BTreeMap<u64, &str> = files.iter().map(|file| file.inode).zip(names).collect();
    let device = files[0].device;
    let compare = |seen: &Seen, really: Vec<Value>| {
        let really = really.iter().map(|inode| {
            let inode = inode.as_u64().unwrap();
            (at(place.join(inodes[&inode])), FileId { device, inode })
        });
        let recorded = seen.opens().into_iter().map(|open| (open.path, open.file));
        differing(&recorded.collect::<Vec<_>>(), &really.collect::<Vec<_>>())
    };
    let act = || race_opens(place.path(), &inodes, BATCH);
    let tally = tally(&mut telling_of_each(), n_races(), act, compare);
    assert!(n_races() <= tally.races && tally.differing == 0, "{tally:?}");
    assert!(0 < tally.won, "the race was never won: {tally:?}");
}

#[test]
fn a1_in_a_race_for_a_declared_and_an_undeclared_file_the_finding_is_there_iff_the_latter_was_opened()
 {
    let place = Place::new();
    let (declared, undeclared) = (place.file("aa"), place.file("bb"));
    let path = Pattern::parse(declared.to_str().unwrap()).unwrap();
    let rule = FileRule { path, access: AccessSet::READ, until: None };
    let policy = Policy { files: vec![rule], ..nothing_declared() };
    let mut sandbox = eye().watch(&policy);
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    let names = BTreeMap::from([(inode(&declared), &declared), (inode(&undeclared), &undeclared)]);
    let mut n_found = 0;
    for _ in 0..ROUNDS {
        let (told, seen) = sandbox.tell(|| json!(race_for_two(place.path())));
        let really: BTreeSet<u64> = serde_json::from_value(told).unwrap();
        let recorded: BTreeSet<_> = seen.opens().into_iter().map(|open| open.file.inode).collect();
        assert_eq!(recorded, really);
        assert!(seen.opens().iter().all(|open| open.path == at(names[&open.file.inode])));
        let found = seen.findings(&policy).iter().any(|finding| finding == "files undeclared_path");
        assert_eq!(found, really.contains(&inode(&undeclared)), "{:?}", seen.opens());
        n_found += usize::from(found);
        eye().slots().replace(sandbox.id, &policy, clock::now()).unwrap();
        sandbox.forget();
    }
    assert!((1..ROUNDS).contains(&n_found), "found in {n_found} of {ROUNDS} rounds");
}

/// Two opens at most of a path that another thread rewrites from one file's to the other's: the inodes.
fn race_for_two(place: &Path) -> Vec<u64> {
    let text = SharedPath::new(&place.join("aa"));
    let meddle = || {
        text.end_with(b"bb");
        text.end_with(b"aa");
    };
    while_another(meddle, || {
        // Half rewritten it names nothing.
        let files = (0..2).filter_map(|_| text.open().ok());
        files.map(|file| File::from(file).metadata().unwrap().ino()).collect()
    })
}

/// Connects to an address that another thread rewrites byte by byte: the peer of each, and how often it was not what
/// stood there before. `connected` connects a socket and asks for its peer; `None` when it was refused.
fn race_connects(
    between: [SocketAddr; 2],
    connects: usize,
    connected: impl Fn(&SharedAddress) -> Option<SocketAddr>,
) -> (Vec<Value>, usize) {
    let address = SharedAddress::new(between[0]);
    let meddle = || between.iter().for_each(|other| address.say(*other));
    while_another(meddle, || {
        let (mut really, mut won) = (Vec::new(), 0);
        for _ in 0..connects {
            let before = address.said();
            let peer = connected(&address);
            won += usize::from(peer.is_some_and(|peer| peer != before));
            really.push(json!(peer));
        }
        (really, won)
    })
}

/// Two destinations that differ in four bytes: a reader may see any mixture.
fn two_destinations() -> [SocketAddr; 2] {
    [SocketAddr::from(([127, 0, 1, 1], 0x2121)), SocketAddr::from(([127, 0, 2, 2], 0x4242))]
}

/// A datagram socket as it can be connected again and again.
fn datagrams() -> UdpSocket {
    UdpSocket::from(raw::socket(two_destinations()[0], libc::SOCK_DGRAM, 0).unwrap())
}

/// How many records of connects are not of these peers.
fn compare_peers(seen: &Seen, really: Vec<Value>, protocol: u8) -> usize {
    let peers = really.into_iter().map(|peer| serde_json::from_value(peer).unwrap());
    let expected: Vec<Used> = peers.map(|peer| used(Connect, protocol, peer)).collect();
    differing(&seen.network(), &expected)
}

#[test]
fn d1_of_200_000_racing_connects_no_record_differs_from_the_peer_that_the_socket_has() {
    let act = || {
        let socket = datagrams();
        race_connects(two_destinations(), BATCH, |address| {
            address.connect(&socket).unwrap();
            Some(socket.peer_addr().unwrap())
        })
    };
    let compare = |seen: &Seen, really| compare_peers(seen, really, UDP);
    let tally = tally(&mut telling_of_each(), n_races(), act, compare);
    assert!(n_races() <= tally.races && tally.differing == 0, "{tally:?}");
    assert!(0 < tally.won, "the race was never won: {tally:?}");
}

#[test]
fn d1_of_20_000_racing_connections_no_record_differs_from_the_peer_that_answered() {
    let one = TcpListener::bind("127.0.1.1:0").unwrap();
    let port = one.local_addr().unwrap().port();
    // Half rewritten the address is another one, where somebody answers, too.
    let servers = ["127.0.2.2", "127.0.1.2", "127.0.2.1"]
        .map(|ip| TcpListener::bind((ip, port)).unwrap_or_else(|error| panic!("{ip}: {error}")));
    let between = [one.local_addr().unwrap(), servers[0].local_addr().unwrap()];
    for server in servers.into_iter().chain([one]) {
        // Takes whoever comes, until this program ends.
        thread::spawn(move || server.incoming().for_each(drop));
    }
    let act = || {
        race_connects(between, BATCH, |address| {
            let socket = raw::socket(between[0], libc::SOCK_STREAM, 0).unwrap();
            raw::reset_at_the_end(&socket).unwrap();
            address.connect(&socket).unwrap();
            Some(TcpStream::from(socket).peer_addr().unwrap())
        })
    };
    let compare = |seen: &Seen, really| compare_peers(seen, really, TCP);
    let tally = tally(&mut telling_of_each(), n_connections(), act, compare);
    assert!(n_connections() <= tally.races && tally.differing == 0, "{tally:?}");
    assert!(0 < tally.won, "the race was never won: {tally:?}");
}

fn to_the_first() -> Policy {
    let [first, _] = two_destinations();
    let rule = EndpointRule {
        network: format!("{}/32", first.ip()).parse().unwrap(),
        ports: first.port()..=first.port(),
        protocol: Protocol::Udp,
        until: None,
    };
    Policy { connect: vec![rule], ..nothing_declared() }
}

#[test]
fn d1_in_a_race_for_two_destinations_the_finding_is_there_iff_the_undeclared_one_was_connected_to()
{
    let policy = to_the_first();
    let [declared, _] = two_destinations();
    let mut sandbox = eye().watch(&policy);
    let mut n_found = 0;
    for _ in 0..ROUNDS {
        let (told, seen) = sandbox.tell(|| {
            let socket = datagrams();
            let (peers, _) = race_connects(two_destinations(), 2, |address| {
                address.connect(&socket).unwrap();
                Some(socket.peer_addr().unwrap())
            });
            json!(peers)
        });
        let really: BTreeSet<SocketAddr> = serde_json::from_value(told).unwrap();
        let recorded = seen.network().into_iter().map(|used| (used.address, used.port).into());
        assert_eq!(recorded.collect::<BTreeSet<SocketAddr>>(), really);
        let findings = seen.findings(&policy);
        let found = findings.iter().any(|finding| finding == "network undeclared_destination");
        assert_eq!(found, really.iter().any(|peer| *peer != declared), "{really:?}");
        n_found += usize::from(found);
        eye().slots().replace(sandbox.id, &policy, clock::now()).unwrap();
        sandbox.forget();
    }
    assert!((1..ROUNDS).contains(&n_found), "found in {n_found} of {ROUNDS} rounds");
}

#[test]
fn d1_no_race_connects_to_what_the_kernel_side_refuses() {
    let policy = Policy { mode: Mode::Enforce, ..to_the_first() };
    let [declared, _] = two_destinations();
    let (told, seen) = eye().watch(&policy).tell(|| {
        let (peers, _) = race_connects(two_destinations(), n_connections(), |address| {
            let socket = datagrams();
            address.connect(&socket).ok().map(|()| socket.peer_addr().unwrap())
        });
        let refused = peers.iter().filter(|peer| peer.is_null()).count();
        json!((refused, peers.into_iter().filter(|peer| !peer.is_null()).collect::<Vec<_>>()))
    });
    let (refused, reached): (usize, Vec<SocketAddr>) = serde_json::from_value(told).unwrap();
    assert!(reached.iter().all(|peer| *peer == declared));
    assert!(0 < refused && !reached.is_empty(), "{refused} refused, {} reached", reached.len());
    let is_right = |used: &Used| {
        used.refused != ((used.address, used.port) == (declared.ip(), declared.port()))
    };
    assert!(seen.network().iter().all(is_right), "{:?}", seen.network());
}
