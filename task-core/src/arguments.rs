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
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// A type that can be stored as an argument.
#[diagnostic::on_unimplemented(
    message = "task argument `{Self}` cannot be stored in the queue",
    label = "this type must be `Serialize + Deserialize + Send + Sync + 'static`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, or pass something that names it, such as an id"
)]
pub trait TaskArgument: Sized {
    /// Adds this argument to the object.
    fn write<S: SerializeStruct>(&self, name: &'static str, object: &mut WrittenObject<S>);

    /// Takes the argument just named out of the object.
    fn read<'de, A: MapAccess<'de>>(
        place: &mut Option<Self>,
        name: &'static str,
        object: &mut StoredObject<'de, A>,
    );
}

// One sentence about the argument rather than one for each trait it lacks.
#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> TaskArgument for T {
    fn write<S: SerializeStruct>(&self, name: &'static str, object: &mut WrittenObject<S>) {
        if let Ok(fields) = &mut object.0
            && let Err(error) = fields.serialize_field(name, self)
        {
            object.0 = Err(error);
        }
    }

    fn read<'de, A: MapAccess<'de>>(
        place: &mut Option<Self>,
        name: &'static str,
        object: &mut StoredObject<'de, A>,
    ) {
        if place.is_some() {
            object.refuse(A::Error::duplicate_field(name));
        } else if object.error.is_none() {
            *place = object.keep(|object| object.next_value());
        }
    }
}

/// A type that has a value for an argument that is missing.
#[diagnostic::on_unimplemented(
    message = "task argument `{Self}` has no default",
    label = "this type must be `Default`",
    note = "`#[task(default)]` lets an argument be missing in tasks that were queued before it existed; implement `Default`, or take an `Option`"
)]
pub trait MissingArgument: Sized {
    /// What was stored, or the default.
    fn or_default(place: Option<Self>) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> MissingArgument for T {
    fn or_default(place: Option<Self>) -> Self {
        place.unwrap_or_default()
    }
}

/// All arguments of one task.
pub trait TaskArguments: Sized {
    /// The names they are stored under.
    const NAMES: &'static [&'static str];

    /// Names that some of them had once.
    const FORMER: &'static [&'static str] = &[];

    /// Takes all of them out of an object.
    ///
    /// # Errors
    /// One is missing or does not fit.
    fn read<'de, A: MapAccess<'de>>(object: StoredObject<'de, A>) -> Result<Self, A::Error>;
}

/// An object that is being written, or the error that ended it.
///
/// It keeps the error until the end, like [`StoredObject`]: what is written for a task then has no
/// `?` in it, which the compiler would have to look into for every argument of every task.
pub struct WrittenObject<S: SerializeStruct>(Result<S, S::Error>);

impl<S: SerializeStruct> WrittenObject<S> {
    /// Begins an object of so many arguments.
    pub fn begin<Z>(serializer: Z, task: &'static str, arguments: usize) -> Self
    where
        Z: Serializer<SerializeStruct = S, Error = S::Error>,
    {
        Self(serializer.serialize_struct(task, arguments))
    }

    /// The whole object.
    ///
    /// # Errors
    /// What could not be written.
    pub fn end(self) -> Result<S::Ok, S::Error> {
        self.0?.end()
    }
}

/// A stored object that is being read, and the error that ended it.
pub struct StoredObject<'de, A: MapAccess<'de>> {
    object: A,
    error: Option<A::Error>,
}

impl<'de, A: MapAccess<'de>> StoredObject<'de, A> {
    /// The next argument with one of these names, present or former; `None` in the end and after an
    /// error. What has another name is passed over: it was an argument once, and old tasks still
    /// carry it.
    pub fn next_name(
        &mut self,
        names: &'static [&'static str],
        former: &'static [&'static str],
    ) -> Option<&'static str> {
        if self.error.is_some() {
            return None;
        }
        self.keep(|object| {
            while let Some(name) = object.next_key_seed(OneOf(names, former))? {
                if name.is_some() {
                    return Ok(name);
                }
                object.next_value::<IgnoredAny>()?;
            }
            Ok(None)
        })?
    }

    /// The argument; `None`, with the error kept, when the object does not have it.
    pub fn required<T>(&mut self, place: Option<T>, name: &'static str) -> Option<T> {
        if place.is_none() {
            self.refuse(A::Error::missing_field(name));
        }
        place
    }

    /// All arguments, or the error.
    ///
    /// # Errors
    /// What was kept.
    pub fn end<T>(self, arguments: Option<T>) -> Result<T, A::Error> {
        match (self.error, arguments) {
            (Some(error), _) => Err(error),
            (None, Some(arguments)) => Ok(arguments),
            (None, None) => Err(A::Error::custom("no arguments")),
        }
    }

    fn keep<T>(&mut self, step: impl FnOnce(&mut A) -> Result<T, A::Error>) -> Option<T> {
        match step(&mut self.object) {
            Ok(value) => Some(value),
            Err(error) => {
                self.refuse(error);
                None
            }
        }
    }

    /// What went wrong first is what counts.
    fn refuse(&mut self, error: A::Error) {
        self.error.get_or_insert(error);
    }
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
        T::read(StoredObject { object, error: None })
    }
}

/// Reads a name; `None` when it is none of these.
struct OneOf(&'static [&'static str], &'static [&'static str]);

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
        let mut known = self.0.iter().chain(self.1).copied();
        Ok(known.find(|known| *known == name))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// As `#[task]` writes it for `fn pay(sum: u32, note: Option<String>)`.
    #[derive(Debug, PartialEq)]
    struct Pay {
        sum: u32,
        note: Option<String>,
    }

    impl Serialize for Pay {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut object = WrittenObject::begin(serializer, "pay", Self::NAMES.len());
            <u32 as TaskArgument>::write(&self.sum, "sum", &mut object);
            <Option<String> as TaskArgument>::write(&self.note, "note", &mut object);
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

        fn read<'de, A: MapAccess<'de>>(mut object: StoredObject<'de, A>) -> Result<Self, A::Error> {
            let (mut sum, mut note) = (None, None);
            while let Some(name) = object.next_name(Self::NAMES, Self::FORMER) {
                match name {
                    "sum" => <u32 as TaskArgument>::read(&mut sum, name, &mut object),
                    "note" => <Option<String> as TaskArgument>::read(&mut note, name, &mut object),
                    _ => {}
                }
            }
            let Some(sum) = object.required(sum, "sum") else {
                return object.end(None);
            };
            let note = <Option<String> as MissingArgument>::or_default(note);
            object.end(Some(Self { sum, note }))
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
    fn what_cannot_be_written_is_told_and_ends_it() {
        use serde::ser::Error as _;

        struct Unwritable;
        impl Serialize for Unwritable {
            fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(S::Error::custom("not on paper"))
            }
        }
        let mut text = Vec::new();
        let mut serializer = serde_json::Serializer::new(&mut text);
        let mut object = WrittenObject::begin(&mut serializer, "pay", 2);
        if let Ok(fields) = &mut object.0
            && let Err(error) = fields.serialize_field("sum", &Unwritable)
        {
            object.0 = Err(error);
        }
        <u32 as TaskArgument>::write(&7, "note", &mut object);
        let error = object.end().expect_err("unwritable");
        assert_eq!(error.to_string(), "not on paper");
        assert_eq!(text, br#"{"sum":"#);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (json, expected) in [
            (r#"{"note":"rent"}"#, "missing field `sum`"),
            (r#"{"sum":7,"sum":8}"#, "duplicate field `sum`"),
            (
                r#"{"sum":7,"note":5}"#,
                "invalid type: integer `5`, expected a string",
            ),
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
