//! JSON that others wrote: typed by a person, kept as raw text, returned by a task that was
//! entered by hand. It is read once and not changed, so no digit of a number is lost.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::path::{Path, Step};
use super::{MAX_JSON_DEPTH, Reason, Refusal};

/// Whether the text is JSON that means the same in every store: what a value written here
/// could be, no key twice in an object, no number beyond the range of `f64`.
pub(crate) fn check(text: &str) -> Result<(), Refusal> {
    let found = RefCell::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let looked = Look {
        depth: 0,
        found: &found,
    }
    .deserialize(&mut json)
    .and_then(|()| json.end());
    looked.map_err(|error| {
        let found = found.into_inner();
        Refusal {
            path: Path::reversed(found.steps),
            reason: found.reason.unwrap_or_else(|| Reason::Other(error.to_string())),
        }
    })
}

/// Whether it is plain to see that no object of a text we wrote has a key twice. `false` is
/// no answer: large maps in no order are left to [`check`].
///
/// In such a text a key is a string before a colon, and equal keys are equal byte for byte.
pub(super) fn keys_differ(text: &str) -> bool {
    /// Up to so many keys, each is compared with all before it.
    const FEW: usize = 16;
    let bytes = text.as_bytes();
    let mut keys: Vec<&[u8]> = Vec::with_capacity(FEW);
    // Where the keys of each open object begin, and whether they are in order.
    let mut objects: Vec<(usize, bool)> = Vec::with_capacity(4);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => objects.push((keys.len(), true)),
            b'}' => keys.truncate(objects.pop().map_or(0, |(begin, _)| begin)),
            b'"' => {
                let begin = at + 1;
                at = begin + end_of_string(&bytes[begin..]);
                if bytes.get(at + 1) == Some(&b':')
                    && let Some((first, is_sorted)) = objects.last_mut()
                {
                    let (key, before) = (&bytes[begin..at], &keys[*first..]);
                    *is_sorted &= before.last().is_none_or(|last| *last < key);
                    if !*is_sorted && (before.len() >= FEW || before.contains(&key)) {
                        return false;
                    }
                    keys.push(key);
                }
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// Where the quote is that ends a string.
fn end_of_string(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'"' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// The size of the text and its largest part, if it has parts.
pub(crate) fn sizes(text: &str) -> (usize, Option<(String, usize)>) {
    let parts: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let largest = parts.into_iter().max_by_key(|(_, part)| part.get().len());
    (text.len(), largest.map(|(name, part)| (name, part.get().len())))
}

/// The same JSON without blanks between its parts.
pub(crate) fn compact(json: &str) -> String {
    let (mut in_text, mut is_escaped) = (false, false);
    let is_kept = |c: &char| {
        if in_text {
            in_text = is_escaped || *c != '"';
            is_escaped = !is_escaped && *c == '\\';
            return true;
        }
        in_text = *c == '"';
        !matches!(c, ' ' | '\t' | '\r' | '\n')
    };
    json.chars().filter(is_kept).collect()
}

/// What was found wrong, and the steps to it from the inside out.
#[derive(Default)]
struct Found {
    steps: Vec<Step>,
    reason: Option<Reason>,
}

/// Reads one value at this depth and keeps nothing of it.
#[derive(Clone, Copy)]
struct Look<'f> {
    depth: usize,
    found: &'f RefCell<Found>,
}

impl Look<'_> {
    #[cold]
    fn refuse<E: serde::de::Error>(&self, reason: Reason) -> E {
        self.found.borrow_mut().reason.get_or_insert(reason);
        E::custom("not storable")
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(self.refuse(Reason::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    #[cold]
    fn came_from(&self, step: Step) {
        self.found.borrow_mut().steps.push(step);
    }
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(self.refuse(Reason::Nul));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut index = 0;
        loop {
            match list.next_element_seed(inner) {
                Ok(Some(())) => index += 1,
                Ok(None) => return Ok(()),
                Err(error) => {
                    self.came_from(Step::Index(index));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut keys: Vec<Cow<'de, str>> = Vec::new();
        let mut is_sorted = true;
        while let Some(Key(key)) = object.next_key()? {
            if key.contains('\0') {
                return Err(self.refuse(Reason::NulInKey));
            }
            if let Err(error) = object.next_value_seed(inner) {
                self.came_from(Step::Key(key.into_owned()));
                return Err(error);
            }
            is_sorted &= keys.last().is_none_or(|last| *last < key);
            keys.push(key);
        }
        // In order and none equal to the one before it: none is there twice.
        if is_sorted {
            return Ok(());
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            None => Ok(()),
            Some(pair) => {
                self.came_from(Step::Key(pair[0].clone().into_owned()));
                Err(self.refuse(Reason::Twice))
            }
        }
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;
        impl<'de> Visitor<'de> for Borrow {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrow)
    }
}
