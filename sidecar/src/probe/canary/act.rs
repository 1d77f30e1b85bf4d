//! The canary's half inside the self-test cgroup: one harmless act for every hook.
//!
//! Runs as a process of its own (`picket __canary`), speaks over its standard streams, one line an answer.

use std::{
    fs::File,
    io::{self, BufRead, Write},
    net::{Ipv4Addr, Ipv6Addr, UdpSocket},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use super::{CHILD_EXIT, CHILD_WORD, READY, Told, opens};

/// Waits for the word, acts, says what it did, and waits for the next word; ends when there will be none.
///
/// # Errors
/// A stream broke: the parent is gone, nobody needs the answer.
pub fn act() -> io::Result<()> {
    // Only now is our own exec over: `spawn` returns a moment before it.
    say(READY)?;
    // Its name as it is now: where the program is replaced while we live, we go on as what we are.
    let program = std::env::current_exe()?;
    for word in io::stdin().lock().lines() {
        say(&once(&word?, &program)?.to_string())?;
    }
    Ok(())
}

fn once(word: &str, program: &Path) -> io::Result<Told> {
    let mut ports = word.split(' ').filter_map(|port| port.parse().ok());
    let (Some(declared), Some(undeclared)) = (ports.next(), ports.next()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };

    // A descriptor of this very program: the kernel must name the file that is running. By another thread than the
    // first, or nothing would tell a process id from a thread id.
    let opened = thread::spawn(|| File::open("/proc/self/exe").map(drop)).join();
    opened.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
    Ok(Told {
        v4: talk(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)), (Ipv4Addr::LOCALHOST, declared)),
        v6: talk(UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)), (Ipv6Addr::LOCALHOST, declared)),
        refused: is_refused(undeclared),
        child: spawn_child(program)?,
        opens: opens::all(),
    })
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// The canary's child: exists to be forked, executed and ended.
#[must_use]
pub fn child() -> u8 {
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

fn is_refused(port: u16) -> bool {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
    let refusal = socket.and_then(|socket| socket.connect((Ipv4Addr::LOCALHOST, port)));
    refusal.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn spawn_child(program: &Path) -> io::Result<u32> {
    // Under its real path, so that the name in the record is the one the parent knows.
    let mut child = Command::new("/proc/self/exe")
        .arg0(program)
        .arg(CHILD_WORD)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = child.id();
    child.wait()?;
    Ok(pid)
}
