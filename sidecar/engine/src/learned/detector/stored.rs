//! Evidence in the store: a restart of sandbox, Picket or host neither forgives nor accuses.

use alloc::vec::Vec;

use super::wealth::{EXPERTS, Wealth};
use super::{Detector, Standing, Step, Track};
use crate::Mode;
use crate::learned::bytes::{BytesError, Reader, Writer};
use crate::learned::{Certificate, Rung};

const KIND: [u8; 4] = *b"PKev";

impl Detector {
    /// Everything but certificate, rungs and mode: what [`Detector::from_bytes`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new(KIND);
        out.bytes(&self.certificate.subject().0);
        out.u64(self.certificate.fingerprint());
        out.u8(self.standing as u8);
        self.track.write(&mut out);
        out.u8(u8::try_from(self.ladder.len()).unwrap_or(u8::MAX));
        for step in &self.ladder {
            out.u8(step.rung.severity as u8);
            out.u64(step.rung.budget.time().as_millis());
            out.u8(u8::from(step.reached));
            step.wealth.experts().iter().for_each(|wealth| out.u64(*wealth));
        }
        out.sealed()
    }

    /// The detector as it was, for the same certificate and the same rungs.
    ///
    /// # Errors
    /// Bytes that are damaged, of another version, of another baseline or certificate, or gathered under other
    /// rungs. The way out is [`Detector::new`], which begins without evidence: say so, it forgets.
    pub fn from_bytes(
        bytes: &[u8],
        certificate: Certificate,
        rungs: &[Rung],
        mode: Mode,
    ) -> Result<Self, BytesError> {
        let mut input = Reader::open(KIND, bytes)?;
        let subject: [u8; 32] = input.array()?;
        if subject != certificate.subject().0 || input.u64()? != certificate.fingerprint() {
            return Err(BytesError::OtherCertificate);
        }
        let standing = usize::from(input.u8()?);
        let standing = *Standing::ALL.get(standing).ok_or(BytesError::Impossible)?;
        let track = Track::read(&mut input)?;
        if track.scale() != certificate.scale() {
            return Err(BytesError::Impossible);
        }
        let mut detector = Self { standing, track, ..Self::new(certificate, rungs, mode) };
        if usize::from(input.u8()?) != detector.ladder.len() {
            return Err(BytesError::OtherRungs);
        }
        for Step { rung, wealth, reached } in &mut detector.ladder {
            let severity = input.u8()?;
            if severity != rung.severity as u8 || input.u64()? != rung.budget.time().as_millis() {
                return Err(BytesError::OtherRungs);
            }
            *reached = input.flag()?;
            let mut experts = [0; EXPERTS];
            for expert in &mut experts {
                *expert = input.u64()?;
            }
            *wealth = Wealth::from_experts(experts);
        }
        input.end()?;
        Ok(detector)
    }
}
