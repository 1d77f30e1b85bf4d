//! Learned behaviour as evidence: how often a plugin's blocks were abnormal while nobody attacked it,
//! certified, and what that makes of the blocks it shows now.
//!
//! Fed by runs that a baseline scored, recorded and live ([`crate::baseline::Ongoing`]); the simulation (`cargo xtask eval
//! --simulate`) drives exactly these modules. [`crate::Engine`] is told what comes of it, as
//! [`Input::Anomaly`](crate::Input::Anomaly). The method, its claim and where it breaks: `docs/detection.md`.
//!
//! In order of use: a plugin's [`Block`]s of a calibration period go through [`certify`], which passes the
//! [readiness gate](Missing), chooses the [`Scale`] by dry run and answers a [`Certificate`]. A
//! [`Detector`] holds the certificate and the user's [`Budget`]s and is told of every block from then on.
//! What it did not act on yet survives a restart ([`Detector::to_bytes`]). [`PooledRule`] is the only way
//! to use blocks of several deployments together.
//!
//! Everything is an integer, and whatever has to be rounded is rounded against acting.

mod binomial;
mod block;
mod budget;
mod bytes;
mod certificate;
mod detector;
mod ladder;
mod pooled;
mod readiness;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod track;

pub use block::{Block, Lane, Scores, Surprise};
pub use budget::{Budget, BudgetError, Claim, PluginTime, Rung, Severity, Total};
pub use bytes::BytesError;
pub use certificate::{Certificate, Subject};
pub use detector::{Act, Detector, Ruling, Standing};
pub use ladder::{Scale, Trial, certify, rehearse};
pub use pooled::PooledRule;
pub use readiness::{Cadence, Missing};
