//! Who is at the other end of a connection, and what he may ask for.
//!
//! All of it comes from the kernel. User, groups and process are those of the moment in which the peer connected
//! (`SO_PEERCRED`, `SO_PEERGROUPS`): what he becomes later, or whom he hands the descriptor to, does not raise him. The
//! cgroup has no such option before Linux 6.5, so it is read from `/proc` as soon as the connection is taken; a process
//! number would have to come round within that moment to mislead it, and a process that is gone by then is a stranger.
#![expect(unsafe_code, reason = "getsockopt(2) for SO_PEERGROUPS is in neither std nor tokio")]

use std::{
    ffi::OsStr,
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    path::{Component, Path, PathBuf},
};

use tokio::net::UnixStream;

use crate::supervisor::CGROUP_HOME;

/// The other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Peer {
    pub(super) uid: u32,
    /// Effective group first, then the others.
    pub(super) groups: Vec<u32>,
    /// As the daemon counts; `None` when it cannot see the process.
    pub(super) pid: Option<u32>,
    /// Its cgroup, from the cgroup2 mount on; `None` when it could not be read.
    pub(super) cgroup: Option<PathBuf>,
}

/// What somebody may ask for. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Nothing.
    Stranger,
    /// Status and events.
    Reader,
    /// `enforce`, which loosens nothing, and a reload.
    Operator,
    /// Everything.
    Root,
}

impl Peer {
    pub(super) fn of(stream: &UnixStream) -> io::Result<Self> {
        let credentials = stream.peer_cred()?;
        let mut groups = vec![credentials.gid()];
        groups.extend(supplementary_groups(stream.as_fd())?);
        // 0: a process that this one's pid namespace does not have.
        let pid = credentials.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|&pid| 0 < pid);
        Ok(Self { uid: credentials.uid(), groups, pid, cgroup: pid.and_then(cgroup_of) })
    }

    /// What this peer may ask for, were he not in a sandbox.
    pub(super) fn rank(&self, own_uid: u32, group: Option<u32>) -> Rank {
        if self.uid == 0 {
            Rank::Root
        } else if self.uid == own_uid {
            Rank::Operator
        } else if group.is_some_and(|group| self.groups.contains(&group)) {
            Rank::Reader
        } else {
            Rank::Stranger
        }
    }

    /// Whether this is, or may be, a task of a sandbox: one of those watched, or any that a Picket made.
    pub(super) fn may_be_in<'a>(&self, sandboxes: impl IntoIterator<Item = &'a Path>) -> bool {
        let Some(cgroup) = &self.cgroup else {
            return true;
        };
        let own = names(cgroup);
        own.first().is_some_and(|first| *first == CGROUP_HOME)
            || sandboxes.into_iter().any(|sandbox| {
                let sandbox = names(sandbox);
                // A watched root would be everybody; whoever did that has no use for this API.
                own.starts_with(&sandbox)
            })
    }
}

/// The directories of a cgroup's path, whether or not it begins with a slash.
fn names(cgroup: &Path) -> Vec<&OsStr> {
    let parts = cgroup.components().filter(|part| !matches!(part, Component::RootDir));
    parts.map(Component::as_os_str).collect()
}

fn cgroup_of(pid: u32) -> Option<PathBuf> {
    let lines = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    lines.lines().find_map(|line| line.strip_prefix("0::")).map(PathBuf::from)
}

fn supplementary_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<libc::gid_t>> {
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let room = groups.len() * size_of::<libc::gid_t>();
        let mut length = libc::socklen_t::try_from(room).map_err(io::Error::other)?;
        // SAFETY: an open socket, and a buffer of the length that is passed with it.
        let failed = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let n_groups =
            usize::try_from(length).map_err(io::Error::other)? / size_of::<libc::gid_t>();
        if failed == 0 {
            groups.truncate(n_groups);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // The kernel has said how many there are, at most 65,536.
        if error.raw_os_error() != Some(libc::ERANGE) || n_groups <= groups.len() {
            return Err(error);
        }
        groups.resize(n_groups, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: u32 = 990;
    const GROUP: u32 = 700;

    fn peer(uid: u32, groups: &[u32], cgroup: Option<&str>) -> Peer {
        Peer { uid, groups: groups.to_vec(), pid: Some(7), cgroup: cgroup.map(PathBuf::from) }
    }

    #[test]
    fn user_and_groups_decide_what_may_be_asked() {
        for (uid, groups, rank) in [
            (0, &[0][..], Rank::Root),
            (OWN, &[OWN], Rank::Operator),
            (1000, &[GROUP], Rank::Reader),
            (1000, &[1000, 4, GROUP], Rank::Reader),
            (1000, &[1000, 0], Rank::Stranger),
            (1000, &[], Rank::Stranger),
        ] {
            assert_eq!(peer(uid, groups, None).rank(OWN, Some(GROUP)), rank, "{uid} {groups:?}");
        }
    }

    #[test]
    fn without_a_group_nobody_is_a_member() {
        assert_eq!(peer(1000, &[0, GROUP], None).rank(OWN, None), Rank::Stranger);
    }

    #[test]
    fn a_task_of_a_sandbox_is_known_by_its_cgroup_whatever_its_user() {
        let watched = [Path::new("/kube/pod1"), Path::new("box")];
        for (cgroup, inside) in [
            ("/kube/pod1", true),
            ("/kube/pod1/deeper/still", true),
            ("/kube/pod10", false),
            ("/kube", false),
            ("/box/x", true),
            ("/picket/plugin.abc", true),
            ("/system.slice/picket.service", false),
            ("/", false),
        ] {
            assert_eq!(peer(0, &[0], Some(cgroup)).may_be_in(watched), inside, "{cgroup}");
        }
    }

    #[test]
    fn a_peer_whose_cgroup_nobody_knows_may_be_in_any_sandbox() {
        assert!(peer(0, &[0], None).may_be_in([]));
    }

    #[test]
    fn the_kernel_says_who_connected() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (found, own) = runtime.block_on(async {
            let (one, _other) = UnixStream::pair().unwrap();
            (Peer::of(&one).unwrap(), rustix::process::geteuid().as_raw())
        });
        assert_eq!((found.uid, found.pid), (own, Some(std::process::id())));
        assert!(found.cgroup.is_some());
    }
}
