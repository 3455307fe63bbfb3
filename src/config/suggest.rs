//! "did you mean": the known word nearest to an unknown one.
//!
//! It only words a hint; no key is ever accepted because it is near to another.

/// The nearest of `known`, when it is near enough to be a slip of the hand.
///
/// Case, `-` and `_` do not count. Of equally near words the first wins.
#[must_use]
pub fn suggest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let folded = fold(word);
    let limit = (folded.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&folded, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The hint for an unknown `word`, when one of `known` is near.
#[must_use]
pub fn did_you_mean<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    suggest(word, known).map(|near| format!("did you mean `{near}`?"))
}

fn fold(word: &str) -> String {
    word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_other_spellings_only() {
        let known = ["command", "args", "env", "includeTools"];
        assert_eq!(suggest("comand", known), Some("command"));
        assert_eq!(suggest("Command", known), Some("command"));
        assert_eq!(suggest("include_tools", known), Some("includeTools"));
        assert_eq!(suggest("enb", known), Some("env"));
        assert_eq!(suggest("colour", known), None);
    }
}
