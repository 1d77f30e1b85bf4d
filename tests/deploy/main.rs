//! What `deploy/` and `picket baseline suggest` give to a cluster, and what a builder of images gets, read by the tools
//! that read it there.
//!
//! Needs no root. `PICKET_BIN` is the built binary; `KUBECTL` and `KUBERNETES_VALIDATE` are the tools that
//! `cargo xtask test deploy` installs.

#[cfg(test)]
mod collector;
#[cfg(test)]
mod image;
#[cfg(test)]
mod kustomize;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod suggested;
