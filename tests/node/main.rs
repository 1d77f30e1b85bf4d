//! Picket as a pod on a node: the DaemonSet's container, as its YAML says it, under a real container runtime.
//!
//! `pod` turns the YAML into what the kubelet has a runtime do, `container` runs it. Only in the guests: it takes the
//! whole node, and a unified cgroup tree. Needs root, `crun`, and the built binary in `PICKET_BIN`.

#[cfg(test)]
mod container;
#[cfg(test)]
mod pod;
#[cfg(test)]
mod privileges;
