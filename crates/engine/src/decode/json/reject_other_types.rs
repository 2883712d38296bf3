//! A macro for visitors that read one JSON value. The macro generates the methods that reject values of unexpected
//! types.

/// Generates the methods with which a visitor rejects arrays, objects, and values of the listed types. The error for a
/// value of a listed type quotes the value.
macro_rules! reject_other_types {
    ($($method:ident($type:ty) => $found:expr),* $(,)?) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected_type_text())
        }
        $(fn $method<E: Error>(self, value: $type) -> Result<Self::Value, E> {
            Err(self.wrong_type_error(&$found(value).to_string()))
        })*
        fn visit_seq<A: SeqAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.wrong_type_error("an array"))
        }
        fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.wrong_type_error("an object"))
        }
    };
}
