//! The canary's half inside the self-test cgroup: one harmless act for every hook.
//!
//! Runs as a process of its own (`picket __canary`), speaks over its standard streams, one line an answer.

use std::{
    fs::File,
    io::{self, BufRead, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use super::{CHILD_EXIT, CHILD_WORD, NAMESPACE, READY, RING, Told, calls, objects, opens};

/// Waits for the word, acts, says what it did, and waits for the next word; ends when there will be none.
///
/// # Errors
/// A stream broke: the parent is gone, nobody needs the answer.
pub fn act() -> io::Result<()> {
    // Only now is our own exec over: `spawn` returns a moment before it.
    say(READY)?;
    // Its name as it is now: where the program is replaced while we live, we go on as what we are. And the real one, so
    // that the name in the child's record is the one the parent knows.
    let program = std::env::current_exe()?;
    for word in io::stdin().lock().lines() {
        say(&once(&word?, &program)?.to_string())?;
    }
    Ok(())
}

fn once(word: &str, program: &Path) -> io::Result<Told> {
    let mut words = word.splitn(5, ' ');
    let mut ports = words.by_ref().take(2).filter_map(|port| port.parse().ok());
    let (Some(declared), Some(undeclared)) = (ports.next(), ports.next()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // Told only in the first round.
    let objects = match (words.next(), words.next(), words.next()) {
        (Some(socket), Some(ring), Some(place)) => Some((socket, ring == RING, Path::new(place))),
        _ => None,
    };

    // A descriptor of this very program: the kernel must name the file that is running. By another thread than the
    // first, or nothing would tell a process id from a thread id.
    let opened = thread::spawn(|| File::open("/proc/self/exe").map(drop)).join();
    opened.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
    objects::signal();
    let (looked, ring) = match objects {
        // A ring only where it is to be seen.
        Some((socket, ring, place)) => {
            (objects::act(place, socket)?, ring && objects::open_by_ring(place)?)
        }
        None => (false, false),
    };
    let (v4, v6) = ((Ipv4Addr::LOCALHOST, declared), (Ipv6Addr::LOCALHOST, declared));
    let (child, namespace) = spawn_child(program, objects.is_some())?;
    Ok(Told {
        looked,
        ring,
        v4: talk(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)), v4),
        v6: talk(UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)), v6),
        ports: [listen(Ipv4Addr::LOCALHOST.into()), listen(Ipv6Addr::LOCALHOST.into())],
        refused: is_refused(undeclared),
        child,
        opens: opens::all(),
        done: calls::act(objects.is_some(), namespace)?,
    })
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The canary's child: exists to be forked, executed and ended, and to make a namespace where it is told to. Nothing
/// else can be done in that one, so it is not for the canary, which lives on.
#[must_use]
pub fn child() -> u8 {
    let mut word = String::new();
    // Who tells it nothing has no answer to wait for.
    if io::stdin().read_to_string(&mut word).is_ok() && word == NAMESPACE {
        drop(say(&calls::leave().to_string()));
    }
    CHILD_EXIT
}

/// Connects without a packet, then sends one datagram to the same place from an unconnected socket.
fn talk<A>(socket: io::Result<UdpSocket>, to: A) -> bool
where
    A: std::net::ToSocketAddrs + Copy,
{
    // A host without this address family cannot use it behind our back either.
    let Ok(socket) = socket else { return false };
    socket.send_to(b"canary", to).is_ok() && socket.connect(to).is_ok()
}

/// Listens for a moment at a port that the kernel picks, and answers which; 0 where that cannot be done.
fn listen(address: IpAddr) -> u16 {
    let listener = TcpListener::bind((address, 0)).and_then(|listener| listener.local_addr());
    listener.map_or(0, |address| address.port())
}

fn is_refused(port: u16) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let refusal = socket.and_then(|socket| socket.connect((Ipv4Addr::LOCALHOST, port)));
    refusal.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// Answers its number, and whether it made a namespace.
fn spawn_child(program: &Path, leaves: bool) -> io::Result<(u32, bool)> {
    let stream = || if leaves { Stdio::piped() } else { Stdio::null() };
    let mut child = Command::new(program)
        .arg(CHILD_WORD)
        .stdin(stream())
        .stdout(stream())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = child.id();
    if let Some(mut input) = child.stdin.take() {
        input.write_all(NAMESPACE.as_bytes())?;
    }
    let said = child.wait_with_output()?.stdout;
    Ok((pid, said == b"true\n"))
}
