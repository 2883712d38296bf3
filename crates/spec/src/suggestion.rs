//! Finds the valid name that is most similar to a misspelt name, for "did you mean" hints.

/// The longest name, in characters, for which [`find_closest_name`] searches a similar name. A longer name was probably
/// written by a program, and programs do not misspell.
const MAX_COMPARED_CHARS: usize = 64;

/// Returns the name in `known` that is most similar to `written`. Returns `None` if no name is so similar that
/// `written` may be a misspelling of it.
pub(crate) fn find_closest_name<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = written.chars().count();
    if length > MAX_COMPARED_CHARS {
        return None;
    }
    let lower = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= (length.min(name.chars().count()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Returns the names in `known` that are similar to `written`, at most `max_count`, the most similar first. A name is
/// also similar if it consists of the same words in another order, or contains `written` or is contained in it.
#[must_use]
pub fn find_similar_names<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
    max_count: usize,
) -> Vec<&'a str> {
    const MIN_CONTAINED_CHARS: usize = 4;
    let sorted_words = |name: &str| {
        let mut words: Vec<String> = name.split(['.', '_', '-']).map(str::to_lowercase).collect();
        words.sort_unstable();
        words
    };
    let length = written.chars().count();
    let lower = written.to_lowercase();
    let contains = |long: &str, short: &str| short.chars().count() >= MIN_CONTAINED_CHARS && long.contains(short);
    let mut similar: Vec<(usize, &str)> = known
        .into_iter()
        .filter(|name| name.chars().count() <= MAX_COMPARED_CHARS && length <= MAX_COMPARED_CHARS)
        .filter_map(|name| {
            let other = name.to_lowercase();
            let distance = strsim::damerau_levenshtein(&lower, &other);
            let is_close = distance <= (length.min(name.chars().count()) / 3).max(1);
            let has_same_words = sorted_words(written) == sorted_words(name);
            let is_contained = contains(&other, &lower) || contains(&lower, &other);
            (is_close || has_same_words || is_contained).then_some((distance, name))
        })
        .collect();
    similar.sort_unstable();
    similar.into_iter().take(max_count).map(|(_, name)| name).collect()
}

/// Returns the hint "did you mean …?" with the result of [`find_closest_name`].
pub(crate) fn build_closest_name_hint<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    find_closest_name(written, known).map(|name| format!("did you mean `{name}`?"))
}

/// Joins names to `a, b or c`.
pub(crate) fn join_names_with_or<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        None => "nothing".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::find_similar_names;

    #[test]
    fn similar_names_are_misspelt_turned_or_contained() {
        let known = ["ecommerce-events", "ecommerce-events-v2", "payments", "events", "events-ecommerce", "log"];
        for (written, similar) in [
            ("ecommerce-event", vec!["ecommerce-events", "ecommerce-events-v2"]),
            ("ecommerce_events", vec!["ecommerce-events", "ecommerce-events-v2", "events"]),
            ("Payment", vec!["payments"]),
            ("loq", vec!["log"]),
            ("lo", vec!["log"]),
            ("clicks", vec![]),
        ] {
            assert_eq!(find_similar_names(written, known, 3), similar, "{written}");
        }
    }
}
