//! The kinds of mistakes.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kind of a mistake. Scripts may rely on the name of a kind (kebab-case), because names never change.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[non_exhaustive]
        pub enum DiagnosticCode {
            $($(#[$doc])* $variant,)*
        }

        impl DiagnosticCode {
            /// All kinds of mistakes.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns the name of the kind, which never changes.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

codes! {
    /// Text that is not TOML.
    Syntax = "syntax",
    /// A name that occurs twice in one table.
    DuplicateKey = "duplicate-key",
    /// A `--set` option whose path is not a valid path in the pipeline file.
    BadOverride = "bad-override",
    /// A field or table that does not exist in pipeline files, such as a misspelt one.
    UnknownField = "unknown-field",
    /// A required field or table that is missing.
    MissingField = "missing-field",
    /// Two fields that exclude each other.
    ConflictingFields = "conflicting-fields",
    /// A value whose TOML type is not the expected type.
    WrongType = "wrong-type",
    /// Text that is empty.
    EmptyText = "empty-text",
    /// A value that is not one of the allowed values.
    BadValue = "bad-value",
    /// A name that is too long, or that contains a character that is not allowed.
    BadName = "bad-name",
    /// A name that is already taken: by the entity key, by the event time, by other data in a row, or by another
    /// test.
    ReservedName = "reserved-name",
    /// A reference to an environment variable or a file that has no value.
    MissingSecret = "missing-secret",
    /// Text that is not a duration.
    BadDuration = "bad-duration",
    /// A number or duration that is too small or too large.
    OutOfRange = "out-of-range",
    /// A sliding window with too many panes.
    TooManyPanes = "too-many-panes",
    /// A time zone that is not in the IANA time zone database.
    UnknownTimeZone = "unknown-time-zone",
    /// A field that a feature or a condition names, but that `[event.fields]` does not declare.
    UndeclaredField = "undeclared-field",
    /// A value or field whose type does not fit its use.
    TypeMismatch = "type-mismatch",
    /// A `where` that is not a SQL condition.
    BadCondition = "bad-condition",
    /// A part of SQL that `where` does not support.
    UnsupportedCondition = "unsupported-condition",
    /// A key template that is not valid.
    BadKey = "bad-key",
    /// A key template with which two users, or two windows, could share a Redis key.
    AmbiguousKey = "ambiguous-key",
    /// Two feature views that could write the same Redis key.
    KeyCollision = "key-collision",
}

impl DiagnosticCode {
    /// Returns whether the mistake is a mistake of TOML syntax.
    pub(crate) const fn is_syntax(self) -> bool {
        matches!(self, Self::Syntax | Self::DuplicateKey)
    }
}

impl fmt::Display for DiagnosticCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
