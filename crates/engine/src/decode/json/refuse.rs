//! What all readers of single values share: the answer to a value of the wrong kind.

/// A visitor that accepts the listed kinds of values and answers all others with the field's own error.
macro_rules! refuse_others {
    ($($method:ident($type:ty) => $found:expr),* $(,)?) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.expected())
        }
        $(fn $method<E: Error>(self, value: $type) -> Result<Self::Value, E> {
            Err(self.refuse(&$found(value).to_string()))
        })*
        fn visit_seq<A: SeqAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.refuse("an array"))
        }
        fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<Self::Value, A::Error> {
            Err(self.refuse("an object"))
        }
    };
}
