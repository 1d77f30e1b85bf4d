//! `--data DIR`: detection on published system-call traces.
//!
//! Every trace first passes through what the kernel side will do with it (`picket_abi::surprise`) and is then judged by
//! the engine; that is the headline. The same without the reduction, and two methods of the literature, are computed
//! in the same run for comparison. Learned is on `train` alone, thresholds come from calibration alone.

mod experiment;
mod measure;
mod plot;
mod production;
mod random;
mod references;
mod report;
mod sets;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use random::Random;
use sets::{Adfa, Lpr};
use table::TableError;

/// Why there are no figures.
#[derive(Debug)]
pub(crate) enum DataError {
    /// The command line makes no sense.
    Usage(String),
    /// A file is not what it should be.
    Table(TableError),
    /// A result could not be written.
    Write { path: PathBuf, error: io::Error },
    /// There is nothing to measure.
    Empty { what: String },
}

impl std::fmt::Display for DataError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usage(what) => write!(out, "{what}\nsee `cargo xtask eval --help`"),
            Self::Table(error) => error.fmt(out),
            Self::Write { path, error } => write!(out, "{}: {error}", path.display()),
            Self::Empty { what } => write!(out, "nothing to measure: {what}"),
        }
    }
}

impl From<TableError> for DataError {
    fn from(error: TableError) -> Self {
        Self::Table(error)
    }
}

/// The command line after the program's name.
struct Request {
    data: PathBuf,
    out: PathBuf,
    seed: u64,
}

#[expect(clippy::print_stderr, reason = "a command for people")]
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    match request(arguments).and_then(|request| run(&request)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("eval: {error}");
            ExitCode::from(if matches!(error, DataError::Usage(_)) { 64 } else { 1 })
        }
    }
}

fn request(arguments: &[String]) -> Result<Request, DataError> {
    let (mut data, mut out, mut seed) = (None, None, 1);
    let mut rest = arguments.iter();
    while let Some(option) = rest.next() {
        let value =
            rest.next().ok_or_else(|| DataError::Usage(format!("`{option}` wants a value")))?;
        match option.as_str() {
            "--data" => data = Some(PathBuf::from(value)),
            "--out" => out = Some(PathBuf::from(value)),
            "--seed" => {
                let what = || DataError::Usage(format!("--seed is a number, not `{value}`"));
                seed = value.parse().map_err(|_not_a_number| what())?;
            }
            _ => return Err(DataError::Usage(format!("no option `{option}`"))),
        }
    }
    let data = data.ok_or_else(|| DataError::Usage("--data DIR is missing".to_owned()))?;
    Ok(Request { data, out: out.unwrap_or_else(default_out), seed })
}

/// Beside what this program was built into.
fn default_out() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let target = program.ancestors().find(|place| place.join("CACHEDIR.TAG").exists());
    target.unwrap_or(Path::new("target")).join("eval")
}

#[expect(clippy::print_stdout, reason = "a command for people")]
fn run(request: &Request) -> Result<(), DataError> {
    let adfa = Adfa::read(&request.data)?;
    let lpr = Lpr::read(&request.data)?;
    let mut random = Random::new(request.seed);
    let experiments = [adfa.experiments(), lpr.experiments(&mut random)].concat();
    let mut results = Vec::new();
    for experiment in &experiments {
        let result = experiment.run(request.seed)?;
        print!("{}", report::text(&result));
        results.push(result);
    }
    let pooled = report::pooled(&results);
    print!("{}", report::pooled_text(&pooled));
    let write = |name: &str, text: String| {
        let path = request.out.join(name);
        fs::create_dir_all(&request.out)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| DataError::Write { path: path.clone(), error })?;
        println!("wrote {}", path.display());
        Ok::<(), DataError>(())
    };
    write("sequences.json", report::json(&results, &pooled, request.seed))?;
    for result in results.iter().filter(|result| !result.is_shuffle()) {
        write(&format!("roc-{}.svg", result.slug()), plot::roc(result))?;
    }
    if let Some(story) = experiments.first().map(|first| first.story(request.seed)) {
        write("evidence-of-one-attack.svg", plot::story(&story?))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
