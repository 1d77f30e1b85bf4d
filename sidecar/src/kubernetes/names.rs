//! What pods and containers are called, from the names of the kubelet's log files.
//!
//! ```text
//! <logs>/pods/<namespace>_<pod>_<uid>/                             made before the pod's first container
//! <logs>/containers/<pod>_<namespace>_<container>-<id>.log         a link, made right after the container's start
//! ```
//!
//! Only the names are read; nothing is opened, no link followed. They are the kubelet's, and checked all the same:
//! what cannot be a name in Kubernetes is refused and counted.

use std::collections::BTreeMap;

use super::{
    cgroup::{Container, is_hex, uid_of},
    name::{is_label, is_subdomain},
};

/// Names kept of each kind. A node has some hundred pods; a directory with more is not the kubelet's.
const KEPT: usize = 65_536;

/// A pod by name.
type Pod = (String, String);

/// Pods and containers by the ids that cgroups have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    pods: BTreeMap<String, Pod>,
    containers: BTreeMap<String, (Pod, String)>,
    refused: u64,
}

/// What is known of a container's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// Nothing yet, or two sources contradict each other.
    Not,
    /// Its pod: it has not started yet, or is the one that holds the pod's namespaces, which never gets a name.
    Pod {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
    },
    /// All of it.
    Fully {
        /// The pod's namespace.
        namespace: String,
        /// The pod.
        pod: String,
        /// The container's name in the pod.
        container: String,
    },
}

impl Names {
    /// An entry of `pods`.
    pub fn pod(&mut self, entry: &[u8]) {
        let found = pod(entry);
        self.keep(found, |names| &mut names.pods);
    }

    /// An entry of `pods` is gone.
    pub fn pod_gone(&mut self, entry: &[u8]) {
        if let Some((uid, _)) = pod(entry) {
            self.pods.remove(&uid);
        }
    }

    /// An entry of `containers`.
    pub fn container(&mut self, entry: &[u8]) {
        let found = container(entry);
        self.keep(found, |names| &mut names.containers);
    }

    /// An entry of `containers` is gone.
    pub fn container_gone(&mut self, entry: &[u8]) {
        if let Some((id, _)) = container(entry) {
            self.containers.remove(&id);
        }
    }

    fn keep<T>(
        &mut self,
        found: Option<(String, T)>,
        kind: impl Fn(&mut Self) -> &mut BTreeMap<String, T>,
    ) {
        match found {
            Some((id, name)) if kind(self).len() < KEPT || kind(self).contains_key(&id) => {
                kind(self).insert(id, name);
            }
            _ => self.refused = self.refused.saturating_add(1),
        }
    }

    /// Entries that were no names, or found no room.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// What this container is called.
    pub fn of(&self, container: &Container) -> Named {
        let Some((namespace, pod)) = self.pods.get(&container.pod).cloned() else {
            return Named::Not;
        };
        match self.containers.get(&container.id) {
            None => Named::Pod { namespace, pod },
            Some(((space, name), container)) if (space, name) == (&namespace, &pod) => {
                Named::Fully { namespace, pod, container: container.clone() }
            }
            Some(_) => Named::Not,
        }
    }
}

/// `<namespace>_<pod>_<uid>`: uid and names.
fn pod(entry: &[u8]) -> Option<(String, Pod)> {
    let [namespace, pod, uid] = three(std::str::from_utf8(entry).ok()?)?;
    let uid = uid_of(uid)?;
    (is_label(namespace) && is_subdomain(pod))
        .then(|| (uid, (namespace.to_owned(), pod.to_owned())))
}

/// `<pod>_<namespace>_<container>-<id>.log`: id and names.
fn container(entry: &[u8]) -> Option<(String, (Pod, String))> {
    let [pod, namespace, rest] = three(std::str::from_utf8(entry).ok()?.strip_suffix(".log")?)?;
    let (container, id) = rest.rsplit_once('-')?;
    let good = is_subdomain(pod)
        && is_label(namespace)
        && is_label(container)
        && id.len() == 64
        && id.bytes().all(is_hex);
    good.then(|| (id.to_owned(), ((namespace.to_owned(), pod.to_owned()), container.to_owned())))
}

fn three(text: &str) -> Option<[&str; 3]> {
    text.split('_').collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
impl Names {
    /// Pods and containers that are known.
    pub(super) fn len(&self) -> (usize, usize) {
        (self.pods.len(), self.containers.len())
    }
}
