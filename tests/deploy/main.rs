//! What `deploy/` gives to a cluster and to a builder of images, read by the tools that read it there.
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
