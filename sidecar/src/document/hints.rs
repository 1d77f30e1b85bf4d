//! "Did you mean": the nearest of the words that would have been right.

/// Shares this much with a slip of the fingers; less is another word.
const ALIKE: f64 = 0.6;
/// The shortest beginning that says which word was meant.
const BEGINNING: usize = 4;
/// Longer than any word of ours; comparing costs the product of the lengths.
const LONGEST: usize = 40;
/// A list longer than this is no help.
const LISTED: usize = 16;

/// The nearest of `known` to `word`, or all of them if none is near.
pub(crate) fn closest<'a>(
    word: &str,
    known: impl IntoIterator<Item = impl AsRef<str> + 'a>,
) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    let meant = known
        .iter()
        .find(|other| word.len() >= BEGINNING && other.starts_with(word))
        .or_else(|| nearest(word, &known));
    if let Some(meant) = meant {
        return format!("did you mean `{meant}`?");
    }
    if LISTED < known.len() {
        return format!("none of the {} known names is near it", known.len());
    }
    format!("known are {}", known.join(", "))
}

fn nearest<'a, 'b>(word: &str, known: &'b [&'a str]) -> Option<&'b &'a str> {
    if LONGEST < word.len() {
        return None;
    }
    let word = word.to_lowercase();
    let alike =
        |other: &&&str| strsim::normalized_damerau_levenshtein(&word, &other.to_lowercase());
    let best = known.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)))?;
    (ALIKE <= alike(&best)).then_some(best)
}
