//! Reading one file: what is counted, and what can be wrong with it.

use std::error::Error;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::language;
use crate::path::shown;

/// How much of a file is in memory at a time, however long its lines are.
const BUFFER_BYTES: usize = 64 * 1024;

/// What is known about one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Bytes.
    pub bytes: u64,
    /// Lines, the last one also when nothing ends it.
    pub lines: u64,
    /// Runs of characters between blanks.
    pub words: u64,
    /// The characters of the longest line, without its end.
    pub longest_line: u64,
    /// What it is written in, as far as name and first line tell; `Binary` when it has a NUL.
    pub language: String,
    /// The CRC-32 of its bytes, in hexadecimal digits.
    pub checksum: String,
}

/// Why a file cannot be surveyed.
#[derive(Debug)]
pub enum SurveyError {
    /// It has a byte that no UTF-8 text has in that place.
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// How many bytes are well-formed.
        offset: u64,
        /// The first that is not.
        byte: u8,
    },
    /// It is no regular file, or none any more: opening a pipe would wait for a writer.
    NotAFile(PathBuf),
    /// It is gone, or may not be read.
    Unreadable(PathBuf, io::Error),
}

impl fmt::Display for SurveyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { path, offset, byte } => {
                let path = shown(path);
                write!(f, "{path} is not UTF-8: byte 0x{byte:02X} at offset {offset}")
            }
            Self::NotAFile(path) => write!(f, "{} is not a regular file", shown(path)),
            Self::Unreadable(path, _) => write!(f, "{} cannot be read", shown(path)),
        }
    }
}

impl Error for SurveyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreadable(_, error) => Some(error),
            Self::NotUtf8 { .. } | Self::NotAFile(_) => None,
        }
    }
}

/// Reads a file once, from its beginning to its end or to the first byte that is not UTF-8.
pub(crate) fn survey(path: &Path) -> Result<FileFacts, SurveyError> {
    let unreadable = |error| SurveyError::Unreadable(path.to_owned(), error);
    // Not through a symbolic link: what was found in the folder may have become one since.
    if !path.symlink_metadata().map_err(unreadable)?.is_file() {
        return Err(SurveyError::NotAFile(path.to_owned()));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut tally = Tally::default();
    let mut buffer = vec![0; BUFFER_BYTES];
    // What the buffer starts with: a character that the last read did not complete.
    let mut begun = 0;
    loop {
        let read = match file.read(&mut buffer[begun..]) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        let piece = &buffer[..begun + read];
        let (text, is_wrong) = text_of(piece);
        tally.add(text);
        let rest = text.len()..piece.len();
        if !rest.is_empty() && (is_wrong || read == 0) {
            return Err(SurveyError::NotUtf8 {
                path: path.to_owned(),
                offset: tally.bytes,
                byte: piece[rest.start],
            });
        }
        if read == 0 {
            return Ok(tally.facts(path));
        }
        begun = rest.len();
        buffer.copy_within(rest, 0);
    }
}

/// The text that a piece of a file begins with, and whether what follows it cannot become text.
fn text_of(piece: &[u8]) -> (&str, bool) {
    match str::from_utf8(piece) {
        Ok(text) => (text, false),
        Err(error) => {
            let text = str::from_utf8(&piece[..error.valid_up_to()]).unwrap_or_default();
            (text, error.error_len().is_some())
        }
    }
}

/// What was counted so far.
#[derive(Default)]
struct Tally {
    bytes: u64,
    checksum: crc32fast::Hasher,
    lines: u64,
    words: u64,
    longest_line: u64,
    /// Characters of the line that has not ended yet.
    line: u64,
    /// The beginning of the first line, for the language.
    head: String,
    last: Option<char>,
    has_nul: bool,
}

impl Tally {
    fn add(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        self.checksum.update(text.as_bytes());
        if self.lines == 0 {
            let missing = language::HEAD_CHARS.saturating_sub(self.head.chars().count());
            self.head
                .extend(text.chars().take(missing).take_while(|next| *next != '\n'));
        }
        for next in text.chars() {
            let in_word = self.last.is_some_and(|last| !last.is_whitespace());
            if !in_word && !next.is_whitespace() {
                self.words += 1;
            }
            if next == '\n' {
                self.end_line();
            } else {
                self.line += 1;
            }
            self.has_nul |= next == '\0';
            self.last = Some(next);
        }
    }

    fn end_line(&mut self) {
        self.lines += 1;
        let carriage_return = u64::from(self.last == Some('\r'));
        self.longest_line = self.longest_line.max(self.line - carriage_return);
        self.line = 0;
    }

    fn facts(mut self, path: &Path) -> FileFacts {
        if self.last.is_some_and(|last| last != '\n') {
            self.end_line();
        }
        let language = match self.has_nul {
            true => "Binary",
            false => language::guess(path, &self.head),
        };
        FileFacts {
            bytes: self.bytes,
            lines: self.lines,
            words: self.words,
            longest_line: self.longest_line,
            language: language.to_owned(),
            checksum: format!("{:08x}", self.checksum.finalize()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found out about a file of this name with these bytes.
    fn of(name: &str, bytes: &[u8]) -> Result<FileFacts, SurveyError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        survey(&path)
    }

    #[test]
    fn lines_words_and_characters_are_counted() {
        let facts = of("a.md", "# Grüße\n\nzwei Wörter\r\nEnde".as_bytes()).expect("text");
        assert_eq!((facts.lines, facts.words, facts.longest_line), (4, 5, 11));
        assert_eq!((facts.language.as_str(), facts.bytes), ("Markdown", 29));
        let nothing = of("b", b"").expect("text");
        assert_eq!((nothing.lines, nothing.words, nothing.longest_line), (0, 0, 0));
        assert_eq!(nothing.checksum, "00000000");
        assert_eq!(of("c", b"123456789").expect("text").checksum, "cbf43926");
    }

    #[test]
    fn a_character_may_lie_across_two_reads() {
        for before in BUFFER_BYTES - 4..=BUFFER_BYTES {
            let text = format!("{}🦀 x\n", "a".repeat(before));
            let facts = of("a.txt", text.as_bytes()).expect("text");
            assert_eq!((facts.lines, facts.words), (1, 2), "{before}");
            assert_eq!(facts.longest_line, before as u64 + 3);
            assert_eq!(facts.bytes, text.len() as u64);
        }
    }

    #[test]
    fn the_first_byte_that_is_not_utf8_is_named() {
        for (bytes, expected) in [
            (&b"caf\xe9 au lait"[..], "byte 0xE9 at offset 3"),
            (b"cut off \xf0\x9f", "byte 0xF0 at offset 8"),
            (b"\xff\xfeU\0", "byte 0xFF at offset 0"),
        ] {
            let error = of("menu.txt", bytes).expect_err("not UTF-8").to_string();
            assert!(
                error.ends_with(&format!("menu.txt is not UTF-8: {expected}")),
                "{error}"
            );
        }
        let long = [vec![b'a'; 3 * BUFFER_BYTES], vec![0xc3]].concat();
        let error = of("long.txt", &long).expect_err("not UTF-8").to_string();
        assert!(error.ends_with("byte 0xC3 at offset 196608"), "{error}");
    }

    #[test]
    fn a_nul_makes_a_file_binary() {
        assert_eq!(of("a.rs", b"fn\0").expect("UTF-8").language, "Binary");
    }

    #[test]
    fn what_is_gone_or_no_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let gone = survey(&folder.path().join("gone")).expect_err("not there");
        assert!(gone.to_string().ends_with("gone cannot be read"), "{gone}");
        assert!(gone.source().is_some());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/etc/passwd", &link).expect("a link");
        for path in [folder.path(), &link] {
            let error = survey(path).expect_err("no file");
            assert!(matches!(error, SurveyError::NotAFile(_)), "{error}");
        }
    }
}
