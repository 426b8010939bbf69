//! JSON that means the same in every store: what is written is checked on the way, and a
//! refusal names the place.
//!
//! Writing is one pass that only notices. What it refused is written a second time, into
//! nothing, to learn where and why: `write` is the way of the values, `output` that of the
//! text, `text` reads JSON that others wrote, `path` names places.

mod canonical;
mod output;
mod path;
mod read;
mod text;
mod write;

#[cfg(test)]
mod tests;

pub(crate) use canonical::canonical;
pub(crate) use path::Path;
pub(crate) use read::{Misfit, read};
pub(crate) use text::{check, compact, sizes};
pub(crate) use write::write;

/// How deep arguments and return values may be nested: objects and lists within each other,
/// the object of the arguments itself counted.
///
/// It is what MySQL allows in a JSON document. Readers give up, too: `serde_json` reads no
/// deeper than 127 levels, so that what is deeper could be stored and never read.
pub const MAX_JSON_DEPTH: usize = 100;

/// Why a value cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// `NaN` or `infinite`.
    NotFinite(&'static str),
    /// U+0000 in a text.
    Nul,
    /// U+0000 in a key of the map.
    NulInKey,
    /// A key of the map is no text and has no text of its own.
    Key,
    /// More than [`MAX_JSON_DEPTH`] levels.
    TooDeep,
    /// The object has this name before.
    Twice,
    /// So many bytes in all; the largest part and its size, where there are parts.
    TooLarge(usize, Option<(String, usize)>),
    /// Anything else, in the words of who noticed.
    Other(String),
}

/// A value that cannot be stored: where and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) path: Path,
    pub(crate) reason: Reason,
}
