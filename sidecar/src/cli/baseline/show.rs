//! `picket baseline show`.

use picket_engine::{
    baseline::{Counts, Family, FamilyState},
    sequence::Bits,
};
use serde_json::{Value, json};

use super::{Refusal, Which, exit, print, table, time, title, whose, with, words};
use crate::{baseline::Entry, manifest::syscalls};

/// Deeds of a family that are shown unless all are asked for.
const SHOWN: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The baseline: the beginning of its key, as `list` shows it.
    key: String,
    /// All deeds, not only the most surprising ones of each family.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    which: Which,
}

/// A deed of a family.
struct Deed<'a> {
    template: &'a str,
    seen: u64,
    runs: u64,
    surprise: Option<Bits>,
}

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let store = arguments.which.open()?;
    let entry = store.find(&arguments.key)?;
    let counts = Counts::of(&entry.baseline, store.key()?);
    if arguments.which.is_human() {
        human(&entry, &counts, arguments.all)?;
    } else {
        objects(&entry, &counts)?;
    }
    Ok(exit::SUCCESS)
}

fn deeds<'a>(entry: &'a Entry, counts: &Counts, family: Family) -> Vec<Deed<'a>> {
    let kinds = entry.baseline.kinds(family).into_iter();
    let mut deeds: Vec<Deed<'_>> = kinds
        .map(|(template, (seen, runs))| Deed {
            template,
            seen,
            runs,
            surprise: counts.surprise(family, template),
        })
        .collect();
    deeds.sort_by_key(|deed| (deed.runs, deed.seen, deed.template));
    deeds
}

/// Of something that was never seen, where that is the same for all of a family.
fn of_new(counts: &Counts, family: Family) -> Option<Bits> {
    // No deed has no name.
    (family != Family::Path).then(|| counts.surprise(family, "")).flatten()
}

fn human(entry: &Entry, counts: &Counts, all: bool) -> Result<(), Refusal> {
    let Entry { identity, baseline } = entry;
    print(&title(identity))?;
    print(&format!("build {}, manifest {}", identity.artifact, identity.manifest))?;
    print(&runs(entry))?;
    print("")?;
    let heads = ["FAMILY", "KINDS", "LIMIT", "SEEN", "SOMETHING NEW WOULD BE"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(baseline.families().map(|state| row(&state, counts)));
    table(&rows).iter().try_for_each(|line| print(line))?;
    for family in Family::ALL {
        let deeds = deeds(entry, counts, *family);
        if deeds.is_empty() {
            continue;
        }
        let shown = if all { deeds.len() } else { deeds.len().min(SHOWN) };
        let which = if shown < deeds.len() { ", the rarest" } else { "" };
        print(&format!("\n{family}{which}"))?;
        let rows: Vec<Vec<String>> = deeds
            .iter()
            .take(shown)
            .map(|deed| {
                vec![
                    format!(" {}", words::count(deed.runs, "run")),
                    words::count(deed.seen, "time"),
                    bits(deed.surprise),
                    named(*family, deed.template),
                ]
            })
            .collect();
        table(&rows).iter().try_for_each(|line| print(line))?;
        if shown < deeds.len() {
            print(&format!(" and {} more (--all)", deeds.len() - shown))?;
        }
    }
    if baseline.accepted().next().is_some() {
        print("\naccepted")?;
    }
    for one in baseline.accepted() {
        let (what, by) = (named(one.family, &one.template), words::text(one.by.as_bytes()));
        let reason = words::text(one.reason.as_bytes());
        print(&format!(" {}:{what}, {} by {by}: {reason}", one.family, time(one.at)))?;
    }
    Ok(())
}

/// How many runs, since when, and how many of them are of no use.
fn runs(entry: &Entry) -> String {
    let baseline = &entry.baseline;
    let count = |runs: usize| words::count(u64::try_from(runs).unwrap_or(u64::MAX), "run");
    let (all, usable) = (baseline.runs().count(), baseline.usable().count());
    let first = baseline.runs().map(|(_, run)| run.began()).min().unwrap_or_default();
    let last = baseline.runs().map(|(_, run)| run.ended()).max().unwrap_or_default();
    let mut text = format!("{} from {} to {}", count(all), time(first), time(last));
    if all == 0 {
        text = "no runs".to_owned();
    }
    if baseline.is_sampled() {
        text.push_str(", a sample of more than a baseline holds");
    }
    for (_, run) in baseline.runs().filter(|(_, run)| !run.is_usable()) {
        let why = super::learn::faults(run).join(", ");
        text.push_str(&format!("\n  of no use: the run of {}: {why}", time(run.began())));
    }
    if usable < all {
        text.push_str(&format!("\n  {} may be learned from", count(usable)));
    }
    text
}

fn row(state: &FamilyState, counts: &Counts) -> Vec<String> {
    let FamilyState { family, kinds, seen, full } = *state;
    let kinds = if full { "FULL".to_owned() } else { kinds.to_string() };
    let new = match (full, family) {
        (true, _) => "nothing: it has no vote, because it has more kinds than fit".to_owned(),
        (false, Family::Context) => "nothing: recordings hold each call once".to_owned(),
        (false, _) if !counts.votes(family) => {
            "nothing: no vote, because nothing was learned".to_owned()
        }
        (false, Family::Path) => "by directory".to_owned(),
        (false, _) => bits(of_new(counts, family)),
    };
    vec![family.to_string(), kinds, family.limit().to_string(), seen.to_string(), new]
}

pub(super) fn bits(bits: Option<Bits>) -> String {
    bits.map_or_else(
        || "-".to_owned(),
        |bits| {
            let tenths = (u64::from(bits.raw()) * 10 + (1 << 15)) >> 16;
            format!("{}.{} bits", tenths / 10, tenths % 10)
        },
    )
}

/// A template as people read and type it: calls have names.
pub(super) fn named(family: Family, template: &str) -> String {
    let number = (family == Family::Syscall).then(|| template.parse().ok()).flatten();
    match number.and_then(syscalls::name) {
        Some(name) => name.to_owned(),
        None => words::text(template.as_bytes()),
    }
}

fn objects(entry: &Entry, counts: &Counts) -> Result<(), Refusal> {
    let Entry { identity, baseline } = entry;
    let about = json!({
        "event": "baseline", "runs": baseline.runs().count(), "usable": baseline.usable().count(),
        "sampled": baseline.is_sampled(), "memory_bytes": counts.memory(),
    });
    print(&with(about, whose(identity)).to_string())?;
    for (id, run) in baseline.runs() {
        let faults: Vec<Value> = run
            .faults()
            .iter()
            .map(|(fault, times)| json!({ "fault": fault.as_str(), "times": times }))
            .collect();
        let object = json!({
            "event": "run", "run": crate::trace::to_hex(&id.0), "began": time(run.began()),
            "lasted_ms": run.lasted().as_millis(), "started": run.started(), "facts": run.facts(),
            "faults": faults,
        });
        print(&object.to_string())?;
    }
    for state in baseline.families() {
        let FamilyState { family, kinds, seen, full } = state;
        let object = json!({
            "event": "family", "family": family.as_str(), "kinds": kinds, "limit": family.limit(),
            "seen": seen, "full": full, "votes": counts.votes(family),
            "surprise_of_new_bits": of_new(counts, family).map(rounded),
        });
        print(&object.to_string())?;
        for deed in deeds(entry, counts, family) {
            let object = json!({
                "event": "deed", "family": family.as_str(), "template": named(family, deed.template),
                "seen": deed.seen, "runs": deed.runs, "surprise_bits": deed.surprise.map(rounded),
            });
            print(&object.to_string())?;
        }
    }
    for one in baseline.accepted() {
        let object = json!({
            "event": "accepted", "family": one.family.as_str(),
            "template": named(one.family, &one.template), "at": time(one.at), "by": one.by,
            "reason": one.reason,
        });
        print(&object.to_string())?;
    }
    Ok(())
}

/// To hundredths, which is for people: nothing is decided by it.
pub(super) fn rounded(bits: Bits) -> f64 {
    f64::from((bits.raw() / 64 * 100 + 512) / 1024) / 100.0
}
