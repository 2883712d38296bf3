//! Creates random hexadecimal digits, for example for the id of an instance or the name of a savepoint request.

/// Returns `count` random hexadecimal digits, but at most 32.
///
/// # Errors
/// When the operating system returns no random numbers.
pub fn random_hex_digits(count: usize) -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    let mut digits = format!("{:032x}", u128::from_be_bytes(bytes));
    digits.truncate(count);
    Ok(digits)
}
