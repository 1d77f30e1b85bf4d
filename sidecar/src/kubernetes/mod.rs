//! Which container a cgroup is, and which manifest is meant for it.
//!
//! Three answers from three sources, none of which gives a right that Picket does not have anyway:
//! 1. [`Container::at`]: the kubelet and the runtime write pod and container into the names of cgroups.
//! 2. [`Names`]: the kubelet writes namespace, pod and container into the names of its log directories. A runtime's
//!    socket would say the same and is root on the node; the API server would, for rights in the whole cluster.
//! 3. [`workloads`]: controllers write their own name into those of their pods.
//!
//! Everything here is pure: names in, names out. The daemon reads the directories.

mod binding;
mod cgroup;
mod name;
mod names;
mod workload;

pub use binding::{Binding, NoBinding};
pub use cgroup::{Container, Qos, Runtime, own_pod};
pub use names::{Named, Names};
pub use workload::workloads;

use crate::export::{OperatorWord, Place};

/// One container, as the people who run it call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    /// The namespace of its pod.
    pub namespace: String,
    /// What its manifest is bound to: a Deployment, DaemonSet, StatefulSet, Job, CronJob, or the pod itself.
    pub workload: String,
    /// Its pod.
    pub pod: String,
    /// Its name in the pod.
    pub container: String,
}

impl Workload {
    /// As it may leave the node: these are the cluster's own names.
    #[must_use]
    pub fn place(&self) -> Place {
        let Self { namespace, workload, pod, container } = self;
        let [namespace, workload, pod, container] =
            [namespace, workload, pod, container].map(|name| OperatorWord::new(name));
        Place { namespace, workload, pod, container }
    }
}

#[cfg(test)]
mod tests;
