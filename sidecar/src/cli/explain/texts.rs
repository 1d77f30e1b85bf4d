//! Accounts as sentences, and as JSON lines.

use std::io::{self, Write as _};

use picket_engine::{
    Action, Capability, Declared, Deed, Finding, Mode, Outcome, Reason, Step, baseline::Anomaly,
};
use serde_json::{Value, json};

use super::{
    account::{Account, Followed, Found, Receipt, Taken},
    causes,
};
use crate::{
    cli::{Output, tell::Teller},
    words,
};

/// Writes one account.
pub(super) fn tell(teller: &mut Teller, account: &Account) -> io::Result<()> {
    if teller.output == Output::Json {
        let value = value(teller, account);
        return writeln!(teller.out, "{value}");
    }
    let (what, lines) = sentences(account);
    let who = teller.who(account.sandbox(), account.at());
    writeln!(teller.out, "{who} {what}")?;
    let indent = " ".repeat(who.chars().count());
    lines.iter().try_for_each(|line| writeln!(teller.out, "{indent} {line}"))
}

/// What happened, and what is to be said about it.
pub(super) fn sentences(account: &Account) -> (String, Vec<String>) {
    match account {
        Account::Finding(found) => {
            let mut lines = vec![
                format!("why: {}", why(&found.finding)),
                format!("when: {}", when(&found.finding)),
                format!("followed: {}", followed(found)),
            ];
            lines.extend(way_out(found).map(|text| format!("to allow it: {text}")));
            (format!("finding {}: {}", found.number, deed(&found.finding)), lines)
        }
        Account::Step(step) => {
            let lines =
                vec![format!("why: {}", due(step)), format!("enough for it: {}", enough(step))];
            (format!("step {}: {}", step.number, order(step)), lines)
        }
        Account::Receipt(receipt) => {
            (format!("step {}: {}", receipt.step.number, confirmed(receipt)), Vec::new())
        }
    }
}

fn value(teller: &Teller, account: &Account) -> Value {
    let value = match account {
        Account::Finding(found) => finding(teller, found),
        Account::Step(step) => {
            let event = if step.rehearsed { "would_contain" } else { "contain" };
            with(self::step(teller, step, event), json!({ "text": due(step) }))
        }
        Account::Receipt(receipt) => with(
            step(teller, &receipt.step, "receipt"),
            json!({ "outcome": receipt.outcome.as_str(), "text": confirmed(receipt) }),
        ),
    };
    let since = teller.since(account.sandbox(), account.at());
    let since = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
    with(value, json!({ "time_ns": account.at().as_nanos(), "since_start_us": since }))
}

/// The fields of both.
fn with(mut value: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut value, more) {
        fields.extend(more);
    }
    value
}

fn finding(teller: &Teller, found: &Found) -> Value {
    let value = teller.finding_value("finding", &found.finding);
    let way_out = found.way_out.as_ref().map(|out| {
        let lines = out.lines.iter();
        let lines: Vec<Value> =
            lines.map(|line| json!({ "list": line.list, "value": line.value })).collect();
        json!({ "lines": lines, "remark": out.remark })
    });
    let (what, steps) = match &found.followed {
        Followed::Told => ("told", &[][..]),
        Followed::HeldBack => ("held_back", &[][..]),
        Followed::UnderWay => ("under_way", &[][..]),
        Followed::Steps(steps) => ("steps", steps.as_slice()),
    };
    let more = json!({ "number": found.number, "why": causes::of_finding(found.finding.reason),
        "mode": found.mode.as_str(), "followed": what, "steps": steps, "text": followed(found),
        "way_out": way_out });
    with(value, more)
}

fn step(teller: &Teller, step: &Taken, event: &str) -> Value {
    let because = step.contain.because;
    let more = json!({ "number": step.number, "capability": because.capability.as_str(),
        "reason": because.reason.as_str(), "action": because.action.as_str(), "enough": step.enough });
    with(teller.step_value(event, &step.contain), more)
}

fn deed(finding: &Finding) -> String {
    let (deed, _) = words::evidence(finding);
    match finding.evidence.clone().reveal().done {
        Deed::Fact(_) => format!("it {deed}"),
        Deed::Anomaly(_) => format!("it {deed}"),
        Deed::Lost(_) | Deed::Tampered(_) | Deed::Unattended | Deed::LauncherLost => deed,
    }
}

fn why(finding: &Finding) -> String {
    let (_, declared) = words::evidence(finding);
    let cause = causes::of_finding(finding.reason);
    let evidence = finding.evidence.clone();
    let revealed = evidence.reveal();
    match (&revealed.done, &revealed.declared) {
        (Deed::Anomaly(anomaly), _) => format!("{cause}; {}", rests_on(anomaly)),
        (_, Declared::Exec(_) | Declared::Files(_) | Declared::Endpoint(_)) => {
            let rule = declared.strip_prefix("declared: ").unwrap_or(&declared);
            format!("{cause}; the nearest rule is {rule}")
        }
        (Deed::Fact(_), Declared::Processes { .. }) => format!("{cause}; {declared}"),
        (Deed::Fact(_), Declared::Nothing) if is_of_rules(finding.reason) => {
            format!("{cause}, and none comes near")
        }
        _ => cause.to_owned(),
    }
}

/// Which certificate, and of which baseline.
fn rests_on(anomaly: &Anomaly) -> String {
    format!(
        "certificate {:016x} of a calibration over {} plugin-days, of a baseline with the digest {}",
        anomaly.certificate,
        anomaly.calibrated.whole_days(),
        crate::trace::to_hex(&anomaly.baseline),
    )
}

/// Whether there could have been a rule that comes near.
const fn is_of_rules(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::UndeclaredPath
            | Reason::UndeclaredExec
            | Reason::UndeclaredDestination
            | Reason::UndeclaredListener
    )
}

fn when(finding: &Finding) -> String {
    let nanos = finding.order.time.as_nanos();
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let who = match finding.process {
        None => "by no task of the sandbox".to_owned(),
        Some(process) if process.tgid == process.tid => format!("by process {}", process.tgid),
        Some(process) => format!("by thread {} of process {}", process.tid, process.tgid),
    };
    format!("{seconds}.{rest:09} s after boot, {who}, incident {}", finding.incident)
}

fn followed(found: &Found) -> String {
    let action = found.finding.action;
    let raised = found.declared != action;
    let asked = if found.finding.capability == Capability::Behaviour {
        format!("{action}, as the budget says that was reached")
    } else if raised {
        format!(
            "{action}, at least, of what is not watched or held, though the manifest says {}",
            found.declared
        )
    } else {
        format!("{action}, as the manifest says of {}", kind(&found.finding))
    };
    match &found.followed {
        Followed::Told => format!("nothing more: {asked}"),
        Followed::HeldBack => {
            format!("nothing: mode `{}` held back what would be due, {asked}", found.mode)
        }
        Followed::UnderWay => format!("nothing new: as much was due already, {asked}"),
        Followed::Steps(steps) if found.mode == Mode::Enforce => {
            format!("{asked}: {}", numbered("step", steps))
        }
        Followed::Steps(steps) => format!(
            "nothing: mode `{}` held back {}, due was {asked}",
            found.mode,
            numbered("step", steps)
        ),
    }
}

/// What the manifest's `actions` call it.
fn kind(finding: &Finding) -> &'static str {
    match (finding.reason, finding.action) {
        (Reason::DeniedAttempt, Action::Alert) => "refused attempts",
        (Reason::DeniedAttempt, _) => "refused attempts that are repeated",
        _ => finding.capability.as_str(),
    }
}

/// What could be written in the manifest, if the deed is meant.
fn way_out(found: &Found) -> Option<String> {
    let out = found.way_out.as_ref()?;
    let lines: Vec<String> = out.lines.iter().map(|grant| grant.line()).collect();
    let lines = lines.join("; ");
    // A value holds no character that steers a terminal: `lines::value` escapes them.
    Some(match out.remark {
        None => lines,
        Some(remark) if lines.is_empty() => remark.to_owned(),
        Some(remark) => format!("{lines} ({remark})"),
    })
}

fn order(step: &Taken) -> String {
    let verb = if step.rehearsed { "would be" } else { "is to be" };
    let done = match step.contain.step {
        Step::Freeze => "frozen",
        Step::Kill => "killed",
    };
    let again = match step.contain.attempt {
        1 => String::new(),
        attempt => format!(", said for the {attempt}th time because nobody confirmed it"),
    };
    format!("it {verb} {done}{again}")
}

fn due(step: &Taken) -> String {
    let because = step.contain.because;
    format!(
        "{} ({}: {}, {})",
        causes::of_step(step.contain.trigger),
        because.capability.as_str(),
        because.reason.as_str().replace('_', " "),
        because.action.as_str()
    )
}

fn enough(step: &Taken) -> String {
    match step.enough.as_slice() {
        [] => "a departure like one that was told before, which by then asked for more".to_owned(),
        all if step.repeated => {
            format!(
                "{}; refused attempts are answered so from the third in an incident on",
                numbered("finding", all)
            )
        }
        all => format!(
            "{} alone: {}",
            numbered("finding", all),
            match step.contain.because.capability {
                Capability::Behaviour => "the evidence that it tells of has reached its budget",
                _ => "one departure from what is declared needs no other",
            }
        ),
    }
}

fn confirmed(receipt: &Receipt) -> String {
    let contain = receipt.step.contain;
    let micros = contain.latency(receipt.at).as_micros();
    let what = match (contain.step, receipt.outcome) {
        (Step::Freeze, Outcome::Done) => "the kernel says that it is frozen",
        (Step::Kill, Outcome::Done) => "the kernel says that nothing of it is left",
        (Step::Freeze, Outcome::Failed) => "it could not be frozen",
        (Step::Kill, Outcome::Failed) => "it could not be killed",
    };
    format!("{what}, {micros} µs after the departure")
}

/// `finding 1`, `findings 1, 2 and 3`.
fn numbered(thing: &str, numbers: &[u64]) -> String {
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    match texts.as_slice() {
        [one] => format!("{thing} {one}"),
        [before @ .., last] => format!("{thing}s {} and {last}", before.join(", ")),
        [] => format!("no {thing}"),
    }
}
