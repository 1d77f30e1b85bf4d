//! What was asked for on the command line.

use std::path::PathBuf;

use crate::simulate::plugin::Regime;

pub(crate) const HELP: &str = "\
cargo xtask eval --simulate [OPTIONS]: bound and power of the detector on simulated plugins

  --blocks N         benign blocks of ten seconds a regime (default 10000000)
  --certificates N   fresh certificates a regime (default 40)
  --seed S           which plugins are drawn (default 1); the same seed draws the same
  --jobs N           regimes at a time (default 1)
  --regime NAME      this one only; may be repeated
  --json FILE        writes everything that was measured, parameters included

Exits 1 when the detector fires more often than its bound allows on independent blocks, or never.
";

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) blocks: u64,
    pub(crate) certificates: u64,
    pub(crate) seed: u64,
    pub(crate) jobs: u64,
    /// All, unless some are named.
    pub(crate) regimes: Vec<Regime>,
    pub(crate) json: Option<PathBuf>,
}

/// `None`: the help text was asked for.
pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments {
        blocks: 10_000_000,
        certificates: 40,
        seed: 1,
        jobs: 1,
        regimes: Vec::new(),
        json: None,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--simulate" => {}
            "--blocks" => arguments.blocks = number(&word, &value()?, 1)?,
            "--certificates" => arguments.certificates = number(&word, &value()?, 1)?,
            "--seed" => arguments.seed = number(&word, &value()?, 0)?,
            "--jobs" => arguments.jobs = number(&word, &value()?, 1)?,
            "--regime" => arguments.regimes.push(regime(&value()?)?),
            "--json" => arguments.json = Some(PathBuf::from(value()?)),
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("no argument `{other}`")),
        }
    }
    if arguments.regimes.is_empty() {
        arguments.regimes = Regime::ALL.to_vec();
    }
    if arguments.blocks < arguments.certificates {
        return Err(format!(
            "--blocks {} leaves none for each of {} certificates",
            arguments.blocks, arguments.certificates
        ));
    }
    Ok(Some(arguments))
}

fn regime(name: &str) -> Result<Regime, String> {
    Regime::ALL.into_iter().find(|regime| regime.name() == name).ok_or_else(|| {
        let known: Vec<&str> = Regime::ALL.into_iter().map(Regime::name).collect();
        format!("no regime `{name}`; there are: {}", known.join(", "))
    })
}

fn number(name: &str, text: &str, least: u64) -> Result<u64, String> {
    let number: u64 =
        text.parse().map_err(|why| format!("{name} wants a whole number, not `{text}`: {why}"))?;
    if number < least { Err(format!("{name} must be at least {least}")) } else { Ok(number) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, complaint: &str) {
        let words = line.split_whitespace().map(str::to_owned);
        assert_eq!(parse(words).unwrap_err(), complaint);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        check("--simulate --blocks", "--blocks needs a value");
        check("--simulate --certificates 0", "--certificates must be at least 1");
        check("--simulate --blocks 3", "--blocks 3 leaves none for each of 40 certificates");
        check("--simulate --speed 3", "no argument `--speed`");
    }
}
