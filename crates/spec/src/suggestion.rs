//! "Did you mean": the valid name that is closest to a misspelt one.

/// Longer names are generated, not typed, so comparing them costs time without use.
const MAX_COMPARED_CHARS: usize = 64;

/// Returns the name closest to `written`, where it is close enough to be a misspelling.
pub(crate) fn closest_name<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
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

/// Returns a hint with the closest name.
pub(crate) fn suggest_name<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest_name(written, known).map(|name| format!("did you mean `{name}`?"))
}

/// Joins names to `a, b or c`.
pub(crate) fn list_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        None => "nothing".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
    }
}
