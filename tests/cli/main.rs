//! The command line: what people type, what it prints, how it exits, what it leaves behind.
//!
//! Needs root, cgroup2, the built binary in `PICKET_BIN` (`cargo xtask test kernel` sets it), and
//! Debian's essential packages: the plugins are lines of `dash` and `perl`. `prometheus` needs
//! the package of that name, `otlp` a Python with OpenTelemetry's messages in `PICKET_PYTHON`, and `openssl`; `baseline` needs
//! `crun`, the schemas of Debian's `golang-github-opencontainers-specs-dev`, and a Python with `jsonschema` in
//! `PICKET_WEBHOOKS_PYTHON`.

#[cfg(test)]
mod bad;
#[cfg(test)]
mod baseline;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod configs;
#[cfg(test)]
mod conservation;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod dashboards;
#[cfg(test)]
mod death;
#[cfg(test)]
mod deeds;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod files;
#[cfg(test)]
mod help;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod otlp;
#[cfg(test)]
mod passing;
#[cfg(test)]
mod plugin;
#[cfg(test)]
mod privacy;
#[cfg(test)]
#[path = "../kernel/programs.rs"]
mod programs;
#[cfg(test)]
mod prometheus;
#[cfg(test)]
mod record;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod run;
#[cfg(test)]
mod scores;
#[cfg(test)]
mod scrape;
#[cfg(test)]
mod shells;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod sink;
#[cfg(test)]
mod strict;
#[cfg(test)]
mod suggest;
#[cfg(test)]
mod tamper;
#[cfg(test)]
mod together;
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod walled;
