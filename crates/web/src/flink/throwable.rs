//! Renders a failure in the format that Flink's client expects: JSON with a serialized Java object in a Base64 field.
//!
//! Owns: the bytes of an `org.apache.flink.util.SerializedThrowable` without a wrapped exception, in the format of
//! Java's object serialization.
//! Invariant: the reason of a failure is written only as a Java string, so the reason cannot add a class to the stream.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Flink's client sees every failure as an exception of this Java class.
const EXCEPTION_CLASS: &str = "org.apache.flink.runtime.checkpoint.CheckpointException";
/// The largest number of characters of a failure's reason. A longer reason is cut, because a Java string in the stream
/// must take less than 64 KiB.
const MAX_REASON_CHARS: usize = 4_000;

// These constants have the names and values of `java.io.ObjectStreamConstants`.
const TC_NULL: u8 = 0x70;
const TC_REFERENCE: u8 = 0x71;
const TC_CLASSDESC: u8 = 0x72;
const TC_OBJECT: u8 = 0x73;
const TC_STRING: u8 = 0x74;
const TC_ENDBLOCKDATA: u8 = 0x78;
const SC_WRITE_METHOD: u8 = 0x01;
const SC_SERIALIZABLE: u8 = 0x02;
/// The handle of the type name `Ljava/lang/String;`. In a stream of serialized Java objects, a handle refers to an
/// object that the stream already contains. The type name is the second such object. All later fields of type `String`
/// refer to the type name by this handle.
const STRING_TYPE_HANDLE: [u8; 4] = [0x00, 0x7e, 0x00, 0x01];

/// Renders the value of `failure-cause` in the status of an operation.
pub(super) fn render_failure_cause(reason: &str) -> Value {
    let reason = windrow_core::text::first_chars(reason, MAX_REASON_CHARS);
    let stack_trace = format!("{EXCEPTION_CLASS}: {reason}");
    let serialized = STANDARD.encode(JavaObjectStream::serialize_failure(&stack_trace));
    json!({
        "class": EXCEPTION_CLASS,
        "stack-trace": stack_trace,
        "serialized-throwable": serialized,
    })
}

struct JavaObjectStream(Vec<u8>);

impl JavaObjectStream {
    fn serialize_failure(stack_trace: &str) -> Vec<u8> {
        let mut stream = Self(vec![0xac, 0xed, 0, 5, TC_OBJECT]);
        stream.put_class_descriptor(
            "org.apache.flink.util.SerializedThrowable",
            7_284_183_123_441_947_635,
            SC_SERIALIZABLE,
            3,
        );
        stream.put_field_descriptor("fullStringifiedStackTrace", "Ljava/lang/String;");
        stream.put_string_field_descriptor("originalErrorClassName");
        stream.put_field_descriptor("serializedException", "[B");
        stream.put_byte(TC_ENDBLOCKDATA);
        stream.put_class_descriptor("java.lang.Exception", -3_387_516_993_124_229_948, SC_SERIALIZABLE, 0);
        stream.put_byte(TC_ENDBLOCKDATA);
        let throwable_flags = SC_SERIALIZABLE | SC_WRITE_METHOD;
        stream.put_class_descriptor("java.lang.Throwable", -3_042_686_055_658_047_285, throwable_flags, 4);
        stream.put_field_descriptor("cause", "Ljava/lang/Throwable;");
        stream.put_string_field_descriptor("detailMessage");
        stream.put_field_descriptor("stackTrace", "[Ljava/lang/StackTraceElement;");
        stream.put_field_descriptor("suppressedExceptions", "Ljava/util/List;");
        stream.put_byte(TC_ENDBLOCKDATA);
        stream.put_byte(TC_NULL); // `Throwable` has no serializable superclass.
        // The descriptions of the classes and fields end here. The values of the fields follow, beginning with the
        // fields of `Throwable`, the topmost class.
        stream.put_byte(TC_NULL);
        stream.put_string(stack_trace);
        stream.put_byte(TC_NULL);
        stream.put_byte(TC_NULL);
        stream.put_byte(TC_ENDBLOCKDATA);
        stream.put_string(stack_trace);
        stream.put_string(EXCEPTION_CLASS);
        stream.put_byte(TC_NULL);
        stream.0
    }

    fn put_byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn put_class_descriptor(&mut self, name: &str, serial_version: i64, flags: u8, field_count: u16) {
        self.put_byte(TC_CLASSDESC);
        self.put_modified_utf8(name);
        self.0.extend(serial_version.to_be_bytes());
        self.put_byte(flags);
        self.0.extend(field_count.to_be_bytes());
    }

    /// Writes the name of a field and the name of its type. The stream must not contain the type's name yet, because
    /// Java writes a repeated name as a handle.
    fn put_field_descriptor(&mut self, name: &str, field_type: &str) {
        self.put_byte(field_type.as_bytes()[0]);
        self.put_modified_utf8(name);
        self.put_string(field_type);
    }

    /// Writes the name of a field of type `String`. Instead of the type's name, writes a handle, because the stream
    /// already contains this name.
    fn put_string_field_descriptor(&mut self, name: &str) {
        self.put_byte(b'L');
        self.put_modified_utf8(name);
        self.put_byte(TC_REFERENCE);
        self.0.extend(STRING_TYPE_HANDLE);
    }

    fn put_string(&mut self, text: &str) {
        self.put_byte(TC_STRING);
        self.put_modified_utf8(text);
    }

    /// Writes `text` in Java's modified UTF-8. The number of encoded bytes comes first. In this encoding, NUL takes two
    /// bytes, and a character above U+FFFF is encoded as two surrogates.
    fn put_modified_utf8(&mut self, text: &str) {
        let mut bytes = Vec::new();
        for unit in text.encode_utf16() {
            let low = |shift: u32| 0x80 | u8::try_from((unit >> shift) & 0x3f).unwrap_or_default();
            match unit {
                1..=0x7f => bytes.push(u8::try_from(unit).unwrap_or_default()),
                0 | 0x80..=0x7ff => bytes.extend([0xc0 | u8::try_from(unit >> 6).unwrap_or_default(), low(0)]),
                _ => bytes.extend([0xe0 | u8::try_from(unit >> 12).unwrap_or_default(), low(6), low(0)]),
            }
        }
        self.0.extend(u16::try_from(bytes.len()).unwrap_or_default().to_be_bytes());
        self.0.extend(bytes);
    }
}
