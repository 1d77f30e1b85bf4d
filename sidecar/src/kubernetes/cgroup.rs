//! From a cgroup's path to pod and container.
//!
//! Two drivers write two kinds of path, and some runtimes a third:
//!
//! ```text
//! systemd   …/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid>.slice/cri-containerd-<id>.scope
//! cgroupfs  …/kubepods/burstable/pod<uid>/<id>
//! mixed     …/kubepods-burstable-pod<uid>.slice:cri-containerd:<id>
//! ```
//!
//! A guaranteed pod has no class in its path, a systemd slice has `_` for the `-` of a uid and may have a prefix
//! (`kubelet-kubepods…`), and all of it may lie below other cgroups (kind, a kubelet in a container).

use std::path::{Path, PathBuf};

/// What the first directory of all pods is called.
const PODS: &str = "kubepods";

/// A container, as the names of cgroups tell it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// The pod's uid, with `-` as the API server writes it; 32 digits without for a static pod.
    pub pod: String,
    /// The pod's class of service.
    pub qos: Qos,
    /// Who runs it.
    pub runtime: Runtime,
    /// The runtime's id: 64 hexadecimal digits.
    pub id: String,
}

/// A pod's class of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// Limits equal requests.
    Guaranteed,
    /// Some requests.
    Burstable,
    /// None.
    BestEffort,
}

/// Who runs a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runtime {
    /// containerd.
    Containerd,
    /// CRI-O.
    CriO,
    /// Docker, by cri-dockerd.
    Docker,
    /// The path does not say, as with containerd and the cgroupfs driver.
    Unsaid,
}

impl Container {
    /// The container whose cgroup this is. What is below a container's cgroup belongs to it and is none.
    pub fn at(cgroup: &[u8]) -> Option<Self> {
        let (container, end) = outermost(cgroup)?;
        (end == cgroup.len()).then_some(container)
    }

    /// Whether a container's cgroup can be below this one. May say yes too often, never no: the tree of pods may be
    /// anywhere but in a container.
    pub fn may_be_below(cgroup: &[u8]) -> bool {
        outermost(cgroup).is_none()
    }
}

/// The cgroup of the pod that a process in this cgroup belongs to.
pub fn own_pod(cgroup: &Path) -> Option<PathBuf> {
    let bytes = cgroup.as_os_str().as_encoded_bytes();
    let (_, end) = outermost(bytes)?;
    let container = Path::new(std::str::from_utf8(bytes.get(..end)?).ok()?);
    let pod = container.parent()?;
    let names: Vec<&str> = pod.to_str()?.split('/').collect();
    slice(&names).or_else(|| directory(&names)).map(|_| pod.to_owned())
}

/// The first container on the way down, and where its path ends.
fn outermost(cgroup: &[u8]) -> Option<(Container, usize)> {
    let mut names = Vec::new();
    let mut end = 0;
    for (index, name) in cgroup.split(|&byte| byte == b'/').enumerate() {
        end += name.len() + usize::from(0 < index);
        // A name that is no text stands where it is, and matches nothing.
        names.push(std::str::from_utf8(name).unwrap_or("\u{fffd}"));
        if let Some(container) = container(&names) {
            return Some((container, end));
        }
    }
    None
}

/// What the last of these names is, if it is a container's.
fn container(names: &[&str]) -> Option<Container> {
    let (last, above) = names.split_last()?;
    if let Some((pod, rest)) = last.split_once(':') {
        let (runtime, id) = rest.split_once(':')?;
        let (pod, _) = in_slice(pod)?;
        return found(pod, runtime_called(runtime)?, id);
    }
    if let Some(scope) = last.strip_suffix(".scope") {
        let (runtime, id) = scope.rsplit_once('-')?;
        return found(slice(above)?, runtime_called(runtime)?, id);
    }
    let pod = directory(above)?;
    match last.strip_prefix("crio-") {
        Some(id) => found(pod, Runtime::CriO, id),
        None => found(pod, Runtime::Unsaid, last),
    }
}

fn found((pod, qos): (String, Qos), runtime: Runtime, id: &str) -> Option<Container> {
    let is_id = id.len() == 64 && id.bytes().all(is_hex);
    is_id.then(|| Container { pod, qos, runtime, id: id.to_owned() })
}

fn runtime_called(name: &str) -> Option<Runtime> {
    match name {
        "cri-containerd" => Some(Runtime::Containerd),
        "crio" => Some(Runtime::CriO),
        "docker" => Some(Runtime::Docker),
        // `crio-conmon` watches a container and is none.
        _ => None,
    }
}

/// The pod whose slice the last name is, with the slices above it as systemd nests them.
fn slice(names: &[&str]) -> Option<(String, Qos)> {
    let (last, above) = names.split_last()?;
    let (pod, pods) = in_slice(last)?;
    let (parent, above) = above.split_last()?;
    let expected = match word(pod.1) {
        None => *parent == format!("{pods}.slice"),
        Some(class) => {
            *parent == format!("{pods}-{class}.slice") && *above.last()? == format!("{pods}.slice")
        }
    };
    expected.then_some(pod)
}

/// The pod in the name of a slice, and what the slice of all pods is called: `kubepods`, or that with a prefix.
fn in_slice(name: &str) -> Option<((String, Qos), &str)> {
    let (head, uid) = name.strip_suffix(".slice")?.rsplit_once("-pod")?;
    let classed = |qos| head.strip_suffix(word(qos)?)?.strip_suffix('-').map(|pods| (pods, qos));
    let (pods, qos) = classed(Qos::Burstable)
        .or_else(|| classed(Qos::BestEffort))
        .unwrap_or((head, Qos::Guaranteed));
    let prefix = pods.strip_suffix(PODS)?;
    if !(prefix.is_empty() || prefix.ends_with('-')) || uid.contains('-') {
        return None;
    }
    Some(((uid_of(&uid.replace('_', "-"))?, qos), pods))
}

/// The pod whose directory the last name is, under the cgroupfs driver.
fn directory(names: &[&str]) -> Option<(String, Qos)> {
    let (last, above) = names.split_last()?;
    let uid = uid_of(last.strip_prefix("pod")?)?;
    match above {
        [.., PODS] => Some((uid, Qos::Guaranteed)),
        [.., PODS, class] => {
            let mut classes = [Qos::Burstable, Qos::BestEffort].into_iter();
            classes.find(|&qos| word(qos) == Some(class)).map(|qos| (uid, qos))
        }
        _ => None,
    }
}

/// How a class is written in paths.
fn word(qos: Qos) -> Option<&'static str> {
    match qos {
        Qos::Guaranteed => None,
        Qos::Burstable => Some("burstable"),
        Qos::BestEffort => Some("besteffort"),
    }
}

/// A pod's uid: of the API server (8-4-4-4-12 digits), or the digest of a static pod's file (32 digits).
pub(super) fn uid_of(text: &str) -> Option<String> {
    let is_static = text.len() == 32 && text.bytes().all(is_hex);
    let is_uid = text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => is_hex(byte),
        });
    (is_static || is_uid).then(|| text.to_owned())
}

pub(super) fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}
