//! Where the text goes while it is written: it stops at the limit, at the deepest level and
//! at U+0000.

use std::cell::{Cell, RefCell};
use std::io;

use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::path::{Path, Step};
use super::{MAX_JSON_DEPTH, Reason, Refusal};

/// What is noticed while a value is written.
#[derive(Default)]
pub(super) struct Notes {
    needs_reading: Cell<bool>,
    refused: RefCell<Option<Reason>>,
    /// Kept only to explain a refusal.
    trace: Option<RefCell<Trace>>,
}

/// Where the writing is, and how large everything was.
#[derive(Default)]
struct Trace {
    /// Each step with the number of bytes written before it.
    steps: Vec<(Step, usize)>,
    bytes: usize,
    /// The key that is being written, as JSON.
    key: Option<Vec<u8>>,
    largest: Option<(String, usize)>,
}

impl Notes {
    /// Notes for a second look: with places and sizes.
    pub(super) fn tracing() -> Self {
        Self {
            trace: Some(RefCell::default()),
            ..Self::default()
        }
    }

    /// Whether the text has parts that were not checked when they were written.
    pub(super) fn needs_reading(&self) -> bool {
        self.needs_reading.get()
    }

    /// The text has such a part: raw JSON, or a map, which may have a key twice.
    pub(super) fn read_later(&self) {
        self.needs_reading.set(true);
    }

    /// Notes why the writing ends here.
    #[cold]
    pub(super) fn refuse(&self, reason: Reason) {
        self.refused.borrow_mut().get_or_insert(reason);
    }

    /// One step into the value. A step that is not left is where the writing ended.
    pub(super) fn enter(&self, step: impl FnOnce() -> Step) {
        if let Some(trace) = &self.trace {
            let mut trace = trace.borrow_mut();
            let before = trace.bytes;
            trace.steps.push((step(), before));
        }
    }

    /// The step was made and all is well.
    pub(super) fn leave(&self) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().leave();
        }
    }

    /// A key of a map follows.
    pub(super) fn begin_key(&self) {
        if let Some(trace) = &self.trace {
            trace.borrow_mut().key = Some(Vec::new());
        }
    }

    /// The key was written, its value follows.
    pub(super) fn end_key(&self) {
        let key = self
            .trace
            .as_ref()
            .and_then(|trace| trace.borrow_mut().key.take());
        if let Some(written) = key {
            let text = written.strip_prefix(b",").unwrap_or(&written);
            let key = serde_json::from_slice(text);
            self.enter(|| Step::Key(key.unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned())));
        }
    }

    /// The number of bytes of a whole value, and its largest part.
    pub(super) fn sizes(self) -> (usize, Option<(String, usize)>) {
        let trace = self.trace.map(RefCell::into_inner).unwrap_or_default();
        (trace.bytes, trace.largest)
    }

    /// What was refused and where; `other` when whoever failed left no note.
    pub(super) fn refusal(self, other: impl FnOnce() -> String) -> Refusal {
        let trace = self.trace.map(RefCell::into_inner).unwrap_or_default();
        let reason = match (self.refused.into_inner(), trace.key) {
            (Some(Reason::Nul), Some(_)) => Reason::NulInKey,
            (Some(reason), _) => reason,
            (None, Some(_)) => Reason::Key,
            (None, None) => Reason::Other(other()),
        };
        Refusal {
            path: Path::new(trace.steps.into_iter().map(|(step, _)| step).collect()),
            reason,
        }
    }
}

impl Trace {
    fn leave(&mut self) {
        let Some((step, before)) = self.steps.pop() else {
            return;
        };
        if !self.steps.is_empty() {
            return;
        }
        // What stands before the value itself: a comma, a name in quotes, a colon.
        let comma = usize::from(before > 1);
        let (name, lead) = match step {
            Step::Field(name) => (name.to_owned(), comma + name.len() + 3),
            Step::Key(key) => (key, 1),
            Step::Index(index) => (format!("[{index}]"), comma),
        };
        let size = (self.bytes - before).saturating_sub(lead);
        if self.largest.as_ref().is_none_or(|(_, most)| size > *most) {
            self.largest = Some((name, size));
        }
    }
}

/// The text so far, up to the limit. With a trace nothing is kept, only counted.
pub(super) struct Sink<'n> {
    text: Vec<u8>,
    limit: usize,
    notes: &'n Notes,
}

impl<'n> Sink<'n> {
    pub(super) fn new(limit: usize, notes: &'n Notes) -> Self {
        let limit = if notes.trace.is_some() { 0 } else { limit };
        Self {
            text: Vec::with_capacity(limit.min(128)),
            limit,
            notes,
        }
    }

    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    #[cold]
    #[inline(never)]
    fn over(&self, bytes: &[u8]) -> io::Result<()> {
        let Some(trace) = &self.notes.trace else {
            self.notes.refuse(Reason::TooLarge(0, None));
            return Err(io::ErrorKind::StorageFull.into());
        };
        let mut trace = trace.borrow_mut();
        trace.bytes += bytes.len();
        if let Some(key) = &mut trace.key {
            key.extend_from_slice(bytes);
        }
        Ok(())
    }
}

impl io::Write for Sink<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() <= self.limit - self.text.len() {
            self.text.extend_from_slice(bytes);
            Ok(())
        } else {
            self.over(bytes)
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compact JSON that counts its levels and has no U+0000.
pub(super) struct Strict<'n> {
    depth: usize,
    notes: &'n Notes,
}

impl<'n> Strict<'n> {
    pub(super) fn new(notes: &'n Notes) -> Self {
        Self { depth: 0, notes }
    }

    #[inline]
    fn deeper(&mut self) -> io::Result<()> {
        self.depth += 1;
        if self.depth > MAX_JSON_DEPTH {
            return self.refuse(Reason::TooDeep);
        }
        Ok(())
    }

    #[cold]
    fn refuse(&self, reason: Reason) -> io::Result<()> {
        self.notes.refuse(reason);
        Err(io::ErrorKind::InvalidData.into())
    }
}

impl Formatter for Strict<'_> {
    #[inline]
    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.deeper()?;
        CompactFormatter.begin_array(writer)
    }

    #[inline]
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        CompactFormatter.end_array(writer)
    }

    #[inline]
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.deeper()?;
        CompactFormatter.begin_object(writer)
    }

    #[inline]
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        CompactFormatter.end_object(writer)
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        if matches!(escape, CharEscape::AsciiControl(0)) {
            return self.refuse(Reason::Nul);
        }
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        self.notes.read_later();
        CompactFormatter.write_raw_fragment(writer, text)
    }

    // Only where the program turned on serde_json's `arbitrary_precision`.
    fn write_number_str<W: ?Sized + io::Write>(&mut self, writer: &mut W, number: &str) -> io::Result<()> {
        self.notes.read_later();
        CompactFormatter.write_number_str(writer, number)
    }
}
