//! A macro for the readers of single values. It writes the methods that refuse values of the wrong type.

/// Writes the methods of a visitor that refuse values of the wrong type with the error of the field. The listed methods
/// also quote the value.
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
