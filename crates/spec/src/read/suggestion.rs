//! "Did you mean": the closest of the names that would have been right.

/// Longer names are not typed but generated; comparing them only costs time.
const MAX_COMPARED_CHARS: usize = 64;

/// The name closest to `written`, if it is close enough to be meant.
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

/// The hint that names it.
pub(crate) fn suggest_name<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest_name(written, known).map(|name| format!("did you mean `{name}`?"))
}

/// `a, b or c`, for lists of what is possible.
pub(crate) fn list_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.pop() {
        None => "nothing".to_owned(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} or {last}", names.join(", ")),
    }
}
