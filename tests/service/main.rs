//! The unit file under a real systemd: Picket as a service, as `deploy/systemd/picket.service` has it.
//!
//! Only in the guest whose first process is systemd (`cargo xtask vm --systemd`): the service is the machine's own. One
//! test at a time, because there is one service. Needs the unit in /etc/systemd/system and the binary in /usr/bin.

#[cfg(test)]
mod manager;
#[cfg(test)]
mod unit;
