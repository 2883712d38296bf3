//! A failure as Flink's client reads it: its JSON holds a serialized Java object, and the client takes nothing less.
//!
//! Owns: one object, an `org.apache.flink.util.SerializedThrowable` with a message that wraps nothing, in the stream protocol
//! of Java's object serialization. Whatever is written, the reader finds no other class in it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What failures are called.
const EXCEPTION_CLASS: &str = "org.apache.flink.runtime.checkpoint.CheckpointException";
/// Characters of a reason that are told: a string of the stream is shorter than 64 KiB.
const REASON_CHARS_MAX: usize = 4_000;

const TC_NULL: u8 = 0x70;
const TC_REFERENCE: u8 = 0x71;
const TC_CLASSDESC: u8 = 0x72;
const TC_OBJECT: u8 = 0x73;
const TC_STRING: u8 = 0x74;
const TC_ENDBLOCKDATA: u8 = 0x78;
/// Of a class: it can be read back; its own method adds to its fields, up to the next [`TC_ENDBLOCKDATA`].
const SC_SERIALIZABLE: u8 = 0x02;
const SC_WRITE_METHOD: u8 = 0x01;
/// The type of string fields, the second thing in the stream, is named once and then referred to.
const STRING_TYPE_HANDLE: [u8; 4] = [0x00, 0x7e, 0x00, 0x01];

/// `failure-cause`
pub(super) fn render_failure_cause(reason: &str) -> Value {
    let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
    let told = format!("{EXCEPTION_CLASS}: {reason}");
    json!({
        "class": EXCEPTION_CLASS,
        "stack-trace": told,
        "serialized-throwable": STANDARD.encode(JavaObjectStream::serialize_failure(&told)),
    })
}

struct JavaObjectStream(Vec<u8>);

impl JavaObjectStream {
    fn serialize_failure(told: &str) -> Vec<u8> {
        let mut stream = Self(vec![0xac, 0xed, 0, 5, TC_OBJECT]);
        stream.put_class("org.apache.flink.util.SerializedThrowable", 7_284_183_123_441_947_635, SC_SERIALIZABLE, 3);
        stream.put_field("fullStringifiedStackTrace", "Ljava/lang/String;");
        stream.put_string_field("originalErrorClassName");
        stream.put_field("serializedException", "[B");
        stream.put_byte(TC_ENDBLOCKDATA);
        stream.put_class("java.lang.Exception", -3_387_516_993_124_229_948, SC_SERIALIZABLE, 0);
        stream.put_byte(TC_ENDBLOCKDATA);
        stream.put_class("java.lang.Throwable", -3_042_686_055_658_047_285, SC_SERIALIZABLE | SC_WRITE_METHOD, 4);
        stream.put_field("cause", "Ljava/lang/Throwable;");
        stream.put_string_field("detailMessage");
        stream.put_field("stackTrace", "[Ljava/lang/StackTraceElement;");
        stream.put_field("suppressedExceptions", "Ljava/util/List;");
        stream.put_byte(TC_ENDBLOCKDATA);
        stream.put_byte(TC_NULL); // no class above
        // The fields' values, the uppermost class first.
        stream.put_byte(TC_NULL);
        stream.put_string(told);
        stream.put_byte(TC_NULL);
        stream.put_byte(TC_NULL);
        stream.put_byte(TC_ENDBLOCKDATA);
        stream.put_string(told);
        stream.put_string(EXCEPTION_CLASS);
        stream.put_byte(TC_NULL);
        stream.0
    }

    fn put_byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn put_class(&mut self, name: &str, version: i64, flags: u8, fields: u16) {
        self.put_byte(TC_CLASSDESC);
        self.put_modified_utf8(name);
        self.0.extend(version.to_be_bytes());
        self.put_byte(flags);
        self.0.extend(fields.to_be_bytes());
    }

    /// A field whose type is named here for the first time.
    fn put_field(&mut self, name: &str, kind: &str) {
        self.put_byte(kind.as_bytes()[0]);
        self.put_modified_utf8(name);
        self.put_string(kind);
    }

    fn put_string_field(&mut self, name: &str) {
        self.put_byte(b'L');
        self.put_modified_utf8(name);
        self.put_byte(TC_REFERENCE);
        self.0.extend(STRING_TYPE_HANDLE);
    }

    fn put_string(&mut self, text: &str) {
        self.put_byte(TC_STRING);
        self.put_modified_utf8(text);
    }

    /// Java's own UTF-8: NUL takes two bytes, and a character beyond 16 bits is written as its two surrogates.
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
