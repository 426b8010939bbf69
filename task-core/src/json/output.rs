//! Where the text goes while it is written: nothing is kept beyond the limit, and it ends at
//! the deepest level and at U+0000.

use std::cell::{Cell, RefCell};
use std::io;

use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::path::{Path, Step};
use super::{MAX_JSON_DEPTH, Reason, Refusal};

/// What is noticed while a value is written.
#[derive(Default)]
pub(super) struct Notes {
    has_map: Cell<bool>,
    has_raw: Cell<bool>,
    is_over: Cell<bool>,
    refused: RefCell<Option<Reason>>,
    /// Whether the trace is kept: only to explain a refusal.
    is_tracing: bool,
    trace: RefCell<Option<Box<Trace>>>,
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
            is_tracing: true,
            trace: RefCell::new(Some(Box::default())),
            ..Self::default()
        }
    }

    /// There is a map of several entries, which may have a key twice.
    #[inline]
    pub(super) fn map(&self) {
        self.has_map.set(true);
    }

    pub(super) fn has_map(&self) -> bool {
        self.has_map.get()
    }

    /// Whether there is JSON that others wrote.
    pub(super) fn has_raw(&self) -> bool {
        self.has_raw.get()
    }

    /// Whether the text is longer than the limit.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Notes why the writing ends here.
    #[cold]
    pub(super) fn refuse(&self, reason: Reason) {
        self.refused.borrow_mut().get_or_insert(reason);
    }

    /// One step into the value. A step that is not left is where the writing ended.
    #[inline]
    pub(super) fn enter(&self, step: impl FnOnce() -> Step) {
        if self.is_tracing {
            self.entered(step());
        }
    }

    #[cold]
    #[inline(never)]
    fn entered(&self, step: Step) {
        self.trace(|trace| trace.steps.push((step, trace.bytes)));
    }

    /// The step was made and all is well.
    #[inline]
    pub(super) fn leave(&self) {
        if self.is_tracing {
            self.left();
        }
    }

    #[cold]
    #[inline(never)]
    fn left(&self) {
        self.trace(Trace::leave);
    }

    /// Changes the trace, if one is kept.
    fn trace<T>(&self, change: impl FnOnce(&mut Trace) -> T) -> Option<T> {
        self.trace.borrow_mut().as_deref_mut().map(change)
    }

    /// A key of a map follows.
    pub(super) fn begin_key(&self) {
        if self.is_tracing {
            self.trace(|trace| trace.key = Some(Vec::new()));
        }
    }

    /// The key was written, its value follows.
    pub(super) fn end_key(&self) {
        if self.is_tracing {
            let written = self.trace(|trace| trace.key.take()).flatten().unwrap_or_default();
            let text = written.strip_prefix(b",").unwrap_or(&written);
            let key = serde_json::from_slice(text);
            self.entered(Step::Key(
                key.unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned()),
            ));
        }
    }

    /// The number of bytes of a whole value, and its largest part.
    pub(super) fn sizes(self) -> (usize, Option<(String, usize)>) {
        let trace = self.trace.into_inner().unwrap_or_default();
        (trace.bytes, trace.largest)
    }

    /// What was refused and where; `other` when whoever failed left no note.
    pub(super) fn refusal(self, other: impl FnOnce() -> String) -> Refusal {
        let trace = self.trace.into_inner().unwrap_or_default();
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
        let limit = if notes.is_tracing { 0 } else { limit };
        Self {
            text: Vec::with_capacity(limit.min(128)),
            limit,
            notes,
        }
    }

    pub(super) fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// Makes room, up to the limit; what is beyond it is counted and not kept.
    #[cold]
    #[inline(never)]
    fn beyond(&mut self, bytes: &[u8]) {
        let (length, room) = (self.text.len(), self.text.capacity());
        let needed = length + bytes.len();
        if needed <= self.limit {
            let room = needed.max(2 * room).min(self.limit);
            self.text.reserve_exact(room - length);
            self.text.extend_from_slice(bytes);
            return;
        }
        self.notes.is_over.set(true);
        self.notes.trace(|trace| {
            trace.bytes += bytes.len();
            if let Some(key) = &mut trace.key {
                key.extend_from_slice(bytes);
            }
        });
    }
}

impl io::Write for Sink<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    // It never fails, which the compiler sees: an error to look for after each quote and
    // comma would cost more than all the rest.
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() <= self.text.capacity() - self.text.len() {
            self.text.extend_from_slice(bytes);
        } else {
            self.beyond(bytes);
        }
        Ok(())
    }

    #[inline]
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
        if self.notes.is_over() && !self.notes.is_tracing {
            return self.refuse(Reason::TooLarge(0, None));
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
        self.notes.has_raw.set(true);
        CompactFormatter.write_raw_fragment(writer, text)
    }

    // Only where the program turned on serde_json's `arbitrary_precision`.
    fn write_number_str<W: ?Sized + io::Write>(&mut self, writer: &mut W, number: &str) -> io::Result<()> {
        self.notes.has_raw.set(true);
        CompactFormatter.write_number_str(writer, number)
    }
}
