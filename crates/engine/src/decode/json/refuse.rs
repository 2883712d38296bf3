//! The answer of all readers of single values to a value of the wrong type.

/// Writes a visitor's methods for values of the wrong type, which answer with the field's own error; the listed ones among
/// them quote the value.
macro_rules! refuse_others {
    ($($method:ident($type:ty) => $found:expr),* $(,)?) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected())
        }
        $(fn $method<E: Error>(self, value: $type) -> Result<Self::Value, E> {
            Err(self.wrong_type(&$found(value).to_string()))
        })*
        fn visit_seq<A: SeqAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.wrong_type("an array"))
        }
        fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.wrong_type("an object"))
        }
    };
}
