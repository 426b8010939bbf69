//! The arguments of a task as a JSON object, and back.
//!
//! `#[task]` writes these few calls instead of a derive, because of what the compiler says
//! about a type that cannot be stored: of a derive, that it cannot be serialized, and three
//! times that it cannot be deserialized; here, once, that it cannot be an argument.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor,
};
use serde::ser::{Serialize, SerializeStruct};

/// A type that can be stored as an argument.
#[diagnostic::on_unimplemented(
    message = "task argument `{Self}` cannot be stored in the queue",
    label = "this type must be `Serialize + Deserialize + Send + Sync + 'static`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or pass something that names it, such as an id"
)]
pub trait TaskArgument: Sized {
    /// Adds this argument to the object.
    ///
    /// # Errors
    /// It cannot be written.
    fn write<S: SerializeStruct>(&self, name: &'static str, object: &mut S) -> Result<(), S::Error>;

    /// Takes the argument just named out of the object.
    ///
    /// # Errors
    /// It does not fit, or it was there before.
    fn read<'de, A: MapAccess<'de>>(
        place: &mut Option<Self>,
        name: &'static str,
        object: &mut StoredObject<A>,
    ) -> Result<(), A::Error>;
}

// One sentence about the argument rather than one for each trait it lacks.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> TaskArgument for T {
    fn write<S: SerializeStruct>(&self, name: &'static str, object: &mut S) -> Result<(), S::Error> {
        object.serialize_field(name, self)
    }

    fn read<'de, A: MapAccess<'de>>(
        place: &mut Option<Self>,
        name: &'static str,
        object: &mut StoredObject<A>,
    ) -> Result<(), A::Error> {
        if place.is_some() {
            return Err(A::Error::duplicate_field(name));
        }
        *place = Some(object.0.next_value()?);
        Ok(())
    }
}

/// All arguments of one task.
pub trait TaskArguments: Sized {
    /// The names they are stored under.
    const NAMES: &'static [&'static str];

    /// Takes all of them out of an object.
    ///
    /// # Errors
    /// One is missing or does not fit.
    fn read<'de, A: MapAccess<'de>>(object: StoredObject<A>) -> Result<Self, A::Error>;
}

/// A stored object that is being read.
pub struct StoredObject<A>(A);

impl<'de, A: MapAccess<'de>> StoredObject<A> {
    /// The next argument with one of these names. What has another name is passed over:
    /// it was an argument once, and old tasks still carry it.
    ///
    /// # Errors
    /// The text is not an object.
    pub fn next_name(&mut self, names: &'static [&'static str]) -> Result<Option<&'static str>, A::Error> {
        while let Some(name) = self.0.next_key_seed(OneOf(names))? {
            if name.is_some() {
                return Ok(name);
            }
            self.0.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }
}

/// The argument, or the error that the object does not have it.
///
/// # Errors
/// There is none.
pub fn required<T, E: serde::de::Error>(place: Option<T>, name: &'static str) -> Result<T, E> {
    place.ok_or_else(|| E::missing_field(name))
}

/// Reads all arguments of a task from an object.
///
/// # Errors
/// It is no object, or an argument is missing or does not fit.
pub fn read_arguments<'de, T: TaskArguments, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_map(ObjectOf(PhantomData))
}

struct ObjectOf<T>(PhantomData<T>);

impl<'de, T: TaskArguments> Visitor<'de> for ObjectOf<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the arguments of the task")
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
        T::read(StoredObject(object))
    }
}

/// Reads a name; `None` when it is none of these.
struct OneOf(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOf {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for OneOf {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an argument")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().copied().find(|known| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serializer};

    use super::*;

    /// As `#[task]` writes it for `fn pay(sum: u32, note: Option<String>)`.
    #[derive(Debug, PartialEq)]
    struct Pay {
        sum: u32,
        note: Option<String>,
    }

    impl Serialize for Pay {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut object = serializer.serialize_struct("pay", Self::NAMES.len())?;
            <u32 as TaskArgument>::write(&self.sum, "sum", &mut object)?;
            <Option<String> as TaskArgument>::write(&self.note, "note", &mut object)?;
            object.end()
        }
    }

    impl<'de> Deserialize<'de> for Pay {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            read_arguments(deserializer)
        }
    }

    impl TaskArguments for Pay {
        const NAMES: &'static [&'static str] = &["sum", "note"];

        fn read<'de, A: MapAccess<'de>>(mut object: StoredObject<A>) -> Result<Self, A::Error> {
            let (mut sum, mut note) = (None, None);
            while let Some(name) = object.next_name(Self::NAMES)? {
                match name {
                    "sum" => <u32 as TaskArgument>::read(&mut sum, name, &mut object)?,
                    "note" => <Option<String> as TaskArgument>::read(&mut note, name, &mut object)?,
                    _ => {}
                }
            }
            Ok(Self {
                sum: required(sum, "sum")?,
                note: note.unwrap_or_default(),
            })
        }
    }

    #[test]
    fn arguments_come_back_from_their_object() {
        let pay = Pay {
            sum: 7,
            note: Some("rent".to_owned()),
        };
        let json = serde_json::to_string(&pay).expect("plain data");
        assert_eq!(json, r#"{"sum":7,"note":"rent"}"#);
        assert_eq!(serde_json::from_str::<Pay>(&json).expect("its own text"), pay);
    }

    #[test]
    fn order_and_arguments_that_are_gone_do_not_matter() {
        let pay: Pay = serde_json::from_str(r#"{"tip":{"of":[1]},"note":null,"sum":7}"#).expect("enough");
        assert_eq!(pay, Pay { sum: 7, note: None });
        assert_eq!(serde_json::from_str::<Pay>(r#"{"sum":7}"#).expect("enough"), pay);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (json, expected) in [
            (r#"{"note":"rent"}"#, "missing field `sum`"),
            (r#"{"sum":7,"sum":8}"#, "duplicate field `sum`"),
            (r#"{"sum":"7"}"#, "invalid type: string \"7\", expected u32"),
            (
                "[7]",
                "invalid type: sequence, expected an object with the arguments of the task",
            ),
        ] {
            let error = serde_json::from_str::<Pay>(json).expect_err(json).to_string();
            assert!(error.starts_with(expected), "{json}: {error}");
        }
    }
}
