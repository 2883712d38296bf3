//! The data that all visitors for the values of one record share.

use std::cell::Cell;

use bumpalo::Bump;
use serde::de::Error;
use windrow_core::Value;

use crate::decode::error::DecodeError;
use crate::decode::rules::DecodeRules;

/// The data that all visitors for the values of one record share.
#[derive(Clone, Copy)]
pub(super) struct JsonDecodeContext<'a, 'c> {
    pub(super) rules: &'a DecodeRules,
    pub(super) arena: &'a Bump,
    pub(super) findings: &'c FirstPassFindings,
}

/// What the visitors find out besides the values.
#[derive(Default)]
pub(super) struct FirstPassFindings {
    /// The reason why the record is not an event. It is stored here, because an error of serde can hold only text.
    pub(super) decode_error: Cell<Option<DecodeError>>,
    /// Whether a second pass must find the characters of a value.
    pub(super) needs_source_text: Cell<bool>,
}

impl<'a> JsonDecodeContext<'a, '_> {
    /// Stores `error` in the context. Returns an error of serde without a text. A visitor that returns this error ends
    /// the decoding.
    pub(super) fn store_decode_error<E: Error>(&self, error: DecodeError) -> E {
        self.findings.decode_error.set(Some(error));
        E::custom("")
    }

    /// Requests a second pass that finds the characters of a value. Returns a placeholder for the value.
    pub(super) fn request_source_text(&self) -> Value<'a> {
        self.findings.needs_source_text.set(true);
        Value::String("")
    }

    /// Stores `value`, the value of the field `name`, in `place`. Fails if `place` already holds a value, because the
    /// field then occurs twice in the record.
    pub(super) fn set_field_once<E: Error>(
        &self,
        place: &mut Option<Value<'a>>,
        value: Value<'a>,
        name: &str,
    ) -> Result<(), E> {
        if place.is_some() {
            return Err(self.store_decode_error(DecodeError::DuplicateField(name.into())));
        }
        *place = Some(value);
        Ok(())
    }
}
