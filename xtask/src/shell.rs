//! How a step runs a program: what it prints, how long it took, and what a failure says.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Why a step did not happen, in words that name the thing and the way out.
#[derive(Debug)]
pub(crate) struct Failure(String);

/// What a step returns.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what an input or output error was about.
pub(crate) trait About<T> {
    fn about(self, what: impl fmt::Display) -> Outcome<T>;
}

impl<T> About<T> for std::io::Result<T> {
    fn about(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

/// Runs one named step and prints its time.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    println!("==> {name}");
    let start = Instant::now();
    let result = work();
    let verdict = if result.is_ok() { "done" } else { "failed" };
    println!("    {verdict} in {}", seconds(start.elapsed()));
    result
}

/// A duration as people read it.
pub(crate) fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole >= 60 {
        format!("{} min {:02} s", whole / 60, whole % 60)
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// Runs a program with our terminal; anything but success is a failure.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let status = command.status().about(missing(command))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure(format!("{} ended with {status}", shown(command))))
    }
}

/// Runs a program and returns what it printed; its complaints go into the failure.
pub(crate) fn capture(command: &mut Command) -> Outcome<String> {
    let output = command.stdin(Stdio::null()).output().about(missing(command))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(Failure(format!(
        "{} ended with {}\n{}",
        shown(command),
        output.status,
        complaint.trim_end()
    )))
}

/// Like [`capture`], for a program that reads a short text and only then answers.
pub(crate) fn filter(command: &mut Command, input: &str) -> Outcome<String> {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().about(missing(command))?;
    let mut stdin = child.stdin.take().expect("standard input was asked to be piped");
    stdin.write_all(input.as_bytes()).about(shown(command))?;
    drop(stdin);
    let output = child.wait_with_output().about(shown(command))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Failure(format!("{} ended with {}", shown(command), output.status)))
    }
}

/// How a streamed program ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Exited { success: bool },
    TimedOut,
}

/// Runs a program and hands over each line of its standard output as it comes.
///
/// The reader is a thread of its own, because a program that hangs prints no line to wake us.
pub(crate) fn stream(
    command: &mut Command,
    limit: Duration,
    mut line: impl FnMut(&str),
) -> Outcome<Ended> {
    let deadline = Instant::now() + limit;
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().about(missing(command))?;
    let output = child.stdout.take().expect("standard output was asked to be piped");
    let (sender, lines) = mpsc::sync_channel(1024);
    let reader = std::thread::spawn(move || {
        for bytes in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match lines.recv_timeout(left) {
            Ok(text) => line(&text),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill().about("ending a program that ran too long")?;
                child.wait().about("ending a program that ran too long")?;
                return Ok(Ended::TimedOut);
            }
        }
    }
    reader.join().map_err(|_panic| Failure::new("the reader of a program's output panicked"))?;
    let status = child.wait().about(shown(command))?;
    Ok(Ended::Exited { success: status.success() })
}

fn missing(command: &Command) -> String {
    format!("{} could not be run", command.get_program().to_string_lossy())
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut text = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    fn streamed(script: &str, limit: Duration) -> (Ended, Vec<String>) {
        let mut lines = Vec::new();
        match stream(&mut shell(script), limit, |line| lines.push(line.to_owned())) {
            Ok(ended) => (ended, lines),
            Err(failure) => panic!("{failure}"),
        }
    }

    #[test]
    fn lines_come_whole_even_if_the_last_has_no_end_and_a_console_adds_carriage_returns() {
        let (ended, lines) = streamed("printf 'one\\r\\ntwo'", Duration::from_secs(60));
        assert_eq!(ended, Ended::Exited { success: true });
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_program_that_hangs_is_ended_and_what_it_said_is_kept() {
        let (ended, lines) = streamed("echo here; exec sleep 1000", Duration::from_millis(500));
        assert_eq!((ended, lines), (Ended::TimedOut, vec!["here".to_owned()]));
    }

    #[test]
    fn a_program_that_is_not_installed_is_named() {
        let failure = run(&mut Command::new("no-such-program")).unwrap_err();
        assert!(failure.to_string().starts_with("no-such-program could not be run"));
    }

    #[test]
    fn a_failed_program_is_shown_as_typed_with_its_complaint() {
        let failure = capture(&mut shell("echo why >&2; exit 3")).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "sh -c echo why >&2; exit 3 ended with exit status: 3\nwhy"
        );
    }
}
