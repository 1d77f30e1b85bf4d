//! What Picket's kernel programs see, report and stop, on the kernel that runs this.
//!
//! `harness` holds the kernel side that the tests share, `actor` does something in a sandbox, `seen` is what came of it,
//! `place` and `raw` are what acts need.

#[cfg(test)]
mod actor;
#[cfg(test)]
mod arguments;
#[cfg(test)]
mod below;
#[cfg(test)]
mod conservation;
#[cfg(test)]
mod contain;
#[cfg(test)]
mod counting;
#[cfg(test)]
mod faults;
mod flood;
#[cfg(test)]
mod frozen;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod kernel_says;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod network;
#[cfg(test)]
mod novelty;
#[cfg(test)]
mod offsets;
#[cfg(test)]
mod opens;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod patrol;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod place;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod races;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod scope;
#[cfg(test)]
mod seen;
#[cfg(test)]
mod sequence;
#[cfg(test)]
mod shelves;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod syscalls;
#[cfg(test)]
mod traffic;
#[cfg(test)]
mod uring;
#[cfg(test)]
mod verdict;
