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
