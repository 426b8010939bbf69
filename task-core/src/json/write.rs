//! A value as JSON text, checked on the way.
//!
//! `serde_json` writes; around each of its serializers stands one that sees the values as
//! well, because a NaN that became `null` cannot be told from a `null` any more.

use std::fmt::Display;

use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::output::{Notes, Sink, Strict};
use super::path::{Path, Step};
use super::{Reason, Refusal, text};

/// The value as JSON of at most `limit` bytes.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, limit: usize) -> Result<String, Refusal> {
    let notes = Notes::default();
    match pass(value, limit, &notes) {
        Ok(text) if !notes.is_over() && text.len() <= limit => {
            let is_clear = !notes.has_raw() && (!notes.has_map() || text::keys_differ(&text));
            if !is_clear {
                text::check(&text)?;
            }
            Ok(text)
        }
        outcome => Err(explain(value, limit, outcome.err().as_ref())),
    }
}

fn pass<T: Serialize + ?Sized>(value: &T, limit: usize, notes: &Notes) -> serde_json::Result<String> {
    let mut json = serde_json::Serializer::with_formatter(Sink::new(limit, notes), Strict::new(notes));
    value.serialize(Checked {
        inner: &mut json,
        notes,
        is_key: false,
    })?;
    String::from_utf8(json.into_inner().into_text()).map_err(serde_json::Error::custom)
}

/// Writes the value again, into nothing, to learn what is wrong with it and where.
#[cold]
#[inline(never)]
fn explain<T: Serialize + ?Sized>(value: &T, limit: usize, before: Option<&serde_json::Error>) -> Refusal {
    let notes = Notes::tracing();
    if let Err(error) = pass(value, limit, &notes) {
        return notes.refusal(|| error.to_string());
    }
    let (bytes, largest) = notes.sizes();
    let reason = match before {
        // It does not write itself the same way twice.
        Some(error) if bytes <= limit => Reason::Other(error.to_string()),
        _ => Reason::TooLarge(bytes, largest),
    };
    Refusal {
        path: Path::default(),
        reason,
    }
}

/// A value that is written through a serializer of ours.
struct Part<'a, T: ?Sized> {
    value: &'a T,
    notes: &'a Notes,
    is_key: bool,
}

impl<T: Serialize + ?Sized> Serialize for Part<'_, T> {
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Checked {
            inner: serializer,
            notes: self.notes,
            is_key: self.is_key,
        })
    }
}

/// A serializer that looks at what passes through it.
struct Checked<'n, S> {
    inner: S,
    notes: &'n Notes,
    /// Whether what is written is a key of a map.
    is_key: bool,
}

impl<'n, S: Serializer> Checked<'n, S> {
    #[inline]
    fn float<T>(
        self,
        value: T,
        number: f64,
        write: impl FnOnce(S, T) -> Result<S::Ok, S::Error>,
    ) -> Result<S::Ok, S::Error> {
        if number.is_finite() && !self.is_key {
            return write(self.inner, value);
        }
        self.notes.refuse(if self.is_key {
            Reason::Key
        } else if number.is_nan() {
            Reason::NotFinite("NaN")
        } else {
            Reason::NotFinite("infinite")
        });
        Err(S::Error::custom("not a number of JSON"))
    }

    #[inline]
    fn parts<C>(self, open: impl FnOnce(S) -> Result<C, S::Error>) -> Result<Parts<'n, C>, S::Error> {
        Ok(Parts {
            inner: open(self.inner)?,
            notes: self.notes,
            index: 0,
        })
    }
}

/// The functions that have nothing to look at.
macro_rules! pass_on {
    ($($function:ident($($name:ident: $type:ty),*);)*) => {$(
        #[inline]
        fn $function(self, $($name: $type),*) -> Result<S::Ok, S::Error> {
            self.inner.$function($($name),*)
        }
    )*};
}

impl<'n, S: Serializer> Serializer for Checked<'n, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Parts<'n, S::SerializeSeq>;
    type SerializeTuple = Parts<'n, S::SerializeTuple>;
    type SerializeTupleStruct = Parts<'n, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Parts<'n, S::SerializeTupleVariant>;
    type SerializeMap = Parts<'n, S::SerializeMap>;
    type SerializeStruct = Parts<'n, S::SerializeStruct>;
    type SerializeStructVariant = Parts<'n, S::SerializeStructVariant>;

    pass_on! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_char(value: char);
        serialize_str(value: &str);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
        serialize_unit_variant(name: &'static str, index: u32, variant: &'static str);
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.float(value, value.into(), S::serialize_f32)
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.float(value, value, S::serialize_f64)
    }

    #[inline]
    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let Self { inner, notes, is_key } = self;
        inner.serialize_some(&Part { value, notes, is_key })
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Self { inner, notes, is_key } = self;
        inner.serialize_newtype_struct(name, &Part { value, notes, is_key })
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let Self { inner, notes, is_key } = self;
        notes.enter(|| Step::Field(variant));
        let value = Part { value, notes, is_key };
        let written = inner.serialize_newtype_variant(name, index, variant, &value)?;
        notes.leave();
        Ok(written)
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.parts(|inner| inner.serialize_seq(length))
    }

    #[inline]
    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.parts(|inner| inner.serialize_tuple(length))
    }

    #[inline]
    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.parts(|inner| inner.serialize_tuple_struct(name, length))
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.notes.enter(|| Step::Field(variant));
        self.parts(|inner| inner.serialize_tuple_variant(name, index, variant, length))
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        if length.is_none_or(|length| length > 1) {
            self.notes.map();
        }
        self.parts(|inner| inner.serialize_map(length))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.parts(|inner| inner.serialize_struct(name, length))
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.notes.enter(|| Step::Field(variant));
        self.parts(|inner| inner.serialize_struct_variant(name, index, variant, length))
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The parts of a list, map or struct, one after the other.
struct Parts<'n, C> {
    inner: C,
    notes: &'n Notes,
    index: usize,
}

impl<C> Parts<'_, C> {
    /// Writes one part, which is at this step.
    #[inline]
    fn part<T: ?Sized, E>(
        &mut self,
        step: impl FnOnce(usize) -> Step,
        value: &T,
        write: impl FnOnce(&mut C, &Part<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (index, notes) = (self.index, self.notes);
        notes.enter(|| step(index));
        let value = Part {
            value,
            notes,
            is_key: false,
        };
        write(&mut self.inner, &value)?;
        notes.leave();
        self.index += 1;
        Ok(())
    }
}

/// Lists and structs of all kinds: the function for one part, and what a variant does at its end.
macro_rules! parts {
    ($($trait:ident::$function:ident($($key:ident)?) $(then $leave:ident)?;)*) => {$(
        impl<C: $trait> $trait for Parts<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn $function<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), C::Error> {
                let step = parts!(@step $($key)?);
                self.part(step, value, |inner, value| inner.$function($($key,)? value))
            }

            $(
                #[inline]
                fn skip_field(&mut self, $key: &'static str) -> Result<(), C::Error> {
                    self.inner.skip_field($key)
                }
            )?

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                $(self.notes.$leave();)?
                self.inner.end()
            }
        }
    )*};
    (@step) => { Step::Index };
    (@step $key:ident) => { |_| Step::Field($key) };
}

parts! {
    SerializeSeq::serialize_element();
    SerializeTuple::serialize_element();
    SerializeTupleStruct::serialize_field();
    SerializeTupleVariant::serialize_field() then leave;
    SerializeStruct::serialize_field(key);
    SerializeStructVariant::serialize_field(key) then leave;
}

impl<C: SerializeMap> SerializeMap for Parts<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        self.notes.begin_key();
        self.inner.serialize_key(&Part {
            value: key,
            notes: self.notes,
            is_key: true,
        })?;
        self.notes.end_key();
        Ok(())
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.inner.serialize_value(&Part {
            value,
            notes: self.notes,
            is_key: false,
        })?;
        self.notes.leave();
        Ok(())
    }

    #[inline]
    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
