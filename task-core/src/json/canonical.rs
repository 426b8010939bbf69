//! One text for JSON that says the same: keys in order, no blanks, numbers as they were written.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The text of this JSON, or of these members of it, with the keys of every object in order. Text that
/// is no JSON stays as it is.
pub(crate) fn canonical(text: &str, only: Option<&[&str]>) -> String {
    let mut out = String::with_capacity(text.len());
    write(text.trim(), only, &mut out);
    out
}

fn write(text: &str, only: Option<&[&str]>, out: &mut String) {
    if text.starts_with('{')
        && let Ok(object) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text)
    {
        let members = object
            .iter()
            .filter(|(key, _)| only.is_none_or(|only| only.contains(&key.as_ref())));
        out.push('{');
        for (index, (key, value)) in members.enumerate() {
            if index > 0 {
                out.push(',');
            }
            // A text always can be written.
            out.push_str(&serde_json::to_string(key).unwrap_or_default());
            out.push(':');
            write(value.get(), None, out);
        }
        out.push('}');
    } else if text.starts_with('[')
        && let Ok(list) = serde_json::from_str::<Vec<&RawValue>>(text)
    {
        out.push('[');
        for (index, value) in list.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write(value.get(), None, out);
        }
        out.push(']');
    } else {
        out.push_str(text);
    }
}
