//! `picket baseline rule`.

use std::time::{SystemTime, UNIX_EPOCH};

use picket_engine::learned::{Ruling, Standing};
use serde_json::json;

use super::{
    Refusal, Which,
    accept::{reason, who},
    exit, title, whose, with,
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The baseline: the beginning of its key, as `list` shows it.
    key: String,
    /// What the containment was.
    #[arg(value_enum)]
    ruling: Word,
    /// Why. Kept with the time and with who says so.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Word {
    /// Nothing was wrong: what was learned may only alert from now on, until another certificate.
    Benign,
    /// It was right: evidence is gathered again, from nothing on.
    Deserved,
}

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let reason = reason(&arguments.reason, "what it was")?;
    let ruling = match arguments.ruling {
        Word::Benign => Ruling::Benign,
        Word::Deserved => Ruling::Deserved,
    };
    let mut store = arguments.which.open()?;
    let identity = store.find(&arguments.key)?.identity;
    let Some(kept) = store.evidence(&identity)? else {
        return Err(Refusal::Other(format!(
            "{}: there is no evidence of it, so nothing was contained by it",
            title(&identity)
        )));
    };
    if kept.standing == Standing::Active && ruling == Ruling::Deserved {
        return Err(Refusal::Other(format!(
            "{}: is not suspended: nothing was contained by it since the last ruling",
            title(&identity)
        )));
    }
    let by = who();
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    store.rule(&identity, at, ruling, (&by, reason))?;
    let what = match ruling {
        Ruling::Benign => "it only alerts from now on, until another certificate is made",
        Ruling::Deserved => "its runs are evidence again, from nothing on",
    };
    let object = json!({ "event": "ruled", "ruling": ruling.as_str(), "by": by, "reason": reason });
    arguments.which.say(
        &with(object, whose(&identity)),
        &format!(
            "{}: ruled {ruling} by {by}: {what}. What is frozen stays frozen.",
            title(&identity)
        ),
    )?;
    Ok(exit::SUCCESS)
}
