//! What Picket itself costs: size of the program, resident memory with 1 and with 100 sandboxes, CPU time while they rest.
//!
//! The sandboxes are idle; resident memory is this process's own, which does what `picket exec` does.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use picket::export::{Origin, SeriesBudget};
use picket::manifest::Manifest;
use picket::session::{Launch, Options, Plugin, Session};
use picket_tests::picket_program;

const MANIFEST: &str = "
version: 1
plugin: { name: bench, version: 1.0.0 }
exec: [{ path: /usr/bin/sleep }]
syscalls: { allow: ['@basic-io', '@file-system', '@process', '@signal', '@timer'] }
";

/// How long nothing happens.
const REST: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let program = picket_program();
    println!("program            {:>8} KiB", fs::metadata(&program)?.len() / 1024);
    let begun = Instant::now();
    let (mut session, _reports) = Session::open(Options {
        max_sandboxes: 128,
        refusals: false,
        program,
        node: Origin::default_node(),
        series: SeriesBudget::DEFAULT,
    })?;
    println!("open and self-test {:>8} ms", begun.elapsed().as_millis());
    let manifest = Manifest::parse("bench.yaml", MANIFEST.as_bytes())?;
    let mut plugins: Vec<Plugin> = Vec::new();
    for wanted in [0_usize, 1, 100] {
        let begun = Instant::now();
        let missing = wanted - plugins.len();
        for _ in 0..missing {
            plugins.push(session.start(&manifest, idle()?)?);
        }
        let started = begun.elapsed();
        println!(
            "{wanted:>3} sandboxes      {:>8} KiB resident, {:>8} KiB at most, {} ms for {missing} starts",
            status("VmRSS:")?,
            status("VmHWM:")?,
            started.as_millis(),
        );
    }
    let (began, used) = (Instant::now(), cpu_nanos()?);
    // Again and again: somebody may have unparked this thread before, and then the first comes back at once.
    while let Some(left) = REST.checked_sub(began.elapsed()) {
        thread::park_timeout(left);
    }
    let share = (cpu_nanos()? - used) as f64 / began.elapsed().as_nanos() as f64;
    println!("100 at rest        {:>8.2} % of a processor", share * 100.0);
    // Twice: what the first leaves behind the second uses again.
    for _ in 0..2 {
        let length = session.metrics().text().len();
        println!(
            "a scrape of {:>5} KiB {:>5} KiB resident, {:>8} KiB at most",
            length / 1024,
            status("VmRSS:")?,
            status("VmHWM:")?,
        );
    }
    for plugin in plugins {
        session.end(plugin)?;
    }
    Ok(())
}

/// CPU time of all threads of this process so far.
fn cpu_nanos() -> Result<u64, Box<dyn Error>> {
    let mut sum = 0;
    for thread in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        sum += text.split(' ').next().ok_or("no time")?.parse::<u64>()?;
    }
    Ok(sum)
}

fn idle() -> Result<Launch, Box<dyn Error>> {
    let null: Arc<OwnedFd> =
        Arc::new(File::options().read(true).write(true).open("/dev/null")?.into());
    Ok(Launch {
        program: "/usr/bin/sleep".into(),
        arguments: ["sleep", "600"].map(OsString::from).into(),
        environment: Vec::new(),
        working_directory: "/".into(),
        standard: Some([Arc::clone(&null), Arc::clone(&null), null]),
    })
}

fn status(field: &str) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
