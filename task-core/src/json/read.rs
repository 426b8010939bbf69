//! JSON text as a value, and where it does not fit.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::path::{Path, Step};

/// A text that is not the JSON of the wanted type: where and why.
#[derive(Debug)]
pub(crate) struct Misfit {
    pub(crate) path: Path,
    /// What was expected and what is there.
    pub(crate) message: String,
}

/// Reads a stored value. Where it does not fit is looked for only when it does not.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Misfit> {
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

#[cold]
#[inline(never)]
fn explain<T: DeserializeOwned>(text: &str, before: &serde_json::Error) -> Misfit {
    let mut json = serde_json::Deserializer::from_str(text);
    let again = serde_path_to_error::deserialize::<_, T>(&mut json);
    let path = match &again {
        Err(error) => Path::new(error.path().iter().filter_map(step).collect()),
        // The value fits, and something follows it.
        Ok(_) => Path::default(),
    };
    Misfit {
        path,
        message: message(before),
    }
}

/// What the error says; the place in the text only where the text is no JSON.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(message) if error.is_data() => message.to_owned(),
        _ => text,
    }
}

fn step(segment: &Segment) -> Option<Step> {
    match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } | Segment::Enum { variant: key } => Some(Step::Key(key.clone())),
        Segment::Unknown => None,
    }
}
