//! The gate, asked on a real kernel: nothing runs before Picket says so, nothing that was not
//! declared reaches the plugin, and nothing runs unguarded.
//!
//! Needs root, cgroup2, the built binary in `PICKET_BIN` (`cargo xtask test kernel` sets it), and
//! `picket-stand-in`, which Cargo builds along (`PICKET_STAND_IN` names it where the tests run
//! elsewhere than they were built).

#[cfg(test)]
mod death;
#[cfg(test)]
mod exits;
#[cfg(test)]
mod host;
#[cfg(test)]
mod inside;
#[cfg(test)]
mod prepare;
#[cfg(test)]
mod refusal;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod usage;
